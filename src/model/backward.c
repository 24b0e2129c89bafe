/*
 * forward.c read from its end to its start. `dx` is the gradient of the residual stream all the way: each
 * branch takes its gradient from it and adds what flows back through the branch's LayerNorm to it.
 */
#include "model/backward.h"

#include <string.h>

#include "base/assert.h"
#include "model/forward.h"
#include "model/head.h"
#include "model/heads.h"

/* Tells that the gradient is final from `tensor` on, the first float of a tensor of this gradient, as far as
 * it is this thread's. Told again where nothing new is: whoever listens has work of its own to do from time
 * to time. */
static void tell(const dt_backward_progress *progress, const dt_gpt_view *gradient, const float *tensor) {
    if (progress)
        progress->reached(progress->context, tensor - gradient->wte);
}

/* The gradient of a branch's projection, dropout(projection + bias), from that of the residual stream it
 * joined. */
static void leave_residual(const dt_gpt *gpt, const dt_micro_batch *micro_batch, int64_t layer,
                           dt_dropout_site site, const dt_activations *a, const dt_team *team) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C;
    for (int64_t s = 0; s < micro_batch->sequences; s++) {
        dt_dropout drop;
        gpt->kernels->residual->backward(dt_kernels_operand(gpt->kernels, a->dprojection, s * T * C),
                                         a->dx + s * T * C, dt_team_rows(team, micro_batch->sequences, T, s),
                                         C, dt_gpt_dropout(gpt, micro_batch, s, layer, site, &drop),
                                         team->scratch->attention);
    }
}

static void attend_backward(const dt_gpt *gpt, const dt_micro_batch *micro_batch, int64_t layer,
                            const dt_layer_activations *l, const dt_activations *a, const dt_team *team,
                            const dt_gpt_view *gradient, const dt_backward_progress *progress) {
    const dt_kernels *k = gpt->kernels;
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C, H = gpt->layout->shape.H;
    const dt_heads heads = {.sequences = micro_batch->sequences, .T = T, .H = H, .backward = true};
    for (int64_t s = 0; s < micro_batch->sequences; s++) {
        dt_dropout drop;
        const int64_t at = s * T * C;
        k->attention->backward(
            dt_kernels_operand(k, a->dqkv, 3 * at), dt_kernels_operand(k, a->dattended, at),
            dt_kernels_operand(k, l->attended, at), l->lse + s * H * T, dt_kernels_operand(k, l->qkv, 3 * at),
            T, C, H, dt_gpt_dropout(gpt, micro_batch, s, layer, DT_DROPOUT_ATTENTION, &drop),
            dt_heads_slice(&heads, team, s), team->scratch->attention);
        tell(progress, gradient, gradient->layer[layer].attn_proj_weight);
    }
}

/* This thread's part of dw and dbias. */
static void weigh(const dt_kernels *k, float *dw, float *dbias, const dt_operand *x, const dt_operand *dy,
                  const dt_linear_shape *shape, const dt_team *team) {
    k->linear->backward_weight(dw, dbias, x, dy, shape, false,
                               dt_team_slice(team, dt_linear_all_dw(k->linear, shape).end),
                               team->scratch->products);
}

/* And of dx. */
static void pull(const dt_kernels *k, void *dx, dt_result result, const dt_operand *dy, const dt_weight *w,
                 const dt_linear_shape *shape, const dt_team *team) {
    k->linear->backward_input(dx, result, dy, w, shape,
                              dt_team_slice(team, dt_linear_all_dx(k->linear, shape).end),
                              team->scratch->products);
}

/* And of a LayerNorm's gradients. */
static dt_layernorm_ranges own_ranges(const dt_team *team, int64_t rows, int64_t C) {
    return (dt_layernorm_ranges){dt_team_slice(team, rows), dt_team_columns(team, C)};
}

