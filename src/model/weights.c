/* Which tensors are matrices of products. */
#include "model/weights.h"

#include <inttypes.h>
#include <stdlib.h>

dt_status dt_weights_create(dt_weights *weights, const dt_layout *layout, float *vector) {
    const int64_t layers = layout->shape.n_layers;
    *weights = (dt_weights){0};
    DT_TRY(dt_gpt_view_create(&weights->view, layout, vector));
    weights->layer = calloc((size_t)layers, sizeof *weights->layer);
    if (weights->layer == NULL)
        return dt_fail("out of memory for the matrices of %" PRId64 " layers", layers);
    weights->wte.values = weights->view.wte;
    for (int64_t l = 0; l < layers; l++) {
        const dt_gpt_layer *from = &weights->view.layer[l];
        dt_layer_matrices *to = &weights->layer[l];
        to->c_attn.values = from->c_attn_weight;
        to->attn_proj.values = from->attn_proj_weight;
        to->c_fc.values = from->c_fc_weight;
        to->mlp_proj.values = from->mlp_proj_weight;
    }
    return DT_OK;
}

void dt_weights_free(dt_weights *weights) {
    dt_gpt_view_free(&weights->view);
    free(weights->layer);
    *weights = (dt_weights){0};
}
