/* One folder deep: a sweep's folder has a folder for each run. */
#include "report/run_names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/plural.h"
#include "checkpoint/path.h"
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

static bool is_readable(const char *folder) {
    char *path = dt_file_join(folder, DT_METRICS_NAME);
    struct stat info;
    const bool readable =
        path != NULL && stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, R_OK) == 0;
    free(path);
    return readable;
}

static dt_status count_unreadable(dt_run_names *names, const char *folder) {
    if (names->unreadable_count++ > 0)
        return DT_OK;
    names->unreadable = strdup(folder);
    return names->unreadable ? DT_OK : dt_fail("out of memory for a run's name");
}

static dt_status add_below(dt_run_names *names, const char *folder, int max) {
    char **entries = NULL;
    size_t count = 0;
    const int before = names->count;
    dt_status status = dt_file_list(folder, &entries, &count);
    for (size_t i = 0; status == DT_OK && i < count; i++) {
        char *path = dt_file_join(folder, entries[i]);
        if (path == NULL)
            status = DT_FAILED;
        else if (is_readable(path))
            status = add(names, path, max);
        else if (is_run(path))
            status = count_unreadable(names, path);
        free(path);
    }
    dt_file_free_names(entries, count);
    if (status == DT_OK && names->count == before)
        status = dt_usage("%s: expected a run's folder, its " DT_METRICS_NAME
                          " or a folder of runs, found no " DT_METRICS_NAME
                          " in it or in the folders right below it; dtrain runs %s looks deeper",
                          folder, folder);
    return status;
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

/* Whose folders hold no runs, but may be many. */
static bool is_passed_over(const char *name) {
    return name[0] == '.' || dt_checkpoint_path_step(name) >= 0 || strcmp(name, DT_CHECKPOINT_LATEST) == 0 ||
           strcmp(name, DT_CHECKPOINT_BEST) == 0;
}

/* A folder that stands there itself: by links a run would be met twice, and a search never end. */
static bool is_own_folder(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static dt_status search(dt_run_names *names, const char *folder, int depth, int max, bool *cut) {
    char **entries = NULL;
    size_t count = 0;
    if (is_readable(folder)) {
        *cut |= names->count == max;
        if (*cut)
            return DT_OK;
        DT_TRY(add(names, folder, max));
    } else if (is_run(folder))
        DT_TRY(count_unreadable(names, folder));
    if (depth == 0 || dt_file_list(folder, &entries, &count) != DT_OK)
        return DT_OK;
    dt_status status = DT_OK;
    for (size_t i = 0; status == DT_OK && !*cut && i < count; i++) {
        char *path = is_passed_over(entries[i]) ? NULL : dt_file_join(folder, entries[i]);
        if (path != NULL && is_own_folder(path))
            status = search(names, path, depth - 1, max, cut);
        free(path);
    }
    dt_file_free_names(entries, count);
    return status;
}

dt_status dt_run_names_search(dt_run_names *names, const char *folder, int depth, int max, bool *cut) {
    *cut = false;
    *names = (dt_run_names){.name = calloc((size_t)max, sizeof *names->name)};
    if (names->name == NULL)
        return dt_fail("out of memory for the runs' names");
    return search(names, folder, depth, max, cut);
}

void dt_run_names_tell(const dt_run_names *names) {
    if (names->unreadable_count > 0)
        dt_log_warn(
            "left out: %d folder%s whose metrics.jsonl is no file or may not be read; the first is %s",
            names->unreadable_count, dt_plural_s(names->unreadable_count), names->unreadable);
}

void dt_run_names_free(dt_run_names *names) {
    for (int i = 0; i < names->count; i++)
        free(names->name[i]);
    free(names->name);
    free(names->unreadable);
    *names = (dt_run_names){0};
}