/* Head, loss and last LayerNorm: leaves dx at the last layer's output. */
static double head_backward(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                            float scale, dt_activations *a, const dt_team *team, const dt_gpt_view *d) {
    const dt_shape *s = &gpt->layout->shape;
    const int64_t C = s->C, n = micro_batch->sequences * s->T;
    const float *x = dt_activations_input(a, s->n_layers);
    const dt_layernorm_ranges own = own_ranges(team, n, C);
    const double loss = dt_head_backward(gpt, weights, n, scale, a, team, d->wte);
    memset(a->dx + own.rows.first * C, 0, (size_t)((own.rows.end - own.rows.first) * C) * sizeof *a->dx);
    gpt->kernels->layernorm->backward(a->dx, d->ln_f_weight, d->ln_f_bias, a->dnorm, x, a->mean_f, a->rstd_f,
                                      weights->view.ln_f_weight, n, C, &own);
    return loss;
}

/* Where the gradient is final when the backward pass comes to layer i. */
static const float *above(const dt_gpt *gpt, const dt_gpt_view *gradient, int64_t i) {
    return i + 1 < gpt->layout->shape.n_layers ? gradient->layer[i + 1].ln_1_weight : gradient->ln_f_weight;
}

/* Makes what layer i's backward pass takes, where the layers share its memory. The last layer's stands there
 * from the forward pass. */
static void remake_layer(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                         int64_t i, dt_activations *a, const dt_team *team, const dt_gpt_view *gradient,
                         const dt_backward_progress *progress) {
    if (a->recompute == DT_RECOMPUTE_NONE || i == gpt->layout->shape.n_layers - 1)
        return;
    dt_team_meet(team); /* others may still read what the layer above has left */
    dt_forward_attention_again(gpt, weights, micro_batch, i, a, team);
    tell(progress, gradient, above(gpt, gradient, i));
    dt_forward_mlp_again(gpt, weights, micro_batch, i, a, team);
    tell(progress, gradient, above(gpt, gradient, i));
}

/* The second branch of layer i, and the LayerNorm before it. */
static void mlp_backward(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                         int64_t i, dt_activations *a, const dt_team *team, const dt_gpt_view *gradient,
                         const dt_backward_progress *progress) {
    const int64_t C = gpt->layout->shape.C, F = gpt->layout->shape.F,
                  n = micro_batch->sequences * gpt->layout->shape.T;
    const dt_kernels *k = gpt->kernels;
    const dt_layer_activations *l = &a->layer[i];
    const dt_gpt_layer *d = &gradient->layer[i];
    const dt_linear_shape up = {n, C, F, C, a->wide}, down = {n, F, C, a->wide, C};
    const dt_layernorm_ranges own = own_ranges(team, n, C);
    const float *done = above(gpt, gradient, i);

    leave_residual(gpt, micro_batch, i, DT_DROPOUT_RESIDUAL_2, a, team);
    dt_team_meet(team);
    pull(k, a->dact, DT_RESULT_OPERAND, a->dprojection, &weights->layer[i].mlp_proj, &down, team);
    tell(progress, gradient, done);
    dt_team_meet(team);
    k->gelu->backward(a->dact, a->act, a->dact, l->pre, dt_team_slice(team, n), (dt_gelu_shape){F, a->wide});
    tell(progress, gradient, done);
    dt_team_meet(team);
    weigh(k, d->mlp_proj_weight, d->mlp_proj_bias, a->act, a->dprojection, &down, team);
    tell(progress, gradient, d->mlp_proj_weight);
    weigh(k, d->c_fc_weight, d->c_fc_bias, l->ln_2, a->dact, &up, team);
    tell(progress, gradient, d->c_fc_weight);
    pull(k, a->dnorm, DT_RESULT_FLOAT, a->dact, &weights->layer[i].c_fc, &up, team);
    tell(progress, gradient, d->c_fc_weight);
    dt_team_meet(team);
    k->layernorm->backward(a->dx, d->ln_2_weight, d->ln_2_bias, a->dnorm, l->middle, l->mean_2, l->rstd_2,
                           weights->view.layer[i].ln_2_weight, n, C, &own);
    tell(progress, gradient, d->ln_2_weight);
}

