/**
 * THE tensor table: every tensor of the model, where it stands in the one vector of parameters, how it starts
 * and whether it decays. Allocation, initialisation, checkpoints, the optimizer and the buckets of the
 * all-reduce all read it.
 *
 * Gradients and the optimizer's moments are vectors of the same layout. Tensors stand in the order of the
 * forward pass, so the backward pass completes their gradients from the end of the vector to its start, the
 * tied embedding `wte` last. Each starts on a whole unit of DT_MEMORY_ALIGN_FLOATS; the floats between are
 * zero and stay zero.
 */
#ifndef DT_MODEL_LAYOUT_H
#define DT_MODEL_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** The letters that sizes go by everywhere. */
typedef struct dt_shape {
    int64_t n_layers;
    int64_t C; /**< d_model */
    int64_t H; /**< n_heads; a head is C / H wide */
    int64_t F; /**< d_ff */
    int64_t T; /**< max_seq_len */
    int64_t V; /**< vocabulary */
} dt_shape;

typedef enum dt_init {
    DT_INIT_ZERO,
    DT_INIT_ONE,
    DT_INIT_NORMAL,  /**< N(0, 0.02) */
    DT_INIT_RESIDUAL /**< N(0, 0.02 / sqrt(2 n_layers)): what writes into the residual stream */
} dt_init;

#define DT_TENSOR_NAME_BYTES 48

typedef struct dt_tensor {
    char name[DT_TENSOR_NAME_BYTES]; /**< as Hugging Face's GPT2LMHeadModel calls it */
    int dims;                        /**< 1 or 2 */
    int64_t rows, cols;              /**< [rows, cols] row-major; rows is 1 for one dimension */
    int64_t offset;                  /**< of the first element in the vector, in floats */
    int64_t count;                   /**< rows * cols */
    dt_init init;
    bool decay; /**< whether AdamW decays it: two dimensions do, biases and LayerNorms do not */
} dt_tensor;

typedef struct dt_layout {
    dt_shape shape;
    int64_t tensors;
    dt_tensor *tensor;  /**< [tensors] */
    int64_t parameters; /**< the sum of counts */
    int64_t elements;   /**< floats in a vector, with what stands between tensors */
} dt_layout;

/** Makes the table for `shape`. Fails when memory is short or sizes overflow. The caller frees it. Local. */
dt_status dt_layout_create(dt_layout *layout, dt_shape shape);

/** Frees what the table holds; one that is all zero is fine. Local. */
void dt_layout_free(dt_layout *layout);

/** The tensor called `name`, owned by the table, or NULL. Local. */
const dt_tensor *dt_layout_find(const dt_layout *layout, const char *name);

/** The tensor that the element `at` of `vector`, a vector of `elements` floats, belongs to, owned by the
 * table; NULL where `at` lies outside the vector or between tensors. Local. */
const dt_tensor *dt_layout_tensor_at(const dt_layout *layout, const float *vector, const float *at);

/** Fills a vector of `elements` floats with initial weights, decided by `seed` alone. Local. */
void dt_layout_init_parameters(const dt_layout *layout, uint64_t seed, float *parameters);

#endif
