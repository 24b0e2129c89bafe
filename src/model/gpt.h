/**
 * The model: GPT-2 (Radford et al. 2019) with learned positions, pre-LayerNorm, causal attention, tanh-GELU
 * and a head tied to the token embedding.
 *
 * This room is the network. Weights and tokens enter; a loss and the gradient of every tensor leave, or,
 * in generation, the logits of the next token. layout.h is the table of its tensors.
 *
 *     x = dropout(wte[token] + wpe[t])
 *     for each layer:  x = x + dropout(attention(ln_1(x)) c_proj)
 *                      x = x + dropout(gelu(ln_2(x) c_fc) c_proj)
 *     logits = ln_f(x) wte^T
 *
 * This file says what the forward pass, the backward pass and generation share: what the model is, and where
 * its tensors stand in a vector of the layout. Weights and gradients are seen through the same struct. All
 * functions are local.
 */
#ifndef DT_MODEL_GPT_H
#define DT_MODEL_GPT_H

#include <stdint.h>

#include "base/status.h"
#include "math/kernels.h"
#include "model/layout.h"

/** What does not change during a run. */
typedef struct dt_gpt {
    const dt_layout *layout;
    const dt_kernels *kernels;
    double dropout; /**< p in training */
    uint64_t seed;  /**< decides the dropout masks */
} dt_gpt;

/** One layer's tensors, in the order of the table; shapes are in layout.c. */
typedef struct dt_gpt_layer {
    float *ln_1_weight, *ln_1_bias;
    float *c_attn_weight, *c_attn_bias; /* [C, 3C], [3C] */
    float *attn_proj_weight, *attn_proj_bias;
    float *ln_2_weight, *ln_2_bias;
    float *c_fc_weight, *c_fc_bias; /* [C, F], [F] */
    float *mlp_proj_weight, *mlp_proj_bias;
} dt_gpt_layer;

/** A vector of the layout, seen as tensors. */
typedef struct dt_gpt_view {
    float *wte, *wpe;    /* [V, C], [T, C] */
    dt_gpt_layer *layer; /* [n_layers], owned by the view */
    float *ln_f_weight, *ln_f_bias;
} dt_gpt_view;

/** Points `view` into `vector`, which must outlive it. The caller frees the view with dt_gpt_view_free. */
dt_status dt_gpt_view_create(dt_gpt_view *view, const dt_layout *layout, float *vector);

/** Frees the view, not the vector; one that is all zero is fine. */
void dt_gpt_view_free(dt_gpt_view *view);

/**
 * Told between the kernels of a forward pass that it is to read weights before `offset` (in floats, as in the
 * layout): returns when these have arrived, from other ranks or from wherever else. Called with rising
 * offsets, often with the one before, so that it also serves as a clock.
 */
typedef struct dt_weights_arrival {
    void (*await)(void *context, int64_t offset);
    void *context;
} dt_weights_arrival;

/** One micro-batch of a batch: up to micro_batch_size sequences, run forward and backward as one. */
typedef struct dt_micro_batch {
    int64_t sequences;
    const int32_t *const *windows; /**< [sequences], each of T + 1 token ids */
    int64_t first_slot;            /**< global slot of windows[0] */
    int64_t step; /**< from 1; with the slot it decides the masks. 0: no dropout (evaluation) */
    const dt_weights_arrival *arrival; /**< of the weights that it is run with; NULL: all are there */
} dt_micro_batch;

/**
 * The dropout of `site` in `layer` for the micro-batch's sequence `sequence`, into `*drop`. Returns `drop`,
 * or NULL where there is none (dropout 0, or evaluation).
 */
const dt_dropout *dt_gpt_dropout(const dt_gpt *gpt, const dt_micro_batch *micro_batch, int64_t sequence,
                                 int64_t layer, dt_dropout_site site, dt_dropout *drop);

#endif
