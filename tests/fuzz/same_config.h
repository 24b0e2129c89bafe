/* A config that was accepted must come back the same from each of its written forms. */
#ifndef DT_TESTS_FUZZ_SAME_CONFIG_H
#define DT_TESTS_FUZZ_SAME_CONFIG_H

#include <string.h>

#include "config/config.h"
#include "fuzz/fuzz.h"

static inline char *same_config_print(const dt_config *config, size_t *length) {
    char *text = NULL;
    FILE *memory = open_memstream(&text, length);
    FUZZ_EXPECT(memory != NULL);
    dt_config_print(config, memory);
    FUZZ_EXPECT(fclose(memory) == 0);
    return text;
}

static inline void same_config_check(const dt_config *config) {
    size_t length, again_length;
    char *text = same_config_print(config, &length);
    dt_config again, third;
    dt_config_init(&again);
    FUZZ_EXPECT(dt_config_read_yaml(&again, "printed", text, length) == DT_OK);
    char *again_text = same_config_print(&again, &again_length);
    FUZZ_EXPECT(length == again_length && memcmp(text, again_text, length) == 0);
    FUZZ_EXPECT(dt_config_hash(config) == dt_config_hash(&again));
    json_t *object = dt_config_to_json(config);
    FUZZ_EXPECT(object != NULL);
    dt_config_init(&third);
    FUZZ_EXPECT(dt_config_from_json(&third, object, "json") == DT_OK);
    FUZZ_EXPECT(dt_config_hash(config) == dt_config_hash(&third));
    json_decref(object);
    free(again_text);
    free(text);
    dt_config_free(&again);
    dt_config_free(&third);
}

#endif
