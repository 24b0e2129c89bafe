/* A name that the program has comes before the C library's where libraries look it up. */
#include "base/locale.h"

#include <stddef.h>
#include <string.h>

char *setlocale(int category, const char *name) {
    static char own[] = "C";
    (void)category; /* one for all */
    return name == NULL || strcmp(name, own) == 0 || strcmp(name, "POSIX") == 0 ? own : NULL;
}

locale_t dt_locale_save(void) {
    return uselocale((locale_t)0);
}

void dt_locale_restore(locale_t saved) {
    (void)uselocale(saved);
}
