/* jansson reads and writes the text. */
#include "config/list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

char *dt_list_append(const char *list, const char *text) {
    DT_ASSERT(text);
    json_t *array = list ? json_loads(list, 0, NULL) : json_array();
    char *longer = NULL;
    if (json_array_append_new(array, json_string(text)) == 0)
        longer = json_dumps(array, JSON_COMPACT);
    json_decref(array);
    return longer;
}

char *dt_list_single(const char *text) {
    return dt_list_append(NULL, text);
}

json_t *dt_list_to_json(const char *list) {
    DT_ASSERT(list);
    json_t *array = json_loads(list, 0, NULL);
    if (json_array_size(array) != 1)
        return array;
    json_t *alone = json_incref(json_array_get(array, 0));
    json_decref(array);
    return alone;
}

dt_status dt_list_read(const char *list, char ***texts, int64_t *count) {
    json_t *array = list ? json_loads(list, 0, NULL) : json_array();
    const size_t length = json_array_size(array);
    char **read = calloc(length + 1, sizeof *read);
    bool complete = array != NULL && read != NULL;
    for (size_t i = 0; complete && i < length; i++) {
        read[i] = strdup(json_string_value(json_array_get(array, i)));
        complete = read[i] != NULL;
    }
    json_decref(array);
    if (!complete) {
        dt_list_free(read);
        read = NULL;
    }
    *texts = read;
    *count = complete ? (int64_t)length : 0;
    return complete ? DT_OK : dt_fail("out of memory for a list of names");
}

void dt_list_free(char **texts) {
    for (char **text = texts; text && *text; text++)
        free(*text);
    free(texts);
}
