/**
 * The whole model in double, put together from the reference kernels: what the forward and backward passes
 * and generation are measured against. Its gradient is taken by reference_slope, one parameter at a time.
 */
#ifndef DT_TESTS_REFERENCE_GPT_H
#define DT_TESTS_REFERENCE_GPT_H

#include "model/gpt.h"
#include "support/reference.h"

/**
 * The sum of the micro-batch's cross-entropies, in nats, with the dropout that gpt, slots and step decide.
 * `parameters` is a vector of gpt's layout; gpt's kernels are not used. Writes logits[sequences, T, V] unless
 * that is NULL.
 */
double reference_gpt_loss(const dt_gpt *gpt, const double *parameters, const dt_micro_batch *micro_batch,
                          double *logits);

#endif
