/* `dtrain bench --merge FILE ..`: studies of separate allocations as one table and one page. */
#include <stdlib.h>

#include "report/merge.h"
#include "verb/verb.h"

dt_status dt_verb_merge(int argc, char **argv) {
    const char *merge = NULL, *json = NULL, *report = NULL;
    const dt_flag own[] = {
        {"merge", false, &merge}, {"json", true, &json}, {"report", true, &report}, {NULL, false, NULL}};
    const char **files = calloc((size_t)argc + 1, sizeof *files);
    int count = 0;
    if (files == NULL)
        return dt_fail("out of memory for the command line");
    dt_status status = dt_config_read_flags(NULL, argc, argv, own, files, &count);
    if (status == DT_OK)
        status = dt_merge_verb(files, count, json, report);
    free(files);
    return status;
}
