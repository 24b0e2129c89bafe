/**
 * The words that `dtrain tokenize` takes in its three forms: files, a tokenizer, and how to read the files.
 */
#ifndef DT_VERB_TOKEN_WORDS_H
#define DT_VERB_TOKEN_WORDS_H

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "data/corpus.h"
#include "tokenizer/tokenizer.h"
#include "verb/row.h"

typedef struct dt_token_words {
    dt_verb_flags flags;
    char *list; /**< of the files (config/list.h) */
    dt_config
        config; /**< defaults, but what the flags say of data_format and join_documents; no token cache */
} dt_token_words;

/** Reads the words after the verb's: at least one file. Freed by the caller, after failure too. Local. */
dt_status dt_token_words_read(dt_token_words *words, const dt_verb *verb, int argc, char **argv);

/**
 * All of a collective form: joins the job, reads the words, does `work` with them, and leaves. At a signal
 * that asks to stop the work ends as a failure, whose sentence ends with `undone`. Returns what the process
 * is to exit with. Collective.
 */
dt_status dt_token_words_run(const dt_verb *verb, int argc, char **argv,
                             dt_status (*work)(const dt_world *world, const dt_token_words *words),
                             const char *undone);

/** What --tokenizer names, or the default of the option. Local. */
const char *dt_token_words_tokenizer(const dt_verb_flags *flags);

/** Makes the tokenizer `name`, which must know its tokens without a text. The caller frees it, after failure
 * too. Local. */
dt_status dt_token_words_open(dt_tokenizer *tokenizer, const char *name);

/** Hands all tokens of `corpus` to `take`, some ids[count] at a time, until that fails. Local. */
dt_status dt_token_words_walk(const dt_corpus *corpus,
                              dt_status (*take)(void *context, const int32_t *ids, int64_t count),
                              void *context);

/** Frees what it holds; one that is all zero is fine. Local. */
void dt_token_words_free(dt_token_words *words);

#endif
