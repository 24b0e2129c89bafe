/*
 * A hook to start from: it scales each tensor's gradient down to a norm of at most `limit`.
 *
 *     hooks: {update: [{name: clip_tensors, library: ./clip_tensors.so, limit: 0.5}]}
 *
 * Built by
 *
 *     cc -O2 -shared -fPIC -I include -o clip_tensors.so docs/hook_example.c -ljansson -lm
 *
 * It reports to metrics.jsonl how many tensors it scaled: {"step":7,"hook":"clip_tensors","scaled":3.0}. What
 * it does follows from the gradient alone, which is the same on every rank, so all ranks stay equal.
 */
#include <dtrain/hook.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct clip {
    double limit;
} clip;

/* Before step 1: the options come as JSON, and a sentence in setup->error becomes dtrain's message. */
static int create_clip(const dt_hook_setup *setup, void **state, int64_t *micro_batch_values) {
    (void)micro_batch_values; /* only forward hooks keep values */
    json_t *options = json_loads(setup->options, 0, NULL);
    const json_t *limit = json_object_get(options, "limit");
    const double value = json_number_value(limit);
    const int valid = json_is_number(limit) && value > 0.0;
    json_decref(options);
    if (!valid) {
        snprintf(setup->error, (size_t)setup->error_bytes,
                 "expected limit to be a number above 0, such as 0.5");
        return 1;
    }
    clip *made = malloc(sizeof *made);
    if (made == NULL) {
        snprintf(setup->error, (size_t)setup->error_bytes, "out of memory");
        return 1;
    }
    made->limit = value;
    *state = made;
    return 0;
}

/* The Euclidean norm, summed in double and in one fixed order, so that every rank finds the same bits. */
static double norm_of(const float *values, int64_t count) {
    double squares = 0.0;
    for (int64_t i = 0; i < count; i++)
        squares += (double)values[i] * (double)values[i];
    return sqrt(squares);
}

/* Every step: the gradient is summed over all ranks, and what is left in it here is what AdamW will see. */
static int scale_tensors(void *state, int64_t step, const dt_hook_tensor *tensors, int64_t count,
                         const dt_hook_host *host) {
    const clip *c = state;
    double scaled = 0.0;
    (void)step;
    for (int64_t t = 0; t < count; t++) {
        const int64_t elements = tensors[t].rows * tensors[t].cols;
        const double norm = norm_of(tensors[t].gradient, elements);
        if (!(norm > c->limit))
            continue;
        const float scale = (float)(c->limit / norm);
        for (int64_t i = 0; i < elements; i++)
            tensors[t].gradient[i] *= scale;
        scaled += 1.0;
    }
    host->report(host->context, "scaled", scaled);
    return 0;
}

static const dt_hook clip_tensors = {.version = DT_HOOK_VERSION,
                                     .name = "clip_tensors",
                                     .create = create_clip,
                                     .destroy = free,
                                     .update = scale_tensors};

const dt_hook *dt_hook_get(void) {
    return &clip_tensors;
}
