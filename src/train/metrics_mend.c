/* One pass counts, and where something is to go a second one deals the lines out to two files. */
#include "train/metrics_mend.h"

#include <errno.h>
#include <jansson.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/replace.h"
#include "train/metrics_lines.h"

/* A file that is written from the lines of another. */
typedef struct output {
    const char *path;
    int descriptor; /* -1: lines are only counted */
} output;

typedef struct mending {
    int64_t resume_step;
    output staying, dropped;
    dt_metrics_dropped lines;
    bool torn; /* whether the last line is to be completed, or to go */
} mending;

/* Where a line that goes is counted; NULL for one that stays. */
static int64_t *find_count(dt_metrics_dropped *lines, const char *line, size_t length, int64_t resume_step) {
    json_t *object = json_loadb(line, length, 0, NULL);
    const json_t *step = json_object_get(object, "step");
    int64_t *count = NULL;
    if (!json_is_object(object))
        count = &lines->spoilt;
    else if (json_is_integer(step) && json_integer_value(step) > resume_step)
        count = &lines->later;
    json_decref(object);
    return count;
}

static dt_status put(const output *to, const char *line, size_t length) {
    return to->descriptor < 0 ? DT_OK : dt_file_write(to->descriptor, to->path, line, length);
}

static dt_status deal_line(void *context, const char *line, size_t length) {
    mending *task = context;
    const bool ended = line[length - 1] == '\n';
    int64_t *gone = find_count(&task->lines, line, length, task->resume_step);
    task->torn |= !ended;
    if (gone != NULL && !ended)
        return DT_OK;
    if (gone != NULL)
        ++*gone;
    const output *to = gone == NULL ? &task->staying : &task->dropped;
    DT_TRY(put(to, line, length));
    return ended ? DT_OK : put(to, "\n", 1);
}

/* Durable under the name `target`, or its own when that is NULL, when `status` is good; else removed. */
static dt_status close_output(output *to, const char *target, dt_status status) {
    if (to->descriptor < 0)
        return status;
    const int descriptor = to->descriptor;
    to->descriptor = -1;
    return dt_replace_finish(descriptor, to->path, target, status);
}

/* A tree that was copied by hard links shares the file, and the other run may go on too: its lines do not
 * belong here. */
static bool is_shared(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && info.st_nlink > 1;
}

static dt_status sync_parent(const char *path) {
    char *copy = strdup(path);
    const dt_status status =
        copy == NULL ? dt_fail("out of memory while mending %s", path) : dt_file_sync_folder(dirname(copy));
    free(copy);
    return status;
}

/* Who could read and write the file can go on to; an owner that cannot be given is none of the run's. */
static void keep_access(const char *path, int descriptor) {
    struct stat info;
    if (descriptor < 0 || stat(path, &info) != 0)
        return;
    if (fchown(descriptor, info.st_uid, info.st_gid) != 0)
        errno = 0;
    (void)fchmod(descriptor, info.st_mode & 07777);
}

/* Such as one that is append-only, or that is mounted by itself. */
static dt_status refuse_replacing(const char *path) {
    return dt_fail("%s; lines of %s have to give way before the run goes on: let it be replaced (where it is "
                   "append-only by chattr -a, where it is mounted by itself by mounting its folder), or "
                   "name another folder by --out-dir",
                   dt_error(), path);
}

/* What is dropped is durable under its own name before it is gone from the file. */
static dt_status deal(mending *task, const char *path, const char *copy_path, const char *kept_path) {
    const bool any = task->lines.later + task->lines.spoilt > 0;
    task->lines = (dt_metrics_dropped){0};
    task->staying.path = copy_path;
    task->dropped.path = kept_path;
    dt_status status = dt_replace_create(copy_path, path, &task->staying.descriptor);
    if (status == DT_OK && any)
        status = dt_file_create(kept_path, &task->dropped.descriptor);
    const bool made = task->dropped.descriptor >= 0;
    keep_access(path, task->staying.descriptor);
    keep_access(path, task->dropped.descriptor);
    if (status == DT_OK)
        status = dt_metrics_walk(path, deal_line, task);
    status = close_output(&task->dropped, NULL, status);
    if (status == DT_OK && any)
        status = sync_parent(kept_path);
    const bool whole = status == DT_OK;
    status = close_output(&task->staying, path, status);
    if (whole && status != DT_OK)
        status = refuse_replacing(path);
    if (status != DT_OK && made) /* the lines are where they were */
        (void)unlink(kept_path);
    return status == DT_OK ? sync_parent(path) : status;
}

dt_status dt_metrics_mend(const char *path, int64_t resume_step, const char *kept_path,
                          dt_metrics_dropped *dropped) {
    char *copy_path = NULL;
    *dropped = (dt_metrics_dropped){0};
    if (!dt_file_exists(path))
        return DT_OK;
    if (asprintf(&copy_path, "%s.tmp", path) < 0)
        return dt_fail("out of memory while mending %s", path);
    mending task = {.resume_step = resume_step, .staying = {NULL, -1}, .dropped = {NULL, -1}};
    /* A run that died while it mended the file has left its copy. */
    dt_status status = dt_file_remove_tree(copy_path);
    if (status == DT_OK)
        status = dt_metrics_walk(path, deal_line, &task);
    if (status == DT_OK && (task.lines.later + task.lines.spoilt > 0 || task.torn || is_shared(path)))
        status = deal(&task, path, copy_path, kept_path);
    if (status == DT_OK)
        *dropped = task.lines;
    free(copy_path);
    return status;
}
