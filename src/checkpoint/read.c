/* Reading back: every file is held against what metadata.json promises of it before anything is made of it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/metadata.h"
#include "base/checksum.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/tokenizer_files.h"

#define LARGEST_TEXT_BYTES      ((int64_t)16 << 20)
#define LARGEST_TOKENIZER_BYTES ((int64_t)1 << 28)

static dt_shape shape_of(const dt_checkpoint_about *about) {
    const dt_config *config = &about->config;
    return (dt_shape){.n_layers = config->n_layers,
                      .C = config->d_model,
                      .H = config->n_heads,
                      .F = config->d_ff,
                      .T = config->max_seq_len,
                      .V = about->V};
}

/* The config is not trusted with an allocation: the file `name` must be large enough for `floats`. */
static dt_status check_size(const char *path, const char *name, int64_t floats) {
    int descriptor;
    int64_t size_bytes;
    char *file = dt_file_join(path, name);
    dt_status status = file == NULL ? DT_FAILED : dt_file_open(file, &descriptor, &size_bytes);
    if (status == DT_OK) {
        close(descriptor);
        if (floats > size_bytes / (int64_t)sizeof(float))
            status = dt_fail("%s is damaged: its %" PRId64 " bytes cannot hold the %" PRId64
                             " floats of the model that the config names; use another checkpoint",
                             file, size_bytes, floats);
    }
    free(file);
    return status;
}

/* metadata.json, and the layout of the model that it names, which the files have room for. On failure there
 * is nothing to free. */
static dt_status open_checkpoint(const char *path, dt_checkpoint_about *about, json_t **files,
                                 dt_layout *layout) {
    DT_TRY(dt_checkpoint_metadata_read(path, about, files));
    dt_status status = dt_layout_create(layout, shape_of(about));
    if (status == DT_OK) {
        status = check_size(path, DT_CHECKPOINT_MODEL, layout->parameters);
        if (status != DT_OK)
            dt_layout_free(layout);
    }
    if (status != DT_OK) {
        dt_config_free(&about->config);
        json_decref(*files);
    }
    return status;
}

dt_status dt_checkpoint_read_about(const char *path, dt_checkpoint_about *about) {
    json_t *files;
    dt_layout layout;
    DT_TRY(open_checkpoint(path, about, &files, &layout));
    dt_layout_free(&layout);
    json_decref(files);
    return DT_OK;
}

static dt_status read_tensors(const char *path, const char *name, const dt_layout *layout,
                              const dt_safetensors_section *sections, int count,
                              const dt_safetensors_sink *sink, const json_t *files) {
    char *file = dt_file_join(path, name);
    dt_status status = file == NULL ? DT_FAILED
                                    : dt_safetensors_read_to(file, layout, sections, count,
                                                             json_object_get(files, name), sink);
    free(file);
    return status;
}

/* Weights and, when `moments`, both moments, into the state or to `sink`, where that is not NULL; with a
 * state of NULL vectors they are verified only. */
static dt_status read_state(const char *path, const dt_state *state, bool moments,
                            const dt_safetensors_sink *sink, const json_t *files) {
    const dt_safetensors_section model[] = {{"", state->parameters}};
    const dt_safetensors_section both[] = {{"exp_avg.", sink ? NULL : state->exp_avg},
                                           {"exp_avg_sq.", sink ? NULL : state->exp_avg_sq}};
    DT_TRY(read_tensors(path, DT_CHECKPOINT_MODEL, state->layout, model, 1, NULL, files));
    return moments ? read_tensors(path, DT_CHECKPOINT_OPTIMIZER, state->layout, both, 2, sink, files) : DT_OK;
}

