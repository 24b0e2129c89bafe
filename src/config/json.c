/* One look for the bounds, then jansson. */
#include "config/json.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/json_bounds.h"
#include "config/scalar.h"

dt_status dt_json_parse(const char *text, size_t length, json_t **value) {
    DT_ASSERT(text || length == 0);
    json_error_t error;
    *value = NULL;
    DT_TRY(dt_json_bounds_check(text, length, DT_JSON_MAX_DEPTH, DT_JSON_MAX_VALUES));
    *value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    return *value ? DT_OK : dt_fail("line %d is not JSON: %s", error.line, error.text);
}

json_t *dt_json_integer(int64_t integer) {
    const int64_t exact = (int64_t)1 << 53;
    char digits[24];
    if (integer >= -exact && integer <= exact)
        return json_integer(integer);
    snprintf(digits, sizeof digits, "%" PRId64, integer);
    return json_string(digits);
}

bool dt_json_read_integer(const json_t *value, int64_t *integer) {
    if (json_is_integer(value)) {
        *integer = json_integer_value(value);
        return true;
    }
    const dt_scalar scalar = dt_scalar_resolve(json_is_string(value) ? json_string_value(value) : "");
    *integer = scalar.integer;
    return scalar.kind == DT_SCALAR_INT;
}
