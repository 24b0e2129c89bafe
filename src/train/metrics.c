/* Lines of metrics.jsonl, and the repair of a file that a stopped run left behind. */
#include "train/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define LINE_BYTES 512
#define LONGEST_BYTES                                                                                        \
    (64 << 20) /* what hooks report of the largest model is below 1 MB, and samples are texts */
#define NUMBER_BYTES 32

/* A file being repaired: lines that stay go to `copy`, unless that is -1 and they are only counted. */
typedef struct repair {
    const char *copy_path;
    int copy;
    int64_t resume_step;
    bool needed; /* whether something has to be dropped or completed */
} repair;

/* What parses and does not lie ahead of the step that the run goes on from. */
static bool stays(const char *line, size_t length, int64_t resume_step) {
    json_t *object = json_loadb(line, length, 0, NULL);
    const json_t *step = json_object_get(object, "step");
    bool kept = json_is_object(object) && (!json_is_integer(step) || json_integer_value(step) <= resume_step);
    json_decref(object);
    return kept;
}

static dt_status repair_line(void *context, const char *line, size_t length) {
    repair *task = context;
    bool kept = stays(line, length, task->resume_step), ended = line[length - 1] == '\n';
    if (!kept || !ended)
        task->needed = true;
    if (!kept || task->copy < 0)
        return DT_OK;
    DT_TRY(dt_file_write(task->copy, task->copy_path, line, length));
    return ended ? DT_OK : dt_file_write(task->copy, task->copy_path, "\n", 1);
}

/* The line in hand, with its newline if it has one. */
typedef struct line_buffer {
    char *bytes;
    size_t length, room;
} line_buffer;

/* The next line; length 0 at the end. Not getline(), which would take all of a file without newlines. */
static dt_status next_line(FILE *file, const char *path, line_buffer *line) {
    int c = 0;
    line->length = 0;
    while (c != '\n' && (c = getc_unlocked(file)) != EOF) {
        if (line->length == LONGEST_BYTES)
            return dt_fail(
                "cannot use %s: expected lines of JSON of at most %d MiB, found a longer one; move "
                "the file away",
                path, LONGEST_BYTES >> 20);
        if (line->length == line->room) {
            const size_t room = line->room ? 2 * line->room : LINE_BYTES;
            char *larger = realloc(line->bytes, room);
            if (larger == NULL)
                return dt_fail("out of memory while reading %s", path);
            line->bytes = larger;
            line->room = room;
        }
        line->bytes[line->length++] = (char)c;
    }
    return ferror(file) ? dt_fail("cannot read %s: %s", path, strerror(errno)) : DT_OK;
}

/* Line by line, since the file of a long run need not fit in memory. */
static dt_status walk(const char *path,
                      dt_status (*handle_line)(void *context, const char *line, size_t length),
                      void *context) {
    int descriptor;
    int64_t size_bytes;
    DT_TRY(dt_file_open(path, &descriptor, &size_bytes));
    FILE *file = fdopen(descriptor, "r");
    if (file == NULL) {
        const int cause = errno;
        close(descriptor);
        return dt_fail("cannot read %s: %s", path, strerror(cause));
    }
    line_buffer line = {0};
    dt_status status = next_line(file, path, &line);
    while (status == DT_OK && line.length > 0) {
        status = handle_line(context, line.bytes, line.length);
        if (status == DT_OK)
            status = next_line(file, path, &line);
    }
    free(line.bytes);
    fclose(file);
    return status;
}

static dt_status sync_parent(const char *path) {
    char *copy = strdup(path);
    dt_status status =
        copy == NULL ? dt_fail("out of memory while repairing %s", path) : dt_file_sync_folder(dirname(copy));
    free(copy);
    return status;
}

/* Writes the lines that stay into the copy and puts it in the place of the file. */
static dt_status replace(repair *task, const char *path) {
    DT_TRY(dt_file_create(task->copy_path, &task->copy));
    dt_status status = walk(path, repair_line, task);
    if (status == DT_OK)
        status = dt_file_finish(task->copy, task->copy_path);
    else
        close(task->copy);
    if (status == DT_OK && rename(task->copy_path, path) != 0)
        status = dt_fail("cannot rename %s to %s: %s", task->copy_path, path, strerror(errno));
    if (status != DT_OK) {
        unlink(task->copy_path);
        return status;
    }
    return sync_parent(path);
}

static dt_status repair_file(const char *path, int64_t resume_step) {
    char *copy_path = NULL;
    if (asprintf(&copy_path, "%s.tmp", path) < 0)
        return dt_fail("out of memory while repairing %s", path);
    repair task = {.copy_path = copy_path, .copy = -1, .resume_step = resume_step};
    /* A run that died while it repaired the file has left its copy. */
    dt_status status = dt_file_remove_tree(copy_path);
    if (status == DT_OK)
        status = walk(path, repair_line, &task);
    if (status == DT_OK && task.needed)
        status = replace(&task, path);
    free(copy_path);
    return status;
}

