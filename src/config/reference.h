/**
 * What is printed from the table of options: help, a page of documentation, a commented config file.
 *
 * The same table always prints the same bytes, so that tests can compare files in the repository with them.
 */
#ifndef DT_CONFIG_REFERENCE_H
#define DT_CONFIG_REFERENCE_H

#include <stdio.h>

#include "base/status.h"

/** Prints the options' part of --help: by groups, at most 100 columns wide. Local. */
void dt_reference_help(FILE *file);

/** Prints docs/config.md. Local. */
void dt_reference_markdown(FILE *file);

/** Prints configs/default.yaml: every option with its default, help and bounds. Local. */
dt_status dt_reference_yaml(FILE *file);

#endif
