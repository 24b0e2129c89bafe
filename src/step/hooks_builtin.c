/*
 * The hooks that come with dtrain, written against the public header as a plug-in would be.
 *
 *     forward  activation_stats  mean, standard deviation, min and max of each layer's output
 *     update   identity          looks at nothing and changes nothing: what a hook itself costs
 *     update   gradient_stats    the norm of each tensor's gradient
 *
 * All take log_interval: every how many steps (1) they report, which identity has nothing to.
 */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "step/hooks.h"

/* What activation_stats keeps of a layer in one micro-batch. */
enum { SUM, SQUARES, MIN, MAX, COUNT, LAYER_VALUES };

typedef struct stats {
    int64_t log_interval, n_layers;
} stats;

/* The first option that no built-in hook has, or NULL. */
static const char *unknown_option(json_t *options) {
    const char *key;
    json_t *value;
    json_object_foreach(options, key, value) {
        if (strcmp(key, "name") != 0 && strcmp(key, "enabled") != 0 && strcmp(key, "log_interval") != 0)
            return key;
    }
    return NULL;
}

static int create(const dt_hook_setup *setup, void **state, int64_t *micro_batch_values) {
    (void)micro_batch_values;
    json_t *options = json_loads(setup->options, 0, NULL);
    const json_t *interval = json_object_get(options, "log_interval");
    stats *made = calloc(1, sizeof *made);
    const char *unknown;
    int failed = 1;
    if (made == NULL || options == NULL)
        snprintf(setup->error, (size_t)setup->error_bytes, "out of memory");
    else if ((unknown = unknown_option(options)) != NULL)
        snprintf(setup->error, (size_t)setup->error_bytes,
                 "expected the options name, enabled and log_interval, found %s", unknown);
    else if (interval && (!json_is_integer(interval) || json_integer_value(interval) < 1))
        snprintf(setup->error, (size_t)setup->error_bytes,
                 "expected log_interval to be a number of steps, 1 or more, found something else");
    else {
        *made = (stats){interval ? json_integer_value(interval) : 1, setup->n_layers};
        failed = 0;
    }
    json_decref(options);
    if (failed)
        free(made);
    else
        *state = made;
    return failed;
}

static int create_activation_stats(const dt_hook_setup *setup, void **state, int64_t *micro_batch_values) {
    *micro_batch_values = setup->n_layers * LAYER_VALUES;
    return create(setup, state, micro_batch_values);
}

static void activation_micro_batch(void *state, int64_t step, int64_t layer, const float *x, int64_t rows,
                                   int64_t cols, double *values) {
    const stats *s = state;
    double *v = values + layer * LAYER_VALUES, sum = 0.0, squares = 0.0;
    float min = x[0], max = x[0];
    if (step % s->log_interval != 0)
        return;
    for (int64_t i = 0; i < rows * cols; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
    }
    v[SUM] = sum;
    v[SQUARES] = squares;
    v[MIN] = (double)min;
    v[MAX] = (double)max;
    v[COUNT] = (double)(rows * cols);
}

static void report_layer(const dt_hook_host *host, int64_t layer, const char *what, double value) {
    char key[64];
    snprintf(key, sizeof key, "layer_%" PRId64 ".%s", layer, what);
    host->report(host->context, key, value);
}

static int activation_collect(void *state, int64_t step, const double *values, int64_t micro_batches,
                              int64_t stride, const dt_hook_host *host) {
    const stats *s = state;
    if (step % s->log_interval != 0)
        return 0;
    for (int64_t layer = 0; layer < s->n_layers; layer++) {
        double total[LAYER_VALUES];
        memcpy(total, values + layer * LAYER_VALUES, sizeof total);
        for (int64_t l = 1; l < micro_batches; l++) {
            const double *v = values + l * stride + layer * LAYER_VALUES;
            total[SUM] += v[SUM];
            total[SQUARES] += v[SQUARES];
            total[COUNT] += v[COUNT];
            total[MIN] = fmin(total[MIN], v[MIN]);
            total[MAX] = fmax(total[MAX], v[MAX]);
        }
        const double mean = total[SUM] / total[COUNT];
        report_layer(host, layer, "mean", mean);
        report_layer(host, layer, "std", sqrt(fmax(0.0, total[SQUARES] / total[COUNT] - mean * mean)));
        report_layer(host, layer, "min", total[MIN]);
        report_layer(host, layer, "max", total[MAX]);
    }
    return 0;
}

static int gradient_update(void *state, int64_t step, const dt_hook_tensor *tensors, int64_t count,
                           const dt_hook_host *host) {
    const stats *s = state;
    if (step % s->log_interval != 0)
        return 0;
    for (int64_t t = 0; t < count; t++) {
        double squares = 0.0;
        for (int64_t i = 0; i < tensors[t].rows * tensors[t].cols; i++)
            squares += (double)tensors[t].gradient[i] * (double)tensors[t].gradient[i];
        host->report(host->context, tensors[t].name, sqrt(squares));
    }
    return 0;
}

static int identity_update(void *state, int64_t step, const dt_hook_tensor *tensors, int64_t count,
                           const dt_hook_host *host) {
    (void)state;
    (void)step;
    (void)tensors;
    (void)count;
    (void)host;
    return 0;
}

static const dt_hook activation_stats = {.version = DT_HOOK_VERSION,
                                         .name = "activation_stats",
                                         .create = create_activation_stats,
                                         .destroy = free,
                                         .micro_batch = activation_micro_batch,
                                         .collect = activation_collect};
static const dt_hook identity = {.version = DT_HOOK_VERSION,
                                 .name = "identity",
                                 .create = create,
                                 .destroy = free,
                                 .update = identity_update};
static const dt_hook gradient_stats = {.version = DT_HOOK_VERSION,
                                       .name = "gradient_stats",
                                       .create = create,
                                       .destroy = free,
                                       .update = gradient_update};

const dt_hook *dt_hooks_builtin(const char *list, const char *name) {
    const dt_hook *forward[] = {&activation_stats, NULL}, *update[] = {&identity, &gradient_stats, NULL};
    for (const dt_hook **hook = strcmp(list, "forward") == 0 ? forward : update; *hook; hook++)
        if (strcmp((*hook)->name, name) == 0)
            return *hook;
    return NULL;
}

const char *dt_hooks_builtin_names(const char *list) {
    return strcmp(list, "forward") == 0 ? "activation_stats" : "identity, gradient_stats";
}
