/**
 * The value of one option: from text or a tree, checked against its row of the table, and back.
 */
#ifndef DT_CONFIG_VALUE_H
#define DT_CONFIG_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"
#include "config/fields.h"
#include "config/options.h"

/** Where the text of a value comes from decides what it may mean. */
typedef enum dt_value_style {
    DT_VALUE_PLAIN,   /**< a plain YAML scalar: anything by the core schema */
    DT_VALUE_QUOTED,  /**< a quoted YAML scalar: always a string */
    DT_VALUE_ARGUMENT /**< a word of the command line: null only where the option may be null; trees are flow
                         YAML */
} dt_value_style;

/**
 * Sets the option's field. Fails with DT_USAGE, the field untouched, where the text is no value of the
 * option's type or is out of its bounds; `where` ("big.yaml:3:7", "--seed") opens the sentence. Local.
 */
dt_status dt_value_set(dt_config *config, const dt_option *option, const char *text, dt_value_style style,
                       const char *where);

/**
 * Puts one more string behind the list that the option's field holds, as dt_value_set would set it; null
 * empties it. Local.
 */
dt_status dt_value_append(dt_config *config, const dt_option *option, const char *text, const char *where);

/**
 * The same as dt_value_set from a YAML or JSON map or list: an option of type tree takes a map, one of type
 * list a list of strings. `tree` stays the
 * caller's. Local.
 */
dt_status dt_value_set_tree(dt_config *config, const dt_option *option, const json_t *tree,
                            const char *where);

/** The same from any JSON value. Local. */
dt_status dt_value_set_json(dt_config *config, const dt_option *option, const json_t *value,
                            const char *where);

/** Notes that a file or a flag gives the option, see dt_config_is_given. Local. */
void dt_value_mark_given(dt_config *config, const dt_option *option);

/** Makes the option's value a copy of what `from` holds. Local. */
dt_status dt_value_copy(dt_config *config, const dt_config *from, const dt_option *option);

/** Prints the value as YAML that reads back as the same value. Local. */
void dt_value_print(const dt_config *config, const dt_option *option, FILE *file);

/**
 * What dt_value_print prints as a new string; the caller frees it with free(). NULL when out of memory.
 * Local.
 */
char *dt_value_text(const dt_config *config, const dt_option *option);

/** The value as a new JSON value; the caller owns it. NULL when out of memory. Local. */
json_t *dt_value_to_json(const dt_config *config, const dt_option *option);

#endif
