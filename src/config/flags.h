/**
 * The command line: which word is a flag, which its value, and whose it is, the table's or a verb's.
 */
#ifndef DT_CONFIG_FLAGS_H
#define DT_CONFIG_FLAGS_H

#include <stdbool.h>

#include "base/status.h"
#include "config/fields.h"

/** One --flag of the command line that is not an option of the table but the verb's own. */
typedef struct dt_flag {
    const char *name;   /**< without the dashes */
    bool takes_value;   /**< "--name value" or "--name=value"; otherwise its presence counts */
    const char **value; /**< set to the value, or to "" when it takes none; points into argv */
    char **list; /**< NULL: a second value takes the first one's place; else all values are added to this list
                    (config/list.h), which the caller frees, after failure too */
} dt_flag;

/**
 * Sets what the flags say: argv[0..argc) without program name and verb. "--key value", "--key=value"; a bool
 * also as "--shuffle" and "--no-shuffle". Flags named in `own` (ended by a NULL name; NULL: none) go to the
 * verb; words that are no flags are counted into `*positional_count` and kept in `positional` (room for
 * argc), or refused when that is NULL. With a NULL `config`, options of the table are refused: only the
 * verb's own flags are taken. Local.
 */
dt_status dt_config_read_flags(dt_config *config, int argc, char **argv, const dt_flag *own,
                               const char **positional, int *positional_count);

#endif
