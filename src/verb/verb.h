/**
 * The verbs of the command line, and what they share. Each takes its row of the table (verb/table.h) and the
 * words after itself, does all of its work and returns the program's exit code; the sentence of a failure is
 * dt_error(), for main.c to print. train, eval, data, bench, plan, tokenizer and tokenize (but for --decode)
 * are collective, join the job and print their own; the others are local, and every task of a launcher does
 * all of their work, with the words that it was given.
 *
 * This room is the command line. Words enter; an exit code leaves, and what the verb was asked for. A file
 * is a verb.
 */
#ifndef DT_VERB_VERB_H
#define DT_VERB_VERB_H

#include <stdio.h>

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "verb/row.h"

/**
 * Trains from a fresh model, or from the checkpoint that --resume names, until max_steps are done or a stop
 * is asked for; with --print-config prints the config and trains nothing, with --dry-run
 * checks and prints what it would do. Collective.
 */
dt_status dt_verb_train(const dt_verb *verb, int argc, char **argv);

/** Prints text that the model of a checkpoint writes, after a prompt, as it is made. Local. */
dt_status dt_verb_sample(const dt_verb *verb, int argc, char **argv);

/** Prints how well the model of a checkpoint predicts a text: loss, perplexity, bits per character.
 * Collective. */
dt_status dt_verb_eval(const dt_verb *verb, int argc, char **argv);

/** Lists the windows that each step's batch holds, a JSON object a step; trains nothing. Collective. */
dt_status dt_verb_data(const dt_verb *verb, int argc, char **argv);

/** Writes the tokens of texts into a file, by all ranks together. Collective. */
dt_status dt_verb_tokenize(const dt_verb *verb, int argc, char **argv);

/** Prints the text that the tokens in files were made from. Local. */
dt_status dt_verb_decode(const dt_verb *verb, int argc, char **argv);

/** Prints how many tokens files have, and which. Collective. */
dt_status dt_verb_statistics(const dt_verb *verb, int argc, char **argv);

/**
 * Measures the sections of a step; with --scaling, whole steps on parts of the job; with --algorithms, the
 * algorithms of the allreduce. Collective.
 */
dt_status dt_verb_bench(const dt_verb *verb, int argc, char **argv);

/** What bench does with --merge among its words: makes one table and one page of the studies in several
 * files, which rank 0 alone reads and writes. Collective. */
dt_status dt_verb_merge(const dt_verb *verb, int argc, char **argv);

/** Predicts memory, traffic and speed of a config on numbers of ranks that are not there. Collective. */
dt_status dt_verb_plan(const dt_verb *verb, int argc, char **argv);

/** Reads every byte of a checkpoint, and fails where one is not what was saved; of a model folder, whether it
 * is complete. Local. */
dt_status dt_verb_verify(const dt_verb *verb, int argc, char **argv);

/** Writes the model of a checkpoint as a folder for other programs, in a type of numbers of choice. Local. */
dt_status dt_verb_export(const dt_verb *verb, int argc, char **argv);

/** Trains a tokenizer on texts and writes a tokenizer.json, by rank 0. Collective. */
dt_status dt_verb_tokenizer(const dt_verb *verb, int argc, char **argv);

/** Prints in one line whether the run of these words is complete, and the step it has come to. Local. */
dt_status dt_verb_progress(const dt_verb *verb, int argc, char **argv);

/** Draws the losses of runs with characters. Local. */
dt_status dt_verb_curve(const dt_verb *verb, int argc, char **argv);

/** Writes runs as a page, once or until they end. Local. */
dt_status dt_verb_report(const dt_verb *verb, int argc, char **argv);

/** Lists the runs in a folder and below it. Local. */
dt_status dt_verb_runs(const dt_verb *verb, int argc, char **argv);

/** Prints the verbs and options; with a flag, the documents that are made of the option table. Local. */
dt_status dt_verb_help(const dt_verb *verb, int argc, char **argv);

/**
 * Refuses a job whose ranks are not one program that computes alike (train/launch.h), or were started with
 * different words (mpirun's ":" allows it): all that follows relies on their being the same. The config file
 * needs no such question: rank 0 reads it, and all use those bytes. dt_verb_settings does it by itself.
 * Collective.
 */
dt_status dt_verb_same_launch(const dt_world *world, int argc, char **argv);

/** Whether a verb goes on from the checkpoint that the config's `resume` names, or does not look at it. */
typedef enum dt_verb_start { DT_VERB_AFRESH, DT_VERB_RESUMES } dt_verb_start;

/**
 * Defaults, then the file named by --config, then the flags, into `config`, which the caller frees in any
 * case. With a `world` rank 0 reads the file and all use its bytes, collectively; NULL reads it locally.
 * `flags` gets the verb's own; words that are no flags are refused. What concerns several options at once is
 * checked, but for a verb that resumes where `resume` or `init_from` is given: then it is for whoever has
 * added what is there. For one that starts afresh, what `init_from` says is added here.
 */
dt_status dt_verb_settings(dt_config *config, dt_verb_flags *flags, const dt_world *world,
                           const dt_verb *verb, int argc, char **argv, dt_verb_start start);

/** Fails with DT_USAGE where more than one of words[count], the files that `verb` reads one after the other,
 * is standard input. Local. */
dt_status dt_verb_expect_one_standard_input(const char *verb, const char *const *words, int count);

/**
 * Reads the words of a verb that takes no options of training: its own flags into `flags`, and the others,
 * which point into argv, into `*words`, [`*count`], a new array that the caller frees, after failure too.
 * Local.
 */
dt_status dt_verb_words(const dt_verb *verb, int argc, char **argv, dt_verb_flags *flags, const char ***words,
                        int *count);

/**
 * Reads the flags of a verb that works on a checkpoint: exactly one word, into `*checkpoint` (it points into
 * argv), and the verb's own flags into `flags`; options of training are not taken. With a `text`, which may
 * be NULL, a second word is taken too, and `*text` is NULL without one. Local.
 */
dt_status dt_verb_checkpoint(const dt_verb *verb, int argc, char **argv, dt_verb_flags *flags,
                             const char **checkpoint, const char **text);

/**
 * All of a collective verb that takes options and starts afresh: joins the job, reads the settings, does
 * `work` with them, and leaves. Returns what the process is to exit with. Collective.
 */
dt_status dt_verb_run(const dt_verb *verb, int argc, char **argv,
                      dt_status (*work)(const dt_world *world, const dt_config *config,
                                        const dt_verb_flags *flags));

/** Makes sure that all of `what`, for the sentence of a failure, has reached standard output. Local. */
dt_status dt_verb_printed(const char *what);

/**
 * Prints the recorded sentence of a failure, if there is one, and forgets it, so that it is printed once.
 * Local.
 */
void dt_verb_complain(void);

/**
 * Ends a collective verb: rank 0 complains when `status` is a failure, and all end the watchdog, where there
 * is one, and close `world`. Returns what the process is to exit with: `status`, but DT_OK on the other ranks
 * when rank 0 has complained for them. A rank with a failure of its own, on which the ranks could not agree,
 * complains too and ends the job. Collective.
 */
dt_status dt_verb_leave(dt_world *world, dt_status status);

/** Reads a count of at least 1 from a verb's own flag. Local. */
dt_status dt_verb_count(const char *flag, const char *text, int64_t *count);

/** Reads a count from `min` to `max`. Local. */
dt_status dt_verb_count_within(int64_t min, int64_t max, const char *flag, const char *text, int64_t *count);

#endif
