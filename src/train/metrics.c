/* One write() a line, to whatever file has the name. */
#include "train/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define LINE_BYTES   512
#define NUMBER_BYTES 32

/* One line at a time: the thread that writes checkpoints has lines of its own. */
static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;

static dt_status open_file(const char *path, int create, int *descriptor) {
    struct stat info;
    /* A pipe without a reader would be waited for. */
    *descriptor = open(path, O_WRONLY | create | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0666);
    if (*descriptor < 0 && !create && (errno == ENOENT || errno == ENOTDIR))
        return DT_OK;
    if (*descriptor < 0)
        return dt_fail("cannot open %s to append: %s", path,
                       errno == ENXIO ? "it is a pipe or a device, not a file" : strerror(errno));
    if (fstat(*descriptor, &info) == 0 && S_ISREG(info.st_mode))
        return DT_OK;
    close(*descriptor);
    return dt_fail("cannot open %s to append: it is a pipe or a device, not a file", path);
}

/* A link that leads nowhere says where the file is to be made: in a folder that is there. */
static dt_status expect_home(const char *path) {
    char target[PATH_MAX];
    const ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return DT_OK;
    target[length] = 0;
    char *own = strdup(path), *file = own ? dt_file_join(dirname(own), target) : NULL;
    const bool lost = file && !dt_file_is_folder(dirname(file));
    free(file);
    free(own);
    return lost ? dt_usage("%s is a link to %s, whose folder does not exist (is its disk mounted?); move the "
                           "link away or name another out_dir",
                           path, target)
                : DT_OK;
}

dt_status dt_metrics_expect(const char *path) {
    int descriptor;
    if (open_file(path, 0, &descriptor) != DT_OK)
        return dt_usage("%s; move it away or name another out_dir", dt_error());
    if (descriptor < 0)
        return expect_home(path);
    close(descriptor);
    return DT_OK;
}

/* The lock goes with the descriptor, at the latest when the process ends. */
static dt_status lock_file(int descriptor, const char *path) {
    int failed;
    do
        failed = flock(descriptor, LOCK_EX | LOCK_NB);
    while (failed && errno == EINTR);
    /* Without locks on this file system that of the folder has warned already. */
    if (!failed || errno != EWOULDBLOCK)
        return DT_OK;
    return dt_usage("%s is in use by another run, which writes to the same file under another name; remove "
                    "this link to it, or name another out_dir",
                    path);
}

dt_status dt_metrics_expect_unused(const char *path) {
    int descriptor;
    DT_TRY(open_file(path, 0, &descriptor));
    if (descriptor < 0)
        return DT_OK;
    const dt_status status = lock_file(descriptor, path);
    close(descriptor);
    return status;
}

static dt_status open_locked(const char *path, int *descriptor) {
    DT_TRY(open_file(path, O_CREAT, descriptor));
    const dt_status status = lock_file(*descriptor, path);
    if (status != DT_OK)
        close(*descriptor);
    return status;
}

dt_status dt_metrics_open(dt_metrics *metrics, const char *path, dt_lock *home) {
    int descriptor;
    *metrics = (dt_metrics){.descriptor = -1};
    DT_TRY(open_locked(path, &descriptor));
    metrics->path = strdup(path);
    if (metrics->path == NULL) {
        close(descriptor);
        return dt_fail("out of memory while opening %s", path);
    }
    metrics->descriptor = descriptor;
    metrics->home = home;
    return DT_OK;
}

