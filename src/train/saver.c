/* One thread, one copy, one checkpoint at a time. What a checkpoint is and where it goes, checkpoint.c knows.
 */
#include "train/saver.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/meter.h"
#include "base/quote.h"
#include "base/units.h"
#include "checkpoint/keep.h"
#include "checkpoint/path.h"
#include "train/saver_copy.h"
#include "train/saver_folder.h"
#include "train/stop.h"

/* How often who waits for a save looks whether it is time to say so. */
#define LOOK_SECONDS 0.5

/* A save is a number: it has been asked for, the state is held for it, it is done. done <= held <= asked. */
struct dt_saver {
    dt_saver_inputs in;
    dt_checkpoint_keep keep; /* the writer's alone, as are those below */
    dt_saver_folder folder;  /* where checkpoints stand now */
    dt_saver_copy copy;
    int64_t saved_step;
    bool saved_val_loss;          /* whether that checkpoint has one */
    int64_t makeshift_step;       /* of a checkpoint that goes when a later one stands, or -1 */
    char unsaved[DT_ERROR_BYTES]; /* why the last save failed; "" when it did not */

    pthread_t writer;
    bool started;
    pthread_mutex_t mutex; /* guards what follows; taken after the state by who holds both */
    pthread_cond_t changed;
    int64_t asked, held, done;
    bool leaving;
    dt_save_kind kind;            /* of the save that was asked for */
    bool pending;                 /* it waits for the verdict */
    dt_save_verdict verdict;      /* on it */
    uint64_t state_hash;          /* and of what */
    double val_loss;              /* of it */
    double begin_seconds;         /* how long who asked has waited */
    char *path;                   /* of the last checkpoint */
    double seconds;               /* that writing it took */
    char failure[DT_ERROR_BYTES]; /* the first sentence; "" for none */
    char told[DT_ERROR_BYTES];    /* the last warning, which is not said twice */
};

int64_t dt_saver_bytes(const dt_layout *layout) {
    int64_t bytes;
    return __builtin_mul_overflow(layout->elements, 3 * (int64_t)sizeof(float), &bytes) ? INT64_MAX : bytes;
}

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
    double seconds = state->waited_seconds - s->copy.waited_seconds;
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
    dt_saver_bear(s, dt_metrics_save(s->in.metrics, s->copy.state.step, save_ms, write_ms));
}

/* Waits until somebody knows what the copy is worth; adds what that took to `*seconds`. Where nobody will say
 * it any more, it is worth what `unsaid` says. */
static dt_save_verdict await_verdict(dt_saver *s, dt_save_verdict unsaid, double *seconds) {
    const double asked = dt_clock_seconds();
    pthread_mutex_lock(&s->mutex);
    while (s->pending && !s->leaving)
        pthread_cond_wait(&s->changed, &s->mutex);
    const dt_save_verdict found = s->pending ? unsaid : s->verdict;
    pthread_mutex_unlock(&s->mutex);
    *seconds += dt_clock_seconds() - asked;
    return found;
}

/* Whether the copy is of the state that was compared. */
static dt_status expect_compared(dt_saver *s) {
    pthread_mutex_lock(&s->mutex);
    const uint64_t compared = s->state_hash;
    pthread_mutex_unlock(&s->mutex);
    return compared == DT_SAVE_UNSEEN ? DT_OK : dt_saver_copy_expect(&s->copy, compared);
}

/* Lets what is written appear as `*path`, unless it must not: then that stays NULL. */
static dt_status publish(dt_saver *s, dt_checkpoint_path *paths, char **path, double *waited_seconds) {
    pthread_mutex_lock(&s->mutex);
    const bool on_trial = s->kind == DT_SAVE_ON_TRIAL;
    pthread_mutex_unlock(&s->mutex);
    const bool bad = on_trial && await_verdict(s, DT_SAVE_BAD, waited_seconds) == DT_SAVE_BAD;
    const dt_status status = bad || !on_trial ? DT_OK : expect_compared(s);
    if (!bad && status == DT_OK)
        return dt_checkpoint_publish(paths, path);
    dt_checkpoint_discard(paths);
    return status;
}

static dt_status follow_folder(dt_saver *s) {
    const dt_status status = dt_saver_folder_follow(&s->folder);
    s->keep.folder = s->folder.name;
    return status;
}

