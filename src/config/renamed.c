/* One row a word. A row goes when no config, script or checkpoint is likely to have the old spelling. */
#include "config/renamed.h"

#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "config/options.h"

/* Since version 0.1.0. */
static const struct {
    const char *before, *now;
} renamed[] = {
    {"exchange", "allreduce"},     /* an option */
    {"ways", "algorithms"},        /* a flag of bench */
    {"share", "threads_per_core"}, /* the same */
};

#define COUNT (sizeof renamed / sizeof *renamed)

const char *dt_renamed_find(const char *word, size_t length, bool as_flag) {
    for (size_t i = 0; i < COUNT; i++)
        if (dt_options_spells(renamed[i].before, word, length, as_flag))
            return renamed[i].now;
    return NULL;
}

void dt_renamed_notice(const char *found, const char *now) {
    static bool said[COUNT];
    const size_t dashes = strspn(now, "-");
    for (size_t i = 0; i < COUNT; i++) {
        if (!dt_options_spells(renamed[i].now, now + dashes, strlen(now + dashes), dashes > 0) || said[i])
            continue;
        said[i] = true;
        dt_log_warn("%s is now called %s; the old name is still taken", found, now);
    }
}
