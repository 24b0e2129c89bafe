/* Keeps one sentence for each thread. Who prints it is decided far above, in main.c and comm/agree.c. */
#include "base/status.h"

#include <stdio.h>

static _Thread_local char sentence[DT_ERROR_BYTES];

__attribute__((format(printf, 1, 0))) static void record(const char *format, va_list arguments) {
    /* Through a second buffer, because a sentence may quote the one before it. */
    char fresh[DT_ERROR_BYTES];
    vsnprintf(fresh, sizeof fresh, format, arguments);
    snprintf(sentence, sizeof sentence, "%s", fresh);
}

dt_status dt_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    record(format, arguments);
    va_end(arguments);
    return DT_FAILED;
}

dt_status dt_usage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    record(format, arguments);
    va_end(arguments);
    return DT_USAGE;
}

const char *dt_error(void) {
    return sentence;
}
