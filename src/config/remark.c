/* One row an option that can be without effect; what a schedule leaves undone has sentences of its own. */
#include "config/remark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "config/check.h"
#include "config/config.h"
#include "config/options.h"
#include "config/value.h"

static bool is_not_wsd(const dt_config *c) {
    return c->lr_schedule != DT_LR_WSD;
}

static bool is_constant(const dt_config *c) {
    return c->lr_schedule == DT_LR_CONSTANT;
}

static bool never_skips(const dt_config *c) {
    return c->on_nonfinite != DT_NONFINITE_SKIP;
}

static bool never_evaluates(const dt_config *c) {
    return dt_is_null_int(c->eval_cadence);
}

static bool keeps_all(const dt_config *c) {
    return dt_is_null_int(c->keep_last);
}

static bool seeks_no_spikes(const dt_config *c) {
    return dt_is_null_int(c->loss_spike_window);
}

static bool is_greedy(const dt_config *c) {
    return c->sampling_temperature == 0.0;
}

/* An option, when it has no effect, and with what it would have one. */
static const struct {
    const char *key;
    bool (*is_idle)(const dt_config *config);
    const char *needs;
} rules[] = {
    {"decay_steps", is_not_wsd, "lr_schedule: wsd"},
    {"min_learning_rate", is_constant, "lr_schedule: cosine or wsd"},
    {"max_nonfinite", never_skips, "on_nonfinite: skip"},
    {"eval_max_windows", never_evaluates, "an eval_cadence"},
    {"eval_on", never_evaluates, "an eval_cadence"},
    {"keep_every", keeps_all, "a keep_last"},
    {"save_best", never_evaluates, "an eval_cadence"},
    {"loss_spike_threshold", seeks_no_spikes, "a loss_spike_window"},
    {"sampling_top_k", is_greedy, "a sampling_temperature above 0"},
    {"sampling_top_p", is_greedy, "a sampling_temperature above 0"},
};

/* Whether the option has another value than its default, which `now` then is as text, to be freed. */
static bool is_changed(const dt_config *config, const dt_option *option, char **now) {
    dt_config defaults;
    char *usual = dt_config_init(&defaults) == DT_OK ? dt_value_text(&defaults, option) : NULL;
    dt_config_free(&defaults);
    *now = dt_value_text(config, option);
    const bool changed = usual && *now && strcmp(usual, *now) != 0;
    free(usual);
    if (!changed)
        free(*now);
    return changed;
}

/* What a schedule of these lengths leaves undone; false when nothing. */
static bool remark_schedule(const dt_config *c, char *text, size_t bytes) {
    static const char *const names[] = {
        [DT_LR_CONSTANT] = "constant", [DT_LR_COSINE] = "cosine", [DT_LR_WSD] = "wsd"};
    const int64_t left = c->max_steps - c->warmup_steps, decay = dt_config_decay_steps(c);
    if (left < 0)
        snprintf(text, bytes,
                 "warmup_steps is %" PRId64 " and max_steps is %" PRId64
                 ": the run ends while the learning rate still rises, at %.6g of %.6g; lower warmup_steps or "
                 "raise max_steps",
                 c->warmup_steps, c->max_steps,
                 c->learning_rate * (double)c->max_steps / (double)c->warmup_steps, c->learning_rate);
    else if (left == 0 && c->lr_schedule != DT_LR_CONSTANT)
        snprintf(text, bytes,
                 "warmup_steps and max_steps are both %" PRId64
                 ": no step is left for the decay of lr_schedule: %s; lower warmup_steps or raise max_steps",
                 c->max_steps, names[c->lr_schedule]);
    else if (left > 0 && c->lr_schedule == DT_LR_WSD && decay > left)
        snprintf(text, bytes,
                 "decay_steps is %" PRId64 ", but the warm-up leaves %" PRId64 " of max_steps, and the "
                 "decay takes only these; lower decay_steps or warmup_steps",
                 decay, left);
    else
        return false;
    return true;
}

