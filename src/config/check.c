/* Each rule is one sentence that a user can act on. */
#include "config/check.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "config/length.h"

int64_t dt_config_decay_steps(const dt_config *config) {
    if (!dt_is_null_int(config->decay_steps))
        return config->decay_steps;
    int64_t tenth = config->max_steps / 10;
    return tenth > 0 ? tenth : 1;
}

static dt_status check_sizes(const dt_config *config) {
    if (config->d_model % config->n_heads != 0)
        return dt_usage("d_model must be a multiple of n_heads, so that all heads are equally wide, but "
                        "d_model is %" PRId64 " and n_heads is %" PRId64 "; change one of the two",
                        config->d_model, config->n_heads);
    if (config->micro_batch_size > config->batch_size)
        return dt_usage("micro_batch_size must be at most batch_size, but micro_batch_size is %" PRId64
                        " and batch_size is %" PRId64 "; lower micro_batch_size or raise batch_size",
                        config->micro_batch_size, config->batch_size);
    return DT_OK;
}

static dt_status check_schedule(const dt_config *config) {
    if (config->min_learning_rate > config->learning_rate)
        return dt_usage("min_learning_rate must be at most learning_rate, but min_learning_rate is %.15g and "
                        "learning_rate "
                        "is %.15g; lower min_learning_rate or raise learning_rate",
                        config->min_learning_rate, config->learning_rate);
    return DT_OK;
}

static dt_status check_tokenizer(const dt_config *config) {
    if (config->tokenizer == NULL && dt_is_null_int(config->vocab_size))
        return dt_usage(
            "tokenizer: null needs a vocab_size, since nothing else says how many tokens there are; give "
            "vocab_size, or name a tokenizer");
    if (config->tokenizer == NULL && !dt_is_null_int(config->sampling_cadence))
        return dt_usage("tokenizer: null needs sampling_cadence: null, since a sample is text; leave "
                        "sampling_cadence out, or name a tokenizer");
    return DT_OK;
}

static dt_status check_allreduce(const dt_config *config) {
    if (config->allreduce == DT_ALGORITHM_LIBRARY && config->gradient_dtype == DT_DTYPE_BF16)
        return dt_usage("allreduce: library needs gradient_dtype: fp32, because MPI_Allreduce knows no bf16; "
                        "use allreduce: auto, or gradient_dtype: fp32");
    return DT_OK;
}

static dt_status check_products(const dt_config *config) {
    if (config->products == DT_PRODUCTS_BLAS && config->compute_dtype == DT_DTYPE_BF16)
        return dt_usage(
            "products: blas needs compute_dtype: fp32, because OpenBLAS's products are of floats; use "
            "products: own, or compute_dtype: fp32");
    return DT_OK;
}

/* One {name: .., enabled: .., ..} of hooks; the keys of its own are for the hook to judge. */
static dt_status check_hook(const char *kind, size_t index, const json_t *hook) {
    if (!json_is_object(hook))
        return dt_usage(
            "hooks: entry %zu of %s must be a map such as {name: identity}, but is something else", index + 1,
            kind);
    const json_t *name = json_object_get(hook, "name"), *enabled = json_object_get(hook, "enabled");
    if (!json_is_string(name) || json_string_length(name) == 0)
        return dt_usage("hooks: entry %zu of %s must have a name that is a string, but has %s", index + 1,
                        kind, name == NULL ? "none" : "another value");
    if (enabled != NULL && !json_is_boolean(enabled))
        return dt_usage(
            "hooks: enabled of \"%s\" in %s must be true or false, but is %s%s%s", json_string_value(name),
            kind, json_is_string(enabled) ? "the string \"" : "something else",
            json_is_string(enabled) ? json_string_value(enabled) : "", json_is_string(enabled) ? "\"" : "");
    return DT_OK;
}

static dt_status check_hook_list(const char *kind, const json_t *list) {
    if (strcmp(kind, "forward") != 0 && strcmp(kind, "update") != 0)
        return dt_usage("hooks: expected the keys forward and update, found %s", kind);
    if (!json_is_array(list))
        return dt_usage("hooks: %s must be a list of hooks such as [{name: identity}], but is something else",
                        kind);
    for (size_t i = 0; i < json_array_size(list); i++)
        DT_TRY(check_hook(kind, i, json_array_get(list, i)));
    return DT_OK;
}

static dt_status check_hooks(const dt_config *config) {
    if (config->hooks == NULL)
        return DT_OK;
    json_t *hooks = json_loads(config->hooks, 0, NULL);
    if (hooks == NULL)
        return dt_fail("hooks: out of memory while checking them");
    dt_status status = DT_OK;
    const char *kind;
    json_t *list;
    json_object_foreach(hooks, kind, list) {
        if (status == DT_OK)
            status = check_hook_list(kind, list);
    }
    json_decref(hooks);
    return status;
}

dt_status dt_config_check(const dt_config *config) {
    DT_TRY(check_sizes(config));
    DT_TRY(check_schedule(config));
    DT_TRY(dt_length_check(config));
    DT_TRY(check_tokenizer(config));
    DT_TRY(check_allreduce(config));
    DT_TRY(check_products(config));
    return check_hooks(config);
}
