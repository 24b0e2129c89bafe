/* The rows of the tensor table and the walk that turns them into places in one vector. Nothing else lists
 * tensors. */
#include "model/layout.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/progress.h"

/* How long one side of a tensor is, in the letters of dt_shape. */
typedef enum extent { NONE, C, C3, F, T, V } extent;

typedef struct row {
    const char *name; /* of a layer's tensor: what follows "h.<layer>." */
    extent rows, cols;
    dt_init init; /* rows is NONE for a tensor of one dimension */
} row;

static const row before_layers[] = {
    {"wte.weight", V, C, DT_INIT_NORMAL},
    {"wpe.weight", T, C, DT_INIT_NORMAL},
};

/* Projections are [in, out], as Hugging Face's Conv1D stores them. */
static const row each_layer[] = {
    {"ln_1.weight", NONE, C, DT_INIT_ONE},          {"ln_1.bias", NONE, C, DT_INIT_ZERO},
    {"attn.c_attn.weight", C, C3, DT_INIT_NORMAL},  {"attn.c_attn.bias", NONE, C3, DT_INIT_ZERO},
    {"attn.c_proj.weight", C, C, DT_INIT_RESIDUAL}, {"attn.c_proj.bias", NONE, C, DT_INIT_ZERO},
    {"ln_2.weight", NONE, C, DT_INIT_ONE},          {"ln_2.bias", NONE, C, DT_INIT_ZERO},
    {"mlp.c_fc.weight", C, F, DT_INIT_NORMAL},      {"mlp.c_fc.bias", NONE, F, DT_INIT_ZERO},
    {"mlp.c_proj.weight", F, C, DT_INIT_RESIDUAL},  {"mlp.c_proj.bias", NONE, C, DT_INIT_ZERO},
};

static const row after_layers[] = {
    {"ln_f.weight", NONE, C, DT_INIT_ONE},
    {"ln_f.bias", NONE, C, DT_INIT_ZERO},
};

#define ROWS(table) ((int64_t)(sizeof(table) / sizeof(table)[0]))

/* Far above any model, and low enough that bytes of a few vectors still count in an int64_t. */
#define LARGEST_ELEMENTS (INT64_MAX / 64)

/* An extent's length. It fits: dt_layout_create has bounded every field of the shape. */
static int64_t length_of(extent side, const dt_shape *shape) {
    switch (side) {
    case C:
        return shape->C;
    case C3:
        return 3 * shape->C;
    case F:
        return shape->F;
    case T:
        return shape->T;
    case V:
        return shape->V;
    case NONE:
        break;
    }
    return 1;
}

static dt_status too_large(const dt_shape *shape) {
    return dt_fail("the model is beyond what can be addressed: n_layers %" PRId64 ", d_model %" PRId64
                   ", d_ff %" PRId64 ", max_seq_len %" PRId64 ", vocabulary %" PRId64 "; use smaller ones",
                   shape->n_layers, shape->C, shape->F, shape->T, shape->V);
}

/* Appends one tensor behind what the layout holds. `layer` is -1 outside the layers. */
static dt_status append(dt_layout *layout, const row *from, int64_t layer) {
    dt_tensor *tensor = &layout->tensor[layout->tensors];
    int written = layer < 0
                      ? snprintf(tensor->name, sizeof tensor->name, "%s", from->name)
                      : snprintf(tensor->name, sizeof tensor->name, "h.%" PRId64 ".%s", layer, from->name);
    /* The longest name is "h.<19 digits>.attn.c_attn.weight". */
    DT_ASSERT(written > 0 && written < DT_TENSOR_NAME_BYTES);
    (void)written;
    tensor->dims = from->rows == NONE ? 1 : 2;
    tensor->rows = length_of(from->rows, &layout->shape);
    tensor->cols = length_of(from->cols, &layout->shape);
    tensor->offset = layout->elements;
    tensor->init = from->init;
    tensor->decay = tensor->dims == 2;
    if (__builtin_mul_overflow(tensor->rows, tensor->cols, &tensor->count) ||
        tensor->count > LARGEST_ELEMENTS - layout->elements)
        return too_large(&layout->shape);
    layout->parameters += tensor->count;
    layout->elements += dt_memory_round_floats(tensor->count);
    layout->tensors++;
    return DT_OK;
}

