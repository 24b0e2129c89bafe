/* From a line to a summary, which is one event. */
#include "train/tensorboard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/suffix.h"
#include "train/tensorboard_file.h"
#include "train/tensorboard_hparams.h"

#define TAG_BYTES 256
/* Markdown shows lines that begin with this as they are. */
#define CODE_INDENT "    "

struct dt_tensorboard {
    dt_tensorboard_file file;
    char *folder, *run_id;
    json_t *hparams;    /* the config's options */
    int64_t start_step; /* of the checkpoint that the run goes on from, or 0 */
    bool started;       /* what begins a file is written */
    bool failing;       /* the last write failed, and the log has said so */
};

dt_status dt_tensorboard_open(dt_tensorboard **tensorboard, const dt_config *config, const char *run_id,
                              int64_t start_step) {
    dt_tensorboard *t = *tensorboard = calloc(1, sizeof *t);
    if (t == NULL)
        return dt_fail("out of memory for the events of TensorBoard");
    t->file.descriptor = -1;
    t->start_step = start_step;
    t->hparams = dt_config_to_json(config);
    t->folder = dt_file_join(config->out_dir, DT_TENSORBOARD_NAME);
    t->run_id = strdup(run_id);
    if (t->hparams == NULL || t->folder == NULL || t->run_id == NULL)
        return dt_fail("out of memory for the events of TensorBoard");
    if (dt_tensorboard_file_open(&t->file, t->folder, run_id) != DT_OK)
        return dt_usage("tensorboard: %s; move away what stands there, or set tensorboard: false",
                        dt_error());
    return DT_OK;
}

dt_status dt_tensorboard_expect(const char *folder) {
    if (!dt_file_is_there(folder))
        return DT_OK;
    if (dt_file_is_folder(folder)) {
        if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0)
            return DT_OK;
        return dt_usage("tensorboard: cannot write in %s: %s; move it away, or set tensorboard: false",
                        folder, strerror(errno));
    }
    return dt_usage("tensorboard: expected %s to be a folder or nothing yet, found %s; move it away, or set "
                    "tensorboard: false",
                    folder, dt_file_exists(folder) ? "a file" : "a link that leads nowhere");
}

dt_status dt_tensorboard_expect_unused(const char *folder) {
    return dt_tensorboard_file_expect_unused(folder);
}

