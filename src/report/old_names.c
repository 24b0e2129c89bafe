/* The same value stands under both names. */
#include "report/old_names.h"

#include "base/assert.h"

void dt_old_names_keep(json_t *object, const char *before, const char *now) {
    json_t *value = json_object_get(object, now);
    DT_ASSERT(value == NULL || json_object_get(object, before) == NULL);
    json_object_set(object, before, value);
}
