/**
 * The options in which runs differ.
 */
#ifndef DT_REPORT_OPTION_KEYS_H
#define DT_REPORT_OPTION_KEYS_H

#include "report/run_set.h"

/** More are not read by anybody. */
#define DT_OPTION_KEYS_MAX 40

/** The names of the options that are not the same in all runs that tell theirs, into `keys`; they stay the
 * set's. Returns how many. Local. */
int dt_option_keys_find(const dt_run_set *set, const char *keys[DT_OPTION_KEYS_MAX]);

/** A run's value of an option as text, a new string; NULL where it has none. Local. */
char *dt_option_keys_value(const dt_run_shown *run, const char *key);

#endif
