/* What corpus_index.c opens, by a run's options. */
#include "train/run_corpus.h"

#include <stdlib.h>

#include "base/log.h"
#include "comm/contract.h"
#include "train/corpus_index.h"
#include "train/stop.h"
#include "train/token_cache.h"

static dt_corpus_index_inputs inputs_of(const dt_run_corpus_inputs *in, const char *data) {
    return (dt_corpus_index_inputs){.config = in->config,
                                    .data = data,
                                    .tokenizer = in->tokenizer,
                                    .V = in->V,
                                    .visits = in->visits,
                                    .stop_requested = dt_stop_requested};
}

/* Asked to stop over a text, it leaves nothing of what is half tokenized. */
static dt_status open_corpus(const dt_world *world, const dt_corpus_index_inputs *inputs, dt_corpus *corpus) {
    dt_stop_attend(NULL, NULL);
    const dt_status status = dt_corpus_index_open(corpus, world, inputs);
    dt_stop_disregard();
    return status;
}

dt_status dt_run_corpus_open(const dt_run_corpus_inputs *in, dt_corpus *corpus) {
    DT_COLLECTIVE(in->world, DT_SAME_INT(in->V), DT_SAME_INT(in->resume->found));
    const dt_config *c = in->config;
    char *kept = NULL;
    if (in->resume->found && in->tokenizer && !dt_config_is_given(c, "data"))
        DT_TRY(
            dt_token_cache_find_stream(in->world, c, c->data, in->tokenizer, in->resume->corpus.hash, &kept));
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
