/**
 * The weights as the passes read them: every tensor, and apart from them the matrices of products, in the
 * form that the kernels multiply by.
 *
 * In fp32 that is the tensors themselves. In bf16 each matrix is rounded and packed twice, as it is and
 * transposed, into panels that all micro-batches of a step read; whoever changes the weights packs them
 * again. All functions are local.
 */
#ifndef DT_MODEL_WEIGHTS_H
#define DT_MODEL_WEIGHTS_H

#include <stdint.h>

#include "base/status.h"
#include "model/gpt.h"

/** One layer's matrices. */
typedef struct dt_layer_matrices {
    dt_weight c_attn, attn_proj, c_fc, mlp_proj;
} dt_layer_matrices;

typedef struct dt_weights {
    dt_gpt_view view;         /**< all tensors, in fp32 */
    dt_weight wte;            /**< [V, C], for the head */
    dt_layer_matrices *layer; /**< [n_layers] */
} dt_weights;

/** Points `weights` into `vector`, which must outlive them. To be freed also on failure. */
dt_status dt_weights_create(dt_weights *weights, const dt_layout *layout, float *vector);

/** Frees what they hold, not the vector; all zero is fine. */
void dt_weights_free(dt_weights *weights);

#endif
