/**
 * Every token's loss as a file: float32 after float32, little-endian and nothing else, one for each target in
 * the order of the text, so that target i of the range stands at byte 4 i.
 */
#ifndef DT_INFER_TOKEN_LOSSES_H
#define DT_INFER_TOKEN_LOSSES_H

#include "base/status.h"
#include "infer/evaluate.h"

/**
 * Fails with DT_USAGE unless `path` is the name of a new file that can be written: what is there, perhaps the
 * text itself or a device, is never replaced. Leaves nothing behind. Local.
 */
dt_status dt_token_losses_check(const char *path);

/**
 * Writes what dt_evaluate_run has found, by an evaluator of a range that keeps losses, to `path`, by rank 0
 * and under a temporary name until all of it is there. All ranks return the same code. Collective.
 */
dt_status dt_token_losses_write(const dt_evaluator *evaluator, const char *path);

#endif
