/**
 * Which runs words of the command line name: a run's folder, its file of metrics, or a folder of runs.
 */
#ifndef DT_REPORT_RUN_NAMES_H
#define DT_REPORT_RUN_NAMES_H

#include <stdbool.h>

#include "base/status.h"

typedef struct dt_run_names {
    char **name; /**< [count] */
    int count;
    int unreadable_count; /**< folders of a folder whose metrics are no file, or may not be read */
    char *unreadable;     /**< the first of these, or NULL */
} dt_run_names;

/** Names `max` runs at most. A word that is a folder without metrics stands for the runs in the folders right
 * below it, in order of their names. Fails with DT_USAGE where there is none, or too many. The caller frees
 * the names, after failure too. Local. */
dt_status dt_run_names_find(dt_run_names *names, const char *const *words, int count, int max);

/** Names the runs in `folder` and below it, `depth` folders deep, in order of their paths; of more than `max`
 * the first, and then `*cut` becomes true. None is no failure; what cannot be read is passed over and
 * counted. The caller frees the names, after failure too. Local. */
dt_status dt_run_names_search(dt_run_names *names, const char *folder, int depth, int max, bool *cut);

/** Warns of folders that were left out, where there are any. Local. */
void dt_run_names_tell(const dt_run_names *names);

/** Frees; all zero is fine. Local. */
void dt_run_names_free(dt_run_names *names);

#endif
