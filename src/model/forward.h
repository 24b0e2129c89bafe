/**
 * The forward pass of one micro-batch. All functions are local.
 */
#ifndef DT_MODEL_FORWARD_H
#define DT_MODEL_FORWARD_H

#include "model/activations.h"
#include "model/gpt.h"
#include "model/weights.h"

/**
 * Fills `activations` up to the logits for micro_batch->sequences sequences of T tokens each, with dropout
 * where the micro-batch's step is not 0. The logits of sequence s at position t stand in row s T + t.
 */
void dt_forward_run(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                    dt_activations *activations);

/** The sum of the micro-batch's T x sequences cross-entropies after dt_forward_run, in nats; the logits stay.
 */
double dt_forward_loss(const dt_gpt *gpt, const dt_micro_batch *micro_batch, dt_activations *activations);

#endif
