/**
 * Lists of strings, as an option of that type has them: JSON text, so that its field is one string.
 *
 *     ["a.txt"]        ["a.txt","b.txt"]        NULL where the option is null
 *
 * A list has at least one string, and none is empty. Where it is written, one string stands alone: what was
 * written before there were lists reads back the same.
 */
#ifndef DT_CONFIG_LIST_H
#define DT_CONFIG_LIST_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"

/** The list of `text` alone as a new string that the caller frees with free(), NULL when out of memory.
 * `text` is UTF-8. Local. */
char *dt_list_single(const char *text);

/** `list`, which may be NULL, with `text` behind it, as a new string that the caller frees with free(); NULL
 * when out of memory. `text` is UTF-8. Local. */
char *dt_list_append(const char *list, const char *text);

/** The list as new JSON that the caller owns: a string where it has one, an array where it has more. NULL
 * when out of memory. Local. */
json_t *dt_list_to_json(const char *list);

/**
 * The strings of a list, or none of NULL, as a new array of `*count` new strings, ended by NULL, that the
 * caller frees with dt_list_free. Fails when memory is short. Local.
 */
dt_status dt_list_read(const char *list, char ***texts, int64_t *count);

/** Frees what dt_list_read made; NULL is allowed. Local. */
void dt_list_free(char **texts);

#endif
