/* Names to pointers, once, so that the passes need no look-ups. */
#include "model/gpt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/plural.h"

static float *tensor_of(const dt_layout *layout, float *vector, const char *name) {
    return vector + dt_layout_find(layout, name)->offset;
}

static float *layer_tensor_of(const dt_layout *layout, float *vector, int64_t layer, const char *name) {
    char full[DT_TENSOR_NAME_BYTES];
    snprintf(full, sizeof full, "h.%" PRId64 ".%s", layer, name);
    return tensor_of(layout, vector, full);
}

dt_status dt_gpt_view_create(dt_gpt_view *view, const dt_layout *layout, float *vector) {
    view->layer = calloc((size_t)layout->shape.n_layers, sizeof *view->layer);
    if (view->layer == NULL)
        return dt_fail("out of memory for the pointers to %" PRId64 " layer%s", layout->shape.n_layers,
                       dt_plural_s(layout->shape.n_layers));
    view->wte = tensor_of(layout, vector, "wte.weight");
    view->wpe = tensor_of(layout, vector, "wpe.weight");
    view->ln_f_weight = tensor_of(layout, vector, "ln_f.weight");
    view->ln_f_bias = tensor_of(layout, vector, "ln_f.bias");
    for (int64_t l = 0; l < layout->shape.n_layers; l++)
        view->layer[l] = (dt_gpt_layer){
            .ln_1_weight = layer_tensor_of(layout, vector, l, "ln_1.weight"),
            .ln_1_bias = layer_tensor_of(layout, vector, l, "ln_1.bias"),
            .c_attn_weight = layer_tensor_of(layout, vector, l, "attn.c_attn.weight"),
            .c_attn_bias = layer_tensor_of(layout, vector, l, "attn.c_attn.bias"),
            .attn_proj_weight = layer_tensor_of(layout, vector, l, "attn.c_proj.weight"),
            .attn_proj_bias = layer_tensor_of(layout, vector, l, "attn.c_proj.bias"),
            .ln_2_weight = layer_tensor_of(layout, vector, l, "ln_2.weight"),
            .ln_2_bias = layer_tensor_of(layout, vector, l, "ln_2.bias"),
            .c_fc_weight = layer_tensor_of(layout, vector, l, "mlp.c_fc.weight"),
            .c_fc_bias = layer_tensor_of(layout, vector, l, "mlp.c_fc.bias"),
            .mlp_proj_weight = layer_tensor_of(layout, vector, l, "mlp.c_proj.weight"),
            .mlp_proj_bias = layer_tensor_of(layout, vector, l, "mlp.c_proj.bias"),
        };
    return DT_OK;
}

void dt_gpt_view_free(dt_gpt_view *view) {
    free(view->layer);
    view->layer = NULL;
}

const dt_dropout *dt_gpt_dropout(const dt_gpt *gpt, const dt_micro_batch *micro_batch, int64_t sequence,
                                 int64_t layer, dt_dropout_site site, dt_dropout *drop) {
    DT_ASSERT(sequence >= 0 && sequence < micro_batch->sequences && layer >= 0 &&
              layer < gpt->layout->shape.n_layers);
    if (!(gpt->dropout > 0.0) || micro_batch->step == 0)
        return NULL;
    *drop = dt_dropout_at(gpt->seed, gpt->dropout, layer, site, micro_batch->first_slot + sequence,
                          micro_batch->step);
    return drop;
}
