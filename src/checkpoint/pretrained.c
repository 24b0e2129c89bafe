/* First where every tensor is, by the headers alone; then the numbers, a piece at a time. */
#include "checkpoint/pretrained.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "checkpoint/gpt2_config.h"
#include "checkpoint/metadata.h"
#include "checkpoint/tokenizer_files.h"
#include "optim/finite.h"

#define HEAD "lm_head.weight"
#define WTE  "wte.weight"

/* Numbers that are read and widened at a time. */
#define PIECE_ELEMENTS ((int64_t)1 << 16)

static bool has_file(int folder, const char *name) {
    return faccessat(folder, name, F_OK, 0) == 0;
}

/* Without memory, for want of which it could only be wrong. */
bool dt_pretrained_is(const char *path) {
    const int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return false;
    const bool is = has_file(folder, DT_CHECKPOINT_CONFIG) && !has_file(folder, DT_CHECKPOINT_METADATA) &&
                    !has_file(folder, DT_CHECKPOINT_OPTIMIZER);
    close(folder);
    return is;
}

dt_status dt_pretrained_tokenizer(const char *folder, char **path) {
    *path = dt_file_join(folder, DT_TOKENIZER_FILES_JSON);
    if (*path == NULL)
        return DT_FAILED;
    if (dt_file_exists(*path))
        return DT_OK;
    free(*path);
    *path = NULL;
    return dt_usage("%s has no " DT_TOKENIZER_FILES_JSON
                    " to say what text is to its model; name a tokenizer by --tokenizer, or null "
                    "where only tokens are read",
                    folder);
}

/* ---- where tensors are ---- */

/* Notes where `name` is, if it is in the file. */
static dt_status find_in(const dt_weight_file *file, const char *name, const dt_tensor *tensor,
                         dt_pretrained_tensor *found) {
    if (json_object_get(file->header.entries, name) == NULL)
        return DT_OK;
    if (found->file)
        return dt_fail("cannot use %s: it holds tensor %s, which is in %s too, or has another name there",
                       file->path, name, found->file->path);
    found->file = file;
    return dt_safetensors_header_find(&file->header, name, tensor, dt_element_safetensors, &found->extent);
}

/* Looks for `tensor` by `name`, in all files and with both names. */
static dt_status find(const dt_pretrained *model, const char *name, const dt_tensor *tensor,
                      dt_pretrained_tensor *found) {
    char prefixed[sizeof DT_WEIGHT_FILES_PREFIX + DT_TENSOR_NAME_BYTES];
    snprintf(prefixed, sizeof prefixed, DT_WEIGHT_FILES_PREFIX "%s", name);
    for (int64_t i = 0; i < model->files.count; i++) {
        DT_TRY(find_in(&model->files.file[i], name, tensor, found));
        DT_TRY(find_in(&model->files.file[i], prefixed, tensor, found));
    }
    return DT_OK;
}

/* A tensor that the model does not have means that it is another one. */
static dt_status refuse_strangers(const dt_pretrained *model, const dt_weight_file *file) {
    const char *stored;
    json_t *entry;
    json_object_foreach(file->header.entries, stored, entry) {
        const char *name = dt_weight_files_bare(stored);
        if (strcmp(stored, DT_SAFETENSORS_ABOUT) != 0 && strcmp(name, HEAD) != 0 &&
            !dt_weight_files_is_mask(stored) && dt_layout_find(&model->layout, name) == NULL)
            return dt_fail("cannot use %s: it holds a tensor %s that the GPT-2 of config.json does not have",
                           file->path, stored);
    }
    return DT_OK;
}

static dt_status find_all(dt_pretrained *model, const char *folder) {
    for (int64_t i = 0; i < model->files.count; i++)
        DT_TRY(refuse_strangers(model, &model->files.file[i]));
    model->tensor = dt_memory_alloc(model->layout.tensors, sizeof *model->tensor, "a table of tensors");
    if (model->tensor == NULL)
        return DT_FAILED;
    for (int64_t t = 0; t < model->layout.tensors; t++) {
        const dt_tensor *tensor = &model->layout.tensor[t];
        DT_TRY(find(model, tensor->name, tensor, &model->tensor[t]));
        if (model->tensor[t].file == NULL)
            return dt_fail("cannot use %s: tensor %s is missing", folder, tensor->name);
    }
    return find(model, HEAD, dt_layout_find(&model->layout, WTE), &model->head);
}

static dt_status open_model(dt_pretrained *model, const char *folder) {
    dt_shape shape;
    char *config = dt_file_join(folder, DT_CHECKPOINT_CONFIG);
    dt_status status = config ? dt_gpt2_config_read(config, &shape, &model->config) : DT_FAILED;
    free(config);
    DT_TRY(status);
    DT_TRY(dt_layout_create(&model->layout, shape));
    DT_TRY(dt_weight_files_open(&model->files, folder));
    return find_all(model, folder);
}

dt_status dt_pretrained_open(dt_pretrained *model, const char *folder) {
    *model = (dt_pretrained){0};
    return open_model(model, folder);
}