static dt_status try_copy(dt_saver *s, const dt_checkpoint_about *about, char **path, double *waited) {
    dt_checkpoint_path paths;
    const dt_saver_copy *copy = &s->copy;
    DT_TRY(dt_checkpoint_write(&paths, s->folder.name, about, s->in.tokenizer, &copy->state, copy->hashes));
    return publish(s, &paths, path, waited);
}

/* Writes the copy and lets it appear as `*path`, or NULL; once more where the folder was moved or removed
 * meanwhile. Writing alone took `*seconds`. */
static dt_status put_copy(dt_saver *s, const dt_checkpoint_about *about, char **path, double *seconds) {
    const double start = dt_clock_seconds();
    double waited = 0.0;
    char cause[DT_ERROR_BYTES];
    *path = NULL;
    dt_status status = follow_folder(s);
    if (status == DT_OK)
        status = try_copy(s, about, path, &waited);
    snprintf(cause, sizeof cause, "%s", dt_error());
    if (status != DT_OK && follow_folder(s) == DT_OK && s->folder.moved) {
        status = try_copy(s, about, path, &waited);
        snprintf(cause, sizeof cause, "%s", dt_error());
    }
    *seconds = dt_clock_seconds() - start - waited;
    return status == DT_OK
               ? DT_OK
               : dt_fail("cannot save step %" PRId64 ", a checkpoint of %s: %s", about->step,
                         dt_units_bytes((double)dt_saver_bytes(s->copy.state.layout)).text, cause);
}

/* The checkpoint of `step` takes the place of a makeshift before it. Whether it is one itself. */
static bool replace_makeshift(dt_saver *s, int64_t step) {
    const int64_t cadence = s->in.about->config.checkpoint_cadence, last = s->makeshift_step;
    pthread_mutex_lock(&s->mutex);
    const bool makeshift = s->kind == DT_SAVE_MAKESHIFT && (dt_is_null_int(cadence) || step % cadence != 0);
    pthread_mutex_unlock(&s->mutex);
    s->makeshift_step = makeshift ? step : -1;
    if (last >= 0 && last != step && dt_checkpoint_path_remove(s->folder.name, &last, 1) != DT_OK)
        dt_log_warn("step %" PRId64 " is saved, but the checkpoint of step %" PRId64
                    ", which it replaces, is still there: %s",
                    step, last, dt_error());
    return makeshift;
}

/* What follows once the checkpoint of `step` stands; one that goes wrong must not cost an older one, and one
 * that goes again is none of the newest that stay. */
static void follow_up(dt_saver *s, int64_t step, double val_loss) {
    double unused = 0.0;
    dt_checkpoint_keep *keep = &s->keep;
    const int64_t last = keep->last;
    if (replace_makeshift(s, step))
        return;
    if (await_verdict(s, DT_SAVE_DOUBTFUL, &unused) != DT_SAVE_GOOD)
        keep->last = DT_NULL_INT;
    if (dt_checkpoint_keep_after(keep, step, val_loss) != DT_OK)
        dt_log_warn("%s is saved, but not all is done that should follow: %s", s->path, dt_error());
    keep->last = last;
}

/* The writer's work on a copy. */
static void write_copy(dt_saver *s, double val_loss) {
    dt_checkpoint_about about = *s->in.about;
    char *path = NULL;
    double seconds = 0.0;
    about.step = s->copy.state.step;
    about.val_loss = val_loss;
    /* The weights are worth more than the lines about them. */
    dt_saver_bear(s, dt_metrics_sync(s->in.metrics));
    dt_status status = dt_saver_copy_expect_finite(&s->copy);
    if (status == DT_OK)
        status = put_copy(s, &about, &path, &seconds);
    snprintf(s->unsaved, sizeof s->unsaved, "%s", status == DT_OK ? "" : dt_error());
    dt_saver_bear(s, status);
    if (path == NULL)
        return;
    s->saved_step = about.step;
    s->saved_val_loss = isfinite(val_loss);
    tell(s, path, seconds);
    pthread_mutex_lock(&s->mutex);
    free(s->path);
    s->path = path;
    s->seconds = seconds;
    pthread_mutex_unlock(&s->mutex);
    follow_up(s, about.step, val_loss);
}

/* The last checkpoint stood before its weights were evaluated. */
static void amend(dt_saver *s, double val_loss) {
    if (dt_checkpoint_amend(s->path, val_loss) == DT_OK) {
        s->saved_val_loss = true;
        follow_up(s, s->saved_step, val_loss);
    } else
        dt_log_warn("%s is saved, but its validation loss could not be added to it: %s", s->path, dt_error());
}