bool dt_tensorboard_has_files(const char *folder) {
    char **names;
    size_t count;
    bool has = false;
    if (!dt_file_is_folder(folder) || dt_file_list(folder, &names, &count) != DT_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        has |= strncmp(names[i], DT_TENSORBOARD_PREFIX, strlen(DT_TENSORBOARD_PREFIX)) == 0;
    dt_file_free_names(names, count);
    return has;
}

/* ---- writing, and going on without ---- */

static Tensorboard__Event event_of(int64_t step, Tensorboard__Event__WhatCase what) {
    Tensorboard__Event event = TENSORBOARD__EVENT__INIT;
    event.step = step;
    event.what_case = what;
    return event;
}

/* What begins a file. */
static dt_status start(dt_tensorboard *t) {
    Tensorboard__SessionLog log = TENSORBOARD__SESSION_LOG__INIT;
    if (t->started)
        return DT_OK;
    Tensorboard__Event event = event_of(t->start_step + 1, TENSORBOARD__EVENT__WHAT_SESSION_LOG);
    log.status = TENSORBOARD__SESSION_LOG__SESSION_STATUS__START;
    event.session_log = &log;
    DT_TRY(dt_tensorboard_file_write(&t->file, &event));
    DT_TRY(dt_tensorboard_hparams_start(&t->file, t->hparams));
    t->started = true;
    return DT_OK;
}

static void tell(dt_tensorboard *t, dt_status status, int64_t step) {
    if (status != DT_OK && !t->failing)
        dt_log_warn(
            "%s; the run goes on, and TensorBoard lacks what follows until this can be written again: where the "
            "disk is full, free some space. metrics.jsonl has what TensorBoard lacks",
            dt_error());
    if (status == DT_OK && t->failing)
        dt_log_line("tensorboard: events are written again, from step %" PRId64 " on", step);
    t->failing = status != DT_OK;
}

/* What is written to a file that has no name any more, or behind what a rotation of logs has cut off, nobody
 * reads: a new one follows it. */
static dt_status follow_name(dt_tensorboard *t) {
    const char *lost = dt_tensorboard_file_lost(&t->file);
    if (lost == NULL)
        return DT_OK;
    if (!t->failing)
        dt_log_warn("%s was %s while the run was writing to it; events now go to a new file", t->file.path,
                    lost);
    (void)dt_tensorboard_file_close(&t->file);
    t->started = false;
    return dt_tensorboard_file_open(&t->file, t->folder, t->run_id);
}

static dt_status make_ready(dt_tensorboard *t) {
    DT_TRY(follow_name(t));
    return start(t);
}

/* ---- scalars ---- */

/* Tags of their own, which stand side by side. */
static const struct {
    const char *key, *tag;
} losses[] = {{"loss", "loss/train"},
              {"val_loss", "loss/validation"},
              {"val_bits_per_byte", "loss/validation_bits_per_byte"}};

static const char *find_loss(const char *key) {
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        if (strcmp(key, losses[i].key) == 0)
            return losses[i].tag;
    return NULL;
}

static void name_tag(char tag[TAG_BYTES], const json_t *line, const char *key) {
    const char *hook = json_string_value(json_object_get(line, "hook"));
    const char *source = hook ? hook : json_string_value(json_object_get(line, "event"));
    if (source)
        snprintf(tag, TAG_BYTES, "%s/%s", source, key);
    else if (find_loss(key))
        snprintf(tag, TAG_BYTES, "%s", find_loss(key));
    else
        snprintf(tag, TAG_BYTES, "%s/%s", dt_has_suffix(key, "_ms") ? "time" : "run", key);
}

/* metrics.jsonl has null for what is not finite, and TensorBoard a mark of its own. */
static bool is_scalar(const char *key, const json_t *value) {
    return strcmp(key, "step") != 0 && (json_is_number(value) || json_is_null(value));
}

/* One scalar of a line, with room for its tag. */
typedef struct scalar {
    Tensorboard__Summary__Value value;
    char tag[TAG_BYTES];
} scalar;

static void set_scalar(scalar *s, const json_t *line, const char *key, const json_t *number) {
    tensorboard__summary__value__init(&s->value);
    name_tag(s->tag, line, key);
    s->value.tag = s->tag;
    s->value.value_case = TENSORBOARD__SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
    s->value.simple_value = json_is_number(number) ? (float)json_number_value(number) : NAN;
}

static dt_status write_summary(dt_tensorboard *t, int64_t step, Tensorboard__Summary *summary) {
    Tensorboard__Event event = event_of(step, TENSORBOARD__EVENT__WHAT_SUMMARY);
    event.summary = summary;
    DT_TRY(make_ready(t));
    return dt_tensorboard_file_write(&t->file, &event);
}

/* All numbers of a line are one event. */
static void put_scalars(dt_tensorboard *t, int64_t step, json_t *line) {
    Tensorboard__Summary summary = TENSORBOARD__SUMMARY__INIT;
    const size_t keys = json_object_size(line);
    scalar *scalars = calloc(keys, sizeof *scalars);
    const char *key;
    json_t *number;
    summary.value = calloc(keys, sizeof(Tensorboard__Summary__Value *));
    if (scalars == NULL || summary.value == NULL)
        tell(t, dt_fail("out of memory for the events of TensorBoard"), step);
    else
        json_object_foreach(line, key, number) if (is_scalar(key, number)) {
            set_scalar(&scalars[summary.n_value], line, key, number);
            summary.value[summary.n_value] = &scalars[summary.n_value].value;
            summary.n_value++;
        }
    if (summary.n_value > 0)
        tell(t, write_summary(t, step, &summary), step);
    free(summary.value);
    free(scalars);
}

/* ---- texts ---- */

/* TensorBoard takes a text for Markdown, which would join its lines: a new string, in which it is code. */
static char *as_code(const char *text) {
    char *code = NULL;
    size_t length;
    FILE *stream = open_memstream(&code, &length);
    if (stream == NULL)
        return NULL;
    fputs(CODE_INDENT, stream);
    for (const char *c = text; *c != 0; c++) {
        putc(*c, stream);
        if (*c == '\n')
            fputs(CODE_INDENT, stream);
    }
    if (fclose(stream) == 0)
        return code;
    free(code);
    return NULL;
}

static dt_status write_text(dt_tensorboard *t, int64_t step, const char *text) {
    Tensorboard__TensorProto tensor = TENSORBOARD__TENSOR_PROTO__INIT;
    Tensorboard__TensorShapeProto single = TENSORBOARD__TENSOR_SHAPE_PROTO__INIT;
    char *code = as_code(text);
    if (code == NULL)
        return dt_fail("out of memory for a sample");
    ProtobufCBinaryData bytes = {.len = strlen(code), .data = (uint8_t *)code}, no_content = {0};
    tensor.dtype = TENSORBOARD__DATA_TYPE__DT_STRING;
    tensor.tensor_shape = &single;
    tensor.n_string_val = 1;
    tensor.string_val = &bytes;
    dt_status status = make_ready(t);
    if (status == DT_OK)
        status = dt_tensorboard_file_write_tensor(&t->file, step, "sample", "text", no_content, &tensor);
    free(code);
    return status;
}

/* ---- lines ---- */

void dt_tensorboard_take(dt_tensorboard *t, const char *line, size_t length) {
    if (t == NULL)
        return;
    json_t *object = json_loadb(line, length, 0, NULL);
    const json_t *step = json_object_get(object, "step"), *sample = json_object_get(object, "sample");
    if (json_is_integer(step))
        put_scalars(t, json_integer_value(step), object);
    if (json_is_integer(step) && json_is_string(sample))
        tell(t, write_text(t, json_integer_value(step), json_string_value(sample)), json_integer_value(step));
    json_decref(object);
}

void dt_tensorboard_finish(dt_tensorboard *t) {
    if (t != NULL && t->started && t->file.descriptor >= 0)
        tell(t, dt_tensorboard_hparams_end(&t->file), t->start_step);
}

void dt_tensorboard_free(dt_tensorboard *t) {
    if (t == NULL)
        return;
    const dt_status status = dt_tensorboard_file_close(&t->file);
    if (status != DT_OK && !t->failing)
        dt_log_warn("%s; TensorBoard may lack the last events", dt_error());
    json_decref(t->hparams);
    free(t->folder);
    free(t->run_id);
    free(t);
}