static dt_status append_all(dt_layout *layout) {
    for (int64_t i = 0; i < ROWS(before_layers); i++)
        DT_TRY(append(layout, &before_layers[i], -1));
    for (int64_t layer = 0; layer < layout->shape.n_layers; layer++)
        for (int64_t i = 0; i < ROWS(each_layer); i++)
            DT_TRY(append(layout, &each_layer[i], layer));
    for (int64_t i = 0; i < ROWS(after_layers); i++)
        DT_TRY(append(layout, &after_layers[i], -1));
    return DT_OK;
}

dt_status dt_layout_create(dt_layout *layout, dt_shape shape) {
    *layout = (dt_layout){.shape = shape};
    const int64_t fields[] = {shape.n_layers, shape.C, shape.H, shape.F, shape.T, shape.V};
    for (int64_t i = 0; i < ROWS(fields); i++) {
        if (fields[i] <= 0)
            return dt_fail(
                "a model needs n_layers, d_model, n_heads, d_ff, max_seq_len and a vocabulary of at least 1, "
                "found %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 " and %" PRId64,
                shape.n_layers, shape.C, shape.H, shape.F, shape.T, shape.V);
        if (fields[i] > LARGEST_ELEMENTS / ROWS(each_layer))
            return too_large(&shape);
    }
    int64_t tensors = ROWS(before_layers) + shape.n_layers * ROWS(each_layer) + ROWS(after_layers);
    layout->tensor = dt_memory_alloc(tensors, sizeof *layout->tensor, "the tensor table");
    if (layout->tensor == NULL)
        return DT_FAILED;
    dt_status status = append_all(layout);
    if (status != DT_OK)
        dt_layout_free(layout);
    return status;
}

void dt_layout_free(dt_layout *layout) {
    dt_memory_free(layout->tensor);
    *layout = (dt_layout){0};
}

const dt_tensor *dt_layout_find(const dt_layout *layout, const char *name) {
    for (int64_t t = 0; t < layout->tensors; t++)
        if (strcmp(layout->tensor[t].name, name) == 0)
            return &layout->tensor[t];
    return NULL;
}

const dt_tensor *dt_layout_tensor_at(const dt_layout *layout, const float *vector, const float *at) {
    const uintptr_t start = (uintptr_t)vector, address = (uintptr_t)at;
    if (address < start || address >= start + (uintptr_t)layout->elements * sizeof(float))
        return NULL;
    const int64_t offset = (int64_t)((address - start) / sizeof(float));
    int64_t low = 0, high = layout->tensors; /* the first tensor starts the vector */
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        if (layout->tensor[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    const dt_tensor *tensor = &layout->tensor[low];
    return offset < tensor->offset + tensor->count ? tensor : NULL;
}

/* Weights that are drawn between two marks of progress: about a millisecond's. */
#define WEIGHTS_PER_MARK 65536

/* Element e takes half (e mod 2) of the pair of normals that counter e / 2 gives. */
static void fill_normal(float *elements, int64_t count, dt_philox_key key, double deviation) {
    for (int64_t e = 0; e < count; e += 2) {
        if (e % WEIGHTS_PER_MARK == 0)
            dt_progress_mark();
        uint64_t pair = (uint64_t)e / 2;
        double normal[2];
        dt_philox_normal(dt_philox(key, (uint32_t)pair, (uint32_t)(pair >> 32), 0, 0), normal);
        elements[e] = (float)(deviation * normal[0]);
        if (e + 1 < count)
            elements[e + 1] = (float)(deviation * normal[1]);
    }
}

static void fill(float *elements, int64_t count, float value) {
    for (int64_t e = 0; e < count; e++)
        elements[e] = value;
}

void dt_layout_init_parameters(const dt_layout *layout, uint64_t seed, float *parameters) {
    const double normal = 0.02, residual = 0.02 / sqrt(2.0 * (double)layout->shape.n_layers);
    fill(parameters, layout->elements, 0.0f);
    for (int64_t t = 0; t < layout->tensors; t++) {
        const dt_tensor *tensor = &layout->tensor[t];
        float *elements = parameters + tensor->offset;
        dt_philox_key key = dt_philox_derive(seed, DT_PURPOSE_INIT, (uint32_t)t);
        switch (tensor->init) {
        case DT_INIT_ZERO:
            break;
        case DT_INIT_ONE:
            fill(elements, tensor->count, 1.0f);
            break;
        case DT_INIT_NORMAL:
            fill_normal(elements, tensor->count, key, normal);
            break;
        case DT_INIT_RESIDUAL:
            fill_normal(elements, tensor->count, key, residual);
            break;
        }
    }
}
