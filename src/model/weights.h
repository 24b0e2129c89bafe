/**
 * The weights as the passes read them: every tensor, and apart from them the matrices of products, in the
 * form that the kernels multiply by.
 *
 * In fp32 that is the tensors themselves. In bf16 each matrix is rounded and packed twice, as it is and
 * transposed, into panels (math/linear.h) that all micro-batches of a step read; whoever changes the weights
 * packs them again. All functions are local.
 */
#ifndef DT_MODEL_WEIGHTS_H
#define DT_MODEL_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "model/gpt.h"

/** One layer's matrices. */
typedef struct dt_layer_matrices {
    dt_weight c_attn, attn_proj, c_fc, mlp_proj;
} dt_layer_matrices;

/** One matrix, or its transpose, to be packed. */
typedef struct dt_packing {
    const float *values; /**< [in, out] */
    int64_t in, out;
    bool transposed;
    void *panels;
    int64_t first; /**< the number of its first panel among all panels */
} dt_packing;

typedef struct dt_weights {
    dt_gpt_view view;         /**< all tensors, in fp32 */
    dt_weight wte;            /**< [V, C], for the head */
    dt_layer_matrices *layer; /**< [n_layers] */

    dt_packing *packing; /* [packings]; none in fp32 */
    int64_t packings;
    int64_t panels;   /**< of all matrices: 0 in fp32 */
    int64_t elements; /**< that they are packed from, each matrix read twice: 0 in fp32 */
    char *block;      /* owns the panels */
} dt_weights;

/** Bytes of the panels of a model of `shape` for `kernels`; 0 in fp32. INT64_MAX where 63 bits would be too
 * few. */
int64_t dt_weights_panel_bytes(const dt_kernels *kernels, const dt_shape *shape);

/** Points `weights` into `vector`, a vector of the model's layout which must outlive them, and allocates
 * panels for the model's kernels, not yet packed. To be freed also on failure. */
dt_status dt_weights_create(dt_weights *weights, const dt_gpt *gpt, float *vector);

/** Packs panels [first, end) of weights->panels from the vector as it is, so that threads can share them. */
void dt_weights_pack(const dt_weights *weights, const dt_gpt *gpt, int64_t first, int64_t end);

/** Frees what they hold, not the vector; all zero is fine. */
void dt_weights_free(dt_weights *weights);

#endif
