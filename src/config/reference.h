/**
 * What is printed from the table of options: help, a page of documentation, a commented config file.
 *
 * The same table always prints the same bytes, so that tests can compare files in the repository with them.
 */
#ifndef DT_CONFIG_REFERENCE_H
#define DT_CONFIG_REFERENCE_H

#include <stdio.h>

#include "base/status.h"
#include "config/options.h"

/** Prints all options, by groups, at most 100 columns wide. Local. */
void dt_reference_help(FILE *file);

/** Prints one option: its flag, its key, what it takes, and whether a resumed run may change it. Local. */
void dt_reference_option(const dt_option *option, FILE *file);

/**
 * Prints a flag, what stands for its value (NULL: nothing) and, in a column beside them, `text`, at most 100
 * columns wide. Local.
 */
void dt_reference_flag(const char *flag, const char *value, const char *text, FILE *file);

/** Prints sentences from the first column on, at most 100 columns wide, and a newline. Local. */
void dt_reference_text(const char *text, FILE *file);

/** Prints docs/config.md. Local. */
void dt_reference_markdown(FILE *file);

/** Prints configs/default.yaml: every option with its default, help and bounds. Local. */
dt_status dt_reference_yaml(FILE *file);

#endif
