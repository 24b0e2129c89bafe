/* One thread, one copy, one checkpoint at a time. What a checkpoint is and where it goes, checkpoint.c knows.
 */
#include "train/saver.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "train/checkpoint_keep.h"
#include "train/finite.h"
#include "train/stop.h"

/* Whether what is written may get its name. */
typedef enum verdict { GOOD, BAD, PENDING } verdict;

/* A save is a number: it has been asked for, the state is held for it, it is done. done <= held <= asked. */
struct dt_saver {
    dt_saver_inputs in;
    dt_checkpoint_keep keep; /* the writer's alone, as are the three below */
    dt_state copy;
    int64_t saved_step;
    double state_waited_seconds; /* what changes had waited for before the copy */

    pthread_t writer;
    bool started;
    pthread_mutex_t mutex; /* guards what follows; taken after state->at_rest by who holds both */
    pthread_cond_t changed;
    int64_t asked, held, done;
    bool leaving;
    verdict verdict;              /* on the save that was asked for */
    double val_loss;              /* of it */
    double begin_seconds;         /* how long who asked has waited */
    char *path;                   /* of the last checkpoint */
    double seconds;               /* that writing it took */
    char failure[DT_ERROR_BYTES]; /* the first sentence; "" for none */
};

int64_t dt_saver_bytes(const dt_layout *layout) {
    int64_t bytes;
    return __builtin_mul_overflow(layout->elements, 3 * (int64_t)sizeof(float), &bytes) ? INT64_MAX : bytes;
}

/* The caller holds at_rest. */
static void copy_state(dt_saver *s) {
    const dt_state *from = s->in.state;
    const size_t bytes = (size_t)from->layout->elements * sizeof(float);
    memcpy(s->copy.parameters, from->parameters, bytes);
    memcpy(s->copy.exp_avg, from->exp_avg, bytes);
    memcpy(s->copy.exp_avg_sq, from->exp_avg_sq, bytes);
    s->copy.step = from->step;
    s->state_waited_seconds = from->waited_seconds;
}

void dt_saver_bear(dt_saver *s, dt_status status) {
    if (s == NULL || status == DT_OK)
        return;
    const bool stop = s->in.about->config.checkpoint_on_error == DT_ON_ERROR_STOP;
    dt_log_warn("%s; %s", dt_error(),
                stop ? "stopping after this step, as checkpoint_on_error says"
                     : "going on all the same, as checkpoint_on_error says");
    if (!stop)
        return;
    pthread_mutex_lock(&s->mutex);
    if (s->failure[0] == 0)
        snprintf(s->failure, sizeof s->failure, "%s", dt_error());
    pthread_mutex_unlock(&s->mutex);
    dt_stop_ask();
}

/* How long training stood still for the save that has just been written: for who asked, and in the update. */
static double stalled_seconds(dt_saver *s) {
    dt_state *state = s->in.state;
    pthread_mutex_lock(&state->at_rest);
    double seconds = state->waited_seconds - s->state_waited_seconds;
    pthread_mutex_unlock(&state->at_rest);
    pthread_mutex_lock(&s->mutex);
    seconds += s->begin_seconds;
    pthread_mutex_unlock(&s->mutex);
    return seconds;
}

static void tell(dt_saver *s, const char *path, double write_seconds) {
    const double save_ms = 1e3 * stalled_seconds(s), write_ms = 1e3 * write_seconds;
    dt_log_line("saved %s in %.2f s, for which training stood still for %.1f ms", path, write_seconds,
                save_ms);
    dt_saver_bear(s, dt_metrics_save(s->in.metrics, s->copy.step, save_ms, write_ms));
}

/* Waits until somebody knows whether the copy is what all ranks have; adds what that took to `*seconds`. */
static verdict await_verdict(dt_saver *s, double *seconds) {
    const double asked = dt_clock_seconds();
    pthread_mutex_lock(&s->mutex);
    while (s->verdict == PENDING && !s->leaving)
        pthread_cond_wait(&s->changed, &s->mutex);
    const verdict found = s->verdict;
    pthread_mutex_unlock(&s->mutex);
    *seconds += dt_clock_seconds() - asked;
    return found;
}

/* Writes the copy and, unless the verdict is against it, lets it appear as `*path`, else NULL. Writing alone
 * took `*seconds`. */
static dt_status put_copy(dt_saver *s, const dt_checkpoint_about *about, char **path, double *seconds) {
    const double start = dt_clock_seconds();
    double waited = 0.0;
    dt_checkpoint_place place;
    dt_status status = dt_checkpoint_write(&place, s->in.checkpoints_folder, about, &s->copy);
    *path = NULL;
    if (status == DT_OK && await_verdict(s, &waited) != GOOD)
        dt_checkpoint_discard(&place);
    else if (status == DT_OK)
        status = dt_checkpoint_publish(&place, path);
    *seconds = dt_clock_seconds() - start - waited;
    if (status == DT_OK)
        return DT_OK;
    char cause[DT_ERROR_BYTES];
    snprintf(cause, sizeof cause, "%s", dt_error());
    return dt_fail("cannot save step %" PRId64 ", a checkpoint of %.1f MB: %s", about->step,
                   (double)dt_saver_bytes(s->copy.layout) / 1e6, cause);
}