/* Whether a reader of the name sees what is written. Where that cannot be told it is taken to be so. */
static bool is_behind_name(const dt_metrics *metrics) {
    struct stat held, named;
    if (fstat(metrics->descriptor, &held) != 0)
        return true;
    if (stat(metrics->path, &named) != 0)
        return errno != ENOENT && errno != ENOTDIR;
    return held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

/* The name of the file in the folder as it is called now. */
static dt_status follow_home(dt_metrics *metrics) {
    char *folder;
    if (metrics->home == NULL || metrics->home->folder == NULL)
        return DT_OK;
    DT_TRY(dt_lock_follow(metrics->home, &folder));
    char *path = dt_file_join(folder, DT_METRICS_NAME);
    free(folder);
    if (path == NULL)
        return DT_FAILED;
    free(metrics->path);
    metrics->path = path;
    return DT_OK;
}

/* A rotation of logs gives the file another name, or packs and removes it; what was written so far is whole
 * there. The caller holds line_lock. */
static dt_status stay_behind_name(dt_metrics *metrics) {
    int descriptor;
    if (is_behind_name(metrics))
        return DT_OK;
    DT_TRY(follow_home(metrics));
    if (is_behind_name(metrics))
        return DT_OK;
    DT_TRY(open_locked(metrics->path, &descriptor));
    dt_log_warn(
        "%s was moved away or removed while the run was writing to it; lines now go to a new file of that "
        "name",
        metrics->path);
    const dt_status status = dt_file_finish(metrics->descriptor, metrics->path);
    metrics->descriptor = descriptor;
    return status;
}

/* Without the numbers of bytes in the sentence at hand, which differ from line to line: one failure is told
 * once. */
static dt_status fail_line(const dt_metrics *metrics) {
    char sentence[DT_ERROR_BYTES];
    snprintf(sentence, sizeof sentence, "%s", dt_error());
    const char *cause = strrchr(sentence, ':');
    return dt_fail("cannot write a line to %s%s", metrics->path, cause ? cause : "");
}

/* A line and its newline go out together, so that readers that follow the file see whole lines. */
static dt_status put_line(dt_metrics *metrics, const char *line, size_t length) {
    if (metrics->path == NULL)
        return dt_fail("cannot write to " DT_METRICS_NAME ": it is not open");
    pthread_mutex_lock(&line_lock);
    dt_status status = stay_behind_name(metrics);
    const off_t end = lseek(metrics->descriptor, 0, SEEK_END);
    if (status == DT_OK && dt_file_write(metrics->descriptor, metrics->path, line, length) != DT_OK)
        status = fail_line(metrics);
    /* A line that found no room to its end would spoil the one after it. */
    if (status != DT_OK && end >= 0)
        while (ftruncate(metrics->descriptor, end) != 0 && errno == EINTR)
            ;
    if (status == DT_OK)
        dt_tensorboard_take(metrics->tensorboard, line, length);
    pthread_mutex_unlock(&line_lock);
    return status;
}

/* JSON has no word for what is not finite. */
static const char *print_number(char text[NUMBER_BYTES], double value) {
    if (!isfinite(value))
        return "null";
    snprintf(text, NUMBER_BYTES, "%.9g", value);
    return text;
}

dt_status dt_metrics_step(dt_metrics *metrics, const dt_metrics_values *v) {
    char line[LINE_BYTES], number[8][NUMBER_BYTES];
    int length =
        snprintf(line, sizeof line,
                 "{\"step\":%" PRId64 ",\"loss\":%s,\"lr\":%s,\"grad_norm\":%s,\"step_ms\":%s,"
                 "\"comm_ms\":%s,\"exposed_ms\":%s,\"tokens_per_s\":%s,\"tokens\":%" PRId64 ",\"mfu\":%s}\n",
                 v->step, print_number(number[0], v->loss), print_number(number[1], v->lr),
                 print_number(number[2], v->grad_norm), print_number(number[3], v->step_ms),
                 print_number(number[4], v->comm_ms), print_number(number[5], v->exposed_ms),
                 print_number(number[6], v->tokens_per_s), v->tokens, print_number(number[7], v->mfu));
    return put_line(metrics, line, (size_t)length);
}

dt_status dt_metrics_evaluation(dt_metrics *metrics, int64_t step, double val_loss, double bits_per_byte) {
    char line[LINE_BYTES], number[2][NUMBER_BYTES];
    int length = snprintf(line, sizeof line, "{\"step\":%" PRId64 ",\"val_loss\":%s", step,
                          print_number(number[0], val_loss));
    if (isfinite(bits_per_byte))
        length += snprintf(line + length, sizeof line - (size_t)length, ",\"val_bits_per_byte\":%s",
                           print_number(number[1], bits_per_byte));
    length += snprintf(line + length, sizeof line - (size_t)length, "}\n");
    return put_line(metrics, line, (size_t)length);
}

dt_status dt_metrics_save(dt_metrics *metrics, int64_t step, double save_ms, double write_ms) {
    char line[LINE_BYTES], number[2][NUMBER_BYTES];
    int length = snprintf(line, sizeof line, "{\"step\":%" PRId64 ",\"save_ms\":%s,\"write_ms\":%s}\n", step,
                          print_number(number[0], save_ms), print_number(number[1], write_ms));
    return put_line(metrics, line, (size_t)length);
}

dt_status dt_metrics_object(dt_metrics *metrics, json_t *object) {
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT), *line = NULL;
    int length = text == NULL ? -1 : asprintf(&line, "%s\n", text);
    dt_status status = length < 0 ? dt_fail("out of memory while writing a line of metrics.jsonl")
                                  : put_line(metrics, line, (size_t)length);
    if (length >= 0)
        free(line);
    free(text);
    json_decref(object);
    return status;
}

dt_status dt_metrics_sync(dt_metrics *metrics) {
    if (metrics->path == NULL)
        return DT_OK;
    pthread_mutex_lock(&line_lock);
    dt_status status = stay_behind_name(metrics);
    if (status == DT_OK)
        status = dt_file_sync(metrics->descriptor, metrics->path);
    pthread_mutex_unlock(&line_lock);
    return status;
}

dt_status dt_metrics_close(dt_metrics *metrics) {
    dt_status status = DT_OK;
    if (metrics->path != NULL)
        status = dt_file_finish(metrics->descriptor, metrics->path);
    free(metrics->path);
    *metrics = (dt_metrics){.descriptor = -1};
    return status;
}
