/* Which checkpoints stay. How one is linked to or removed is checkpoint_place.c's matter. */
#include "train/checkpoint_keep.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "train/checkpoint.h"
#include "train/checkpoint_place.h"

dt_status dt_checkpoint_keep_open(dt_checkpoint_keep *keep, const char *folder, int64_t last, int64_t every) {
    dt_checkpoint_about about;
    *keep = (dt_checkpoint_keep){
        .folder = folder, .last = last, .every = every, .best_step = -1, .best_val_loss = INFINITY};
    const int64_t step = dt_checkpoint_place_follow(folder, DT_CHECKPOINT_BEST);
    if (step < 0)
        return DT_OK;
    char *path = dt_file_join(folder, DT_CHECKPOINT_BEST);
    if (path == NULL)
        return dt_fail("out of memory while looking for the best checkpoint in %s", folder);
    if (dt_checkpoint_read_about(path, &about) == DT_OK) {
        keep->best_step = step;
        if (isfinite(about.val_loss))
            keep->best_val_loss = about.val_loss;
        dt_config_free(&about.config);
    } else
        dt_log_warn("%s/" DT_CHECKPOINT_BEST
                    " leads to no usable checkpoint, so the next one that is evaluated becomes the best: %s",
                    folder, dt_error());
    free(path);
    return DT_OK;
}

/* Makes the link durable too: the checkpoint that it named before may be removed next. */
static dt_status follow_best(dt_checkpoint_keep *keep, int64_t step, double val_loss) {
    if (step == keep->best_step) /* its weights have been replaced, and with them what was known of them */
        keep->best_val_loss = INFINITY;
    if (!(val_loss < keep->best_val_loss))
        return DT_OK;
    DT_TRY(dt_checkpoint_place_point(keep->folder, DT_CHECKPOINT_BEST, step));
    keep->best_step = step;
    keep->best_val_loss = val_loss;
    return dt_file_sync_folder(keep->folder);
}

static int newest_first(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a < b) - (a > b);
}

/* The steps of the checkpoints up to `step`, newest first, as a new array. */
static dt_status list_steps(const char *folder, int64_t step, int64_t **steps, size_t *count) {
    char **names;
    size_t found;
    DT_TRY(dt_file_list(folder, &names, &found));
    *steps = calloc(found + 1, sizeof **steps);
    *count = 0;
    for (size_t i = 0; *steps != NULL && i < found; i++) {
        const int64_t other = dt_checkpoint_place_step(names[i]);
        if (other >= 0 && other <= step)
            (*steps)[(*count)++] = other;
    }
    dt_file_free_names(names, found);
    if (*steps == NULL)
        return dt_fail("out of memory while looking for checkpoints to remove in %s", folder);
    qsort(*steps, *count, sizeof **steps, newest_first);
    return DT_OK;
}

static dt_status remove_others(const dt_checkpoint_keep *keep, int64_t step) {
    int64_t *steps;
    size_t count, removed = 0;
    DT_TRY(list_steps(keep->folder, step, &steps, &count));
    for (size_t i = (size_t)keep->last; i < count; i++) {
        const bool stays =
            steps[i] == keep->best_step || (!dt_is_null_int(keep->every) && steps[i] % keep->every == 0);
        if (!stays)
            steps[removed++] = steps[i];
    }
    const dt_status status = removed == 0 ? DT_OK : dt_checkpoint_place_remove(keep->folder, steps, removed);
    free(steps);
    return status;
}

dt_status dt_checkpoint_keep_after(dt_checkpoint_keep *keep, int64_t step, double val_loss) {
    DT_TRY(follow_best(keep, step, val_loss));
    return dt_is_null_int(keep->last) ? DT_OK : remove_others(keep, step);
}
