/**
 * How long a run is: max_steps, max_tokens and max_epochs, of which the one that comes first ends it.
 *
 * Once it is known, max_steps is that step, for schedules and for the checkpoint: a run that goes on and says
 * nothing else has the same end, and what it says of one of the three takes the place of what all three were.
 */
#ifndef DT_CONFIG_LENGTH_H
#define DT_CONFIG_LENGTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "config/fields.h"

/** Makes max_steps null where it was not given and one of the other two is set: its default does not count
 * then. Local. */
void dt_length_choose(dt_config *config);

/** Takes out of `saved`, the options of the checkpoint that `config` goes on from, those of the three that do
 * not count any more: all, where `config` gives one. Local. */
void dt_length_replace(const dt_config *config, dt_config *saved);

/** Makes max_steps the step at which training ends, where an epoch is `epoch_steps` steps, 0 where that is
 * not known yet; then max_epochs leaves it as it is. Local. */
void dt_length_settle(dt_config *config, double epoch_steps);

/** Fails with DT_USAGE where all three are null. Local. */
dt_status dt_length_check(const dt_config *config);

/** The flag by which to make a run longer that has come to its end, whose length is settled: "max-steps", or
 * of the other two the one that decides, where an epoch is `epoch_steps` steps, 0 where that is not known.
 * Static text. Local. */
const char *dt_length_flag(const dt_config *config, double epoch_steps);

#endif
