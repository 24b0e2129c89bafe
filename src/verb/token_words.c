/* Two of the flags are options of training: the table checks them. */
#include "verb/token_words.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "comm/agree.h"
#include "config/list.h"
#include "config/options.h"
#include "tokenizer/tokens.h"
#include "train/stop.h"
#include "verb/verb.h"

/* How many tokens are read at once. */
#define CHUNK ((int64_t)1 << 16)

static dt_status make_list(dt_token_words *words, const char *const *files, int count) {
    for (int i = 0; i < count; i++) {
        char *longer = dt_list_append(words->list, files[i]);
        if (longer == NULL)
            return dt_usage("tokenize: expected names of files in UTF-8, found one that is not");
        free(words->list);
        words->list = longer;
    }
    return count > 0
               ? DT_OK
               : dt_usage("tokenize: expected the name of at least one file, found none; for example: dtrain "
                          "tokenize text.txt --tokenizer tokenizer.json --out text.tokens");
}

static dt_status set_options(dt_token_words *words) {
    const dt_verb_flags *flags = &words->flags;
    DT_TRY(dt_config_init(&words->config));
    DT_TRY(dt_config_set(&words->config, "token_cache", "null", "tokenize"));
    if (flags->data_format)
        DT_TRY(dt_config_set(&words->config, "data_format", flags->data_format, "--data-format"));
    if (flags->join_documents)
        DT_TRY(dt_config_set(&words->config, "join_documents", flags->join_documents, "--join-documents"));
    return DT_OK;
}

dt_status dt_token_words_read(dt_token_words *words, const dt_verb *verb, int argc, char **argv) {
    const char **files;
    int count;
    *words = (dt_token_words){0};
    dt_status status = dt_verb_words(verb, argc, argv, &words->flags, &files, &count);
    if (status == DT_OK)
        status = make_list(words, files, count);
    if (status == DT_OK)
        status = set_options(words);
    free(files);
    return status;
}

dt_status dt_token_words_run(const dt_verb *verb, int argc, char **argv,
                             dt_status (*work)(const dt_world *world, const dt_token_words *words),
                             const char *undone) {
    dt_token_words words = {0};
    dt_world world;
    DT_TRY(dt_stop_prepare());
    DT_TRY(dt_world_open(&world));
    dt_stop_attend(NULL, NULL); /* nothing is to be left of what is half done */
    dt_log_open(world.rank == 0, dt_log_find_terminal());
    dt_status status = dt_verb_same_launch(&world, argc, argv);
    if (status == DT_OK)
        status = dt_agree(&world, dt_token_words_read(&words, verb, argc, argv));
    if (status == DT_OK)
        status = work(&world, &words);
    if (status == DT_STOPPED)
        status = *dt_error() ? dt_fail("%s: %s", dt_error(), undone) : DT_FAILED;
    dt_stop_finish();
    dt_token_words_free(&words);
    return dt_verb_leave(&world, status);
}

const char *dt_token_words_tokenizer(const dt_verb_flags *flags) {
    return flags->tokenizer ? flags->tokenizer : "ascii";
}

dt_status dt_token_words_open(dt_tokenizer *tokenizer, const char *name) {
    DT_TRY(dt_tokenizer_open(tokenizer, name));
    return tokenizer->V > 0
               ? DT_OK
               : dt_usage("--tokenizer: expected one that knows its tokens, found %s, which collects them "
                          "from a text; name the tokenizer.json that is beside the tokens",
                          name);
}

void dt_token_words_free(dt_token_words *words) {
    free(words->list);
    dt_config_free(&words->config);
    *words = (dt_token_words){0};
}

dt_status dt_token_words_walk(const dt_corpus *corpus,
                              dt_status (*take)(void *context, const int32_t *ids, int64_t count),
                              void *context) {
    uint8_t *tokens = dt_memory_alloc(CHUNK, (size_t)corpus->token_bytes, "tokens");
    int32_t *ids = dt_memory_alloc(CHUNK, sizeof *ids, "tokens");
    dt_status status = tokens && ids ? DT_OK : DT_FAILED;
    for (int64_t first = 0; first < corpus->total.tokens && status == DT_OK; first += CHUNK) {
        const int64_t count = dt_min(CHUNK, corpus->total.tokens - first);
        status = dt_corpus_read(corpus, first, first + count, tokens);
        if (status == DT_OK) {
            dt_tokens_widen(ids, tokens, corpus->token_bytes, count);
            status = take(context, ids, count);
        }
    }
    dt_memory_free(tokens);
    dt_memory_free(ids);
    return status;
}
