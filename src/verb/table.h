/**
 * THE table of verbs: one row per verb, with its function, its synopsis and its flags.
 *
 * The parser takes the flags that a row names, `dtrain help` and the manual page are printed from the rows,
 * and a test walks them. The options of training are another table, config/options.h.
 */
#ifndef DT_VERB_TABLE_H
#define DT_VERB_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"
#include "config/config.h"

/**
 * What the command line gives to the flags of verbs, of all verbs together: NULL where a flag is not given,
 * "" where one that takes no value is. The texts belong to argv.
 */
typedef struct dt_verb_flags {
    const char *config;                                                /* all that take options of training */
    const char *print_config;                                          /* train */
    const char *prompt, *max_length, *temperature, *top_k, *top_p;     /* sample */
    const char *seed, *count;                                          /* sample */
    const char *compute_dtype;                                         /* sample, eval */
    const char *data, *split, *windows;                                /* eval */
    const char *steps;                                                 /* data */
    const char *repetitions, *scaling, *ways, *share, *merge, *report; /* bench */
    const char *ranks, *json;                                          /* bench, plan */
    const char *ranks_per_host, *latency_us, *bandwidth_gbps;          /* plan */
    const char *markdown, *yaml, *man;                                 /* help */
} dt_verb_flags;

/** One flag of a verb's own. */
typedef struct dt_verb_flag {
    const char *name; /**< without the dashes; a NULL name ends a row's flags */
    bool takes_value; /**< "--name value" or "--name=value"; otherwise its presence counts */
    size_t offset;    /**< of its field in dt_verb_flags */
} dt_verb_flag;

#define DT_VERB_FLAGS_MAX 9

typedef struct dt_verb dt_verb;

struct dt_verb {
    const char *name;
    const char *mode; /**< the flag that picks this row among those of one name; NULL picks it without one */
    dt_status (*run)(const dt_verb *verb, int argc, char **argv); /**< takes the words after the verb's */
    const char
        *synopsis; /**< the whole line that a user types; flags and their values, brackets around groups */
    const char *about;  /**< what it does, in sentences */
    bool takes_options; /**< of training, beside its own flags */
    dt_verb_flag flags[DT_VERB_FLAGS_MAX + 1];
};

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

/** Prints every row's synopsis, at most 100 columns wide. Local. */
void dt_verb_print_usage(FILE *file);

/** Prints the manual page, in the order of man-pages(7), from this table and that of options. Local. */
void dt_verb_print_man(FILE *file);

#endif
