/* English has two numbers. */
#include "base/plural.h"

const char *dt_plural(int64_t count, const char *one, const char *many) {
    return count == 1 ? one : many;
}

const char *dt_plural_s(int64_t count) {
    return dt_plural(count, "", "s");
}
