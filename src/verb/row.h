/**
 * What the table of verbs (verb/table.h) says of one: a row's fields, and where its flags go.
 */
#ifndef DT_VERB_ROW_H
#define DT_VERB_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/**
 * What the command line gives to the flags of verbs, of all verbs together: NULL where a flag is not given,
 * "" where one that takes no value is. The texts belong to argv, but for lists.
 */
typedef struct dt_verb_flags {
    const char *config;                                            /* all that take options of training */
    const char *print_config, *dry_run;                            /* train */
    const char *prompt, *max_length, *temperature, *top_k, *top_p; /* sample */
    const char *seed, *count;                                      /* sample */
    const char *compute_dtype;                                     /* sample, eval */
    const char *tokenizer;                                         /* sample, eval, tokenize */
    const char *data, *split, *windows, *losses;                   /* eval */
    char *data_list;   /**< all that --data names (config/list.h), of eval, which frees it */
    const char *stop;  /* sample */
    const char *steps; /* data */
    const char *dtype; /* export */
    const char *out;   /* export, tokenize, report */
    const char *decode, *statistics, *data_format, *join_documents;                     /* tokenize */
    const char *vocab_size, *no_regex, *prefix_space, *no_end_of_text;                  /* tokenizer */
    const char *repetitions, *scaling, *algorithms, *threads_per_core, *merge, *report; /* bench */
    const char *ranks, *json;                                             /* bench, plan; json: runs too */
    const char *ranks_per_host, *latency_us, *bandwidth_gbps, *memory_gb; /* plan */
    const char *threads_per_rank, *core_gflops, *teams;                   /* plan */
    const char *width, *height, *ascii;                                   /* curve */
    const char *chart, *watch;                                            /* report */
    const char *markdown, *yaml, *man, *completion;                       /* help */
} dt_verb_flags;

/** One flag of a verb's own. */
typedef struct dt_verb_flag {
    const char *name;  /**< without the dashes; a NULL name ends a row's flags */
    const char *value; /**< what stands for its value, "N": "--name value" or "--name=value"; NULL: it takes
                          none, and its presence counts */
    size_t offset;     /**< of its field in dt_verb_flags */
    const char *help;  /**< what it does, with unit and default, without a full stop */
    size_t list; /**< of the field that gets all its values, where it may be given several times; else 0 */
} dt_verb_flag;

#define DT_VERB_FLAGS_MAX 12

typedef struct dt_verb dt_verb;

struct dt_verb {
    const char *name;
    const char *mode; /**< the flag that picks this row among those of one name; NULL picks it without one */
    const char *word; /**< what must stand right behind the name, train of `tokenizer train`; NULL: nothing */
    dt_status (*run)(const dt_verb *verb, int argc, char **argv); /**< takes the words after the verb's */
    const char
        *synopsis; /**< the whole line that a user types; flags and their values, brackets around groups */
    const char *summary; /**< what it is for, in a few words without a full stop */
    const char *about;   /**< what it does, in sentences */
    const char *example; /**< a line that can be typed, with names of files made up */
    bool takes_options;  /**< of training, beside its own flags */
    dt_verb_flag flags[DT_VERB_FLAGS_MAX + 1];
};

#endif
