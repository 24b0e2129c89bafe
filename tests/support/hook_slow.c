/*
 * A plug-in that changes nothing and takes its time: {"milliseconds": n} of sleep a step. Tests of launchers
 * need runs that last, on machines of any speed, without loading them.
 */
#include <dtrain/hook.h>
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

static int create_slow(const dt_hook_setup *setup, void **state, int64_t *micro_batch_values) {
    (void)micro_batch_values; /* only forward hooks keep values */
    struct timespec *pause = calloc(1, sizeof *pause);
    json_t *options = json_loads(setup->options, 0, NULL);
    if (pause)
        pause->tv_nsec = 1000000L * (long)json_integer_value(json_object_get(options, "milliseconds"));
    json_decref(options);
    *state = pause;
    return pause == NULL;
}

static int sleep_slow(void *state, int64_t step, const dt_hook_tensor *tensors, int64_t count,
                      const dt_hook_host *host) {
    (void)step, (void)tensors, (void)count, (void)host;
    nanosleep(state, NULL);
    return 0;
}

static const dt_hook slow = {
    .version = DT_HOOK_VERSION, .name = "slow", .create = create_slow, .destroy = free, .update = sleep_slow};

const dt_hook *dt_hook_get(void) {
    return &slow;
}
