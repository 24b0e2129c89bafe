/* Renames, entry by entry, which are taken back when one fails: nothing is lost, and nothing half done. */
#include "train/aside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/move.h"
#include "base/plural.h"
#include "checkpoint/path.h"
#include "train/metrics_mend.h"
#include "train/tensorboard.h"

/* What a run writes, without links, and the names that it is kept under, or NULL. */
typedef struct aside {
    char *metrics, *checkpoints, *tensorboard; /* the last is NULL for a run that goes on */
    char *kept_metrics, *kept_checkpoints, *kept_tensorboard;
    bool events_linked;    /* whether a link leads to tensorboard, and needs a folder there */
    bool events_moved;     /* whether tensorboard has its other name */
    bool within;           /* whether kept_checkpoints lies in checkpoints and not beside it */
    bool made;             /* whether kept_checkpoints is there, made by this call */
    int64_t former_latest; /* what latest named before it was turned back, or -1 */
} aside;

static void drop(aside *a) {
    free(a->metrics);
    free(a->checkpoints);
    free(a->tensorboard);
    free(a->kept_metrics);
    free(a->kept_checkpoints);
    free(a->kept_tensorboard);
}

static dt_status no_memory(void) {
    return dt_fail("out of memory for a file's name");
}

/* `path` as a name that another can be put beside: not a link, and not one that ends in "/", "." or "..". */
static char *resolve(const char *path) {
    struct stat info;
    char *name = strdup(path);
    if (name == NULL)
        return NULL;
    for (size_t end = strlen(name); end > 1 && name[end - 1] == '/'; end--)
        name[end - 1] = 0;
    const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
    const bool dots = strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
    char *real = dots || (lstat(name, &info) == 0 && S_ISLNK(info.st_mode)) ? realpath(name, NULL) : NULL;
    if (real == NULL)
        return name;
    free(name);
    return real;
}

static char *number_name(const char *path, int64_t number) {
    char *name = NULL;
    return asprintf(&name, "%s.%" PRId64, path, number) < 0 ? NULL : name;
}

static dt_status find(aside *a, const char *metrics, const char *checkpoints, const char *tensorboard) {
    struct stat info;
    *a = (aside){.metrics = resolve(metrics),
                 .checkpoints = resolve(checkpoints),
                 .tensorboard = tensorboard ? resolve(tensorboard) : NULL,
                 .events_linked = tensorboard && lstat(tensorboard, &info) == 0 && S_ISLNK(info.st_mode),
                 .former_latest = -1};
    return a->metrics && a->checkpoints && (a->tensorboard || !tensorboard) ? DT_OK : no_memory();
}

/* A file without a line is nothing to keep, unless another name shares it. A link that leads nowhere says
 * where the file is to be made. */
static bool has_lines(const aside *a) {
    struct stat info;
    return stat(a->metrics, &info) == 0 && (info.st_size > 0 || info.st_nlink > 1);
}

static char *number_kept(const aside *a, int64_t number) {
    const char *slash = strrchr(a->checkpoints, '/');
    char *own = a->within ? dt_file_join(a->checkpoints, slash ? slash + 1 : a->checkpoints) : NULL;
    char *name = a->within && own == NULL ? NULL : number_name(own ? own : a->checkpoints, number);
    free(own);
    return name;
}

/* The names with the first number that neither has been kept under, once there is something to keep. */
static dt_status choose_number(aside *a) {
    if (a->kept_metrics)
        return DT_OK;
    for (int64_t number = 1;; number++) {
        free(a->kept_metrics);
        free(a->kept_checkpoints);
        free(a->kept_tensorboard);
        a->kept_metrics = number_name(a->metrics, number);
        a->kept_checkpoints = number_kept(a, number);
        a->kept_tensorboard = number_name(a->tensorboard ? a->tensorboard : "", number);
        if (a->kept_metrics == NULL || a->kept_checkpoints == NULL || a->kept_tensorboard == NULL)
            return no_memory();
        if (!dt_file_is_there(a->kept_metrics) && !dt_file_is_there(a->kept_checkpoints) &&
            (a->tensorboard == NULL || !dt_file_is_there(a->kept_tensorboard)))
            return DT_OK;
    }
}

static dt_status refuse(const char *path, int cause) {
    return dt_usage("cannot keep what is in %s: %s; give this run an --out-dir of its own", path,
                    strerror(cause));
}

static bool is_link_of_ours(const char *name) {
    return strcmp(name, DT_CHECKPOINT_LATEST) == 0 || strcmp(name, DT_CHECKPOINT_BEST) == 0;
}

