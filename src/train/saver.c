/* One thread, one copy, one checkpoint at a time: who asks for saves, and who waits for them. What becomes of
 * a copy is saver_writer.c's. */
#include "train/saver.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/meter.h"
#include "base/quote.h"
#include "base/units.h"
#include "train/saver_writer.h"
#include "train/stop.h"

/* How often who waits for a save looks whether it is time to say so. */
#define LOOK_SECONDS 0.5

/* How often the writer looks whether the state is as far as another rank's. */
#define STEP_NANOSECONDS 1000000L

/* A save is a number: it has been asked for, the state is held for it, it is done. done <= held <= asked. */
struct dt_saver {
    dt_saver_inputs in;
    dt_saver_writer writer;       /* the thread's alone, as is the next */
    char unsaved[DT_ERROR_BYTES]; /* why the last save failed; "" when it did not */
    dt_saver_trial trial;

    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards what follows; taken after the state by who holds both */
    pthread_cond_t changed;
    int64_t asked, held, done;
    bool leaving;
    double val_loss;              /* of the save that was asked for */
    double begin_seconds;         /* how long who asked has waited */
    double seconds;               /* that writing the last checkpoint took */
    char failure[DT_ERROR_BYTES]; /* the first sentence; "" for none */
    char told[DT_ERROR_BYTES];    /* the last warning, which is not said twice */
};

void dt_saver_bear(dt_saver *s, dt_status status) {
    if (s == NULL || status == DT_OK)
        return;
    const bool stop = s->in.about->config.checkpoint_on_error == DT_ON_ERROR_STOP;
    pthread_mutex_lock(&s->mutex);
    const bool again = strcmp(s->told, dt_error()) == 0;
    snprintf(s->told, sizeof s->told, "%s", dt_error());
    pthread_mutex_unlock(&s->mutex);
    if (!again)
        dt_log_warn("%s; %s", dt_error(),
                    stop ? "stopping after this step, as checkpoint_on_error says"
                         : "going on all the same, as checkpoint_on_error says");
    if (!stop)
        return;
    pthread_mutex_lock(&s->mutex);
    if (s->failure[0] == 0)
        snprintf(s->failure, sizeof s->failure, "%s", dt_error());
    pthread_mutex_unlock(&s->mutex);
    dt_stop_ask(DT_STOP_FAILURE);
}

/* How long training stood still for the save that has just been written: for who asked, and in the update. */
static double stalled_seconds(dt_saver *s) {
    dt_state *state = s->in.state;
    dt_state_hold(state);
    double seconds = state->waited_seconds - s->writer.copy.waited_seconds;
    dt_state_release(state);
    pthread_mutex_lock(&s->mutex);
    seconds += s->begin_seconds;
    pthread_mutex_unlock(&s->mutex);
    return seconds;
}

static void tell(dt_saver *s, const char *path, double write_seconds) {
    const double save_ms = 1e3 * stalled_seconds(s), write_ms = 1e3 * write_seconds;
    dt_log_line("saved %s in %s, for which training stood still for %s", path,
                dt_units_seconds(write_seconds).text, dt_units_seconds(1e-3 * save_ms).text);
    dt_saver_bear(s, dt_metrics_save(s->in.metrics, s->writer.copy.state.step, save_ms, write_ms));
}

/* Writes the copy of the step `s->writer.copy` is of. */
static void write_copy(dt_saver *s, double val_loss) {
    bool appeared;
    double seconds;
    /* The weights are worth more than the lines about them. */
    dt_saver_bear(s, dt_metrics_sync(s->in.metrics));
    const dt_status status = dt_saver_writer_write(&s->writer, val_loss, &appeared, &seconds);
    snprintf(s->unsaved, sizeof s->unsaved, "%s", status == DT_OK ? "" : dt_error());
    dt_saver_bear(s, status);
    if (!appeared)
        return;
    tell(s, s->writer.path, seconds);
    pthread_mutex_lock(&s->mutex);
    s->seconds = seconds;
    pthread_mutex_unlock(&s->mutex);
    dt_saver_writer_follow_up(&s->writer, val_loss);
}

/* Copies the state as soon as it is of `step` or later, unless the copy is. */
static void copy_later(dt_saver *s, int64_t step) {
    const struct timespec pause = {.tv_nsec = STEP_NANOSECONDS};
    dt_state *state = s->in.state;
    while (s->writer.copy.state.step < step) {
        dt_state_hold(state);
        if (state->step >= step)
            dt_saver_copy_take(&s->writer.copy, state);
        dt_state_release(state);
        if (s->writer.copy.state.step < step)
            nanosleep(&pause, NULL);
    }
}

/* Finds a step of which all ranks have their moments, this one's copy being of the step that it had come to.
 * The others may be one further, or one behind. */
static dt_status agree_on_step(dt_saver *s) {
    int64_t common;
    do {
        DT_TRY(dt_collector_ask(s->writer.collector, s->writer.copy.state.step, &common));
        if (common == s->writer.copy.state.step)
            return DT_OK;
        copy_later(s, common);
    } while (true);
}

/* Lets the other ranks' copies go: those of a save that only this rank knew of, if it came to that, or of one
 * that the loops have begun. */
static void release_others(dt_saver *s, bool makeshift, bool fresh) {
    if (s->writer.collector && (fresh || !makeshift))
        dt_saver_bear(s, dt_collector_release(s->writer.collector, makeshift));
}

