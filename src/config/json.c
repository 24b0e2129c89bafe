/* One look for the bounds, then jansson. */
#include "config/json.h"

#include <inttypes.h>
#include <stdio.h>

#include "config/scalar.h"

/* Every value but the first follows a comma or an opening; a colon needs a key, which a comma or an opening
 * came before. Brackets that do not match are jansson's to refuse. */
static dt_status check_bounds(const char *text, size_t length) {
    int64_t depth = 0, values = 1;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        if (quoted)
            continue;
        const bool opens = c == '{' || c == '[';
        depth += opens ? 1 : c == '}' || c == ']' ? -1 : 0;
        values += opens || c == ',';
        if (depth > DT_JSON_MAX_DEPTH)
            return dt_fail("expected JSON that is nested at most %d deep, found more", DT_JSON_MAX_DEPTH);
        if (values > DT_JSON_MAX_VALUES)
            return dt_fail("expected JSON of at most %d values, found more", DT_JSON_MAX_VALUES);
    }
    return DT_OK;
}

dt_status dt_json_parse(const char *text, size_t length, json_t **value) {
    json_error_t error;
    *value = NULL;
    DT_TRY(check_bounds(text, length));
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
