/**
 * What a run that goes on from a checkpoint says on rank 0: what it does otherwise than the run before.
 */
#ifndef DT_TRAIN_RESUME_TELL_H
#define DT_TRAIN_RESUME_TELL_H

#include <stdint.h>

#include "base/status.h"
#include "config/config.h"

/**
 * Says what in `now` is another than it was in the checkpoint's config `saved`, what a checkpoint from
 * elsewhere could bring along, and what becomes of the learning rate from `step`. `asked` is what the command
 * line or the file says that a fresh run starts from, or NULL. Refuses what would change the meaning of the
 * run. Local.
 */
dt_status dt_resume_tell_changes(const dt_config *saved, const dt_config *now, const char *asked,
                                 int64_t step);

/** Warns where there is no checkpoint in `checkpoints_folder`, but the run has saved: its checkpoints are
 * gone, or in another folder than the one that is named. Local. */
dt_status dt_resume_tell_saves(const dt_config *config, const char *checkpoints_folder);

/** Says so on rank 0 where OpenBLAS's products go on with another version or other kernels than the
 * checkpoint's run had: whose products were `saved` and are `now`. Local. */
void dt_resume_tell_products(const char *saved, const char *now);

#endif
