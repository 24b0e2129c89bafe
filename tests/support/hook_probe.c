/*
 * A plug-in that does what its options say, for tests of how dtrain treats plug-ins.
 *
 *     "micro_batch_values": n  how many doubles per micro-batch it asks for; micro_batch() marks each of them
 *                          with the layer
 *     "refuse": "reason"   create() fails with this sentence, with none when it is ""
 *     "fail": "collect"    collect() fails; "update": update() does; "key": update() reports under the key
 *                          that "key" says, or one that is not UTF-8
 *     "spoil": [n, ..]     update() makes the first gradient a NaN in these steps
 *     "stray": n           update() changes the first gradient on rank n alone, as a hook must not
 *     "flush": true        create() switches flush-to-zero on
 *     "farewell": path     destroy() makes this file
 *
 * Compiled with PROBE_VERSION it claims to be of that version of the interface; with PROBE_OLD_NAMES it names
 * its functions as plug-ins did before a micro-batch was called one.
 */
#include "support/arithmetic.h"

#include <dtrain/hook.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef PROBE_VERSION
#define PROBE_VERSION DT_HOOK_VERSION
#endif

#ifdef PROBE_OLD_NAMES
#define MICRO_BATCH leaf
#else
#define MICRO_BATCH micro_batch
#endif

typedef struct probe {
    json_t *options;
    int64_t micro_batch_values, calls;
} probe;

static const char *text_of(const probe *p, const char *key) {
    const char *text = json_string_value(json_object_get(p->options, key));
    return text ? text : "";
}

static int create_probe(const dt_hook_setup *setup, void **state, int64_t *micro_batch_values) {
    probe *p = calloc(1, sizeof *p);
    if (p == NULL)
        return 1;
    p->options = json_loads(setup->options, 0, NULL);
    p->micro_batch_values = json_integer_value(json_object_get(p->options, "micro_batch_values"));
    *micro_batch_values = p->micro_batch_values;
    *state = p;
    if (json_is_true(json_object_get(p->options, "flush")))
        arithmetic_flush(1);
    if (*text_of(p, "leave") && chdir(text_of(p, "leave")) != 0)
        return 1;
    const json_t *reason = json_object_get(p->options, "refuse");
    if (reason == NULL)
        return 0;
    if (*json_string_value(reason))
        snprintf(setup->error, (size_t)setup->error_bytes, "%s (%d layers of %d)", json_string_value(reason),
                 (int)setup->n_layers, (int)setup->d_model);
    json_decref(p->options);
    free(p);
    return 1;
}

static void destroy_probe(void *state) {
    probe *p = state;
    FILE *file = *text_of(p, "farewell") ? fopen(text_of(p, "farewell"), "w") : NULL;
    if (file)
        fclose(file);
    json_decref(p->options);
    free(p);
}

static void micro_batch_probe(void *state, int64_t step, int64_t layer, const float *x, int64_t rows,
                              int64_t cols, double *values) {
    const probe *p = state;
    (void)step;
    /* Earlier layers' marks stay, so that the last layer's values tell how often it was called. */
    for (int64_t i = 0; i < p->micro_batch_values; i++)
        values[i] =
            values[i] * 10.0 + (double)layer + 1.0 + (double)i * 1000.0 + 0.0 * (double)x[rows * cols - 1];
}

static int collect_probe(void *state, int64_t step, const double *values, int64_t micro_batches,
                         int64_t stride, const dt_hook_host *host) {
    probe *p = state;
    double sum = 0.0;
    (void)step;
    for (int64_t l = 0; l < micro_batches; l++)
        for (int64_t i = 0; i < p->micro_batch_values; i++)
            sum += values[l * stride + i];
    host->report(host->context, "call", (double)++p->calls);
    host->report(host->context, "sum", sum);
    return strcmp(text_of(p, "fail"), "collect") == 0;
}

static int listed(const json_t *array, int64_t step) {
    size_t i;
    const json_t *value;
    json_array_foreach(array, i, value) {
        if (json_integer_value(value) == step)
            return 1;
    }
    return 0;
}

/* Open MPI tells each process its rank this way. */
static int is_rank(const json_t *rank) {
    const char *mine = getenv("OMPI_COMM_WORLD_RANK");
    return rank && mine && json_integer_value(rank) == strtoll(mine, NULL, 10);
}

static int update_probe(void *state, int64_t step, const dt_hook_tensor *tensors, int64_t count,
                        const dt_hook_host *host) {
    probe *p = state;
    if (listed(json_object_get(p->options, "spoil"), step))
        tensors[0].gradient[0] = NAN;
    if (is_rank(json_object_get(p->options, "stray")))
        tensors[0].gradient[0] = -tensors[0].gradient[0];
    host->report(host->context, "call", (double)++p->calls);
    host->report(host->context, "first", (double)tensors[0].gradient[0]);
    tensors[0].gradient[0] += 1.0f;
    host->report(host->context, tensors[count - 1].name,
                 (double)(tensors[count - 1].rows * 1000 + tensors[count - 1].cols));
    if (strcmp(text_of(p, "fail"), "key") == 0)
        host->report(host->context, *text_of(p, "key") ? text_of(p, "key") : "\xff", 1.0);
    if (strcmp(text_of(p, "fail"), "no key") == 0)
        host->report(host->context, NULL, 1.0);
    return strcmp(text_of(p, "fail"), "update") == 0;
}

static const dt_hook hook = {.version = PROBE_VERSION,
                             .name = "probe",
                             .create = create_probe,
                             .destroy = destroy_probe,
                             .MICRO_BATCH = micro_batch_probe,
                             .collect = collect_probe,
                             .update = update_probe};

const dt_hook *dt_hook_get(void) {
    return &hook;
}
