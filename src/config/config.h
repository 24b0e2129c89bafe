/**
 * The resolved configuration of a run: one typed field for every row of the option table.
 *
 * Values come from four places, the later beating the earlier: the table's defaults, the checkpoint that a
 * run goes on from, a YAML file, the command line. Each value is checked where it is set, so that its message
 * can name the file, line and column or the flag.
 *
 *     dt_config config;
 *     DT_TRY(dt_config_init(&config));                           the defaults
 *     DT_TRY(dt_config_read_yaml(&config, name, bytes, length)); the file
 *     DT_TRY(dt_config_read_flags(&config, ...));                the command line
 *     DT_TRY(dt_config_check(&config));                          what concerns several options at once
 *     ...
 *     dt_config_free(&config);
 */
#ifndef DT_CONFIG_CONFIG_H
#define DT_CONFIG_CONFIG_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/dtype.h"
#include "base/status.h"
#include "config/choices.h"

/** What a field holds when its option is null. A string that is null is NULL. */
#define DT_NULL_INT  INT64_MIN
#define DT_NULL_REAL ((double)NAN)

/** Whether the field of an integer option, or of a choice, is null. Local. */
static inline bool dt_is_null_int(int64_t value) {
    return value == DT_NULL_INT;
}

/** Whether the field of a real option is null: no value of the table is a NaN. Local. */
static inline bool dt_is_null_real(double value) {
    return isnan(value);
}

/** At least the rows of the table. */
#define DT_CONFIG_MOST_OPTIONS 80

/** In the order of the table. Choices are kept as int64_t so that the table can set them; see
 * config/choices.h and base/dtype.h. */
typedef struct dt_config {
    int64_t n_layers, d_model, n_heads, d_ff;
    double dropout;
    int64_t max_seq_len;
    double train_ratio;
    int64_t batch_size, micro_batch_size, max_steps;
    double learning_rate, weight_decay, beta1, beta2;
    int64_t lr_schedule, warmup_steps, decay_steps; /* decay_steps: null is a tenth of max_steps */
    double min_learning_rate, grad_clip;
    int64_t on_nonfinite, max_nonfinite;
    int64_t eval_cadence, eval_max_windows, eval_on, checkpoint_cadence;
    int64_t sampling_cadence;
    double sampling_temperature;
    int64_t sampling_top_k;
    double sampling_top_p;
    char *sampling_prompt;
    int64_t sampling_max_length, sampling_seed;
    int64_t seed;
    bool shuffle;
    int64_t leftover_windows;
    int64_t bucket_bytes;
    double hang_timeout_seconds, stop_after_seconds;
    int64_t check_cadence, exchange, gradient_dtype, compute_dtype;
    char *data, *out_dir, *checkpoint_dir;
    int64_t checkpoint_on_error, keep_last, keep_every;
    bool save_best;
    char *resume;
    int64_t log_cadence, metrics_cadence;
    int64_t loss_spike_window;
    double loss_spike_threshold;
    char *hooks; /* the nested map as JSON text, {"forward": [..], "update": [..]} */

    bool given[DT_CONFIG_MOST_OPTIONS]; /* by row: set by a file, a flag or dt_config_set */
} dt_config;

/** One --flag of the command line that is not an option of the table but the verb's own. */
typedef struct dt_flag {
    const char *name;   /**< without the dashes */
    bool takes_value;   /**< "--name value" or "--name=value"; otherwise its presence counts */
    const char **value; /**< set to the value, or to "" when it takes none; points into argv */
} dt_flag;

/**
 * Fills every field with the table's default, which fails for want of memory only; a test proves it. To be
 * freed also on failure. Local.
 */
dt_status dt_config_init(dt_config *config);

/** Frees the strings and leaves `config` all zero, not at its defaults. NULL is allowed. Local. */
void dt_config_free(dt_config *config);

/**
 * Sets what a YAML document of `length` bytes says. `name` stands in messages ("big.yaml:12:3: ..."). Fails
 * with DT_USAGE on anything that is not a flat map of known keys with values in bounds. Local.
 */
dt_status dt_config_read_yaml(dt_config *config, const char *name, const char *bytes, size_t length);

/**
 * Sets what the flags say: argv[0..argc) without program name and verb. "--key value", "--key=value"; a bool
 * also as "--shuffle" and "--no-shuffle". Flags named in `own` (ended by a NULL name) go to the verb; words
 * that are no flags are counted into `*positional_count` and kept in `positional` (room for argc), or refused
 * when that is NULL. With a NULL `config`, options of the table are refused: only the verb's own flags are
 * taken. Local.
 */
dt_status dt_config_read_flags(dt_config *config, int argc, char **argv, const dt_flag *own,
                               const char **positional, int *positional_count);

/** Sets one option from text as the command line would. `where` stands in messages. Local. */
dt_status dt_config_set(dt_config *config, const char *key, const char *text, const char *where);

/** Whether a file, a flag or dt_config_set has set the option `key` of the table, be it to its default.
 * Local.
 */
bool dt_config_is_given(const dt_config *config, const char *key);

/** Takes from `saved` every option that is not given in `config`, which keeps its own memory. Local. */
dt_status dt_config_adopt(dt_config *config, const dt_config *saved);

/** Checks what concerns several options at once (d_model % n_heads, micro_batch_size <= batch_size, ..).
 * Local. */
dt_status dt_config_check(const dt_config *config);

/**
 * dt_config_check, with the place in the document that dt_config_read_yaml has read into `config` when that
 * document breaks the rule by itself, whatever the flags say: the sentence then opens with "name:line:column:
 * " of the first of the options at fault. `bytes` may be NULL. Local.
 */
dt_status dt_config_check_document(const dt_config *config, const char *name, const char *bytes,
                                   size_t length);

/**
 * What a run of `config` will not do although it is asked for: an option that has no effect beside the values
 * of others, a schedule that does not come to its end. Remark `index`, from 0, as a sentence in
 * text[0..bytes); false when there are no more. Local.
 */
bool dt_config_remark(const dt_config *config, int index, char *text, size_t bytes);

/** The length of wsd's decay: decay_steps, or a tenth of max_steps (at least 1) where that is null. Local. */
int64_t dt_config_decay_steps(const dt_config *config);

/** Prints the config as YAML that dt_config_read_yaml reads back to the same config. Local. */
void dt_config_print(const dt_config *config, FILE *file);

/** A new JSON object with every option, for metadata.json; the caller owns it. NULL when out of memory.
 * Local. */
json_t *dt_config_to_json(const dt_config *config);

/** Sets `config` (initialised) from what dt_config_to_json made; `where` stands in messages. Local. */
dt_status dt_config_from_json(dt_config *config, const json_t *object, const char *where);

/** A hash of every option's value, equal for equal configs on every machine: metrics.jsonl's config_hash.
 * Local. */
uint64_t dt_config_hash(const dt_config *config);

/**
 * Compares the config of a checkpoint with the one of a run that resumes it. Differences in options that the
 * table marks as fixed (they would change the meaning of the run) fail, in one sentence that names all of
 * them, both values and what to do. For every other difference that matters, `changed` (may be NULL) is
 * called with key and both values as text. A null seed in `now` agrees with any: the run takes the saved one.
 * Local.
 */
dt_status dt_config_compare(const dt_config *saved, const dt_config *now,
                            void (*changed)(const char *key, const char *saved, const char *now));

#endif
