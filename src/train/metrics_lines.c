/* Lines of a file that may be any size and may have been torn. */
#include "train/metrics_lines.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define FIRST_BYTES 512
/* What hooks report of the largest model is below 1 MB, and samples are texts. */
#define LONGEST_BYTES (64 << 20)

/* The line in hand, with its newline if it has one. */
typedef struct line_buffer {
    char *bytes;
    size_t length, capacity;
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
        if (line->length == line->capacity) {
            const size_t capacity = line->capacity ? 2 * line->capacity : FIRST_BYTES;
            char *larger = realloc(line->bytes, capacity);
            if (larger == NULL)
                return dt_fail("out of memory while reading %s", path);
            line->bytes = larger;
            line->capacity = capacity;
        }
        line->bytes[line->length++] = (char)c;
    }
    return ferror(file) ? dt_fail("cannot read %s: %s", path, strerror(errno)) : DT_OK;
}

dt_status dt_metrics_walk(const char *path, dt_metrics_handler *handle, void *context) {
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
        status = handle(context, line.bytes, line.length);
        if (status == DT_OK)
            status = next_line(file, path, &line);
    }
    free(line.bytes);
    fclose(file);
    return status;
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
        DT_TRY(dt_metrics_walk(path, search_line, &task));
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
    return dt_file_exists(path) ? dt_metrics_walk(path, read_loss, &task) : DT_OK;
}

static void copy_name(char name[DT_RUN_ID_BYTES], const char *text) {
    snprintf(name, DT_RUN_ID_BYTES, "%s", text ? text : "");
}

static dt_status read_start(void *context, const char *line, size_t length) {
    json_t **start = context;
    /* Few of a long run's lines are worth parsing. */
    if (memmem(line, length, "\"run_id\"", strlen("\"run_id\"")) == NULL)
        return DT_OK;
    json_t *object = json_loadb(line, length, 0, NULL);
    const char *event = json_string_value(json_object_get(object, "event"));
    if (event && strcmp(event, "run") == 0 && json_is_string(json_object_get(object, "run_id"))) {
        json_decref(*start);
        *start = json_incref(object);
    }
    json_decref(object);
    return DT_OK;
}

dt_status dt_metrics_last_start(const char *path, json_t **start) {
    *start = NULL;
    return dt_file_exists(path) ? dt_metrics_walk(path, read_start, start) : DT_OK;
}

dt_status dt_metrics_last_run(const char *path, dt_metrics_run *run) {
    json_t *start;
    memset(run, 0, sizeof *run);
    const dt_status status = dt_metrics_last_start(path, &start);
    if (start) {
        copy_name(run->run_id, json_string_value(json_object_get(start, "run_id")));
        copy_name(run->parent_run_id, json_string_value(json_object_get(start, "parent_run_id")));
        run->start_step = json_integer_value(json_object_get(start, "start_step"));
    }
    json_decref(start);
    return status;
}

static dt_status read_save(void *context, const char *line, size_t length) {
    int64_t *saved = context;
    if (memmem(line, length, "\"save_ms\"", strlen("\"save_ms\"")) == NULL)
        return DT_OK;
    json_t *object = json_loadb(line, length, 0, NULL);
    const json_t *step = json_object_get(object, "step");
    if (json_is_integer(step) && json_object_get(object, "save_ms") != NULL)
        *saved = json_integer_value(step);
    json_decref(object);
    return DT_OK;
}

dt_status dt_metrics_last_save(const char *path, int64_t *step) {
    *step = -1;
    return dt_file_exists(path) ? dt_metrics_walk(path, read_save, step) : DT_OK;
}
