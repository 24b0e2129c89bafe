/*
 * forward.c read from its end to its start. `dx` is the gradient of the residual stream all the way: each
 * branch takes its gradient from it and adds what flows back through the branch's LayerNorm to it.
 */
#include "model/backward.h"

#include <string.h>

/* Tells that the gradient is final from `tensor` on, the first float of a tensor of this gradient. Told again
 * where nothing new is: whoever listens has work of its own to do from time to time. */
static void tell(const dt_backward_progress *progress, const dt_gpt_view *gradient, const float *tensor) {
    if (progress)
        progress->reached(progress->context, tensor - gradient->wte);
}

/* The gradient of a branch's projection, dropout(projection + bias), from that of the residual stream it
 * joined. */
static void leave_residual(const dt_gpt *gpt, const dt_leaf *leaf, int64_t layer, dt_dropout_site site,
                           dt_activations *a) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C;
    for (int64_t s = 0; s < leaf->sequences; s++) {
        dt_dropout drop;
        gpt->kernels->residual->backward(a->projection + s * T * C, a->dx + s * T * C, T, C,
                                         dt_gpt_dropout(gpt, leaf, s, layer, site, &drop), a->scratch);
    }
}

static void attend_backward(const dt_gpt *gpt, const dt_leaf *leaf, int64_t layer,
                            const dt_layer_activations *l, dt_activations *a, const dt_gpt_view *gradient,
                            const dt_backward_progress *progress) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C, H = gpt->layout->shape.H;
    for (int64_t s = 0; s < leaf->sequences; s++) {
        dt_dropout drop;
        const int64_t at = s * T * C;
        gpt->kernels->attention->backward(
            a->dqkv + 3 * at, a->dnorm + at, l->attended + at, l->lse + s * H * T, l->qkv + 3 * at, T, C, H,
            dt_gpt_dropout(gpt, leaf, s, layer, DT_DROPOUT_ATTENTION, &drop), a->scratch);
        tell(progress, gradient, gradient->layer[layer].attn_proj_weight);
    }
}

/* Loss, head and last LayerNorm: leaves dx at the last layer's output. */
static double head_backward(const dt_gpt *gpt, const dt_gpt_view *weights, const dt_leaf *leaf, float scale,
                            dt_activations *a, const dt_gpt_view *d) {
    const dt_shape *s = &gpt->layout->shape;
    const int64_t C = s->C, V = s->V, n = leaf->sequences * s->T, stride = a->logits_stride;
    const float *x = a->layer[s->n_layers - 1].output;
    double loss = gpt->kernels->loss->backward(a->logits, a->targets, n, V, stride, scale);
    gpt->kernels->gemm->multiply(&(dt_product){.transpose_a = true,
                                               .m = V,
                                               .n = C,
                                               .k = n,
                                               .a = a->logits,
                                               .a_stride = stride,
                                               .b = a->ln_f,
                                               .b_stride = C,
                                               .c = d->wte,
                                               .c_stride = C},
                                 a->room);
    gpt->kernels->gemm->multiply(&(dt_product){.m = n,
                                               .n = C,
                                               .k = V,
                                               .a = a->logits,
                                               .a_stride = stride,
                                               .b = weights->wte,
                                               .b_stride = C,
                                               .c = a->dnorm,
                                               .c_stride = C},
                                 a->room);
    memset(a->dx, 0, (size_t)(n * C) * sizeof *a->dx);
    gpt->kernels->layernorm->backward(a->dx, d->ln_f_weight, d->ln_f_bias, a->dnorm, x, a->mean_f, a->rstd_f,
                                      weights->ln_f_weight, n, C);
    return loss;
}

