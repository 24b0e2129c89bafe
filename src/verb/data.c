/* `dtrain data --config F --steps N`: which windows each step's batch holds, for checks and for other
 * programs. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "comm/agree.h"
#include "data/batch.h"
#include "infer/model_file.h"
#include "train/corpus_index.h"
#include "train/settings.h"
#include "train/stop.h"
#include "train/vocabulary.h"
#include "verb/verb.h"

/* What is asked of a reader's patience is nothing that a stop must wait for. */
static dt_status print(const dt_config *c, const dt_streams *streams, int64_t steps) {
    for (int64_t step = 1; step <= steps && !ferror(stdout); step++) {
        if (dt_stop_requested())
            return dt_stopped("asked to stop before step %" PRId64 " of %" PRId64, step, steps);
        printf("{\"step\":%" PRId64 ",\"windows\":[", step);
        for (int64_t slot = 0; slot < c->batch_size; slot++)
            printf("%s%" PRId64, slot ? "," : "", dt_streams_window(streams, step, slot));
        puts("]}");
    }
    return dt_verb_printed("the batches");
}

/* Rank 0's. */
static dt_status list(const dt_config *c, const dt_corpus *corpus, const char *steps_text) {
    dt_streams streams;
    int64_t steps;
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
    return print(c, &streams, steps);
}

static dt_status expect_seed(const dt_config *c) {
    return dt_is_null_int(c->seed)
               ? dt_usage(
                     "data: expected a seed, since it decides the order; give --seed N, for a run of the "
                     "past the one in "
                     "its metrics.jsonl")
               : DT_OK;
}

/* The whole of the text is counted by all ranks. */
static dt_status count(const dt_world *world, const dt_config *c, dt_tokenizer *tokenizer,
                       dt_corpus *corpus) {
    dt_shape shape;
    DT_TRY(dt_agree(world, expect_seed(c)));
    if (c->tokenizer)
        DT_TRY(dt_vocabulary_open(tokenizer, world, c->tokenizer, NULL));
    DT_TRY(dt_agree(world, dt_model_file_shape(c, c->tokenizer ? tokenizer : NULL, &shape)));
    const dt_corpus_index_inputs inputs = {.config = c,
                                           .data = c->data,
                                           .tokenizer = c->tokenizer ? tokenizer : NULL,
                                           .collects = c->tokenizer ? tokenizer : NULL,
                                           .V = shape.V,
                                           .visits = true,
                                           .stop_requested = dt_stop_requested};
    return dt_corpus_index_open(corpus, world, &inputs);
}

static dt_status work(const dt_world *world, const dt_config *c, const dt_verb_flags *flags) {
    dt_corpus corpus = {0};
    dt_tokenizer tokenizer = {0};
    dt_stop_attend(NULL, NULL); /* nothing is to be left of what was unpacked */
    dt_status status = count(world, c, &tokenizer, &corpus);
    if (status == DT_OK)
        status = dt_agree(world, world->rank == 0 ? list(c, &corpus, flags->steps) : DT_OK);
    dt_corpus_close(&corpus);
    dt_tokenizer_free(&tokenizer);
    if (status == DT_STOPPED)
        status = *dt_error() ? dt_fail("%s", dt_error()) : DT_FAILED;
    return status;
}

dt_status dt_verb_data(const dt_verb *verb, int argc, char **argv) {
    DT_TRY(dt_stop_prepare());
    const dt_status status = dt_verb_run(verb, argc, argv, work);
    dt_stop_finish();
    return status;
}
