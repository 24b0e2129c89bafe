/* Brackets and commas outside of strings. */
#include "base/json_bounds.h"

#include <inttypes.h>
#include <stdbool.h>

/* Every value but the first follows a comma or an opening; a colon needs a key, which a comma or an opening
 * came before. Brackets that do not match are the parser's to refuse. */
dt_status dt_json_bounds_check(const char *text, size_t length, int64_t max_depth, int64_t max_values) {
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
        if (depth > max_depth)
            return dt_fail("expected JSON that is nested at most %" PRId64 " deep, found more", max_depth);
        if (values > max_values)
            return dt_fail("expected JSON of at most %" PRId64 " values, found more", max_values);
    }
    return DT_OK;
}
