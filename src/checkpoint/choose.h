/**
 * Which checkpoint a word of the command line means, for all that reads one.
 *
 *     PATH/checkpoint_step_100    that checkpoint
 *     RUN, RUN/checkpoints        the latest of a run's folder
 *     RUN/latest, RUN/best        the one that the run's link of that name leads to
 *     latest, best, auto          those of checkpoints/ in the working folder
 */
#ifndef DT_CHECKPOINT_CHOOSE_H
#define DT_CHECKPOINT_CHOOSE_H

#include "base/status.h"

/** The folder of the checkpoint that `name` means, as a new string that the caller frees. Fails with
 * DT_USAGE, naming what would do, where it means none. Local. */
dt_status dt_checkpoint_choose(const char *name, char **path);

#endif
