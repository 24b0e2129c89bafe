/* One field of a struct, one option of the table. */
#include "train/settings.h"

#include "base/minmax.h"
#include "config/check.h"
#include "config/length.h"
#include "data/batch.h"

/* Of a run on the console, where log_cadence is null. */
#define LINES 50

bool dt_settings_due(int64_t cadence, int64_t step) {
    return !dt_is_null_int(cadence) && step > 0 && step % cadence == 0;
}

int64_t dt_settings_log_cadence(const dt_config *c) {
    return dt_is_null_int(c->log_cadence) ? dt_max(c->max_steps / LINES, 1) : c->log_cadence;
}

/* Steps of an epoch of a text of so many tokens; 0 where max_epochs does not ask for them. */
static dt_status find_epoch(const dt_config *c, int64_t tokens, double *epoch_steps) {
    dt_streams streams;
    *epoch_steps = 0.0;
    if (dt_is_null_real(c->max_epochs))
        return DT_OK;
    DT_TRY(dt_streams_cut(&streams, tokens, dt_settings_train_ratio(c), c->batch_size, c->max_seq_len, 0,
                          false));
    *epoch_steps = c->leftover_windows == DT_LEFTOVER_SPREAD ? (double)streams.windows / (double)streams.B
                                                             : (double)streams.stream_windows;
    return DT_OK;
}

dt_status dt_settings_settle_length(dt_config *c, int64_t tokens) {
    double epoch_steps;
    DT_TRY(find_epoch(c, tokens, &epoch_steps));
    dt_length_settle(c, epoch_steps);
    return DT_OK;
}

const char *dt_settings_length_flag(const dt_config *c, int64_t tokens) {
    double epoch_steps = 0.0;
    return dt_length_flag(c, tokens > 0 && find_epoch(c, tokens, &epoch_steps) == DT_OK ? epoch_steps : 0.0);
}

dt_lr_schedule dt_settings_schedule(const dt_config *c) {
    return (dt_lr_schedule){.shape = (dt_lr_shape)c->lr_schedule,
                            .peak = c->learning_rate,
                            .min = c->min_learning_rate,
                            .warmup_steps = c->warmup_steps,
                            .decay_steps = dt_config_decay_steps(c),
                            .max_steps = c->max_steps};
}

double dt_settings_train_ratio(const dt_config *config) {
    return config->validation_data ? 1.0 : config->train_ratio;
}

dt_allreduce_options dt_settings_allreduce(const dt_config *c) {
    return (dt_allreduce_options){.algorithm = (dt_algorithm)c->allreduce,
                                  .dtype = (dt_dtype)c->gradient_dtype};
}
