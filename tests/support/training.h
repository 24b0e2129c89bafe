/**
 * Trains tiny models by the program, in the working folder, and compares what runs leave behind bit for bit.
 *
 * A run is named by its out_dir, relative to the working folder. Every function fails the test when something
 * other than its result goes wrong.
 */
#ifndef DT_TESTS_TRAINING_H
#define DT_TESTS_TRAINING_H

#include <stdint.h>
#include <sys/types.h>

#include "support/command.h"

/** A model of two layers with dropout and clipping on text.txt; tests add the rest. */
#define TRAINING_MODEL                                                                                       \
    "--n-layers 2 --d-model 32 --n-heads 2 --d-ff 64 --max-seq-len 32 --dropout 0.1 --grad-clip 0.5 "        \
    "--learning-rate 1e-2 --seed 7 --data text.txt "

/** Runs that are stopped and go on: a learning rate that does not depend on max_steps, which differs between
 * the parts of a run, and one that does. */
#define TRAINING_STEADY TRAINING_MODEL "--warmup-steps 2 "
#define TRAINING_COSINE                                                                                      \
    TRAINING_MODEL "--lr-schedule cosine --warmup-steps 2 --max-steps 10 --checkpoint-cadence 4 "

/** For cmocka: a test's own working folder, with text.txt in it; command_tear_down removes it. */
int training_set_up(void **state);
/** The same, with two steps of TRAINING_STEADY in the folder saved/. */
int training_set_up_saved(void **state);

/** The `ranks` of a run without mpirun. */
#define TRAINING_ALONE 0

/** Trains with `flags` into `out_dir` on `ranks` ranks of `threads` threads, and waits for the end. */
command_result training_run(int ranks, int threads, const char *out_dir, const char *flags);

/** The same, and the run must end with exit code 0. */
void training_done(int ranks, int threads, const char *out_dir, const char *flags);

/** The same, and the run must end with `exit_code` and `sentence` on standard error, once. */
void training_refused(int ranks, const char *out_dir, const char *flags, int exit_code, const char *sentence);

/** Runs dtrain with nothing but `words`, which must end with exit code 0; what it said. */
command_result training_goes_on(int ranks, const char *words);

/** Starts a run that goes on beside the test; returns the process of mpirun, or of dtrain when it is alone.
 * What it prints goes to the files OUT_DIR.out and OUT_DIR.err. */
pid_t training_start(int ranks, const char *out_dir, const char *flags);

/** Waits until metrics.jsonl has the line of step `step` or a later one. */
void training_await_step(pid_t process, const char *out_dir, int64_t step);

/** The process of rank `rank` of the job that mpirun `process` started. */
pid_t training_rank_process(pid_t process, int rank);

/** Waits for a started run and returns its exit code, 128 + the signal when a signal ended it. */
int training_end(pid_t process);

/** The step of the checkpoint that `latest` points to; -1 when there is none. */
int64_t training_latest_step(const char *out_dir);

/** The lines of metrics.jsonl that have `key`, as "step value" with the very text of the file; owned by the
 * caller. With the key "hook" they are whole lines. */
char *training_metric(const char *out_dir, const char *key);

/** The steps that have `key` in metrics.jsonl, each once and in order, are those in `steps`: "1 2 3 ". */
void training_expect_steps(const char *out_dir, const char *key, const char *steps);

/** The last value that training_metric found, as text; owned by the caller. */
char *training_last_metric(const char *out_dir, const char *key);

/** `key` has the same text on the same steps in both runs, and is there at all. */
void training_same_metric(const char *out_dir, const char *other, const char *key);

/** Weights and moments of step `step` are the same bytes in both runs. */
void training_same_weights(const char *out_dir, const char *other, int64_t step);

/** Weights and moments of step `step`, and each step's loss, learning rate and norm, are the same in both
 * runs. */
void training_same_run(const char *out_dir, const char *other, int64_t step);

/** Whether the bytes of a file differ from those of another. */
bool training_files_differ(const char *path, const char *other);

/** Turns over one bit of byte `offset` of the file, from its end when negative. */
void training_damage(const char *path, int64_t offset);

/** The checkpoints folder holds checkpoints, `latest` and `best`, and nothing that a save left behind. */
void training_no_leftovers(const char *out_dir);

#endif
