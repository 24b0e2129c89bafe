/**
 * THE table of options: one row an option, in the order of dt_config.
 *
 * YAML keys, flags, checks, the saved config, --help, docs/config.md, configs/default.yaml and the manual
 * page are all made from it. How a value is read and printed is in value.h.
 */
#ifndef DT_CONFIG_OPTIONS_H
#define DT_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum dt_option_type {
    DT_OPTION_INT,    /**< field int64_t */
    DT_OPTION_REAL,   /**< field double, always finite */
    DT_OPTION_BOOL,   /**< field bool */
    DT_OPTION_CHOICE, /**< field int64_t: the index into `choices` */
    DT_OPTION_STRING, /**< field char *, owned by the config: UTF-8 */
    DT_OPTION_LIST,   /**< field char *, owned by the config: strings, as config/list.h has them */
    DT_OPTION_TREE    /**< field char *, owned by the config: a YAML map as JSON text */
} dt_option_type;

/** Where an option stands in what is printed. */
typedef enum dt_option_group {
    DT_GROUP_MODEL,
    DT_GROUP_DATA,
    DT_GROUP_TRAINING,
    DT_GROUP_EVALUATION,
    DT_GROUP_SAMPLING,
    DT_GROUP_CHECKPOINTS,
    DT_GROUP_OUTPUT,
    DT_GROUP_HOOKS,
    DT_GROUP_COUNT
} dt_option_group;

/** What a resumed run may do with an option. */
typedef enum dt_option_resume {
    DT_RESUME_FIXED,      /**< must be as saved: another value would mean another run */
    DT_RESUME_CHANGEABLE, /**< may change, and the change is logged */
    DT_RESUME_PRESENCE,   /**< says where something is that must be there, or not, as before */
    DT_RESUME_IRRELEVANT  /**< says where things are or what is shown; not compared */
} dt_option_resume;

typedef struct dt_option {
    const char *key; /**< the YAML key; the flag is the same with dashes */
    dt_option_type type;
    size_t offset;               /**< of the field in dt_config */
    const char *default_text;    /**< as the command line would give it */
    bool nullable, may_be_empty; /**< empty: of DT_OPTION_STRING */
    int64_t low_int, high_int;   /**< for DT_OPTION_INT, both inclusive; INT64_MAX is no upper bound */
    double low_real, high_real;  /**< for DT_OPTION_REAL; HUGE_VAL is no upper bound */
    bool low_exclusive, high_exclusive;
    const char *const *choices; /**< for DT_OPTION_CHOICE, ended by NULL: config/choices.h */
    dt_option_group group;
    dt_option_resume resume;
    const char *null_word; /**< of a nullable integer: how null is written; NULL for "null" */
    const char *unit;      /**< "steps", or NULL for a number without one */
    const char *help;      /**< one line without a full stop */
} dt_option;

/** How many rows the table has. Local. */
int64_t dt_options_count(void);

/** Row `index` of the table; valid for ever. Local. */
const dt_option *dt_options_at(int64_t index);

/**
 * Whether `word` (length bytes) spells the name `known`, where '-' and '_' are one letter when `as_flag`.
 * Local.
 */
bool dt_options_spells(const char *known, const char *word, size_t length, bool as_flag);

/**
 * The row of `key` (length bytes), where '-' and '_' are one letter when `as_flag`; NULL when there is none.
 * Local.
 */
const dt_option *dt_options_find(const char *key, size_t length, bool as_flag);

/** The heading of a group, "Model". Local. */
const char *dt_options_heading(dt_option_group group);

/** Bytes that always hold what the functions below write of a row. */
#define DT_OPTION_TEXT_BYTES 128

/**
 * Writes what the option takes: "integer from 1 to 1024", "number above 0, or null". Returns `text`. Local.
 */
const char *dt_options_describe(const dt_option *option, char text[DT_OPTION_TEXT_BYTES]);

/**
 * Writes `key` with dashes for underscores, as flags have them, cut to the room there is. Returns `text`.
 * Local.
 */
const char *dt_options_dash(const char *key, char text[DT_OPTION_TEXT_BYTES]);

/** Writes the flag without its value: "--max-steps", "--[no-]shuffle". Returns `text`. Local. */
const char *dt_options_flag(const dt_option *option, char text[DT_OPTION_TEXT_BYTES]);

/** What stands for the value after the flag, "INTEGER"; NULL for a bool, which needs none. Local. */
const char *dt_options_placeholder(const dt_option *option);

#endif
