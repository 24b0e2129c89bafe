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
#include "tokenizer/tokens.h"
#include "train/corpus_index.h"
#include "train/stop.h"
#include "verb/token_words.h"
#include "verb/verb.h"

/* How many of the most frequent tokens are shown. */
#define FREQUENT 20

/* So many tokens, or counts of tokens, are looked at together. */
#define CHUNK ((int64_t)1 << 12)

/* The largest vocabulary of a file of tokens that does not say its own. */
#define MAX_V ((int64_t)1 << 24)

/* The vocabulary that is counted over. */
static int64_t vocabulary(const dt_corpus *corpus) {
    int64_t V = corpus->tokenizer ? corpus->tokenizer->V : 0;
    for (int64_t s = 0; s < corpus->sources; s++)
        V = dt_max(V, corpus->source[s].tokens.about.V);
    return V > 0 ? V : corpus->token_bytes < 4 ? (int64_t)1 << 8 * corpus->token_bytes : MAX_V;
}

/* How often each token of `corpus` was seen. */
typedef struct tally {
    const dt_corpus *corpus;
    int64_t V;
    int64_t *counts; /* [V], from the first token on, when the corpus is open */
} tally;

static dt_status begin(tally *t) {
    if (t->counts)
        return DT_OK;
    t->V = vocabulary(t->corpus);
    t->counts = dt_memory_alloc(t->V, sizeof *t->counts, "the tokens' counts");
    return t->counts ? DT_OK : DT_FAILED;
}

static dt_status see(void *context, const void *tokens, int token_bytes, int64_t count) {
    tally *t = context;
    int32_t ids[CHUNK];
    DT_TRY(begin(t));
    for (int64_t first = 0; first < count; first += CHUNK) {
        const int64_t length = dt_min(CHUNK, count - first);
        dt_tokens_widen(ids, (const uint8_t *)tokens + first * token_bytes, token_bytes, length);
        for (int64_t i = 0; i < length; i++) {
            if (ids[i] < 0 || ids[i] >= t->V)
                return dt_fail("%s is damaged: expected tokens below %" PRId64 ", found %" PRId32,
                               t->corpus->path, t->V, ids[i]);
            t->counts[ids[i]]++;
        }
    }
    return DT_OK;
}

/* Adds all ranks' counts up, a section at a time, so that what a rank holds of all others stays small. */
static dt_status add_up(const dt_world *world, tally *t) {
    int64_t *all = dt_memory_alloc(CHUNK * world->size, sizeof *all, "the ranks' counts");
    dt_status status = dt_agree(world, all ? begin(t) : DT_FAILED);
    for (int64_t first = 0; status == DT_OK && first < t->V; first += CHUNK) {
        const int64_t length = dt_min(CHUNK, t->V - first);
        memcpy(all + world->rank * length, t->counts + first, (size_t)length * sizeof *all);
        status = dt_world_gather_same(world, all, length * (int64_t)sizeof *all);
        memset(t->counts + first, 0, (size_t)length * sizeof *all);
        for (int64_t i = 0; status == DT_OK && i < length * world->size; i++)
            t->counts[first + i % length] += all[i];
    }
    dt_memory_free(all);
    return status;
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

static dt_status print(const tally *t) {
    const dt_corpus *corpus = t->corpus;
    for (int64_t s = 0; s < corpus->sources; s++)
        if (dt_corpus_is_joined(corpus, &corpus->source[s]))
            t->counts[corpus->joint]++; /* which stands in no block */
    print_totals(corpus, t->counts, t->V);
    print_frequent(corpus, t->counts, t->V);
    return dt_verb_printed("the counts");
}

/* With a tokenizer for what is a text, or where one is named. Each rank counts what it reads. */
static dt_status run(const dt_world *world, const dt_token_words *words) {
    dt_tokenizer tokenizer = {0};
    dt_corpus corpus = {0};
    tally t = {.corpus = &corpus};
    dt_corpus_index_inputs inputs = {.config = &words->config,
                                     .data = words->list,
                                     .V = MAX_V,
                                     .visits = true,
                                     .observer = {see, &t},
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
        status = add_up(world, &t);
    if (status == DT_OK)
        status = dt_agree(world, world->rank == 0 ? print(&t) : DT_OK);
    dt_memory_free(t.counts);
    dt_corpus_close(&corpus);
    dt_tokenizer_free(&tokenizer);
    return status;
}

dt_status dt_verb_statistics(const dt_verb *verb, int argc, char **argv) {
    return dt_token_words_run(verb, argc, argv, run, "nothing was counted");
}
