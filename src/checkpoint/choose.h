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

/** Where `name` means the latest or best of a run's folder, fails with DT_USAGE when the link leads to a
 * checkpoint, `path`, that is in another folder: that does not make its run the one to go on with. Local. */
dt_status dt_checkpoint_choose_expect_own(const char *name, const char *path);

#endif
