/*
 * The hooks that come with dtrain, written against the public header as a plug-in would be.
 *
 *     forward  activation_stats  mean, standard deviation, min and max of each layer's output
 *     update   identity          looks at nothing and changes nothing: what a hook itself costs
 *     update   gradient_stats    the norm of each tensor's gradient
 *     update   noise_scale       the gradient noise scale, from pairs of consecutive steps
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

/*
 * The simple noise scale of McCandlish, Kaplan and Amodei (arXiv 1812.06162, appendix A.1), with the batches
 * of two consecutive steps as the small ones and both together as the large one. Between them the weights
 * have hardly moved, so that their gradients g and h differ by noise alone, and
 *
 *     |G|^2 = g h                            the square of the true gradient
 *     tr S  = batch_size (|g|^2 + |h|^2 - 2 g h) / 2    the variance of one sequence's gradient
 *
 * are estimates without bias. Each is averaged over the pairs, since their ratio is not.
 */
typedef struct noise {
    stats common;                              /* first: what all built-in hooks have */
    int64_t parameters, batch_size, kept_step; /* of the gradient that is kept; 0 for none */
    double gradient, variance;                 /* averages of |G|^2 and of tr S */
    float kept[];                              /* [parameters] */
} noise;

/* Of the old average, when a pair comes. */
#define NOISE_DECAY 0.9

static int create_noise_scale(const dt_hook_setup *setup, void **state, int64_t *micro_batch_values) {
    stats *common;
    if (create(setup, (void **)&common, micro_batch_values) != 0)
        return 1;
    noise *made = calloc(1, sizeof *made + (size_t)setup->parameters * sizeof *made->kept);
    if (made == NULL)
        snprintf(setup->error, (size_t)setup->error_bytes, "out of memory for a copy of the gradient");
    else {
        made->common = *common;
        made->parameters = setup->parameters;
        made->batch_size = setup->batch_size;
        *state = made;
    }
    free(common);
    return made == NULL;
}

static void keep_gradient(noise *n, int64_t step, const dt_hook_tensor *tensors, int64_t count) {
    float *to = n->kept;
    for (int64_t t = 0; t < count; t++) {
        const int64_t elements = tensors[t].rows * tensors[t].cols;
        memcpy(to, tensors[t].gradient, (size_t)elements * sizeof *to);
        to += elements;
    }
    n->kept_step = step;
}

/* A gradient that is not finite, whose step is skipped, says nothing of the others. */
static void compare_gradients(noise *n, const dt_hook_tensor *tensors, int64_t count) {
    double product = 0.0, difference = 0.0;
    const float *kept = n->kept;
    for (int64_t t = 0; t < count; t++) {
        const int64_t elements = tensors[t].rows * tensors[t].cols;
        for (int64_t i = 0; i < elements; i++) {
            const double g = (double)kept[i], h = (double)tensors[t].gradient[i];
            product += g * h;
            difference += (g - h) * (g - h);
        }
        kept += elements;
    }
    if (!isfinite(product) || !isfinite(difference))
        return;
    n->gradient = NOISE_DECAY * n->gradient + (1.0 - NOISE_DECAY) * product;
    n->variance = NOISE_DECAY * n->variance + (1.0 - NOISE_DECAY) * 0.5 * (double)n->batch_size * difference;
}

/* Only a step before one that reports is kept. A noise that hides the gradient has no scale: null. */
static int noise_update(void *state, int64_t step, const dt_hook_tensor *tensors, int64_t count,
                        const dt_hook_host *host) {
    noise *n = state;
    if (step % n->common.log_interval == 0 && n->kept_step == step - 1 && step > 1) {
        compare_gradients(n, tensors, count);
        host->report(host->context, "noise_scale",
                     n->gradient > 0.0 ? n->variance / n->gradient : (double)NAN);
    }
    if ((step + 1) % n->common.log_interval == 0)
        keep_gradient(n, step, tensors, count);
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

static const dt_hook noise_scale = {.version = DT_HOOK_VERSION,
                                    .name = "noise_scale",
                                    .create = create_noise_scale,
                                    .destroy = free,
                                    .update = noise_update};

const dt_hook *dt_hooks_builtin(const char *list, const char *name) {
    const dt_hook *forward[] = {&activation_stats, NULL},
                  *update[] = {&identity, &gradient_stats, &noise_scale, NULL};
    for (const dt_hook **hook = strcmp(list, "forward") == 0 ? forward : update; *hook; hook++)
        if (strcmp((*hook)->name, name) == 0)
            return *hook;
    return NULL;
}

const char *dt_hooks_builtin_names(const char *list) {
    return strcmp(list, "forward") == 0 ? "activation_stats" : "identity, gradient_stats, noise_scale";
}
