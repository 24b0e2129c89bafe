/* The disk's space is asked of the nearest folder that is there. */
#include "train/rehearsal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "base/log.h"
#include "base/minmax.h"
#include "base/plural.h"
#include "base/units.h"

/* Multiples of `cadence` after `start` and up to `end`. */
static int64_t multiples(int64_t cadence, int64_t start, int64_t end) {
    return dt_is_null_int(cadence) ? 0 : end / cadence - start / cadence;
}

dt_rehearsal_saves dt_rehearsal_count_saves(const dt_config *c, int64_t start_step) {
    const bool last_is_extra =
        dt_is_null_int(c->checkpoint_cadence) || c->max_steps % c->checkpoint_cadence != 0;
    const bool has_best = !dt_is_null_int(c->eval_cadence);
    dt_rehearsal_saves saves = {multiples(c->checkpoint_cadence, start_step, c->max_steps) + last_is_extra,
                                0};
    /* Each evaluation may be the best so far. */
    if (c->save_best)
        saves.made += multiples(c->eval_cadence, start_step, c->max_steps);
    saves.kept = saves.made;
    if (!dt_is_null_int(c->keep_last))
        saves.kept =
            dt_min(saves.made, c->keep_last + multiples(c->keep_every, start_step, c->max_steps) + has_best);
    return saves;
}

/* Free bytes where `path` is or would be; negative where that is not told. */
static double free_bytes(const char *path) {
    struct statvfs disk;
    char *there = strdup(path);
    while (there && !dt_file_exists(there) && strrchr(there, '/') > there)
        *strrchr(there, '/') = 0;
    const bool found = there && statvfs(dt_file_exists(there) ? there : ".", &disk) == 0;
    free(there);
    return found ? (double)disk.f_bavail * (double)disk.f_frsize : -1.0;
}

static void print_checkpoints(const dt_run *run) {
    const dt_rehearsal_saves saves = dt_rehearsal_count_saves(&run->about.config, run->start_step);
    const double each = (double)dt_checkpoint_bytes(&run->layout),
                 space = free_bytes(run->checkpoints_folder);
    /* A new one is whole before an old one goes. */
    const double needed = each * (double)(saves.kept + (saves.kept < saves.made));
    dt_log_line("saves     %" PRId64 " checkpoint%s of %s, at most %" PRId64 " kept: %s in %s; %s free there",
                saves.made, dt_plural_s(saves.made), dt_units_bytes(each).text, saves.kept,
                dt_units_bytes(each * (double)saves.kept).text, run->checkpoints_folder,
                space < 0.0 ? "?" : dt_units_bytes(space).text);
    if (space >= 0.0 && needed > space)
        dt_log_warn("the checkpoints need up to %s, but %s has %s free; set keep_last, save less often "
                    "(checkpoint_cadence), or name another disk by checkpoint_dir",
                    dt_units_bytes(needed).text, run->checkpoints_folder, dt_units_bytes(space).text);
}

/* What another run has left there. */
static void print_kept(const dt_run *run) {
    char *metrics = dt_file_join(run->about.config.out_dir, DT_METRICS_NAME);
    if (metrics && run->about.config.resume == NULL && dt_file_exists(metrics))
        dt_log_line(
            "output    %s and the checkpoints beside it are another run's and would be kept under another "
            "name; --resume auto goes on with it",
            metrics);
    free(metrics);
}

void dt_rehearsal_print(const dt_run *run) {
    if (run->start_step == 0 && run->resumed_from == NULL)
        dt_log_line("start     at step 1, with %s", run->init.found ? "these weights" : "initial weights");
    else
        dt_log_line("start     at step %" PRId64 ", from %s", run->start_step + 1, run->resumed_from);
    print_checkpoints(run);
    print_kept(run);
}
