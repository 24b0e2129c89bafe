/**
 * The forward pass of one leaf. All functions are local.
 */
#ifndef DT_MODEL_FORWARD_H
#define DT_MODEL_FORWARD_H

#include "model/activations.h"
#include "model/gpt.h"
#include "model/weights.h"

/**
 * Fills `activations` up to the logits for leaf->sequences sequences of T tokens each, with dropout where the
 * leaf's step is not 0. The logits of sequence s at position t stand in row s T + t.
 */
void dt_forward_run(const dt_gpt *gpt, const dt_weights *weights, const dt_leaf *leaf,
                    dt_activations *activations);

/** The sum of the leaf's T x sequences cross-entropies after dt_forward_run, in nats; the logits stay. */
double dt_forward_loss(const dt_gpt *gpt, const dt_leaf *leaf, dt_activations *activations);

#endif
