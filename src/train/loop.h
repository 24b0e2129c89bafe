/**
 * The loop of a run: steps, and between them evaluation, samples and checkpoints when they are due.
 */
#ifndef DT_TRAIN_LOOP_H
#define DT_TRAIN_LOOP_H

#include "base/status.h"
#include "train/run.h"

/**
 * Trains `run` from where it is to max_steps, or until a signal asks for a stop (train/stop.h), and saves a
 * last checkpoint. Returns DT_OK in both cases. A rank that cannot go on inside a step ends the whole job
 * with a line that says why. Collective.
 */
dt_status dt_loop_run(dt_run *run);

#endif
