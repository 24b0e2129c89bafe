/* Keeps one sentence for each thread. Who prints it is decided far above, in main.c and comm/agree.c. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char sentence[DT_ERROR_BYTES];

void dt_status_record(const char *format, ...) {
    /* Through a second buffer, because a sentence may quote the one before it. */
    char fresh[DT_ERROR_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fresh, sizeof fresh, format, arguments);
    va_end(arguments);
    snprintf(sentence, sizeof sentence, "%s", fresh);
}

const char *dt_error(void) {
    return sentence;
}
