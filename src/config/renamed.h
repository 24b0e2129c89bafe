/**
 * Words of the command line and of config files that have been given another name: the old spelling is
 * taken, and a line says what it is called now.
 */
#ifndef DT_CONFIG_RENAMED_H
#define DT_CONFIG_RENAMED_H

#include <stdbool.h>
#include <stddef.h>

/**
 * What the key or flag `word` (length bytes, without dashes in front) is called now; NULL where it has no
 * other name. '-' and '_' are one letter when `as_flag`. The result is valid for ever. Local.
 */
const char *dt_renamed_find(const char *word, size_t length, bool as_flag);

/**
 * Says once in a process, on rank 0, that `found` ("--exchange", "big.yaml:3:1: exchange") is called `now`
 * ("--allreduce", "allreduce"). Local.
 */
void dt_renamed_notice(const char *found, const char *now);

#endif
