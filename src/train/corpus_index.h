/**
 * Opening a corpus with all ranks: where data/, which knows no ranks, and comm/, which knows no corpus, meet.
 */
#ifndef DT_TRAIN_CORPUS_INDEX_H
#define DT_TRAIN_CORPUS_INDEX_H

#include <stdbool.h>

#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "comm/world.h"
#include "config/config.h"
#include "data/corpus.h"

/** What to open. */
typedef struct dt_corpus_index_inputs {
    const dt_config *config; /**< its join_documents, data_format, token_cache and out_dir */
    const char
        *data; /**< a list (config/list.h) of files and globs; NULL: the default (data/corpus_files.h) */
    const dt_tokenizer *tokenizer; /**< NULL: none */
    dt_tokenizer *collects;        /**< the same, where it is to collect its characters from this corpus
                                      (tokenizer/chars.h); or NULL */
    int64_t V;                     /**< every token must be below it */
    bool visits;                   /**< tokens are read from a token cache, and none are written to it: those
                                      of a text that can be read only once go with the corpus */
    bool holds;                    /**< what is indexed of a text, as far as memory has room, for
                                      dt_corpus_delivery_run: tokens will be read */
    dt_corpus_observer observer;   /**< sees the tokens of this rank's slice, which are read for it once; none
                                      of those that join texts */
    bool (*stop_requested)(void);  /**< the corpus's from then on; may be NULL */
} dt_corpus_index_inputs;

/**
 * Opens the files that rank 0 finds and indexes them: each rank reads its slice of the blocks once; or takes
 * their tokens from the token cache, where the config has one for them. A tokenizer that collects has its
 * tokens from then on. `data`, the options, V and the tokenizer must agree. Where any rank's `stop_requested`
 * says so, all return DT_STOPPED. All ranks return the same code; the corpus is to be closed in any case.
 * Collective.
 */
dt_status dt_corpus_index_open(dt_corpus *corpus, const dt_world *world,
                               const dt_corpus_index_inputs *inputs);

/** Opens the files that rank 0 finds, the same on all ranks, and indexes nothing. As above otherwise.
 * Collective. */
dt_status dt_corpus_index_look(dt_corpus *corpus, const dt_world *world,
                               const dt_corpus_index_inputs *inputs);

/** As dt_corpus_index_open on one rank that has joined no job, of files of tokens alone. Local. */
dt_status dt_corpus_index_open_alone(dt_corpus *corpus, const dt_corpus_index_inputs *inputs);

/** Has a tokenizer that collects see all characters of the corpus, which is open, and gives it its tokens;
 * leaves any other as it is. Collective. */
dt_status dt_corpus_index_collect(dt_tokenizer *tokenizer, dt_corpus *corpus, const dt_world *world);

/** What identifies the corpus. Local. */
dt_corpus_identity dt_corpus_index_identity(const dt_corpus *corpus);

#endif
