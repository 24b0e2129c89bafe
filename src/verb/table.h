/**
 * THE table of verbs: one row per verb, with its function, its synopsis and its flags.
 *
 * The parser takes the flags that a row names, `dtrain help` and the manual page are printed from the rows,
 * and a test walks them. The options of training are another table, config/options.h.
 */
#ifndef DT_VERB_TABLE_H
#define DT_VERB_TABLE_H

#include <stdio.h>

#include "base/status.h"
#include "config/fields.h"
#include "verb/row.h"

/** Row `index` of the table, from 0; NULL when there are no more. Valid for ever. Local. */
const dt_verb *dt_verb_at(int index);

/**
 * The row of the verb `name`: the one whose mode stands among argv[0..argc), else the one without a mode.
 * NULL when there is none. Local.
 */
const dt_verb *dt_verb_find(const char *name, int argc, char **argv);

/** Fails with DT_USAGE, for a word that names no verb, with the names of all. Local. */
dt_status dt_verb_unknown(const char *word);

/**
 * Reads the words after the verb's: its own flags into `flags`, which is cleared before, and options of
 * training into `config`, or refuses those when `config` is NULL. `positional` and `*count` are as for
 * dt_config_read_flags. Local.
 */
dt_status dt_verb_read(const dt_verb *verb, dt_config *config, int argc, char **argv, dt_verb_flags *flags,
                       const char **positional, int *count);

/** Prints the row's synopsis, at most 100 columns wide and indented. Local. */
void dt_verb_print_synopsis(const dt_verb *verb, FILE *file);

/** Prints every row's synopsis. Local. */
void dt_verb_print_usage(FILE *file);

/** Prints the manual page dtrain(1), in the order of man-pages(7), from this table and that of options.
 * Local. */
void dt_verb_print_man(FILE *file);

/** Prints the manual page of the verb `name`, dtrain-NAME(1). Fails with DT_USAGE when there is none. Local.
 */
dt_status dt_verb_print_verb_man(const char *name, FILE *file);

/** Prints what makes `shell`, bash or zsh, complete the words of a command line; fails with DT_USAGE for any
 * other shell. Local. */
dt_status dt_verb_print_completion(const char *shell, FILE *file);

#endif
