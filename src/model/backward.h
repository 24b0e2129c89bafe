/**
 * The backward pass of one micro-batch. Local.
 */
#ifndef DT_MODEL_BACKWARD_H
#define DT_MODEL_BACKWARD_H

#include "model/activations.h"
#include "model/gpt.h"
#include "model/team.h"
#include "model/weights.h"

/**
 * Told between the kernels of a backward pass: every element of the gradient from `offset` (in floats, as in
 * the layout) on is final, of those that are this thread's. Called with falling offsets, often with the one
 * before, so that it also serves as a clock.
 */
typedef struct dt_backward_progress {
    void (*reached)(void *context, int64_t offset);
    void *context;
} dt_backward_progress;

/**
 * After dt_forward_run on the same micro-batch: writes the gradient of scale x (sum of the micro-batch's
 * cross-entropies) to every tensor of `gradient`, whole, whatever stood there before. Tensors are finished
 * from the end of the table to its start, the tied embedding last, and `progress` (may be NULL) is told.
 * Where the activations say so, each layer's forward pass is run again first. Uses up the activations.
 * Returns the sum of the cross-entropies, in nats, to each thread of the team; what the others have written
 * is complete when all have returned.
 */
double dt_backward_run(const dt_gpt *gpt, const dt_weights *weights, const dt_micro_batch *micro_batch,
                       float scale, dt_activations *activations, const dt_team *team,
                       const dt_gpt_view *gradient, const dt_backward_progress *progress);

#endif
