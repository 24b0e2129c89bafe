/**
 * The help of one flag of verbs: "dtrain help --top-k", "dtrain help bench --merge".
 */
#ifndef DT_VERB_HELP_FLAG_H
#define DT_VERB_HELP_FLAG_H

#include <stdbool.h>
#include <stdio.h>

#include "verb/row.h"

/**
 * Prints what the table of verbs has under the flag `name`, without its dashes and with '-' and '_' as one
 * letter: the whole help of a row whose mode it is, and once each different meaning that verbs give it, with
 * their names. `verb` is the name of the one verb to look in, NULL for all. Whether there was any. Local.
 */
bool dt_help_flag_print(const char *name, const char *verb, FILE *file);

/** Prints the whole help of a row: synopsis, what it does, flags and example. Local. */
void dt_help_flag_row(const dt_verb *row, FILE *file);

#endif
