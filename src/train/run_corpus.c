/* What corpus_index.c opens, by a run's options. */
#include "train/run_corpus.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "config/list.h"
#include "data/unpack.h"
#include "train/corpus_delivery.h"
#include "train/corpus_index.h"
#include "train/stop.h"
#include "train/token_cache.h"

static dt_corpus_index_inputs inputs_of(const dt_run_corpus_inputs *in, const char *data) {
    return (dt_corpus_index_inputs){.config = in->config,
                                    .data = data,
                                    .tokenizer = in->tokenizer,
                                    .V = in->V,
                                    .visits = in->visits,
                                    .holds = true,
                                    .stop_requested = dt_stop_requested};
}

/* Asked to stop over a text, it leaves nothing of what is half tokenized. */
static dt_status open_corpus(const dt_world *world, const dt_corpus_index_inputs *inputs, dt_corpus *corpus) {
    dt_stop_attend(NULL, NULL);
    const dt_status status = dt_corpus_index_open(corpus, world, inputs);
    dt_stop_disregard();
    return status;
}

/* Where the list of files is standard input, which stands alone in it. */
static bool is_standard_input(const char *list) {
    char *stream = dt_list_single(DT_UNPACK_STANDARD_INPUT);
    const bool is = stream && list && strcmp(list, stream) == 0;
    free(stream);
    return is;
}

/* The command line has been looked at before; a resumed run may have one of the two from its checkpoint. */
static dt_status expect_one_reader(const dt_config *config) {
    const bool evaluates = !dt_is_null_int(config->eval_cadence);
    return evaluates && is_standard_input(config->data) && is_standard_input(config->validation_data)
               ? dt_usage(
                     "cannot read standard input twice: data and validation_data both ask for it (-), as "
                     "they are given or as the checkpoint says; write what one of them is to read to a "
                     "file, and name that")
               : DT_OK;
}

dt_status dt_run_corpus_open(const dt_run_corpus_inputs *in, dt_corpus *corpus) {
    DT_COLLECTIVE(in->world, DT_SAME_INT(in->V), DT_SAME_INT(in->resume->found));
    const dt_config *c = in->config;
    char *kept = NULL;
    if (in->resume->found && in->tokenizer && !dt_config_is_given(c, "data"))
        DT_TRY(
            dt_token_cache_find_stream(in->world, c, c->data, in->tokenizer, in->resume->corpus.hash, &kept));
    if (kept == NULL)
        DT_TRY(dt_agree(in->world, expect_one_reader(c)));
    dt_corpus_index_inputs inputs = inputs_of(in, kept ? kept : c->data);
    inputs.collects = in->tokenizer;
    const dt_status status = open_corpus(in->world, &inputs, corpus);
    if (kept && status == DT_OK)
        dt_log_line("resume: the tokens of standard input are read from %s", corpus->path);
    free(kept);
    return status;
}

/* What is named but not used. */
static dt_status look_at(const dt_world *world, const dt_corpus_index_inputs *inputs) {
    dt_corpus corpus = {0};
    const dt_status status = dt_corpus_index_look(&corpus, world, inputs);
    dt_corpus_close(&corpus);
    return status;
}

dt_status dt_run_corpus_open_validation(const dt_run_corpus_inputs *in, dt_corpus *corpus) {
    DT_COLLECTIVE(in->world, DT_SAME_INT(in->V), DT_SAME_INT(in->resume->found));
    const dt_corpus_index_inputs inputs = inputs_of(in, in->config->validation_data);
    const bool evaluates = !dt_is_null_int(in->config->eval_cadence);
    if (in->config->validation_data == NULL || (!evaluates && in->resume->found))
        return DT_OK;
    return evaluates ? open_corpus(in->world, &inputs, corpus) : look_at(in->world, &inputs);
}

dt_evaluate_range dt_run_corpus_validates(const dt_config *config, const dt_corpus *corpus,
                                          const dt_corpus *validation) {
    const int64_t trained_on = dt_streams_train_tokens(corpus->total.tokens, config->train_ratio);
    return (dt_evaluate_range){.first_token = config->validation_data ? 0 : trained_on,
                               .end_token =
                                   config->validation_data ? validation->total.tokens : corpus->total.tokens,
                               .max_windows = config->eval_max_windows,
                               .on_all = config->eval_on == DT_EVAL_ALL};
}

void dt_run_corpus_evaluated(const dt_run_corpus_inputs *in, const dt_corpus *corpus,
                             const dt_corpus *validation, int64_t *first, int64_t *end) {
    const dt_config *c = in->config;
    *first = *end = 0;
    if (dt_is_null_int(c->eval_cadence))
        return;
    const dt_evaluate_range range = dt_run_corpus_validates(c, corpus, validation);
    /* Where there is nothing to evaluate on, dt_evaluate_create refuses the run. */
    (void)dt_evaluate_tokens(in->world, c->max_seq_len, c->micro_batch_size, &range, first, end);
}

dt_status dt_run_corpus_load(const dt_run_corpus_inputs *in, dt_corpus *corpus, dt_corpus *validation,
                             const dt_streams *streams, int64_t first_slot, int64_t end_slot,
                             dt_shard *shard) {
    DT_COLLECTIVE(in->world, DT_SAME_INT(streams->windows));
    const dt_config *c = in->config;
    dt_token_span spans[DT_CORPUS_DELIVERY_SPANS] = {0}, *evaluated = &spans[1];
    dt_streams_span(streams, first_slot, end_slot, &spans[0].first, &spans[0].end);
    dt_run_corpus_evaluated(in, corpus, validation, &evaluated->first, &evaluated->end);
    if (c->validation_data) {
        const dt_token_span own[DT_CORPUS_DELIVERY_SPANS] = {*evaluated};
        *evaluated = (dt_token_span){0};
        DT_TRY(dt_corpus_delivery_run(in->world, validation, own));
    }
    DT_TRY(dt_corpus_delivery_run(in->world, corpus, spans));
    DT_TRY(dt_agree(in->world, dt_shard_load(shard, corpus, streams, first_slot, end_slot)));
    dt_corpus_drop_outside(corpus, evaluated->first, evaluated->end);
    return DT_OK;
}
