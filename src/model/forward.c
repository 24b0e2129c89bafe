/* The formula in gpt.h, line by line, up to the head; every line is a kernel or a matrix product. */
#include "model/forward.h"

#include "base/assert.h"
#include "model/heads.h"

/* Before weights are read that stand in front of `tensor` in the vector of `weights`. */
static void await(const dt_micro_batch *micro_batch, const dt_weights *weights, const float *tensor) {
    const dt_weights_arrival *arrival = micro_batch->arrival;
    if (arrival)
        arrival->await(arrival->context, tensor - weights->view.wte);
}

/* The first tensor above layer `layer`. */
static const float *above(const dt_gpt *gpt, const dt_weights *weights, int64_t layer) {
    return layer + 1 < gpt->layout->shape.n_layers ? weights->view.layer[layer + 1].ln_1_weight
                                                   : weights->view.ln_f_weight;
}

/* out = residual + dropout(projection + bias), sequence by sequence since masks belong to a slot. */
static void join_residual(const dt_gpt *gpt, const dt_micro_batch *micro_batch, int64_t layer,
                          dt_dropout_site site, float *out, const float *residual, const float *bias,
                          const dt_activations *a, const dt_team *team) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C;
    for (int64_t s = 0; s < micro_batch->sequences; s++) {
        dt_dropout drop;
        const int64_t at = s * T * C;
        gpt->kernels->residual->forward(out + at, residual + at, a->projection + at, bias,
                                        dt_team_rows(team, micro_batch->sequences, T, s), C,
                                        dt_gpt_dropout(gpt, micro_batch, s, layer, site, &drop),
                                        team->scratch->attention);
    }
}

static void embed(const dt_gpt *gpt, const dt_gpt_view *weights, const dt_micro_batch *micro_batch,
                  dt_activations *a, const dt_team *team) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C;
    for (int64_t s = 0; s < micro_batch->sequences; s++) {
        dt_dropout drop;
        const dt_range rows = dt_team_rows(team, micro_batch->sequences, T, s);
        gpt->kernels->embedding->forward(
            a->input + s * T * C, micro_batch->windows[s], weights->wte, weights->wpe, 0, rows, C,
            dt_gpt_dropout(gpt, micro_batch, s, 0, DT_DROPOUT_EMBEDDING, &drop), team->scratch->attention);
        for (int64_t t = rows.first; t < rows.end; t++)
            a->targets[s * T + t] = micro_batch->windows[s][t + 1];
    }
}

static void attend(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                   int64_t layer, dt_layer_activations *l, const dt_team *team) {
    const dt_kernels *k = gpt->kernels;
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C, H = gpt->layout->shape.H;
    const dt_heads heads = {.sequences = micro_batch->sequences, .T = T, .H = H};
    for (int64_t s = 0; s < micro_batch->sequences; s++) {
        dt_dropout drop;
        await(micro_batch, weights, weights->view.layer[layer].attn_proj_weight);
        k->attention->forward(dt_kernels_operand(k, l->attended, s * T * C), l->lse + s * H * T,
                              dt_kernels_operand(k, l->qkv, s * T * 3 * C), T, C, H,
                              dt_gpt_dropout(gpt, micro_batch, s, layer, DT_DROPOUT_ATTENTION, &drop),
                              dt_heads_slice(&heads, team, s), team->scratch->attention);
    }
}

/* y = x w + bias for all rows of the micro-batch. x is what the whole team has made, and so is y in the end.
 */
static void multiply(const dt_gpt *gpt, void *y, dt_result result, const dt_operand *x, const dt_weight *w,
                     const float *bias, dt_linear_shape shape, const dt_team *team) {
    const struct dt_linear *linear = gpt->kernels->linear;
    dt_team_meet(team);
    linear->forward(y, result, x, w, bias, &shape, dt_team_slice(team, dt_linear_all_y(linear, &shape).end),
                    team->scratch->products);
    dt_team_meet(team);
}

