/* The formula in gpt.h, line by line, up to the head; every line is a kernel or a matrix product. */
#include "model/forward.h"

#include <string.h>

#include "base/assert.h"

/* out = residual + dropout(projection + bias), sequence by sequence since masks belong to a slot. */
static void join_residual(const dt_gpt *gpt, const dt_micro_batch *micro_batch, int64_t layer,
                          dt_dropout_site site, float *out, const float *residual, const float *bias,
                          dt_activations *a) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C;
    for (int64_t s = 0; s < micro_batch->sequences; s++) {
        dt_dropout drop;
        const int64_t at = s * T * C;
        gpt->kernels->residual->forward(out + at, residual + at, a->projection + at, bias, dt_range_all(T), C,
                                        dt_gpt_dropout(gpt, micro_batch, s, layer, site, &drop), a->scratch);
    }
}

static void embed(const dt_gpt *gpt, const dt_gpt_view *weights, const dt_micro_batch *micro_batch,
                  dt_activations *a) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C;
    for (int64_t s = 0; s < micro_batch->sequences; s++) {
        dt_dropout drop;
        gpt->kernels->embedding->forward(
            a->input + s * T * C, micro_batch->windows[s], weights->wte, weights->wpe, 0, dt_range_all(T), C,
            dt_gpt_dropout(gpt, micro_batch, s, 0, DT_DROPOUT_EMBEDDING, &drop), a->scratch);
        memcpy(a->targets + s * T, micro_batch->windows[s] + 1, (size_t)T * sizeof *a->targets);
    }
}

static void attend(const dt_gpt *gpt, const dt_micro_batch *micro_batch, int64_t layer,
                   dt_layer_activations *l, float *scratch) {
    const dt_kernels *k = gpt->kernels;
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C, H = gpt->layout->shape.H;
    for (int64_t s = 0; s < micro_batch->sequences; s++) {
        dt_dropout drop;
        k->attention->forward(dt_kernels_operand(k, l->attended, s * T * C), l->lse + s * H * T,
                              dt_kernels_operand(k, l->qkv, s * T * 3 * C), T, C, H,
                              dt_gpt_dropout(gpt, micro_batch, s, layer, DT_DROPOUT_ATTENTION, &drop),
                              dt_attention_all(T, H), scratch);
    }
}

/* y = x w + bias for all n rows of the micro-batch. */
static void multiply(const dt_gpt *gpt, void *y, dt_result result, const dt_operand *x, const dt_weight *w,
                     const float *bias, int64_t n, int64_t in, int64_t out, float *workspace) {
    const dt_linear_shape shape = dt_linear_dense(n, in, out);
    const struct dt_linear *linear = gpt->kernels->linear;
    linear->forward(y, result, x, w, bias, &shape, dt_linear_all_y(linear, &shape), workspace);
}

void dt_forward_run(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                    dt_activations *a) {
    DT_ASSERT(micro_batch->sequences > 0 && micro_batch->sequences <= a->sequences && micro_batch->step >= 0);
    const dt_shape *shape = &gpt->layout->shape;
    const dt_kernels *k = gpt->kernels;
    const int64_t C = shape->C, F = shape->F, n = micro_batch->sequences * shape->T;
    const dt_range rows = dt_range_all(n);
    embed(gpt, &weights->view, micro_batch, a);
    const float *x = a->input;
    for (int64_t i = 0; i < shape->n_layers; i++) {
        const dt_gpt_layer *w = &weights->view.layer[i];
        const dt_layer_matrices *m = &weights->layer[i];
        dt_layer_activations *l = &a->layer[i];
        k->layernorm->forward(l->ln_1, l->mean_1, l->rstd_1, x, w->ln_1_weight, w->ln_1_bias, rows, C);
        multiply(gpt, l->qkv, DT_RESULT_OPERAND, l->ln_1, &m->c_attn, w->c_attn_bias, n, C, 3 * C,
                 a->workspace);
        attend(gpt, micro_batch, i, l, a->scratch);
        multiply(gpt, a->projection, DT_RESULT_FLOAT, l->attended, &m->attn_proj, NULL, n, C, C,
                 a->workspace);
        join_residual(gpt, micro_batch, i, DT_DROPOUT_RESIDUAL_1, l->middle, x, w->attn_proj_bias, a);

        k->layernorm->forward(l->ln_2, l->mean_2, l->rstd_2, l->middle, w->ln_2_weight, w->ln_2_bias, rows,
                              C);
        multiply(gpt, l->pre, DT_RESULT_OPERAND, l->ln_2, &m->c_fc, w->c_fc_bias, n, C, F, a->workspace);
        k->gelu->forward(a->act, l->pre, dt_range_all(n * F));
        multiply(gpt, a->projection, DT_RESULT_FLOAT, a->act, &m->mlp_proj, NULL, n, F, C, a->workspace);
        join_residual(gpt, micro_batch, i, DT_DROPOUT_RESIDUAL_2, l->output, l->middle, w->mlp_proj_bias, a);
        x = l->output;
    }
    const dt_gpt_view *view = &weights->view;
    k->layernorm->forward(a->ln_f, a->mean_f, a->rstd_f, x, view->ln_f_weight, view->ln_f_bias, rows, C);
}
