/**
 * New weights packed for bf16's products as they arrive: a matrix at a time, by whichever threads need it.
 *
 * Where nothing is on its way, all weights are packed before a pass (step/workers.h). Where they arrive
 * beside the forward pass (step/arrival.h), a thread that is about to read a matrix packs panels of it that
 * no other thread has taken yet, and waits for those that others have taken. The embedding, which products
 * read in the head alone, comes last. All panels are the same whoever packs them.
 */
#ifndef DT_STEP_REPACK_H
#define DT_STEP_REPACK_H

#include <stdint.h>

#include "base/status.h"
#include "model/weights.h"
#include "step/spans.h"

typedef struct dt_repack dt_repack;

/** Prepares to pack the panels of `weights`, of which there are some, over and over. Everything must outlive
 * it; `spans` measures and may be NULL. The caller frees it. Local. */
dt_status dt_repack_create(dt_repack **repack, const dt_gpt *gpt, const dt_weights *weights, dt_spans *spans);

/** Frees; NULL is allowed. No thread may be packing. Local. */
void dt_repack_free(dt_repack *repack);

/** From now on no panel is packed. No thread may be packing. Local. */
void dt_repack_start(dt_repack *repack);

/** Returns when all panels are packed that a pass reads which reads the vector of weights up to `offset`, in
 * floats; the weights before it are there. Any thread; local. */
void dt_repack_until(dt_repack *repack, int64_t offset);

#endif