/* Names the first size in which the checkpoint's model differs from the one it is to be read into. */
static dt_status compare_shapes(const char *path, const dt_shape *saved, const dt_shape *wanted) {
    const struct {
        const char *name;
        int64_t saved, wanted;
    } sizes[] = {
        {"n_layers", saved->n_layers, wanted->n_layers},
        {"d_model", saved->C, wanted->C},
        {"n_heads", saved->H, wanted->H},
        {"d_ff", saved->F, wanted->F},
        {"max_seq_len", saved->T, wanted->T},
        {"the vocabulary", saved->V, wanted->V},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (sizes[i].saved != sizes[i].wanted)
            return dt_fail("the checkpoint %s holds another model: its %s is %" PRId64 ", expected %" PRId64,
                           path, sizes[i].name, sizes[i].saved, sizes[i].wanted);
    return DT_OK;
}

/* A small file of text: its size and checksum. */
static dt_status verify_text(const char *path, const char *name, const json_t *files) {
    const json_t *sums = json_object_get(files, name);
    const json_t *bytes = json_object_get(sums, "bytes");
    const char *expected = json_string_value(json_object_get(sums, "xxh3_128"));
    char *file = dt_file_join(path, name), *text = NULL, digits[DT_CHECKSUM_TEXT_BYTES];
    const int64_t largest_bytes =
        strcmp(name, DT_TOKENIZER_FILES_JSON) == 0 ? LARGEST_TOKENIZER_BYTES : LARGEST_TEXT_BYTES;
    size_t length = 0;
    dt_status status = file == NULL ? DT_FAILED : dt_file_read_regular(file, largest_bytes, &text, &length);
    if (status == DT_OK) {
        dt_checksum_block(text, length, digits);
        if (!json_is_integer(bytes) || expected == NULL)
            status =
                dt_fail("cannot verify %s: the checkpoint's metadata hold no size and checksum for it", file);
        else if (json_integer_value(bytes) != (json_int_t)length || strcmp(digits, expected) != 0)
            status = dt_fail("%s is damaged: it has %zu bytes with XXH3-128 %s, but %" PRId64
                             " with %s were saved; use another checkpoint",
                             file, length, digits, (int64_t)json_integer_value(bytes), expected);
    }
    free(file);
    free(text);
    return status;
}

/* What programs other than dtrain read of the folder is held to its promise too. Checkpoints of version 0.1.0
 * have a vocab.json and no checksums.xxh128, and those of models of tokens alone no tokenizer: whatever has a
 * name that the metadata do not have is nobody's promise. */
static dt_status verify_texts(const char *path, const json_t *files) {
    static const char *const names[] = {DT_CHECKPOINT_VOCAB, DT_TOKENIZER_FILES_JSON,
                                        DT_TOKENIZER_FILES_CONFIG, DT_CHECKPOINT_CHECKSUMS};
    DT_TRY(verify_text(path, DT_CHECKPOINT_CONFIG, files));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(files, names[i]))
            DT_TRY(verify_text(path, names[i], files));
    return DT_OK;
}

dt_status dt_checkpoint_read_tokenizer(const char *path, char **json, size_t *length) {
    dt_checkpoint_about about;
    json_t *files;
    *json = NULL;
    *length = 0;
    DT_TRY(dt_checkpoint_metadata_read(path, &about, &files));
    dt_status status = DT_OK;
    if (json_object_get(files, DT_TOKENIZER_FILES_JSON)) {
        status = verify_text(path, DT_TOKENIZER_FILES_JSON, files);
        if (status == DT_OK)
            status = dt_tokenizer_files_read(path, json, length);
    }
    dt_config_free(&about.config);
    json_decref(files);
    return status;
}

static dt_status load(const char *path, dt_state *state, bool moments, const dt_safetensors_sink *sink) {
    dt_checkpoint_about about;
    json_t *files;
    dt_layout layout;
    DT_TRY(open_checkpoint(path, &about, &files, &layout));
    state->phase = DT_STATE_ARRIVING;
    dt_status status = compare_shapes(path, &layout.shape, &state->layout->shape);
    if (status == DT_OK)
        status = verify_texts(path, files);
    if (status == DT_OK)
        status = read_state(path, state, moments, sink, files);
    if (status == DT_OK)
        dt_state_arrive(state, about.step);
    dt_layout_free(&layout);
    dt_config_free(&about.config);
    json_decref(files);
    return status;
}

dt_status dt_checkpoint_load(const char *path, dt_state *state, bool moments) {
    return load(path, state, moments, NULL);
}

dt_status dt_checkpoint_load_to(const char *path, dt_state *state, const dt_safetensors_sink *moments) {
    return load(path, state, true, moments);
}

dt_status dt_checkpoint_verify(const char *path, dt_checkpoint_about *about) {
    json_t *files;
    dt_layout layout;
    DT_TRY(open_checkpoint(path, about, &files, &layout));
    const dt_state nowhere = {.layout = &layout};
    dt_status status = verify_texts(path, files);
    if (status == DT_OK)
        status = read_state(path, &nowhere, true, NULL, files);
    if (status != DT_OK)
        dt_config_free(&about->config);
    dt_layout_free(&layout);
    json_decref(files);
    return status;
}