/* The first branch of layer i, and the LayerNorm before it. */
static void attention_backward(const dt_gpt *gpt, const dt_weights *weights,
                               const dt_micro_batch *micro_batch, int64_t i, dt_activations *a,
                               const dt_team *team, const dt_gpt_view *gradient,
                               const dt_backward_progress *progress) {
    const int64_t C = gpt->layout->shape.C, n = micro_batch->sequences * gpt->layout->shape.T;
    const dt_kernels *k = gpt->kernels;
    const dt_layer_activations *l = &a->layer[i];
    const dt_gpt_layer *d = &gradient->layer[i];
    const dt_linear_shape wide = dt_linear_dense(n, C, 3 * C), square = dt_linear_dense(n, C, C);
    const dt_layernorm_ranges own = own_ranges(team, n, C);

    leave_residual(gpt, micro_batch, i, DT_DROPOUT_RESIDUAL_1, a, team);
    dt_team_meet(team);
    weigh(k, d->attn_proj_weight, d->attn_proj_bias, l->attended, a->dprojection, &square, team);
    tell(progress, gradient, d->attn_proj_weight);
    pull(k, a->dattended, DT_RESULT_OPERAND, a->dprojection, &weights->layer[i].attn_proj, &square, team);
    tell(progress, gradient, d->attn_proj_weight);
    dt_team_meet(team);
    attend_backward(gpt, micro_batch, i, l, a, team, gradient, progress);
    dt_team_meet(team);
    weigh(k, d->c_attn_weight, d->c_attn_bias, l->ln_1, a->dqkv, &wide, team);
    tell(progress, gradient, d->c_attn_weight);
    pull(k, a->dnorm, DT_RESULT_FLOAT, a->dqkv, &weights->layer[i].c_attn, &wide, team);
    tell(progress, gradient, d->c_attn_weight);
    dt_team_meet(team);
    k->layernorm->backward(a->dx, d->ln_1_weight, d->ln_1_bias, a->dnorm, dt_activations_input(a, i),
                           l->mean_1, l->rstd_1, weights->view.layer[i].ln_1_weight, n, C, &own);
    tell(progress, gradient, d->ln_1_weight);
}

/* By positions, and by tokens: both add up sequences in their order. */
static void embed_backward(const dt_gpt *gpt, const dt_micro_batch *micro_batch, const dt_activations *a,
                           const dt_team *team, const dt_gpt_view *d) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C;
    const struct dt_embedding *k = gpt->kernels->embedding;
    const dt_range rows = dt_team_slice(team, T), ids = dt_team_slice(team, gpt->layout->shape.V);
    dt_team_meet(team);
    memset(d->wpe + rows.first * C, 0, (size_t)((rows.end - rows.first) * C) * sizeof *d->wpe);
    for (int64_t s = 0; s < micro_batch->sequences; s++) {
        dt_dropout drop;
        k->backward_positions(d->wpe, a->dx + s * T * C, rows, C,
                              dt_gpt_dropout(gpt, micro_batch, s, 0, DT_DROPOUT_EMBEDDING, &drop),
                              team->scratch->attention);
    }
    dt_team_meet(team);
    for (int64_t s = 0; s < micro_batch->sequences; s++)
        k->backward_tokens(d->wte, a->dx + s * T * C, micro_batch->windows[s], T, C, ids);
}

double dt_backward_run(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                       float scale, dt_activations *a, const dt_team *team, const dt_gpt_view *gradient,
                       const dt_backward_progress *progress) {
    DT_ASSERT(micro_batch->sequences > 0 && micro_batch->sequences <= a->sequences);
    double loss = head_backward(gpt, weights, micro_batch, scale, a, team, gradient);
    tell(progress, gradient, gradient->ln_f_weight);
    for (int64_t i = gpt->layout->shape.n_layers - 1; i >= 0; i--) {
        remake_layer(gpt, weights, micro_batch, i, a, team, gradient, progress);
        mlp_backward(gpt, weights, micro_batch, i, a, team, gradient, progress);
        attention_backward(gpt, weights, micro_batch, i, a, team, gradient, progress);
    }
    embed_backward(gpt, micro_batch, a, team, gradient);
    tell(progress, gradient, gradient->wte);
    return loss;
}