/* One save, from the state at rest to the disk. */
static void serve(dt_saver *s) {
    dt_state *state = s->in.state;
    dt_state_hold(state);
    pthread_mutex_lock(&s->mutex);
    s->held = s->asked;
    const double val_loss = s->val_loss;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    const bool fresh = state->step != s->saved_step;
    if (fresh)
        dt_saver_copy_take(&s->copy, state);
    dt_state_release(state);
    if (fresh)
        write_copy(s, val_loss);
    else if (s->path != NULL && !s->saved_val_loss && isfinite(val_loss))
        amend(s, val_loss);
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
    dt_saver *s = *created = calloc(1, sizeof *s);
    if (s == NULL)
        return dt_fail("out of memory for what saves checkpoints");
    s->in = *inputs;
    s->saved_step = inputs->state->step;
    s->makeshift_step = -1;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    DT_TRY(dt_saver_folder_open(&s->folder, inputs->lock, inputs->checkpoints_folder));
    DT_TRY(dt_checkpoint_keep_open(&s->keep, s->folder.name, inputs->about));
    DT_TRY(dt_saver_copy_create(&s->copy, inputs->state->layout));
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
    dt_saver_copy_free(&s->copy);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    dt_saver_folder_free(&s->folder);
    free(s->path);
    free(s);
}

/* The caller holds the mutex. */
static void decide(dt_saver *s, dt_save_verdict verdict, uint64_t state_hash) {
    if (!s->pending)
        return;
    s->pending = false;
    s->verdict = verdict;
    s->state_hash = state_hash;
    pthread_cond_broadcast(&s->changed);
}

void dt_saver_decide(dt_saver *s, dt_save_verdict verdict, uint64_t state_hash) {
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->mutex);
    decide(s, verdict, state_hash);
    pthread_mutex_unlock(&s->mutex);
}

/* Whether a decision follows. */
static bool waits(dt_save_kind kind) {
    return kind == DT_SAVE_PROVISIONAL || kind == DT_SAVE_ON_TRIAL;
}

void dt_saver_begin(dt_saver *s, double val_loss, double since_seconds, dt_save_kind kind) {
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->mutex);
    while (s->done < s->asked) {
        if (!waits(kind))
            decide(s, DT_SAVE_GOOD, DT_SAVE_UNSEEN);
        pthread_cond_wait(&s->changed, &s->mutex);
    }
    const int64_t mine = ++s->asked;
    s->val_loss = val_loss;
    s->kind = kind;
    s->verdict = DT_SAVE_GOOD;
    s->pending = waits(kind);
    pthread_cond_broadcast(&s->changed);
    while (s->held < mine)
        pthread_cond_wait(&s->changed, &s->mutex);
    s->begin_seconds = dt_clock_seconds() - since_seconds;
    pthread_mutex_unlock(&s->mutex);
}

void dt_saver_moments(dt_saver *s, float **exp_avg, float **exp_avg_sq) {
    dt_saver_wait(s);
    *exp_avg = s ? s->copy.state.exp_avg : NULL;
    *exp_avg_sq = s ? s->copy.state.exp_avg_sq : NULL;
}

void dt_saver_wait(dt_saver *s) {
    if (s == NULL)
        return;
    dt_meter meter;
    dt_meter_start(&meter, "saving", "a checkpoint", dt_saver_bytes(s->copy.state.layout), NULL);
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
    char *word = s->path ? dt_quote(s->path) : NULL;
    const dt_status status =
        dt_fail("%s; the run stopped after step %" PRId64 ": fix the cause, then go on by the same command "
                "with --resume %s",
                cause, s->in.state->step, word ? word : "auto");
    free(word);
    return status;
}

const char *dt_saver_path(const dt_saver *s) {
    return s == NULL ? NULL : s->path;
}

const char *dt_saver_checkpoints_folder(dt_saver *s) {
    if (s == NULL)
        return NULL;
    dt_saver_wait(s);
    (void)follow_folder(s); /* it was where it was seen last */
    return s->folder.name;
}

double dt_saver_best(const dt_saver *s) {
    return s == NULL ? (double)INFINITY : s->keep.best_val_loss;
}

double dt_saver_seconds(dt_saver *s) {
    if (s == NULL)
        return 0.0;
    pthread_mutex_lock(&s->mutex);
    const double seconds = s->seconds;
    pthread_mutex_unlock(&s->mutex);
    return seconds;
}