void dt_pretrained_close(dt_pretrained *model) {
    dt_memory_free(model->tensor);
    dt_weight_files_free(&model->files);
    dt_layout_free(&model->layout);
    json_decref(model->config);
    *model = (dt_pretrained){0};
}

/* ---- the numbers ---- */

/* A tensor that is read from its start on, into one of its own. */
typedef struct stream {
    const dt_pretrained_tensor *from;
    int descriptor;
    char *stored;  /* [PIECE_ELEMENTS] of the largest element */
    float *values; /* [PIECE_ELEMENTS] */
} stream;

static dt_status open_stream(stream *in, const dt_pretrained_tensor *from) {
    int64_t unused;
    *in = (stream){.from = from, .descriptor = -1};
    in->stored = dt_memory_alloc(PIECE_ELEMENTS, sizeof(float), "a piece of a file");
    in->values = dt_memory_alloc(PIECE_ELEMENTS, sizeof(float), "a piece of a tensor");
    if (in->stored == NULL || in->values == NULL)
        return DT_FAILED;
    return dt_file_open(from->file->path, &in->descriptor, &unused);
}

static void close_stream(stream *in) {
    if (in->descriptor >= 0)
        close(in->descriptor);
    dt_memory_free(in->stored);
    dt_memory_free(in->values);
}

/* Elements [first, first + count) into in->values. */
static dt_status read_piece(stream *in, int64_t first, int64_t count) {
    const dt_safetensors_extent *extent = &in->from->extent;
    const dt_safetensors_header *header = &in->from->file->header;
    const int64_t bytes = (int64_t)dt_element_bytes(extent->element);
    DT_TRY(dt_file_read_at(in->descriptor, header->path, in->stored, (size_t)(count * bytes),
                           header->data_start + extent->begin + first * bytes));
    dt_element_widen(extent->element, in->values, in->stored, count);
    return DT_OK;
}

/* The first `count` elements into `target`, which may be NULL. */
static dt_status read_elements(stream *in, const char *name, int64_t count, float *target) {
    for (int64_t first = 0; first < count; first += PIECE_ELEMENTS) {
        const int64_t piece = dt_min(count - first, PIECE_ELEMENTS);
        DT_TRY(read_piece(in, first, piece));
        if (!dt_finite_all(in->values, piece))
            return dt_fail("cannot use %s: expected finite numbers, found NaN or infinity in tensor %s",
                           in->from->file->path, name);
        if (target)
            memcpy(target + first, in->values, (size_t)piece * sizeof *target);
    }
    return DT_OK;
}

static dt_status read_tensor(const dt_pretrained_tensor *from, const dt_tensor *tensor, float *target) {
    stream in;
    dt_status status = open_stream(&in, from);
    if (status == DT_OK)
        status = read_elements(&in, tensor->name, tensor->count, target);
    close_stream(&in);
    return status;
}

static dt_status compare(stream *head, stream *wte, const dt_tensor *tensor) {
    for (int64_t first = 0; first < tensor->count; first += PIECE_ELEMENTS) {
        const int64_t piece = dt_min(tensor->count - first, PIECE_ELEMENTS);
        DT_TRY(read_piece(head, first, piece));
        DT_TRY(read_piece(wte, first, piece));
        for (int64_t i = 0; i < piece; i++)
            if (!(head->values[i] == wte->values[i]))
                return dt_fail("cannot use %s: tensor " HEAD " is not tied: its element [%" PRId64 ",%" PRId64
                               "] is %.9g where that of " WTE
                               " is %.9g; dtrain's model has one matrix for both",
                               head->from->file->path, (first + i) / tensor->cols, (first + i) % tensor->cols,
                               (double)head->values[i], (double)wte->values[i]);
    }
    return DT_OK;
}

/* The head has no weights of its own, so what a file gives it must be the embedding. */
static dt_status expect_tied(const dt_pretrained *model) {
    const dt_tensor *tensor = dt_layout_find(&model->layout, WTE);
    stream head = {.descriptor = -1}, wte = {.descriptor = -1};
    if (model->head.file == NULL)
        return DT_OK;
    dt_status status = open_stream(&head, &model->head);
    if (status == DT_OK)
        status = open_stream(&wte, &model->tensor[tensor - model->layout.tensor]);
    if (status == DT_OK)
        status = compare(&head, &wte, tensor);
    close_stream(&head);
    close_stream(&wte);
    return status;
}

dt_status dt_pretrained_read(const dt_pretrained *model, const dt_layout *layout, float *parameters) {
    DT_ASSERT(layout->tensors == model->layout.tensors);
    for (int64_t t = 0; t < layout->tensors; t++) {
        const dt_tensor *tensor = &layout->tensor[t];
        /* Positions are rows, the first ones first. */
        DT_ASSERT(tensor->cols == model->layout.tensor[t].cols);
        DT_ASSERT(tensor->rows <= model->layout.tensor[t].rows);
        DT_TRY(read_tensor(&model->tensor[t], tensor, parameters ? parameters + tensor->offset : NULL));
    }
    return expect_tied(model);
}
