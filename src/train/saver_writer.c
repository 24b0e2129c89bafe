/* What a checkpoint is and where it goes, checkpoint/ knows; this is when. */
#include "train/saver_writer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "checkpoint/path.h"

dt_status dt_saver_writer_open(dt_saver_writer *w, dt_lock *lock, const char *checkpoints_folder) {
    w->makeshift_step = -1;
    DT_TRY(dt_saver_folder_open(&w->folder, lock, checkpoints_folder));
    return dt_checkpoint_keep_open(&w->keep, w->folder.name, w->about);
}

void dt_saver_writer_free(dt_saver_writer *w) {
    dt_saver_copy_free(&w->copy);
    dt_collector_free(w->collector);
    dt_saver_folder_free(&w->folder);
    free(w->path);
    *w = (dt_saver_writer){0};
}

dt_status dt_saver_writer_follow(dt_saver_writer *w) {
    const dt_status status = dt_saver_folder_follow(&w->folder);
    w->keep.folder = w->folder.name;
    return status;
}

/* Whether the copy is of the state that was compared. */
static dt_status expect_compared(dt_saver_writer *w) {
    const uint64_t compared = dt_saver_trial_hash(w->trial);
    return compared == DT_SAVE_UNSEEN ? DT_OK : dt_saver_copy_expect(&w->copy, compared);
}

/* Lets what is written appear as `*path`, unless it must not: then that stays NULL. */
static dt_status publish(dt_saver_writer *w, dt_checkpoint_path *paths, char **path, double *waited) {
    const bool on_trial = dt_saver_trial_kind(w->trial) == DT_SAVE_ON_TRIAL;
    const bool bad = on_trial && dt_saver_trial_await(w->trial, DT_SAVE_BAD, waited) == DT_SAVE_BAD;
    const dt_status status = bad || !on_trial ? DT_OK : expect_compared(w);
    if (!bad && status == DT_OK)
        return dt_checkpoint_publish(paths, path);
    dt_checkpoint_discard(paths);
    return status;
}

static dt_status try_copy(dt_saver_writer *w, const dt_checkpoint_about *about, char **path, double *waited) {
    dt_checkpoint_path paths;
    dt_saver_copy *copy = &w->copy;
    dt_checkpoint_moments others;
    if (w->collector)
        others = dt_collector_begin(w->collector, copy->hashes);
    DT_TRY(dt_checkpoint_write(&paths, w->folder.name, about, w->tokenizer, &copy->state, copy->hashes,
                               w->collector ? &others : NULL));
    return publish(w, &paths, path, waited);
}

/* Writes the copy and lets it appear as `*path`, or NULL. */
static dt_status put_copy(dt_saver_writer *w, const dt_checkpoint_about *about, char **path,
                          double *seconds) {
    const double start = dt_clock_seconds();
    double waited = 0.0;
    char cause[DT_ERROR_BYTES];
    *path = NULL;
    dt_status status = dt_saver_writer_follow(w);
    if (status == DT_OK)
        status = try_copy(w, about, path, &waited);
    snprintf(cause, sizeof cause, "%s", dt_error());
    if (status != DT_OK && dt_saver_writer_follow(w) == DT_OK && w->folder.moved) {
        status = try_copy(w, about, path, &waited);
        snprintf(cause, sizeof cause, "%s", dt_error());
    }
    *seconds = dt_clock_seconds() - start - waited;
    return status == DT_OK
               ? DT_OK
               : dt_fail("cannot save step %" PRId64 ", a checkpoint of %s: %s", about->step,
                         dt_units_bytes((double)dt_checkpoint_bytes(w->copy.state.layout)).text, cause);
}

dt_status dt_saver_writer_write(dt_saver_writer *w, double val_loss, bool *appeared, double *seconds) {
    dt_checkpoint_about about = *w->about;
    char *path = NULL;
    about.step = w->copy.state.step;
    about.val_loss = val_loss;
    *seconds = 0.0;
    dt_status status = dt_saver_copy_expect_finite(&w->copy);
    if (status == DT_OK)
        status = put_copy(w, &about, &path, seconds);
    *appeared = path != NULL;
    if (path == NULL)
        return status;
    free(w->path);
    w->path = path;
    w->saved_step = about.step;
    w->saved_val_loss = isfinite(val_loss);
    return status;
}

/* The last checkpoint takes the place of a makeshift before it. Whether it is one itself. */
static bool replace_makeshift(dt_saver_writer *w) {
    const int64_t cadence = w->about->config.checkpoint_cadence, step = w->saved_step,
                  last = w->makeshift_step;
    const bool makeshift = dt_saver_trial_kind(w->trial) == DT_SAVE_MAKESHIFT &&
                           (dt_is_null_int(cadence) || step % cadence != 0);
    w->makeshift_step = makeshift ? step : -1;
    if (last >= 0 && last != step && dt_checkpoint_path_remove(w->folder.name, &last, 1) != DT_OK)
        dt_log_warn("step %" PRId64 " is saved, but the checkpoint of step %" PRId64
                    ", which it replaces, is still there: %s",
                    step, last, dt_error());
    return makeshift;
}

void dt_saver_writer_follow_up(dt_saver_writer *w, double val_loss) {
    double unused = 0.0;
    dt_checkpoint_keep *keep = &w->keep;
    const int64_t last = keep->last;
    if (replace_makeshift(w))
        return;
    if (dt_saver_trial_await(w->trial, DT_SAVE_DOUBTFUL, &unused) != DT_SAVE_GOOD)
        keep->last = DT_NULL_INT;
    if (dt_checkpoint_keep_after(keep, w->saved_step, val_loss) != DT_OK)
        dt_log_warn("%s is saved, but not all is done that should follow: %s", w->path, dt_error());
    keep->last = last;
}

void dt_saver_writer_amend(dt_saver_writer *w, double val_loss) {
    if (w->path == NULL || w->saved_val_loss || !isfinite(val_loss))
        return;
    if (dt_checkpoint_amend(w->path, val_loss) == DT_OK) {
        w->saved_val_loss = true;
        dt_saver_writer_follow_up(w, val_loss);
    } else
        dt_log_warn("%s is saved, but its validation loss could not be added to it: %s", w->path, dt_error());
}
