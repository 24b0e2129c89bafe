/* The words for a person, and JSON as text; files are base/replace's. */
#include "report/report_output.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/replace.h"

dt_status dt_report_output_check(const char *flag, const char *path) {
    if (path == NULL)
        return DT_OK;
    if (dt_replace_check(path) != DT_OK)
        return dt_usage("--%s: %s; name a file in a folder that exists", flag, dt_error());
    signal(SIGPIPE, SIG_IGN);
    return DT_OK;
}

dt_status dt_report_output_json(const char *path, json_t *object, size_t flags) {
    char *text = object ? json_dumps(object, JSON_INDENT(2) | flags) : NULL, *line = NULL;
    json_decref(object);
    const int length = text ? asprintf(&line, "%s\n", text) : -1;
    free(text);
    if (length < 0)
        return dt_fail("cannot write %s: out of memory, or a number of it is not finite", path);
    const dt_status status = dt_replace_write(path, line, (size_t)length);
    free(line);
    return status;
}
