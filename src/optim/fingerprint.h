/**
 * Hashes of a state, tensor by tensor, and of vectors like those it is made of: what replicas, and a state
 * and its copy, are compared by.
 *
 * The tensors of a state are those of the weights, then those of each moment, in the order of the table. A
 * tensor's hash is the XXH3 of 64 bits that a checkpoint has for the same tensor. All functions are local.
 */
#ifndef DT_OPTIM_FINGERPRINT_H
#define DT_OPTIM_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#include "optim/state.h"

/** How many tensors a state of this layout has. */
int64_t dt_fingerprint_tensors(const dt_layout *layout);

/** The elements of tensor `index`, `*count` of them. */
float *dt_fingerprint_elements(const dt_state *state, int64_t index, int64_t *count);

/** How a checkpoint calls tensor `index`: "exp_avg.wte.weight". */
void dt_fingerprint_name(const dt_layout *layout, int64_t index, char *text, size_t text_bytes);

/** The hash of tensor `index`. */
uint64_t dt_fingerprint_tensor(const dt_state *state, int64_t index);

/** One hash of all of row[0..tensors). */
uint64_t dt_fingerprint_whole(const uint64_t *row, int64_t tensors);

#endif
