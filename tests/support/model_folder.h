/**
 * Model folders as Hugging Face's library writes them, in all their forms. For files that have included
 * cmocka.h.
 */
#ifndef DT_TESTS_MODEL_FOLDER_H
#define DT_TESTS_MODEL_FOLDER_H

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/element.h"
#include "model/layout.h"
#include "support/scratch.h"

/** What may differ from one such folder to another; all zero is a single file of F32 with bare names. */
typedef struct model_folder_form {
    dt_element element;
    const char *prefix; /**< before each name, or NULL */
    bool masks;         /**< h.*.attn.bias of old files */
    float *head;        /**< [V, C] of lm_head.weight, or NULL */
    int64_t shards;     /**< with an index; 0: one file without */
} model_folder_form;

/** One file that is being made. */
typedef struct model_folder_file {
    char name[64];
    json_t *header;
    char *data;
    int64_t bytes;
} model_folder_file;

/** Appends a tensor of `rows` x `cols` (rows 0: of one dimension) to a file, and to the index. */
static inline void model_folder_add(model_folder_file *file, json_t *map, const model_folder_form *form,
                                    const char *name, int64_t rows, int64_t cols, const float *values) {
    char stored[128];
    const int64_t count = rows == 0 ? cols : rows * cols,
                  bytes = count * (int64_t)dt_element_bytes(form->element);
    snprintf(stored, sizeof stored, "%s%s", form->prefix ? form->prefix : "", name);
    file->data = realloc(file->data, (size_t)(file->bytes + bytes));
    (void)dt_element_round(form->element, file->data + file->bytes, values, count);
    json_t *shape = rows == 0 ? json_pack("[I]", (json_int_t)cols)
                              : json_pack("[I, I]", (json_int_t)rows, (json_int_t)cols);
    json_object_set_new(file->header, stored,
                        json_pack("{s:s, s:o, s:[I, I]}", "dtype", dt_element_safetensors[form->element],
                                  "shape", shape, "data_offsets", (json_int_t)file->bytes,
                                  (json_int_t)(file->bytes + bytes)));
    json_object_set_new(map, stored, json_string(file->name));
    file->bytes += bytes;
}

static inline void model_folder_put(const char *folder, const char *name, const void *bytes, size_t length) {
    char *path = dt_file_join(folder, name);
    scratch_put(path, bytes, length);
    free(path);
}

/** Writes a file of these bytes of JSON and data. */
static inline void model_folder_put_tensors(const char *folder, const char *name, const json_t *header,
                                            const char *data, int64_t bytes) {
    char *text = json_dumps(header, JSON_COMPACT), *whole = malloc(8 + strlen(text) + (size_t)bytes + 1);
    const uint64_t length = strlen(text);
    memcpy(whole, &length, sizeof length);
    memcpy(whole + 8, text, length);
    if (bytes > 0)
        memcpy(whole + 8 + length, data, (size_t)bytes);
    model_folder_put(folder, name, whole, 8 + length + (size_t)bytes);
    free(whole);
    free(text);
}

static inline void model_folder_put_json(const char *folder, const char *name, json_t *object) {
    char *text = json_dumps(object, JSON_INDENT(2));
    model_folder_put(folder, name, text, strlen(text));
    free(text);
    json_decref(object);
}

/** config.json of `shape`, with what the library writes beside it; the caller owns it. */
static inline json_t *model_folder_config(const dt_shape *shape) {
    json_t *config = json_pack("{s:[s], s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "architectures",
                               "GPT2LMHeadModel", "model_type", "gpt2", "activation_function", "gelu_new",
                               "vocab_size", (json_int_t)shape->V, "n_positions", (json_int_t)shape->T,
                               "n_embd", (json_int_t)shape->C, "n_layer", (json_int_t)shape->n_layers,
                               "n_head", (json_int_t)shape->H, "n_inner", (json_int_t)shape->F);
    json_object_update_new(config, json_pack("{s:f, s:b, s:b, s:b, s:b, s:b, s:n, s:n, s:s}",
                                             "layer_norm_epsilon", 1e-5, "scale_attn_weights", 1,
                                             "scale_attn_by_inverse_layer_idx", 0, "reorder_and_upcast_attn",
                                             0, "add_cross_attention", 0, "tie_word_embeddings", 1,
                                             "bos_token_id", "eos_token_id", "dtype", "float32"));
    return config;
}

/** Makes the new folder hold the model in that form. */
static inline void model_folder_write(const char *folder, const dt_layout *layout, const float *parameters,
                                      const model_folder_form *form) {
    const int64_t files = form->shards > 0 ? form->shards : 1;
    model_folder_file *file = calloc((size_t)files, sizeof *file);
    json_t *map = json_object(), *unknown = json_object();
    if (dt_file_make_folder(folder) != DT_OK)
        abort();
    for (int64_t i = 0; i < files; i++) {
        snprintf(file[i].name, sizeof file[i].name, "model-%05" PRId64 "-of-%05" PRId64 ".safetensors", i + 1,
                 files);
        file[i].header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    }
    /* From the last tensor to the first, so that the order of a file is not the table's. */
    for (int64_t t = layout->tensors; t-- > 0;) {
        const dt_tensor *tensor = &layout->tensor[t];
        model_folder_add(&file[t % files], map, form, tensor->name, tensor->dims == 1 ? 0 : tensor->rows,
                         tensor->cols, parameters + tensor->offset);
    }
    for (int64_t layer = 0; form->masks && layer < layout->shape.n_layers; layer++) {
        const float ones[6] = {1, 0, 0, 1, 1, 0};
        char name[64];
        snprintf(name, sizeof name, "h.%" PRId64 ".attn.bias", layer);
        model_folder_add(&file[0], map, form, name, 2, 3, ones);
        if (files > 1) /* another of that name, and the index does not know of it */
            model_folder_add(&file[1], unknown, form, name, 2, 3, ones);
        snprintf(name, sizeof name, "h.%" PRId64 ".attn.masked_bias", layer);
        model_folder_add(&file[files - 1], map, form, name, 0, 1, ones);
    }
    if (form->head) {
        model_folder_form bare = *form;
        bare.prefix = NULL;
        model_folder_add(&file[0], map, &bare, "lm_head.weight", layout->shape.V, layout->shape.C,
                         form->head);
    }
    for (int64_t i = 0; i < files; i++) {
        model_folder_put_tensors(folder, form->shards > 0 ? file[i].name : "model.safetensors",
                                 file[i].header, file[i].data, file[i].bytes);
        json_decref(file[i].header);
        free(file[i].data);
    }
    if (form->shards > 0)
        model_folder_put_json(folder, "model.safetensors.index.json",
                              json_pack("{s:{s:i}, s:O}", "metadata", "total_size", 1, "weight_map", map));
    json_decref(map);
    json_decref(unknown);
    free(file);
    model_folder_put_json(folder, "config.json", model_folder_config(&layout->shape));
}

#endif
