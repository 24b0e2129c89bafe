/* One folder deep: a sweep's folder has a folder for each run. */
#include "report/run_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/metrics.h"

static dt_status add(dt_run_names *names, const char *name, int max) {
    if (names->count == max)
        return dt_usage("expected at most %d runs, found more; name fewer of them", max);
    names->name[names->count] = strdup(name);
    return names->name[names->count++] != NULL ? DT_OK : dt_fail("out of memory for a run's name");
}

/* Whether `folder` holds a run's metrics. */
static bool is_run(const char *folder) {
    char *path = dt_file_join(folder, DT_METRICS_NAME);
    const bool found = path != NULL && dt_file_exists(path);
    free(path);
    return found;
}

static dt_status add_below(dt_run_names *names, const char *folder, int max) {
    char **entries = NULL;
    size_t count = 0;
    const int before = names->count;
    dt_status status = dt_file_list(folder, &entries, &count);
    for (size_t i = 0; status == DT_OK && i < count; i++) {
        char *path = dt_file_join(folder, entries[i]);
        if (path == NULL)
            status = dt_fail("out of memory for a folder's name");
        else if (dt_file_is_folder(path) && is_run(path))
            status = add(names, path, max);
        free(path);
    }
    dt_file_free_names(entries, count);
    /* The reader of a run that is not there has a sentence for it. */
    return status == DT_OK && names->count == before ? add(names, folder, max) : status;
}

dt_status dt_run_names_find(dt_run_names *names, const char *const *words, int count, int max) {
    *names = (dt_run_names){.name = calloc((size_t)max, sizeof *names->name)};
    if (names->name == NULL)
        return dt_fail("out of memory for the runs' names");
    for (int i = 0; i < count; i++)
        DT_TRY(dt_file_is_folder(words[i]) && !is_run(words[i]) ? add_below(names, words[i], max)
                                                                : add(names, words[i], max));
    return DT_OK;
}

void dt_run_names_free(dt_run_names *names) {
    for (int i = 0; i < names->count; i++)
        free(names->name[i]);
    free(names->name);
    *names = (dt_run_names){0};
}
