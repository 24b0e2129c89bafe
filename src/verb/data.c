/* `dtrain data --config F --steps N`: which windows each step's batch holds, for checks and for other
 * programs. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "data/batch.h"
#include "infer/model_file.h"
#include "tokenizer/tokenizer.h"
#include "train/corpus_index.h"
#include "train/settings.h"
#include "verb/verb.h"

static dt_status list(const dt_config *c, const dt_corpus *corpus, const char *steps_text) {
    dt_streams streams;
    int64_t steps;
    if (dt_is_null_int(c->seed))
        return dt_usage("data: expected a seed, since it decides the order; give --seed N, for a run of the "
                        "past the one in "
                        "its metrics.jsonl");
    DT_TRY(dt_streams_cut(&streams, corpus->total.tokens, dt_settings_train_ratio(c), c->batch_size,
                          c->max_seq_len, (uint64_t)c->seed, c->shuffle));
    if (c->leftover_windows == DT_LEFTOVER_SPREAD)
        dt_streams_spread(&streams);
    steps = dt_streams_length(&streams, 0); /* the first stream is among the longest */
    if (steps_text)
        DT_TRY(dt_verb_count("steps", steps_text, &steps));
    dt_corpus_warn(corpus);
    char warning[512];
    if (dt_streams_warning(&streams, warning, sizeof warning))
        dt_log_warn("%s", warning);
    for (int64_t step = 1; step <= steps; step++) {
        printf("{\"step\":%" PRId64 ",\"windows\":[", step);
        for (int64_t slot = 0; slot < c->batch_size; slot++)
            printf("%s%" PRId64, slot ? "," : "", dt_streams_window(&streams, step, slot));
        puts("]}");
    }
    return dt_verb_printed("the batches");
}

dt_status dt_verb_data(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    dt_config config;
    dt_corpus corpus = {0};
    dt_tokenizer tokenizer = {0};
    dt_shape shape;
    dt_status status = dt_verb_settings(&config, &flags, NULL, verb, argc, argv, DT_VERB_AFRESH);
    if (status == DT_OK && config.tokenizer)
        status = dt_tokenizer_open(&tokenizer, config.tokenizer);
    if (status == DT_OK)
        status = dt_model_file_shape(&config, config.tokenizer ? &tokenizer : NULL, &shape);
    if (status == DT_OK) {
        const dt_corpus_index_inputs inputs = {.config = &config,
                                               .data = config.data,
                                               .tokenizer = config.tokenizer ? &tokenizer : NULL,
                                               .V = shape.V};
        status = dt_corpus_index_open_alone(&corpus, &inputs);
    }
    if (status == DT_OK)
        status = list(&config, &corpus, flags.steps);
    dt_corpus_close(&corpus);
    dt_tokenizer_free(&tokenizer);
    dt_config_free(&config);
    return status;
}
