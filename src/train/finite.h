/**
 * Numbers that are no longer finite, and where the first of them is.
 */
#ifndef DT_TRAIN_FINITE_H
#define DT_TRAIN_FINITE_H

#include "base/status.h"
#include "model/layout.h"
#include "train/state.h"

/** The first tensor of a vector of layout->elements that holds an infinity or a NaN, owned by the layout, or
 * NULL. Local. */
const dt_tensor *dt_finite_first(const dt_layout *layout, const float *vector);

/** Fails, naming the tensor, when weights or moments are not all finite: such a state must not be saved.
 * Local.
 */
dt_status dt_finite_check(const dt_state *state);

#endif
