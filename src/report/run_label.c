/* The folders' whole names, without the folders that all are in. */
#include "report/run_label.h"

#include <stdlib.h>
#include <string.h>

#include "train/metrics.h"

/* The whole name of a run's folder, or of its file where that is called otherwise; a new string. */
static char *whole_name(const char *path) {
    char *whole = realpath(path, NULL);
    if (whole == NULL)
        whole = strdup(path);
    char *last = whole ? strrchr(whole, '/') : NULL;
    if (last != NULL && last != whole && strcmp(last + 1, DT_METRICS_NAME) == 0)
        *last = 0;
    return whole;
}

/* How much of the beginning, up to a slash, `a` and `b` have in common, and no more than `length`; the last
 * name is never in common. */
static size_t common_length(const char *a, const char *b, size_t length) {
    size_t common = 0;
    for (size_t i = 0; i < length && a[i] != 0 && a[i] == b[i]; i++)
        if (a[i] == '/')
            common = i + 1;
    return common;
}

dt_status dt_run_label_create(const char *const *paths, int count, char **labels) {
    for (int r = 0; r < count; r++) {
        labels[r] = whole_name(paths[r]);
        if (labels[r] == NULL)
            return dt_fail("out of memory for a run's name");
    }
    size_t common = common_length(labels[0], labels[0], strlen(labels[0]));
    for (int r = 1; r < count; r++)
        common = common_length(labels[0], labels[r], common);
    for (int r = 0; r < count; r++)
        memmove(labels[r], labels[r] + common, strlen(labels[r] + common) + 1);
    return DT_OK;
}
