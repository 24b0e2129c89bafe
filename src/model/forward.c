/* The formula in gpt.h, line by line; every line is a kernel or a matrix product. */
#include "model/forward.h"

#include <string.h>

/* out = residual + dropout(projection + bias), sequence by sequence since masks belong to a slot. */
static void join_residual(const dt_gpt *gpt, const dt_leaf *leaf, int64_t layer, dt_dropout_site site,
                          float *out, const float *residual, const float *bias, dt_activations *a) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C;
    for (int64_t s = 0; s < leaf->sequences; s++) {
        dt_dropout drop;
        const int64_t at = s * T * C;
        gpt->kernels->residual->forward(out + at, residual + at, a->projection + at, bias, T, C,
                                        dt_gpt_dropout(gpt, leaf, s, layer, site, &drop), a->scratch);
    }
}

static void embed(const dt_gpt *gpt, const dt_gpt_view *weights, const dt_leaf *leaf, dt_activations *a) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C;
    for (int64_t s = 0; s < leaf->sequences; s++) {
        dt_dropout drop;
        gpt->kernels->embedding->forward(
            a->input + s * T * C, leaf->windows[s], weights->wte, weights->wpe, 0, T, C,
            dt_gpt_dropout(gpt, leaf, s, 0, DT_DROPOUT_EMBEDDING, &drop), a->scratch);
        memcpy(a->targets + s * T, leaf->windows[s] + 1, (size_t)T);
    }
}

static void attend(const dt_gpt *gpt, const dt_leaf *leaf, int64_t layer, dt_layer_activations *l,
                   float *scratch) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C, H = gpt->layout->shape.H;
    for (int64_t s = 0; s < leaf->sequences; s++) {
        dt_dropout drop;
        gpt->kernels->attention->forward(
            l->attended + s * T * C, l->lse + s * H * T, l->qkv + s * T * 3 * C, T, C, H,
            dt_gpt_dropout(gpt, leaf, s, layer, DT_DROPOUT_ATTENTION, &drop), scratch);
    }
}

void dt_forward_run(const dt_gpt *gpt, const dt_gpt_view *weights, const dt_leaf *leaf, dt_activations *a) {
    const dt_shape *shape = &gpt->layout->shape;
    const dt_kernels *k = gpt->kernels;
    const int64_t C = shape->C, F = shape->F, n = leaf->sequences * shape->T;
    embed(gpt, weights, leaf, a);
    const float *x = a->input;
    for (int64_t i = 0; i < shape->n_layers; i++) {
        const dt_gpt_layer *w = &weights->layer[i];
        dt_layer_activations *l = &a->layer[i];
        k->layernorm->forward(l->ln_1, l->mean_1, l->rstd_1, x, w->ln_1_weight, w->ln_1_bias, n, C);
        k->linear->forward(l->qkv, l->ln_1, w->c_attn_weight, w->c_attn_bias, n, C, 3 * C, a->room);
        attend(gpt, leaf, i, l, a->scratch);
        k->linear->forward(a->projection, l->attended, w->attn_proj_weight, NULL, n, C, C, a->room);
        join_residual(gpt, leaf, i, DT_DROPOUT_RESIDUAL_1, l->middle, x, w->attn_proj_bias, a);

        k->layernorm->forward(l->ln_2, l->mean_2, l->rstd_2, l->middle, w->ln_2_weight, w->ln_2_bias, n, C);
        k->linear->forward(l->pre, l->ln_2, w->c_fc_weight, NULL, n, C, F, a->room);
        k->gelu->forward(a->act, l->pre, w->c_fc_bias, n, F);
        k->linear->forward(a->projection, a->act, w->mlp_proj_weight, NULL, n, F, C, a->room);
        join_residual(gpt, leaf, i, DT_DROPOUT_RESIDUAL_2, l->output, l->middle, w->mlp_proj_bias, a);
        x = l->output;
    }
    k->layernorm->forward(a->ln_f, a->mean_f, a->rstd_f, x, weights->ln_f_weight, weights->ln_f_bias, n, C);
    k->gemm->multiply(&(dt_product){.transpose_b = true,
                                    .m = n,
                                    .n = shape->V,
                                    .k = C,
                                    .a = a->ln_f,
                                    .a_stride = C,
                                    .b = weights->wte,
                                    .b_stride = C,
                                    .c = a->logits,
                                    .c_stride = a->logits_stride},
                      a->room);
}

double dt_forward_loss(const dt_gpt *gpt, const dt_leaf *leaf, dt_activations *a) {
    const dt_shape *shape = &gpt->layout->shape;
    return gpt->kernels->loss->forward(a->logits, a->targets, leaf->sequences * shape->T, shape->V,
                                       a->logits_stride);
}
