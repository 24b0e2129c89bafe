/**
 * Which runs words of the command line name: a run's folder, its file of metrics, or a folder of runs.
 */
#ifndef DT_REPORT_RUN_NAMES_H
#define DT_REPORT_RUN_NAMES_H

#include "base/status.h"

typedef struct dt_run_names {
    char **name; /**< [count] */
    int count;
} dt_run_names;

/** Names `max` runs at most. A word that is a folder without metrics stands for the runs in the folders right
 * below it, in order of their names. Fails with DT_USAGE where there is none, or too many. The caller frees
 * the names, after failure too. Local. */
dt_status dt_run_names_find(dt_run_names *names, const char *const *words, int count, int max);

/** Frees; all zero is fine. Local. */
void dt_run_names_free(dt_run_names *names);

#endif
