/* The formula in src/model/gpt.h, one sequence at a time. */
#include "support/reference_gpt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static double *allocate(int64_t count) {
    double *block = calloc((size_t)count, sizeof *block);
    if (block == NULL)
        abort();
    return block;
}

static const double *tensor(const dt_gpt *gpt, const double *parameters, const char *name) {
    const dt_tensor *found = dt_layout_find(gpt->layout, name);
    if (found == NULL)
        abort();
    return parameters + found->offset;
}

static const double *layer_tensor(const dt_gpt *gpt, const double *parameters, int64_t layer,
                                  const char *name) {
    char full[DT_TENSOR_NAME_BYTES];
    snprintf(full, sizeof full, "h.%" PRId64 ".%s", layer, name);
    return tensor(gpt, parameters, full);
}

/* The masks of a site, or NULL where there are none. */
static const reference_dropout *masks(const dt_gpt *gpt, const dt_micro_batch *micro_batch, int64_t sequence,
                                      int64_t layer, dt_dropout_site site, reference_dropout *drop) {
    if (gpt->dropout <= 0.0 || micro_batch->step == 0)
        return NULL;
    *drop = reference_dropout_at(gpt->seed, gpt->dropout, layer, (int64_t)site,
                                 micro_batch->first_slot + sequence, micro_batch->step);
    return drop;
}

/* x += dropout(attention(ln_1(x) c_attn) c_proj). */
static void attention_branch(const dt_gpt *gpt, const double *p, const dt_micro_batch *micro_batch, int64_t s,
                             int64_t layer, double *x) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C;
    double *norm = allocate(T * C), *qkv = allocate(T * 3 * C), *y = allocate(T * C);
    reference_dropout drop;
    reference_layernorm(norm, x, layer_tensor(gpt, p, layer, "ln_1.weight"),
                        layer_tensor(gpt, p, layer, "ln_1.bias"), T, C);
    reference_linear(qkv, norm, layer_tensor(gpt, p, layer, "attn.c_attn.weight"),
                     layer_tensor(gpt, p, layer, "attn.c_attn.bias"), T, C, 3 * C);
    reference_attention(y, NULL, qkv, T, C, gpt->layout->shape.H,
                        masks(gpt, micro_batch, s, layer, DT_DROPOUT_ATTENTION, &drop));
    reference_linear(norm, y, layer_tensor(gpt, p, layer, "attn.c_proj.weight"),
                     layer_tensor(gpt, p, layer, "attn.c_proj.bias"), T, C, C);
    reference_residual(x, x, norm, T, C, masks(gpt, micro_batch, s, layer, DT_DROPOUT_RESIDUAL_1, &drop));
    free(norm);
    free(qkv);
    free(y);
}

/* x += dropout(gelu(ln_2(x) c_fc) c_proj). */
static void mlp_branch(const dt_gpt *gpt, const double *p, const dt_micro_batch *micro_batch, int64_t s,
                       int64_t layer, double *x) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C, F = gpt->layout->shape.F;
    double *norm = allocate(T * C), *wide = allocate(T * F);
    reference_dropout drop;
    reference_layernorm(norm, x, layer_tensor(gpt, p, layer, "ln_2.weight"),
                        layer_tensor(gpt, p, layer, "ln_2.bias"), T, C);
    reference_linear(wide, norm, layer_tensor(gpt, p, layer, "mlp.c_fc.weight"),
                     layer_tensor(gpt, p, layer, "mlp.c_fc.bias"), T, C, F);
    for (int64_t i = 0; i < T * F; i++)
        wide[i] = reference_gelu(wide[i]);
    reference_linear(norm, wide, layer_tensor(gpt, p, layer, "mlp.c_proj.weight"),
                     layer_tensor(gpt, p, layer, "mlp.c_proj.bias"), T, F, C);
    reference_residual(x, x, norm, T, C, masks(gpt, micro_batch, s, layer, DT_DROPOUT_RESIDUAL_2, &drop));
    free(norm);
    free(wide);
}

/* logits[T, V] = ln_f(x) wte^T. */
static void head(const dt_gpt *gpt, const double *p, const double *x, double *logits) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C, V = gpt->layout->shape.V;
    const double *wte = tensor(gpt, p, "wte.weight");
    double *norm = allocate(T * C);
    reference_layernorm(norm, x, tensor(gpt, p, "ln_f.weight"), tensor(gpt, p, "ln_f.bias"), T, C);
    for (int64_t t = 0; t < T; t++)
        for (int64_t v = 0; v < V; v++) {
            logits[t * V + v] = 0.0;
            for (int64_t c = 0; c < C; c++)
                logits[t * V + v] += norm[t * C + c] * wte[v * C + c];
        }
    free(norm);
}

double reference_gpt_loss(const dt_gpt *gpt, const double *parameters, const dt_micro_batch *micro_batch,
                          double *logits) {
    const int64_t T = gpt->layout->shape.T, C = gpt->layout->shape.C, V = gpt->layout->shape.V;
    double *x = allocate(T * C), *own = logits ? NULL : allocate(T * V), loss = 0.0;
    for (int64_t s = 0; s < micro_batch->sequences; s++) {
        double *at = logits ? logits + s * T * V : own;
        reference_dropout drop;
        reference_embedding(x, micro_batch->windows[s], tensor(gpt, parameters, "wte.weight"),
                            tensor(gpt, parameters, "wpe.weight"), T, C,
                            masks(gpt, micro_batch, s, 0, DT_DROPOUT_EMBEDDING, &drop));
        for (int64_t layer = 0; layer < gpt->layout->shape.n_layers; layer++) {
            attention_branch(gpt, parameters, micro_batch, s, layer, x);
            mlp_branch(gpt, parameters, micro_batch, s, layer, x);
        }
        head(gpt, parameters, x, at);
        loss += reference_loss(at, micro_batch->windows[s] + 1, T, V);
    }
    free(x);
    free(own);
    return loss;
}
