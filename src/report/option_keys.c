/* Options are compared as JSON; their order is that of the first run that tells its own. */
#include "report/option_keys.h"

#include <stdlib.h>
#include <string.h>

/* Where a run lies and what it goes on from is no choice of a sweep's; the table has the names anyway. */
static const char *const left_out[] = {"out_dir", "checkpoint_dir", "resume"};

static bool is_left_out(const char *key) {
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (strcmp(key, left_out[i]) == 0)
            return true;
    return false;
}

char *dt_option_keys_value(const dt_run_shown *run, const char *key) {
    const json_t *value = json_object_get(dt_run_metrics_config(&run->metrics), key);
    if (value == NULL)
        return NULL;
    return json_is_string(value) ? strdup(json_string_value(value))
                                 : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
}

static bool differs(const dt_run_set *set, const char *key, const json_t *value) {
    for (int r = 0; r < set->count; r++) {
        const json_t *config = dt_run_metrics_config(&set->run[r].metrics);
        const json_t *other = json_object_get(config, key);
        if (config != NULL && (other == NULL || !json_equal(other, value)))
            return true;
    }
    return false;
}

int dt_option_keys_find(const dt_run_set *set, const char *keys[DT_OPTION_KEYS_MAX]) {
    json_t *config = NULL;
    const char *key;
    json_t *value;
    int count = 0;
    for (int r = 0; r < set->count && config == NULL; r++)
        config = json_object_get(dt_run_metrics_start(&set->run[r].metrics), "config");
    json_object_foreach(config, key, value) {
        if (count < DT_OPTION_KEYS_MAX && !is_left_out(key) && differs(set, key, value))
            keys[count++] = key;
    }
    return count;
}
