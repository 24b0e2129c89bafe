/**
 * What is random about a run: its seed, where none is given, and its name.
 */
#ifndef DT_TRAIN_IDENTITY_H
#define DT_TRAIN_IDENTITY_H

#include <stdbool.h>

#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "comm/world.h"
#include "train/resume.h"

/** Gives `about` its seed, its name and its parent's. The run goes on from `resume` where that was found, or
 * else begins with the weights of run `init_run_id`, "" for none. `*begins_apart`: that checkpoint is another
 * run's. Fails where the kernel has no random numbers. Collective. */
dt_status dt_identity_draw(const dt_world *world, dt_checkpoint_about *about, const dt_resume *resume,
                           const char *init_run_id, bool *begins_apart);

#endif
