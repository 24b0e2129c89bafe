/**
 * The forward pass of one micro-batch, up to the head (model/head.h). Local.
 */
#ifndef DT_MODEL_FORWARD_H
#define DT_MODEL_FORWARD_H

#include "model/activations.h"
#include "model/gpt.h"
#include "model/team.h"
#include "model/weights.h"

/**
 * Fills `activations` up to the last LayerNorm's output, and the targets, for micro_batch->sequences
 * sequences of T tokens each, with dropout where the micro-batch's step is not 0. Sequence s at position t
 * stands in row s T + t. When it returns, all of the team have done their part.
 */
void dt_forward_run(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                    dt_activations *activations, const dt_team *team);

/**
 * Makes again what the forward pass of `layer` leaves in its first branch, attention, from the layer's input
 * and with the same masks. The input must be what it was. Leaves all other layers' outputs, and dx, alone.
 */
void dt_forward_attention_again(const dt_gpt *gpt, const dt_weights *weights,
                                const dt_micro_batch *micro_batch, int64_t layer, dt_activations *activations,
                                const dt_team *team);

/** After dt_forward_attention_again: the same of the second branch, the MLP, up to what stands before GELU,
 * since the backward pass takes no more of it. */
void dt_forward_mlp_again(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                          int64_t layer, dt_activations *activations, const dt_team *team);

#endif