static bool remark_sampling(const dt_config *c, char *text, size_t bytes) {
    if (dt_is_null_int(c->sampling_cadence) || c->sampling_cadence <= c->max_steps)
        return false;
    snprintf(text, bytes,
             "sampling_cadence is %" PRId64 " and max_steps is %" PRId64
             ": no sample is made; lower sampling_cadence",
             c->sampling_cadence, c->max_steps);
    return true;
}

/* The first step that is a multiple of both, or INT64_MAX where that is beyond all counting. */
static int64_t first_common(int64_t a, int64_t b) {
    int64_t x = a, y = b, common;
    while (y != 0) {
        const int64_t rest = x % y;
        x = y;
        y = rest;
    }
    return __builtin_mul_overflow(a / x, b, &common) ? INT64_MAX : common;
}

/* Only weights that were evaluated can be `best`. The last step is evaluated in any case. */
static bool remark_cadences(const dt_config *c, char *text, size_t bytes) {
    if (dt_is_null_int(c->eval_cadence) || dt_is_null_int(c->checkpoint_cadence) || c->save_best ||
        c->eval_cadence >= c->max_steps || c->checkpoint_cadence >= c->max_steps ||
        first_common(c->eval_cadence, c->checkpoint_cadence) < c->max_steps)
        return false;
    snprintf(text, bytes,
             "eval_cadence is %" PRId64 " and checkpoint_cadence is %" PRId64 ": no step before the last is "
             "both evaluated and saved, so none can become best; make one a multiple of the other, or set "
             "save_best",
             c->eval_cadence, c->checkpoint_cadence);
    return true;
}

static bool remark_keep(const dt_config *c, char *text, size_t bytes) {
    if (dt_is_null_int(c->keep_every) || dt_is_null_int(c->keep_last) ||
        dt_is_null_int(c->checkpoint_cadence) || c->checkpoint_cadence > c->max_steps ||
        first_common(c->keep_every, c->checkpoint_cadence) <= c->max_steps)
        return false;
    snprintf(text, bytes,
             "keep_every is %" PRId64 " and checkpoint_cadence is %" PRId64 ": no checkpoint is of a step "
             "that keep_every keeps; make keep_every a multiple of checkpoint_cadence",
             c->keep_every, c->checkpoint_cadence);
    return true;
}

/* It has an effect in any case: all of data is trained on. */
static bool remark_validation(const dt_config *c, char *text, size_t bytes) {
    if (c->validation_data == NULL || !never_evaluates(c))
        return false;
    char *names = dt_value_text(c, dt_options_find("validation_data", strlen("validation_data"), false));
    snprintf(
        text, bytes,
        "validation_data is %s, which this run never evaluates on, without an eval_cadence; give that too, or "
        "leave validation_data out",
        names ? names : "given");
    free(names);
    return true;
}

static bool remark_rule(const dt_config *config, size_t rule, char *text, size_t bytes) {
    const dt_option *option = dt_options_find(rules[rule].key, strlen(rules[rule].key), false);
    char *now;
    if (!rules[rule].is_idle(config) || !is_changed(config, option, &now))
        return false;
    snprintf(text, bytes, "%s is %s, which has an effect only with %s; give that too, or leave %s out",
             option->key, now, rules[rule].needs, option->key);
    free(now);
    return true;
}

bool dt_config_remark(const dt_config *config, int index, char *text, size_t bytes) {
    DT_ASSERT(index >= 0 && bytes > 0);
    if (remark_schedule(config, text, bytes) && index-- == 0)
        return true;
    if (remark_sampling(config, text, bytes) && index-- == 0)
        return true;
    if (remark_cadences(config, text, bytes) && index-- == 0)
        return true;
    if (remark_keep(config, text, bytes) && index-- == 0)
        return true;
    if (remark_validation(config, text, bytes) && index-- == 0)
        return true;
    for (size_t rule = 0; rule < sizeof rules / sizeof *rules; rule++)
        if (remark_rule(config, rule, text, bytes) && index-- == 0)
            return true;
    return false;
}
