/* Which checkpoints stay. How one is linked to or removed is path.c's matter. */
#include "checkpoint/keep.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/path.h"

static dt_status no_memory(const char *folder) {
    return dt_fail("out of memory while looking at the checkpoints in %s", folder);
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
        const int64_t other = dt_checkpoint_path_step(names[i]);
        if (other >= 0 && other <= step && dt_checkpoint_path_is_own(folder, names[i]))
            (*steps)[(*count)++] = other;
    }
    dt_file_free_names(names, found);
    if (*steps == NULL)
        return no_memory(folder);
    qsort(*steps, *count, sizeof **steps, newest_first);
    return DT_OK;
}

/* Whether losses of the checkpoint are over what the run evaluates on. */
static bool is_alike(const dt_checkpoint_keep *keep, const dt_checkpoint_about *about) {
    const uint64_t text = about->validation_hash;
    return about->config.eval_max_windows == keep->windows &&
           (text == keep->text || text == 0 || keep->text == 0);
}

/* The validation loss of the checkpoint of `step`, infinite where its weights were not evaluated or it cannot
 * be read, and whether it can be compared with the run's. */
static dt_status read_val_loss(const dt_checkpoint_keep *keep, int64_t step, double *val_loss, bool *alike) {
    dt_checkpoint_about about;
    char *path = NULL;
    *val_loss = INFINITY;
    *alike = false;
    if (asprintf(&path, "%s/" DT_CHECKPOINT_PREFIX "%" PRId64, keep->folder, step) < 0)
        return no_memory(keep->folder);
    if (dt_checkpoint_read_about(path, &about) == DT_OK) {
        if (isfinite(about.val_loss))
            *val_loss = about.val_loss;
        *alike = is_alike(keep, &about);
        dt_config_free(&about.config);
    }
    free(path);
    return DT_OK;
}

/* Lets the link name the best; durable, since the checkpoint that it named before may be removed next. */
static dt_status point_to_best(const dt_checkpoint_keep *keep) {
    if (keep->best_step < 0)
        DT_TRY(dt_checkpoint_path_unlink(keep->folder, DT_CHECKPOINT_BEST));
    else if (keep->best_step != dt_checkpoint_path_follow(keep->folder, DT_CHECKPOINT_BEST))
        DT_TRY(dt_checkpoint_path_point(keep->folder, DT_CHECKPOINT_BEST, keep->best_step));
    else
        return DT_OK;
    return dt_file_sync_folder(keep->folder);
}

static dt_status set_best(dt_checkpoint_keep *keep, int64_t step, double val_loss) {
    dt_checkpoint_keep next = *keep;
    next.best_step = step;
    next.best_val_loss = val_loss;
    DT_TRY(point_to_best(&next));
    *keep = next;
    return DT_OK;
}

/* The lowest loss that was found, and where. */
typedef struct lowest {
    int64_t step;
    double val_loss;
} lowest;

/* Looks at what stands, whatever was known before; of equal ones the oldest. */
static dt_status find_best(const dt_checkpoint_keep *keep, lowest *best, lowest *former) {
    int64_t *steps;
    size_t count;
    *best = *former = (lowest){-1, INFINITY};
    DT_TRY(list_steps(keep->folder, INT64_MAX, &steps, &count));
    dt_status status = DT_OK;
    for (size_t i = count; status == DT_OK && i > 0; i--) {
        double val_loss;
        bool alike;
        status = read_val_loss(keep, steps[i - 1], &val_loss, &alike);
        lowest *of = alike ? best : former;
        if (status == DT_OK && val_loss < of->val_loss)
            *of = (lowest){steps[i - 1], val_loss};
    }
    free(steps);
    return status;
}

static dt_status choose_best(dt_checkpoint_keep *keep) {
    lowest best, former;
    DT_TRY(find_best(keep, &best, &former));
    keep->former_step = former.step;
    return best.step < 0 ? set_best(keep, former.step, INFINITY) : set_best(keep, best.step, best.val_loss);
}

dt_status dt_checkpoint_keep_open(dt_checkpoint_keep *keep, const char *folder,
                                  const dt_checkpoint_about *about) {
    *keep = (dt_checkpoint_keep){.folder = folder,
                                 .last = about->config.keep_last,
                                 .every = about->config.keep_every,
                                 .windows = about->config.eval_max_windows,
                                 .text = about->validation_hash,
                                 .best_step = -1,
                                 .best_val_loss = INFINITY,
                                 .former_step = -1};
    if (!dt_file_is_folder(folder))
        return DT_OK;
    DT_TRY(choose_best(keep));
    if (keep->former_step >= 0)
        dt_log_line("best      the val_loss of step %" PRId64 " is over another text or number of windows "
                    "(validation_data, eval_max_windows) and cannot be compared with those from here on; its "
                    "checkpoint stays",
                    keep->former_step);
    return DT_OK;
}

/* Whether what was the best can no longer be gone back to: people make room while a run goes on. */
static dt_status look_for_best(const dt_checkpoint_keep *keep, bool *gone) {
    char *name = NULL;
    *gone = false;
    if (keep->best_step < 0)
        return DT_OK;
    if (asprintf(&name, DT_CHECKPOINT_PREFIX "%" PRId64, keep->best_step) < 0)
        return no_memory(keep->folder);
    *gone = !dt_checkpoint_path_is_own(keep->folder, name);
    free(name);
    return DT_OK;
}

static dt_status follow_best(dt_checkpoint_keep *keep, int64_t step, double val_loss) {
    bool gone;
    DT_TRY(look_for_best(keep, &gone));
    /* Its weights have been removed or replaced, and with them what was known of them. */
    if (gone || step == keep->best_step)
        return choose_best(keep);
    return val_loss < keep->best_val_loss ? set_best(keep, step, val_loss) : DT_OK;
}

static dt_status remove_others(const dt_checkpoint_keep *keep, int64_t step) {
    int64_t *steps;
    size_t count, removed = 0;
    DT_TRY(list_steps(keep->folder, step, &steps, &count));
    for (size_t i = (size_t)keep->last; i < count; i++) {
        const bool stays = steps[i] == keep->best_step || steps[i] == keep->former_step ||
                           (!dt_is_null_int(keep->every) && steps[i] % keep->every == 0);
        if (!stays)
            steps[removed++] = steps[i];
    }
    const dt_status status = removed == 0 ? DT_OK : dt_checkpoint_path_remove(keep->folder, steps, removed);
    free(steps);
    return status;
}

dt_status dt_checkpoint_keep_after(dt_checkpoint_keep *keep, int64_t step, double val_loss) {
    DT_ASSERT(step >= 0);
    DT_TRY(follow_best(keep, step, val_loss));
    return dt_is_null_int(keep->last) ? DT_OK : remove_others(keep, step);
}
