/**
 * The floating-point operations that a model needs for a step, whatever a program spends on them.
 *
 * The share of a machine's ceiling that these make is the model FLOP utilisation, MFU, of Chowdhery et al.,
 * "PaLM: Scaling Language Modeling with Pathways", 2022, appendix B.
 */
#ifndef DT_MODEL_FLOP_H
#define DT_MODEL_FLOP_H

#include <stdint.h>

#include "model/layout.h"

/**
 * The model FLOP of a step of B sequences: 6 FLOP per matrix parameter and token (2 forward, 4 backward; the
 * tied embedding counts once, as the head, and positions do not), plus causal attention, 6 C T (T + 1) per
 * layer and sequence: Q K^T and P V forward, and four such products backward, each 2 FLOP per channel and
 * pair of a query and a key not after it. What is computed twice to save memory does not count. PaLM's
 * appendix B counts 6 N + 12 L C T per token, with all pairs of queries and keys, twice as many as a causal
 * model needs; utilisations by that count are a little higher. Pure; local.
 */
double dt_flop_step(const dt_layout *layout, int64_t B);

#endif
