/* Steps of each, and the least of them. */
#include "config/length.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "config/options.h"

/* As max_steps itself is bounded. */
#define STEPS_MAX UINT32_MAX

/* What a product of two doubles may be off, so that 1.1 epochs of 10 steps are 11 and not 12. */
#define ROUNDING 1e-9

/* Whether the option was given: its place in the config. */
static bool *given(dt_config *config, const char *key) {
    return &config->given[dt_options_find(key, strlen(key), false) - dt_options_at(0)];
}

static bool is_given(const dt_config *config, const char *key) {
    return config->given[dt_options_find(key, strlen(key), false) - dt_options_at(0)];
}

void dt_length_choose(dt_config *config) {
    const bool others = !dt_is_null_int(config->max_tokens) || !dt_is_null_real(config->max_epochs);
    if (others && !is_given(config, "max_steps"))
        config->max_steps = DT_NULL_INT;
    /* As if nothing had been said of it. */
    if (others && dt_is_null_int(config->max_steps))
        *given(config, "max_steps") = false;
}

void dt_length_replace(const dt_config *config, dt_config *saved) {
    if (!is_given(config, "max_steps") && !is_given(config, "max_tokens") && !is_given(config, "max_epochs"))
        return;
    saved->max_steps = saved->max_tokens = DT_NULL_INT;
    saved->max_epochs = DT_NULL_REAL;
}

/* The steps of max_tokens; the most there are where that is null. */
static int64_t steps_of_tokens(const dt_config *c) {
    if (dt_is_null_int(c->max_tokens))
        return STEPS_MAX;
    const int64_t steps = (c->max_tokens - 1) / (c->batch_size * c->max_seq_len) + 1;
    return steps < STEPS_MAX ? steps : STEPS_MAX;
}

static int64_t steps_of_epochs(const dt_config *c, double epoch_steps) {
    const double steps = c->max_epochs * epoch_steps;
    if (dt_is_null_real(c->max_epochs) || !(steps < STEPS_MAX))
        return STEPS_MAX;
    return (int64_t)fmax(1.0, ceil(steps * (1.0 - ROUNDING)));
}

void dt_length_settle(dt_config *c, double epoch_steps) {
    DT_ASSERT(epoch_steps >= 0.0);
    int64_t steps = dt_is_null_int(c->max_steps) ? STEPS_MAX : c->max_steps;
    const int64_t by_tokens = steps_of_tokens(c);
    const int64_t by_epochs = epoch_steps > 0.0 ? steps_of_epochs(c, epoch_steps) : STEPS_MAX;
    steps = by_tokens < steps ? by_tokens : steps;
    steps = by_epochs < steps ? by_epochs : steps;
    const bool is_known =
        epoch_steps > 0.0 || !dt_is_null_int(c->max_steps) || !dt_is_null_int(c->max_tokens);
    if (is_known)
        c->max_steps = steps;
}

dt_status dt_length_check(const dt_config *c) {
    return dt_is_null_int(c->max_steps) && dt_is_null_int(c->max_tokens) && dt_is_null_real(c->max_epochs)
               ? dt_usage(
                     "max_steps, max_tokens and max_epochs are all null, so training would never end; give one "
                     "of them")
               : DT_OK;
}

const char *dt_length_flag(const dt_config *c, double epoch_steps) {
    if (!dt_is_null_int(c->max_tokens) && steps_of_tokens(c) == c->max_steps)
        return "max-tokens";
    const bool by_epochs =
        epoch_steps > 0.0 ? steps_of_epochs(c, epoch_steps) == c->max_steps : !is_given(c, "max_steps");
    return !dt_is_null_real(c->max_epochs) && by_epochs ? "max-epochs" : "max-steps";
}