/* One save, from the state at rest to the disk. */
static void serve(dt_saver *s) {
    dt_state *state = s->in.state;
    const bool makeshift = dt_saver_trial_kind(&s->trial) == DT_SAVE_MAKESHIFT;
    dt_state_hold(state);
    pthread_mutex_lock(&s->mutex);
    s->held = s->asked;
    const double val_loss = s->val_loss;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    const bool fresh = state->step != s->writer.saved_step;
    if (fresh)
        dt_saver_copy_take(&s->writer.copy, state);
    dt_state_release(state);
    dt_status status = DT_OK;
    if (fresh && makeshift && s->writer.collector)
        status = agree_on_step(s);
    dt_saver_bear(s, status);
    if (fresh && status == DT_OK)
        write_copy(s, val_loss);
    else if (!fresh)
        dt_saver_writer_amend(&s->writer, val_loss);
    release_others(s, makeshift, fresh);
}

static void *run_saver(void *argument) {
    dt_saver *s = argument;
    pthread_mutex_lock(&s->mutex);
    for (;;) {
        while (s->done == s->asked && !s->leaving)
            pthread_cond_wait(&s->changed, &s->mutex);
        if (s->done == s->asked)
            break;
        pthread_mutex_unlock(&s->mutex);
        serve(s);
        pthread_mutex_lock(&s->mutex);
        s->done = s->held;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* All but the thread. */
static dt_status prepare(dt_saver *s) {
    dt_saver_writer *w = &s->writer;
    const dt_saver_inputs *in = &s->in;
    w->about = in->about;
    w->tokenizer = in->tokenizer;
    w->trial = &s->trial;
    w->saved_step = in->state->step;
    DT_TRY(dt_saver_writer_open(w, in->lock, in->checkpoints_folder));
    DT_TRY(dt_saver_copy_create(&w->copy, in->state->layout, in->moments));
    return in->moments
               ? dt_collector_create(&w->collector, in->world, in->channel, in->state->layout, &w->copy.own)
               : DT_OK;
}

dt_status dt_saver_create(dt_saver **created, const dt_saver_inputs *inputs) {
    dt_saver *s = *created = calloc(1, sizeof *s);
    if (s == NULL)
        return dt_fail("out of memory for what saves checkpoints");
    s->in = *inputs;
    dt_saver_trial_open(&s->trial);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    DT_TRY(prepare(s));
    const int failed = pthread_create(&s->thread, NULL, run_saver, s);
    s->started = failed == 0;
    return s->started ? DT_OK
                      : dt_fail("cannot start the thread that writes checkpoints: %s", strerror(failed));
}

void dt_saver_free(dt_saver *s) {
    if (s == NULL)
        return;
    if (s->started) {
        dt_saver_trial_leave(&s->trial);
        pthread_mutex_lock(&s->mutex);
        s->leaving = true;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->mutex);
        pthread_join(s->thread, NULL);
    }
    dt_saver_writer_free(&s->writer);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    dt_saver_trial_close(&s->trial);
    free(s);
}

void dt_saver_decide(dt_saver *s, dt_save_verdict verdict, uint64_t state_hash) {
    if (s != NULL)
        dt_saver_trial_decide(&s->trial, verdict, state_hash);
}

void dt_saver_begin(dt_saver *s, double val_loss, double since_seconds, dt_save_kind kind) {
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->mutex);
    while (s->done < s->asked) {
        if (!dt_saver_trial_waits(kind))
            dt_saver_trial_decide(&s->trial, DT_SAVE_GOOD, DT_SAVE_UNSEEN);
        pthread_cond_wait(&s->changed, &s->mutex);
    }
    const int64_t mine = ++s->asked;
    s->val_loss = val_loss;
    dt_saver_trial_begin(&s->trial, kind);
    pthread_cond_broadcast(&s->changed);
    while (s->held < mine)
        pthread_cond_wait(&s->changed, &s->mutex);
    s->begin_seconds = dt_clock_seconds() - since_seconds;
    pthread_mutex_unlock(&s->mutex);
}

void dt_saver_wait(dt_saver *s) {
    if (s == NULL)
        return;
    dt_meter meter;
    dt_meter_start(&meter, "saving", "a checkpoint", dt_checkpoint_bytes(s->in.state->layout), NULL);
    pthread_mutex_lock(&s->mutex);
    while (s->done < s->asked) {
        const struct timespec until = dt_clock_after(LOOK_SECONDS);
        (void)pthread_cond_clockwait(&s->changed, &s->mutex, CLOCK_MONOTONIC, &until);
        if (s->done < s->asked)
            dt_meter_wait(&meter);
    }
    pthread_mutex_unlock(&s->mutex);
    dt_meter_end(&meter);
}

dt_status dt_saver_finish(dt_saver *s) {
    dt_saver_wait(s);
    const char *cause = s == NULL ? "" : s->failure[0] ? s->failure : s->unsaved;
    if (cause[0] == 0)
        return DT_OK;
    char *word = s->writer.path ? dt_quote(s->writer.path) : NULL;
    const dt_status status =
        dt_fail("%s; the run stopped after step %" PRId64 ": fix the cause, then go on by the same command "
                "with --resume %s",
                cause, s->in.state->step, word ? word : "auto");
    free(word);
    return status;
}

const char *dt_saver_path(const dt_saver *s) {
    return s == NULL ? NULL : s->writer.path;
}

const char *dt_saver_checkpoints_folder(dt_saver *s) {
    if (s == NULL)
        return NULL;
    dt_saver_wait(s);
    (void)dt_saver_writer_follow(&s->writer); /* it was where it was seen last */
    return s->writer.folder.name;
}

double dt_saver_best(const dt_saver *s) {
    return s == NULL ? (double)INFINITY : s->writer.keep.best_val_loss;
}

double dt_saver_seconds(dt_saver *s) {
    if (s == NULL)
        return 0.0;
    pthread_mutex_lock(&s->mutex);
    const double seconds = s->seconds;
    pthread_mutex_unlock(&s->mutex);
    return seconds;
}