/* The writer's work on a copy. */
static void write_copy(dt_saver *s, double val_loss) {
    dt_checkpoint_about about = *s->in.about;
    char *path = NULL;
    double seconds = 0.0;
    about.step = s->copy.step;
    about.val_loss = val_loss;
    /* The weights are worth more than the lines about them. */
    dt_saver_bear(s, dt_metrics_sync(s->in.metrics));
    dt_status status = dt_finite_check(&s->copy);
    if (status == DT_OK)
        status = put_copy(s, &about, &path, &seconds);
    dt_saver_bear(s, status);
    if (path == NULL)
        return;
    s->saved_step = about.step;
    if (dt_checkpoint_keep_after(&s->keep, about.step, val_loss) != DT_OK)
        dt_log_warn("%s is saved, but not all is done that should follow: %s", path, dt_error());
    tell(s, path, seconds);
    pthread_mutex_lock(&s->mutex);
    free(s->path);
    s->path = path;
    s->seconds = seconds;
    pthread_mutex_unlock(&s->mutex);
}

/* One save, from the state at rest to the disk. */
static void serve(dt_saver *s) {
    dt_state *state = s->in.state;
    pthread_mutex_lock(&state->at_rest);
    pthread_mutex_lock(&s->mutex);
    s->held = s->asked;
    const double val_loss = s->val_loss;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    const bool fresh = state->step != s->saved_step;
    if (fresh)
        copy_state(s);
    pthread_mutex_unlock(&state->at_rest);
    if (fresh)
        write_copy(s, val_loss);
}

static void *run_writer(void *argument) {
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

dt_status dt_saver_create(dt_saver **created, const dt_saver_inputs *inputs) {
    const dt_config *config = &inputs->about->config;
    dt_saver *s = *created = calloc(1, sizeof *s);
    if (s == NULL)
        return dt_fail("out of memory for what saves checkpoints");
    s->in = *inputs;
    s->saved_step = inputs->state->step;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    DT_TRY(
        dt_checkpoint_keep_open(&s->keep, inputs->checkpoints_folder, config->keep_last, config->keep_every));
    DT_TRY(dt_state_create(&s->copy, inputs->state->layout));
    const int failed = pthread_create(&s->writer, NULL, run_writer, s);
    s->started = failed == 0;
    return s->started ? DT_OK
                      : dt_fail("cannot start the thread that writes checkpoints: %s", strerror(failed));
}

void dt_saver_free(dt_saver *s) {
    if (s == NULL)
        return;
    if (s->started) {
        pthread_mutex_lock(&s->mutex);
        s->leaving = true;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->mutex);
        pthread_join(s->writer, NULL);
    }
    dt_state_free(&s->copy);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    free(s->path);
    free(s);
}

/* The caller holds the mutex. */
static void decide(dt_saver *s, bool good) {
    if (s->verdict != PENDING)
        return;
    s->verdict = good ? GOOD : BAD;
    pthread_cond_broadcast(&s->changed);
}

void dt_saver_decide(dt_saver *s, bool good) {
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->mutex);
    decide(s, good);
    pthread_mutex_unlock(&s->mutex);
}

void dt_saver_begin(dt_saver *s, double val_loss, double since_seconds, bool on_trial) {
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->mutex);
    while (s->done < s->asked) {
        if (!on_trial)
            decide(s, true);
        pthread_cond_wait(&s->changed, &s->mutex);
    }
    const int64_t mine = ++s->asked;
    s->val_loss = val_loss;
    s->verdict = on_trial ? PENDING : GOOD;
    pthread_cond_broadcast(&s->changed);
    while (s->held < mine)
        pthread_cond_wait(&s->changed, &s->mutex);
    s->begin_seconds = dt_clock_seconds() - since_seconds;
    pthread_mutex_unlock(&s->mutex);
}

void dt_saver_wait(dt_saver *s) {
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->mutex);
    while (s->done < s->asked)
        pthread_cond_wait(&s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
}

dt_status dt_saver_finish(dt_saver *s) {
    dt_saver_wait(s);
    if (s == NULL || s->failure[0] == 0)
        return DT_OK;
    return dt_fail("%s; the run stopped after step %" PRId64
                   ": mend the cause, then go on by the same command "
                   "with --resume %s",
                   s->failure, s->in.state->step, s->path ? s->path : "auto");
}

const char *dt_saver_path(const dt_saver *s) {
    return s == NULL ? NULL : s->path;
}

double dt_saver_seconds(dt_saver *s) {
    if (s == NULL)
        return 0.0;
    pthread_mutex_lock(&s->mutex);
    const double seconds = s->seconds;
    pthread_mutex_unlock(&s->mutex);
    return seconds;
}