/* The first branch of a layer, to the middle of the residual stream. */
static void run_attention(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                          int64_t layer, dt_activations *a, const dt_team *team) {
    const int64_t C = gpt->layout->shape.C, n = micro_batch->sequences * gpt->layout->shape.T;
    const dt_gpt_layer *w = &weights->view.layer[layer];
    const dt_layer_matrices *m = &weights->layer[layer];
    const float *x = dt_activations_input(a, layer);
    dt_layer_activations *l = &a->layer[layer];
    await(micro_batch, weights, w->c_attn_weight);
    gpt->kernels->layernorm->forward(l->ln_1, l->mean_1, l->rstd_1, x, w->ln_1_weight, w->ln_1_bias,
                                     dt_team_slice(team, n), C);
    await(micro_batch, weights, w->attn_proj_weight);
    multiply(gpt, l->qkv, DT_RESULT_OPERAND, l->ln_1, &m->c_attn, w->c_attn_bias,
             dt_linear_dense(n, C, 3 * C), team);
    attend(gpt, weights, micro_batch, layer, l, team);
    await(micro_batch, weights, w->ln_2_weight);
    multiply(gpt, a->projection, DT_RESULT_FLOAT, l->attended, &m->attn_proj, NULL, dt_linear_dense(n, C, C),
             team);
    await(micro_batch, weights, w->ln_2_weight);
    join_residual(gpt, micro_batch, layer, DT_DROPOUT_RESIDUAL_1, l->middle, x, w->attn_proj_bias, a, team);
}

/* The second branch, as far as the backward pass needs it. */
static void run_mlp_to_gelu(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                            int64_t layer, dt_activations *a, const dt_team *team) {
    const int64_t C = gpt->layout->shape.C, F = gpt->layout->shape.F,
                  n = micro_batch->sequences * gpt->layout->shape.T;
    const dt_gpt_layer *w = &weights->view.layer[layer];
    dt_layer_activations *l = &a->layer[layer];
    await(micro_batch, weights, w->c_fc_weight);
    gpt->kernels->layernorm->forward(l->ln_2, l->mean_2, l->rstd_2, l->middle, w->ln_2_weight, w->ln_2_bias,
                                     dt_team_slice(team, n), C);
    await(micro_batch, weights, w->mlp_proj_weight);
    multiply(gpt, l->pre, DT_RESULT_OPERAND, l->ln_2, &weights->layer[layer].c_fc, w->c_fc_bias,
             (dt_linear_shape){n, C, F, C, a->wide}, team);
}

/* And on to the layer's output. */
static void run_mlp_from_gelu(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                              int64_t layer, dt_activations *a, const dt_team *team) {
    const int64_t C = gpt->layout->shape.C, F = gpt->layout->shape.F,
                  n = micro_batch->sequences * gpt->layout->shape.T;
    dt_layer_activations *l = &a->layer[layer];
    await(micro_batch, weights, weights->view.layer[layer].mlp_proj_weight);
    gpt->kernels->gelu->forward(a->act, l->pre, dt_team_slice(team, n), (dt_gelu_shape){F, a->wide});
    await(micro_batch, weights, above(gpt, weights, layer));
    multiply(gpt, a->projection, DT_RESULT_FLOAT, a->act, &weights->layer[layer].mlp_proj, NULL,
             (dt_linear_shape){n, F, C, a->wide, C}, team);
    await(micro_batch, weights, above(gpt, weights, layer));
    join_residual(gpt, micro_batch, layer, DT_DROPOUT_RESIDUAL_2, l->output, l->middle,
                  weights->view.layer[layer].mlp_proj_bias, a, team);
}

void dt_forward_run(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                    dt_activations *a, const dt_team *team) {
    DT_ASSERT(micro_batch->sequences > 0 && micro_batch->sequences <= a->sequences && micro_batch->step >= 0);
    const dt_shape *shape = &gpt->layout->shape;
    const dt_gpt_view *view = &weights->view;
    await(micro_batch, weights, view->layer[0].ln_1_weight);
    embed(gpt, view, micro_batch, a, team);
    for (int64_t layer = 0; layer < shape->n_layers; layer++) {
        run_attention(gpt, weights, micro_batch, layer, a, team);
        run_mlp_to_gelu(gpt, weights, micro_batch, layer, a, team);
        run_mlp_from_gelu(gpt, weights, micro_batch, layer, a, team);
    }
    await(micro_batch, weights, view->wte + gpt->layout->elements);
    gpt->kernels->layernorm->forward(a->ln_f, a->mean_f, a->rstd_f, dt_activations_input(a, shape->n_layers),
                                     view->ln_f_weight, view->ln_f_bias,
                                     dt_team_slice(team, micro_batch->sequences * shape->T), shape->C);
    dt_team_meet(team);
}

void dt_forward_attention_again(const dt_gpt *gpt, const dt_weights *weights,
                                const dt_micro_batch *micro_batch, int64_t layer, dt_activations *a,
                                const dt_team *team) {
    DT_ASSERT(layer >= 0 && layer < gpt->layout->shape.n_layers);
    run_attention(gpt, weights, micro_batch, layer, a, team);
}

void dt_forward_mlp_again(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                          int64_t layer, dt_activations *a, const dt_team *team) {
    DT_ASSERT(layer >= 0 && layer < gpt->layout->shape.n_layers);
    run_mlp_to_gelu(gpt, weights, micro_batch, layer, a, team);
}