/* Whether `name` is a checkpoint in the folder of a step after `step`; with `links`, latest and best go as
 * well. */
static bool goes(const char *folder, const char *name, int64_t step, bool links) {
    return (dt_checkpoint_path_step(name) > step && dt_checkpoint_path_is_own(folder, name)) ||
           (links && is_link_of_ours(name));
}

/* Chooses again, for a folder of checkpoints that nothing can be moved out of. */
static dt_status choose_within(aside *a) {
    free(a->kept_metrics);
    free(a->kept_checkpoints);
    free(a->kept_tensorboard);
    a->kept_metrics = a->kept_checkpoints = a->kept_tensorboard = NULL;
    a->within = true;
    return choose_number(a);
}

/*
 * Makes the folder that checkpoints are kept in, beside theirs. Where theirs is a mount of its own (a volume
 * of a container) or what is around it is not the user's to write to, it stays within, on the same disk. Its
 * first name is one that the next start would remove.
 */
static dt_status make_kept_folder(aside *a) {
    char *made = NULL;
    DT_TRY(choose_number(a));
    if (asprintf(&made, "%s/" DT_CHECKPOINT_PROBE "%ld.tmp", a->checkpoints, (long)getpid()) < 0)
        return no_memory();
    dt_status status = mkdir(made, 0777) == 0 ? DT_OK : refuse(a->checkpoints, errno);
    bool moved = status == DT_OK && rename(made, a->kept_checkpoints) == 0;
    if (status == DT_OK && !moved) {
        status = choose_within(a);
        if (status == DT_OK && rename(made, a->kept_checkpoints) != 0)
            status = refuse(a->checkpoints, errno);
        if (status != DT_OK)
            (void)rmdir(made);
    }
    a->made = status == DT_OK;
    free(made);
    return status;
}

static dt_status move_entry(const char *from, const char *to, const char *name) {
    char *old = dt_file_join(from, name), *new = dt_file_join(to, name);
    const dt_status status = old && new ? dt_move_tree(old, new) : DT_FAILED;
    free(old);
    free(new);
    return status;
}

/* Moves what goes of `names`, `*moved` checkpoints among them; makes the folder for it when there is any. */
static dt_status move_names(aside *a, char *const *names, size_t count, int64_t step, bool links,
                            int64_t *moved) {
    for (size_t i = 0; i < count; i++) {
        if (!goes(a->checkpoints, names[i], step, links))
            continue;
        if (!a->made)
            DT_TRY(make_kept_folder(a));
        if (move_entry(a->checkpoints, a->kept_checkpoints, names[i]) != DT_OK)
            return dt_usage("cannot keep what is in %s: %s; give this run an --out-dir of its own",
                            a->checkpoints, dt_error());
        *moved += dt_checkpoint_path_step(names[i]) >= 0;
    }
    if (!a->made)
        return DT_OK;
    DT_TRY(dt_file_sync_folder(a->kept_checkpoints));
    return dt_file_sync_folder(a->checkpoints);
}

/* After a failure, whose sentence stays the last one: everything goes back to where it was. */
static void take_back(aside *a) {
    char cause[DT_ERROR_BYTES];
    char **names;
    size_t count;
    snprintf(cause, sizeof cause, "%s", dt_error());
    if (a->made && dt_file_list(a->kept_checkpoints, &names, &count) == DT_OK) {
        for (size_t i = 0; i < count; i++)
            if (move_entry(a->kept_checkpoints, a->checkpoints, names[i]) != DT_OK)
                dt_log_warn("%s stays in %s: %s", names[i], a->kept_checkpoints, dt_error());
        dt_file_free_names(names, count);
        (void)rmdir(a->kept_checkpoints);
    }
    if (a->former_latest >= 0 &&
        dt_checkpoint_path_point(a->checkpoints, DT_CHECKPOINT_LATEST, a->former_latest) != DT_OK)
        dt_log_warn("%s in %s has not been pointed back: %s", DT_CHECKPOINT_LATEST, a->checkpoints,
                    dt_error());
    if (a->events_moved && rename(a->kept_tensorboard, a->tensorboard) != 0)
        dt_log_warn("%s stays in %s: %s", a->tensorboard, a->kept_tensorboard, strerror(errno));
    (void)dt_fail("%s", cause);
}