static void layer_backward(const dt_gpt *gpt, const dt_gpt_layer *w, const dt_leaf *leaf, int64_t i,
                           const float *x, dt_activations *a, const dt_gpt_view *gradient,
                           const dt_backward_progress *progress) {
    const int64_t C = gpt->layout->shape.C, F = gpt->layout->shape.F,
                  n = leaf->sequences * gpt->layout->shape.T;
    const dt_kernels *k = gpt->kernels;
    const dt_layer_activations *l = &a->layer[i];
    const dt_gpt_layer *d = &gradient->layer[i];
    const float *above = i + 1 < gpt->layout->shape.n_layers ? d[1].ln_1_weight : gradient->ln_f_weight;

    leave_residual(gpt, leaf, i, DT_DROPOUT_RESIDUAL_2, a);
    k->linear->backward_input(a->dact, a->projection, w->mlp_proj_weight, n, F, C, a->room);
    tell(progress, gradient, above);
    k->gelu->backward(a->dact, a->act, a->dact, l->pre, n, F);
    tell(progress, gradient, above);
    k->linear->backward_weight(d->mlp_proj_weight, d->mlp_proj_bias, a->act, a->projection, n, F, C, a->room);
    tell(progress, gradient, d->mlp_proj_weight);
    k->linear->backward_weight(d->c_fc_weight, d->c_fc_bias, l->ln_2, a->dact, n, C, F, a->room);
    tell(progress, gradient, d->c_fc_weight);
    k->linear->backward_input(a->dnorm, a->dact, w->c_fc_weight, n, C, F, a->room);
    tell(progress, gradient, d->c_fc_weight);
    k->layernorm->backward(a->dx, d->ln_2_weight, d->ln_2_bias, a->dnorm, l->middle, l->mean_2, l->rstd_2,
                           w->ln_2_weight, n, C);
    tell(progress, gradient, d->ln_2_weight);

    leave_residual(gpt, leaf, i, DT_DROPOUT_RESIDUAL_1, a);
    k->linear->backward_weight(d->attn_proj_weight, d->attn_proj_bias, l->attended, a->projection, n, C, C,
                               a->room);
    tell(progress, gradient, d->attn_proj_weight);
    k->linear->backward_input(a->dnorm, a->projection, w->attn_proj_weight, n, C, C, a->room);
    tell(progress, gradient, d->attn_proj_weight);
    attend_backward(gpt, leaf, i, l, a, gradient, progress);
    k->linear->backward_weight(d->c_attn_weight, d->c_attn_bias, l->ln_1, a->dqkv, n, C, 3 * C, a->room);
    tell(progress, gradient, d->c_attn_weight);
    k->linear->backward_input(a->dnorm, a->dqkv, w->c_attn_weight, n, C, 3 * C, a->room);
    tell(progress, gradient, d->c_attn_weight);
    k->layernorm->backward(a->dx, d->ln_1_weight, d->ln_1_bias, a->dnorm, x, l->mean_1, l->rstd_1,
                           w->ln_1_weight, n, C);
    tell(progress, gradient, d->ln_1_weight);
}

static void embed_backward(const dt_gpt *gpt, const dt_leaf *leaf, dt_activations *a, const dt_gpt_view *d) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C;
    memset(d->wpe, 0, (size_t)(T * C) * sizeof *d->wpe);
    for (int64_t s = 0; s < leaf->sequences; s++) {
        dt_dropout drop;
        gpt->kernels->embedding->backward(d->wte, d->wpe, a->dx + s * T * C, leaf->windows[s], T, C,
                                          dt_gpt_dropout(gpt, leaf, s, 0, DT_DROPOUT_EMBEDDING, &drop),
                                          a->scratch);
    }
}

double dt_backward_run(const dt_gpt *gpt, const dt_gpt_view *weights, const dt_leaf *leaf, float scale,
                       dt_activations *a, const dt_gpt_view *gradient, const dt_backward_progress *progress) {
    double loss = head_backward(gpt, weights, leaf, scale, a, gradient);
    tell(progress, gradient, gradient->ln_f_weight);
    for (int64_t i = gpt->layout->shape.n_layers - 1; i >= 0; i--)
        layer_backward(gpt, &weights->layer[i], leaf, i, i > 0 ? a->layer[i - 1].output : a->input, a,
                       gradient, progress);
    embed_backward(gpt, leaf, a, gradient);
    tell(progress, gradient, gradient->wte);
    return loss;
}