dt_status dt_metrics_open(dt_metrics *metrics, const char *path, int64_t resume_step) {
    *metrics = (dt_metrics){.descriptor = -1};
    if (dt_file_exists(path))
        DT_TRY(repair_file(path, resume_step));
    int descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return dt_fail("cannot open %s to append: %s", path, strerror(errno));
    metrics->path = strdup(path);
    if (metrics->path == NULL) {
        close(descriptor);
        return dt_fail("out of memory while opening %s", path);
    }
    metrics->descriptor = descriptor;
    return DT_OK;
}

/* What dt_metrics_holds looks for. */
typedef struct search {
    int64_t step;
    const char *key;
    bool found;
} search;

static dt_status search_line(void *context, const char *line, size_t length) {
    search *task = context;
    json_t *object = json_loadb(line, length, 0, NULL);
    const json_t *step = json_object_get(object, "step");
    task->found = task->found || (json_is_integer(step) && json_integer_value(step) == task->step &&
                                  json_object_get(object, task->key) != NULL);
    json_decref(object);
    return DT_OK;
}

dt_status dt_metrics_holds(const char *path, int64_t step, const char *key, bool *holds) {
    search task = {.step = step, .key = key};
    if (dt_file_exists(path))
        DT_TRY(walk(path, search_line, &task));
    *holds = task.found;
    return DT_OK;
}

/* What dt_metrics_losses hands losses to. */
typedef struct listener {
    void (*take)(void *context, double loss);
    void *context;
} listener;

static dt_status read_loss(void *context, const char *line, size_t length) {
    const listener *task = context;
    json_t *object = json_loadb(line, length, 0, NULL);
    const json_t *loss = json_object_get(object, "loss");
    if (json_is_integer(json_object_get(object, "step")) && json_is_number(loss))
        task->take(task->context, json_number_value(loss));
    json_decref(object);
    return DT_OK;
}

dt_status dt_metrics_losses(const char *path, void (*take)(void *context, double loss), void *context) {
    listener task = {take, context};
    return dt_file_exists(path) ? walk(path, read_loss, &task) : DT_OK;
}

/* One line at a time: the thread that writes checkpoints has lines of its own. */
static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;

/* A line and its newline go out together, so that readers that follow the file see whole lines. */
static dt_status put_line(const dt_metrics *metrics, const char *line, size_t length) {
    if (metrics->path == NULL)
        return dt_fail("cannot write to metrics.jsonl: it is not open");
    pthread_mutex_lock(&line_lock);
    const off_t end = lseek(metrics->descriptor, 0, SEEK_END);
    const dt_status status = dt_file_write(metrics->descriptor, metrics->path, line, length);
    /* A line that found no room to its end would spoil the one after it. */
    if (status != DT_OK && end >= 0)
        while (ftruncate(metrics->descriptor, end) != 0 && errno == EINTR)
            ;
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

dt_status dt_metrics_step(const dt_metrics *metrics, int64_t step, double loss, double lr, double grad_norm,
                          double step_ms, double comm_ms, double exposed_ms, double tokens_per_s) {
    char line[LINE_BYTES], number[7][NUMBER_BYTES];
    int length = snprintf(line, sizeof line,
                          "{\"step\":%" PRId64 ",\"loss\":%s,\"lr\":%s,\"grad_norm\":%s,\"step_ms\":%s,"
                          "\"comm_ms\":%s,\"exposed_ms\":%s,\"tokens_per_s\":%s}\n",
                          step, print_number(number[0], loss), print_number(number[1], lr),
                          print_number(number[2], grad_norm), print_number(number[3], step_ms),
                          print_number(number[4], comm_ms), print_number(number[5], exposed_ms),
                          print_number(number[6], tokens_per_s));
    return put_line(metrics, line, (size_t)length);
}

dt_status dt_metrics_evaluation(const dt_metrics *metrics, int64_t step, double val_loss) {
    char line[LINE_BYTES], number[NUMBER_BYTES];
    int length = snprintf(line, sizeof line, "{\"step\":%" PRId64 ",\"val_loss\":%s}\n", step,
                          print_number(number, val_loss));
    return put_line(metrics, line, (size_t)length);
}

dt_status dt_metrics_save(const dt_metrics *metrics, int64_t step, double save_ms, double write_ms) {
    char line[LINE_BYTES], number[2][NUMBER_BYTES];
    int length = snprintf(line, sizeof line, "{\"step\":%" PRId64 ",\"save_ms\":%s,\"write_ms\":%s}\n", step,
                          print_number(number[0], save_ms), print_number(number[1], write_ms));
    return put_line(metrics, line, (size_t)length);
}

dt_status dt_metrics_object(const dt_metrics *metrics, json_t *object) {
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

dt_status dt_metrics_sync(const dt_metrics *metrics) {
    struct stat info;
    if (metrics->path == NULL)
        return DT_OK;
    if (fstat(metrics->descriptor, &info) == 0 && info.st_nlink == 0)
        return dt_fail("%s was removed while the run was writing to it, so its lines are lost",
                       metrics->path);
    return dt_file_sync(metrics->descriptor, metrics->path);
}

dt_status dt_metrics_close(dt_metrics *metrics) {
    dt_status status = DT_OK;
    if (metrics->path != NULL)
        status = dt_file_finish(metrics->descriptor, metrics->path);
    free(metrics->path);
    *metrics = (dt_metrics){.descriptor = -1};
    return status;
}