/* Lets latest name the newest of `names` that stays. */
static dt_status turn_latest_back(aside *a, char *const *names, size_t count, int64_t step) {
    const char *folder = a->checkpoints;
    const int64_t named = dt_checkpoint_path_follow(folder, DT_CHECKPOINT_LATEST);
    int64_t newest = -1;
    if (named <= step)
        return DT_OK;
    a->former_latest = named;
    for (size_t i = 0; i < count; i++) {
        const int64_t other = dt_checkpoint_path_step(names[i]);
        if (other > newest && other <= step && dt_checkpoint_path_is_own(folder, names[i]))
            newest = other;
    }
    return newest >= 0 ? dt_checkpoint_path_point(folder, DT_CHECKPOINT_LATEST, newest)
                       : dt_checkpoint_path_unlink(folder, DT_CHECKPOINT_LATEST);
}

/* Moves the checkpoints of steps after `step` aside: all of them, and their links, when that is -1. */
static dt_status move_checkpoints(aside *a, int64_t step, int64_t *moved) {
    char **names;
    size_t count;
    *moved = 0;
    if (!dt_file_is_folder(a->checkpoints))
        return DT_OK;
    DT_TRY(dt_file_list(a->checkpoints, &names, &count));
    dt_status status = step < 0 ? DT_OK : turn_latest_back(a, names, count, step);
    if (status == DT_OK)
        status = move_names(a, names, count, step, step < 0, moved);
    dt_file_free_names(names, count);
    return status;
}

static dt_status move_events(aside *a) {
    if (!dt_tensorboard_has_files(a->tensorboard))
        return DT_OK;
    DT_TRY(choose_number(a));
    if (rename(a->tensorboard, a->kept_tensorboard) != 0)
        return refuse(a->tensorboard, errno);
    a->events_moved = true;
    return a->events_linked && mkdir(a->tensorboard, 0777) != 0 ? refuse(a->tensorboard, errno) : DT_OK;
}

static dt_status keep_all(aside *a) {
    int64_t moved;
    DT_TRY(move_checkpoints(a, -1, &moved));
    DT_TRY(move_events(a));
    const bool lines = has_lines(a);
    if (lines)
        DT_TRY(choose_number(a));
    if (lines && rename(a->metrics, a->kept_metrics) != 0)
        return refuse(a->metrics, errno);
    if (a->made)
        dt_log_line("kept what another run left: the checkpoints of %s are now in %s", a->checkpoints,
                    a->kept_checkpoints);
    if (lines)
        dt_log_line("kept what another run left: %s is now %s", a->metrics, a->kept_metrics);
    if (a->events_moved)
        dt_log_line("kept what another run left: %s is now %s", a->tensorboard, a->kept_tensorboard);
    return DT_OK;
}

dt_status dt_aside_all(const char *metrics, const char *checkpoints_folder, const char *tensorboard) {
    aside a;
    dt_status status = find(&a, metrics, checkpoints_folder, tensorboard);
    if (status == DT_OK)
        status = keep_all(&a);
    if (status != DT_OK)
        take_back(&a);
    drop(&a);
    return status;
}

/* `what` says which lines they are. */
static void tell_lines(const aside *a, int64_t count, const char *what) {
    if (count > 0)
        dt_log_line("resume: %" PRId64 " line%s %s in %s %s now in %s", count, dt_plural_s(count), what,
                    a->metrics, dt_plural(count, "is", "are"), a->kept_metrics);
}

static dt_status keep_later(aside *a, int64_t step) {
    int64_t moved;
    dt_metrics_dropped dropped = {0};
    char later[64];
    DT_TRY(move_checkpoints(a, step, &moved));
    if (has_lines(a)) {
        DT_TRY(choose_number(a));
        DT_TRY(dt_metrics_mend(a->metrics, step, a->kept_metrics, &dropped));
    }
    if (moved > 0)
        dt_log_line("resume: %" PRId64 " checkpoint%s of steps after %" PRId64 " in %s %s now in %s", moved,
                    dt_plural_s(moved), step, a->checkpoints, dt_plural(moved, "is", "are"),
                    a->kept_checkpoints);
    snprintf(later, sizeof later, "of steps after %" PRId64, step);
    tell_lines(a, dropped.later, later);
    tell_lines(a, dropped.spoilt, "without a whole JSON object");
    return DT_OK;
}

dt_status dt_aside_later(const char *metrics, const char *checkpoints_folder, int64_t step) {
    aside a;
    dt_status status = find(&a, metrics, checkpoints_folder, NULL);
    if (status == DT_OK)
        status = keep_later(&a, step);
    if (status != DT_OK)
        take_back(&a);
    drop(&a);
    return status;
}
