/**
 * A config as a struct: one field per row of the table of options, in its order, and what null is.
 */
#ifndef DT_CONFIG_FIELDS_H
#define DT_CONFIG_FIELDS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/dtype.h"
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
#define DT_CONFIG_MAX_OPTIONS 80

/** In the order of the table. Choices are kept as int64_t so that the table can set them; see
 * config/choices.h and base/dtype.h. */
typedef struct dt_config {
    int64_t n_layers, d_model, n_heads, d_ff;
    double dropout;
    int64_t max_seq_len, vocab_size;
    double train_ratio;
    int64_t batch_size, micro_batch_size, max_steps, max_tokens;
    double max_epochs;
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
    int64_t check_cadence, allreduce, gradient_dtype, compute_dtype, products;
    int64_t threads_per_micro_batch; /* null is auto */
    int64_t recompute;
    bool shard_optimizer;
    char *data, *validation_data; /* lists, config/list.h */
    int64_t data_format;
    bool join_documents;
    char *token_cache, *tokenizer, *out_dir, *checkpoint_dir;
    int64_t checkpoint_on_error, keep_last, keep_every;
    bool save_best;
    char *resume, *init_from;
    int64_t log_cadence, metrics_cadence;
    int64_t loss_spike_window;
    double loss_spike_threshold;
    bool tensorboard;
    char *hooks; /* the nested map as JSON text, {"forward": [..], "update": [..]} */

    bool given[DT_CONFIG_MAX_OPTIONS]; /* by row: set by a file, a flag or dt_config_set */
} dt_config;

#endif
