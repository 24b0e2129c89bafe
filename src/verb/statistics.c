/* `dtrain tokenize --statistics FILE ..`: how many tokens there are, and which. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "comm/agree.h"
#include "tokenizer/tokenizer.h"
#include "train/corpus_index.h"
#include "train/stop.h"
#include "verb/token_words.h"
#include "verb/verb.h"

/* How many of the most frequent tokens are shown. */
#define FREQUENT 20

/* The largest vocabulary of a file of tokens that does not say its own. */
#define MAX_V ((int64_t)1 << 24)

/* The vocabulary that is counted over. */
static int64_t vocabulary(const dt_corpus *corpus) {
    int64_t V = corpus->tokenizer ? corpus->tokenizer->V : 0;
    for (int64_t s = 0; s < corpus->sources; s++)
        V = dt_max(V, corpus->source[s].tokens.about.V);
    return V > 0 ? V : corpus->token_bytes < 4 ? (int64_t)1 << 8 * corpus->token_bytes : MAX_V;
}

static dt_status count_ids(void *context, const int32_t *ids, int64_t count) {
    int64_t *counts = context;
    for (int64_t t = 0; t < count; t++)
        counts[ids[t]]++;
    return DT_OK;
}

static void print_totals(const dt_corpus *corpus, const int64_t *counts, int64_t V) {
    const dt_token_count *total = &corpus->total;
    int64_t used = 0, largest = 0;
    for (int64_t id = 0; id < V; id++)
        if (counts[id] > 0) {
            used++;
            largest = id;
        }
    dt_log_line("%s: %" PRId64 " tokens of %d byte%s", corpus->path, total->tokens, corpus->token_bytes,
                corpus->token_bytes == 1 ? "" : "s");
    if (corpus->is_text || corpus->source[0].tokens.format == DT_TOKEN_FORMAT_OWN)
        dt_log_line("text: %" PRId64 " bytes, %.3f bytes per token; %" PRId64
                    " tokens for unknown characters, of these %" PRId64 " for bytes that are not UTF-8",
                    corpus->file_bytes, (double)corpus->file_bytes / (double)total->tokens, total->unknown,
                    total->invalid);
    dt_log_line("vocabulary: %" PRId64 " of %" PRId64 " tokens are used, the largest is %" PRId64, used, V,
                largest);
}

/* The next most frequent id behind `before`, by count and then by id; -1: there is none. */
static int64_t next_frequent(const int64_t *counts, int64_t V, int64_t before) {
    int64_t best = -1;
    for (int64_t id = 0; id < V; id++) {
        const bool is_behind =
            before < 0 || counts[id] < counts[before] || (counts[id] == counts[before] && id > before);
        if (counts[id] > 0 && is_behind && (best < 0 || counts[id] > counts[best]))
            best = id;
    }
    return best;
}

static void print_frequent(const dt_corpus *corpus, const int64_t *counts, int64_t V) {
    for (int64_t n = 0, id = next_frequent(counts, V, -1); n < FREQUENT && id >= 0;
         n++, id = next_frequent(counts, V, id)) {
        size_t length = 0;
        const char *text =
            corpus->tokenizer ? dt_tokenizer_decode(corpus->tokenizer, (int32_t)id, &length) : "";
        dt_log_line("%9" PRId64 "  %12" PRId64 "  %6.2f %%  %.*s", id, counts[id],
                    100.0 * (double)counts[id] / (double)corpus->total.tokens, (int)length, text);
    }
}

static dt_status print(const dt_corpus *corpus) {
    const int64_t V = vocabulary(corpus);
    int64_t *counts = dt_memory_alloc(V, sizeof *counts, "the tokens' counts");
    dt_status status = counts ? dt_token_words_walk(corpus, count_ids, counts) : DT_FAILED;
    if (status == DT_OK) {
        print_totals(corpus, counts, V);
        print_frequent(corpus, counts, V);
        status = dt_verb_printed("the counts");
    }
    dt_memory_free(counts);
    return status;
}

/* With a tokenizer for what is a text, or where one is named. Rank 0 counts. */
static dt_status run(const dt_world *world, const dt_token_words *words) {
    dt_tokenizer tokenizer = {0};
    dt_corpus corpus = {0};
    dt_corpus_index_inputs inputs = {.config = &words->config,
                                     .data = words->list,
                                     .V = MAX_V,
                                     .visits = true,
                                     .stop_requested = dt_stop_requested};
    dt_status status = DT_OK;
    if (words->flags.tokenizer) {
        status = dt_agree(world, dt_token_words_open(&tokenizer, words->flags.tokenizer));
        inputs.tokenizer = &tokenizer;
        inputs.V = tokenizer.V;
    }
    if (status == DT_OK)
        status = dt_corpus_index_open(&corpus, world, &inputs);
    if (status == DT_OK)
        status = dt_agree(world, world->rank == 0 ? print(&corpus) : DT_OK);
    dt_corpus_close(&corpus);
    dt_tokenizer_free(&tokenizer);
    return status;
}

dt_status dt_verb_statistics(const dt_verb *verb, int argc, char **argv) {
    return dt_token_words_run(verb, argc, argv, run, "nothing was counted");
}
