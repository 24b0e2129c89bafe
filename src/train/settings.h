/**
 * What a config means to the rooms below, which take structs of their own.
 */
#ifndef DT_TRAIN_SETTINGS_H
#define DT_TRAIN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "allreduce/allreduce.h"
#include "base/status.h"
#include "config/config.h"
#include "optim/lr_schedule.h"

/** Whether what happens every `cadence` steps (DT_NULL_INT: never) happens after step `step`. Local. */
bool dt_settings_due(int64_t cadence, int64_t step);

/** Steps between lines on the console: log_cadence, or as many as make about fifty lines. Local. */
int64_t dt_settings_log_cadence(const dt_config *config);

/** Makes max_steps the step at which training on a text of `tokens` tokens ends (config/length.h). Fails with
 * DT_USAGE where the text has no window for each sequence of a batch. Local. */
dt_status dt_settings_settle_length(dt_config *config, int64_t tokens);

/** dt_length_flag, of a text of so many tokens; 0 where that is not known. Local. */
const char *dt_settings_length_flag(const dt_config *config, int64_t tokens);

/** The learning rates of `config`. Local. */
dt_lr_schedule dt_settings_schedule(const dt_config *config);

/** The fraction of the tokens of `data` that is trained on: all of it where validation has files of its own.
 * Local. */
double dt_settings_train_ratio(const dt_config *config);

/** How the gradients of `config` are summed over the ranks. Local. */
dt_allreduce_options dt_settings_allreduce(const dt_config *config);

#endif
