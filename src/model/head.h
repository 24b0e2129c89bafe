/**
 * The head and the loss of one micro-batch, in blocks of rows: a vocabulary is many times as wide as the
 * model, so that the logits of all rows at once would take more memory than the rest of the activations.
 *
 * A block is logits_rows rows of dt_activations, and the last one up to one more. Its logits are made, then
 * the loss and, in their place, their gradient, and from that dX and the block's part of dW. A later block
 * goes on from dW as it stands: the sum over rows has one order, and its bits do not depend on where blocks
 * end. All functions are local; they are called after dt_forward_run on the same micro-batch, and when they
 * return, all of the team have done their part.
 */
#ifndef DT_MODEL_HEAD_H
#define DT_MODEL_HEAD_H

#include "math/range.h"
#include "model/activations.h"
#include "model/gpt.h"
#include "model/team.h"
#include "model/weights.h"

/** Makes the logits of `rows`, a block: row i's stand in row i - rows.first of activations->logits. */
void dt_head_logits(const dt_gpt *gpt, const dt_weights *weights, dt_range rows, dt_activations *activations,
                    const dt_team *team);

/** The sum of the cross-entropies of rows [0, n), in nats; each row's is left in activations->losses. */
double dt_head_loss(const dt_gpt *gpt, const dt_weights *weights, int64_t n, dt_activations *activations,
                    const dt_team *team);

/**
 * The same, and leaves the gradient of scale x (that sum): of the last LayerNorm's output in
 * activations->dnorm[n, C], and of the token embedding, as the head has it, in all of dwte[V, C].
 */
double dt_head_backward(const dt_gpt *gpt, const dt_weights *weights, int64_t n, float scale,
                        dt_activations *activations, const dt_team *team, float *dwte);

#endif
