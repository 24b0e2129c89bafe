/**
 * A tiny run as far as the thread that writes checkpoints knows it.
 */
#ifndef DT_TESTS_SAVER_BENCH_H
#define DT_TESTS_SAVER_BENCH_H

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "support/checkpoint.h"
#include "support/sentence.h"
#include "train/saver.h"
#include "train/stop.h"

/* A tiny run as far as a saver knows it. */
typedef struct bench {
    tiny *t;
    dt_metrics metrics;
    dt_saver *saver;
    char *metrics_path;
    dt_lock *lock; /* of the folder of checkpoints, or NULL */
} bench;

static inline bench make(dt_on_error on_error) {
    bench b = {.t = tiny_make()};
    b.t->about.config.checkpoint_on_error = on_error;
    b.metrics_path = dt_file_join(b.t->scratch, "metrics.jsonl");
    assert_done(dt_metrics_open(&b.metrics, b.metrics_path, NULL));
    return b;
}

/* The saver counts the state it begins with as saved, so the first step to save is another. */
static inline void start(bench *b) {
    const dt_saver_inputs inputs = {.checkpoints_folder = b->t->folder,
                                    .about = &b->t->about,
                                    .state = &b->t->state,
                                    .metrics = &b->metrics,
                                    .lock = b->lock};
    assert_done(dt_saver_create(&b->saver, &inputs));
}

/* The same, started. The saver keeps pointers into it, so it stays where it is. */
static inline void make_started(bench *b, dt_on_error on_error) {
    *b = make(on_error);
    start(b);
}

/* Asks for a checkpoint of the state as it is, which nobody has evaluated. */
static inline void save(bench *b, dt_save_kind kind) {
    dt_saver_begin(b->saver, DT_NULL_REAL, dt_clock_seconds(), kind);
}

/* The same, and waits until it is written. */
static inline void save_and_wait(bench *b) {
    save(b, DT_SAVE_NOW);
    dt_saver_wait(b->saver);
}

static inline void end(bench *b) {
    dt_saver_free(b->saver);
    assert_done(dt_metrics_close(&b->metrics));
    free(b->metrics_path);
    tiny_free(b->t);
}

/* A step of training: the state becomes another while nobody looks. */
static inline void advance(bench *b, int64_t step) {
    dt_state *state = &b->t->state;
    dt_state_hold(state);
    tiny_advance(b->t, step, 1);
    dt_state_release(state);
}

/* The checkpoint of `step` is that state, whatever the state is now. */
static inline void expect_checkpoint(bench *b, int64_t step) {
    char name[512];
    snprintf(name, sizeof name, "%s/checkpoint_step_%d", b->t->folder, (int)step);
    const int64_t now = b->t->state.step;
    advance(b, step);
    if (!tiny_equals(b->t, name))
        fail_msg("%s does not hold the state of step %d: %s", name, (int)step, dt_error());
    advance(b, now);
}

static inline bool has_checkpoint(const bench *b, const char *name) {
    char *path = dt_file_join(b->t->folder, name);
    const bool found = dt_file_exists(path);
    free(path);
    return found;
}

/* The names in the folder of checkpoints, sorted, a space after each: hidden ones too. */
static inline void expect_files(const bench *b, const char *expected) {
    char **names, found[256] = "";
    size_t count;
    assert_done(dt_file_list(b->t->folder, &names, &count));
    for (size_t i = 0; i < count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s ", names[i]);
    dt_file_free_names(names, count);
    assert_string_equal(found, expected);
}

#endif
