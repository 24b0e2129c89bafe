/**
 * Numbers that are no longer finite, and where the first of them is.
 */
#ifndef DT_OPTIM_FINITE_H
#define DT_OPTIM_FINITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "model/layout.h"
#include "optim/state.h"

/** Whether none of x[0..count) is an infinity or a NaN. Local. */
bool dt_finite_all(const float *x, int64_t count);

/** `x` itself, but a NaN without the sign that printf would show. Local. */
double dt_finite_plain(double x);

/** The first tensor of a vector of layout->elements that holds an infinity or a NaN, owned by the layout, or
 * NULL. Local. */
const dt_tensor *dt_finite_first(const dt_layout *layout, const float *vector);

/** The same of those elements of `vector` alone that lie in run[runs], which rise. Local. */
const dt_tensor *dt_finite_first_of(const dt_layout *layout, const float *vector, const dt_slice *run,
                                    int64_t runs);

/** The first tensor of the state (optim/state.h) that holds an infinity or a NaN, or -1; of one whose moments
 * are shared out, of its weights. Local. */
int64_t dt_finite_first_tensor(const dt_state *state);

/** Fails, naming the tensor, when weights or moments are not all finite: such a state must not be saved.
 * Local.
 */
dt_status dt_finite_check(const dt_state *state);

#endif
