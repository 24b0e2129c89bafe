/**
 * The sentences with which a run ends whose numbers went wrong: what was expected, what was found and where,
 * and from which checkpoint to go on.
 */
#ifndef DT_TRAIN_FAILURE_H
#define DT_TRAIN_FAILURE_H

#include "base/status.h"
#include "train/run.h"

/** Fails, for a step that does not count, with what is wrong with it. Collective. */
dt_status dt_failure_of_step(dt_run *run, const dt_step_result *result);

/** Fails, for a validation loss that is not finite. Collective. */
dt_status dt_failure_of_validation(dt_run *run);

/**
 * Writes the event `failed` with the recorded sentence, which stays recorded, into metrics.jsonl: reports say
 * by it why the run has ended. Where that cannot be written there is none. Rank 0 alone; nothing on others.
 * Local.
 */
void dt_failure_write(dt_run *run);

#endif
