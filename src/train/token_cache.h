/**
 * The tokens of texts kept in a folder, so that the next run of the same texts does not tokenize them again.
 *
 *     FOLDER/<hash of the files, 16 hex digits>-<hash of the tokenizer>.tokens
 *
 * Each is a file of tokens (data/token_file.h). It is written under a temporary name, and where two runs make
 * one at the same time the first that is done wins. What is known of a text without tokenizing it is the hash
 * of its files' bytes, which all ranks read together where there is a file that may be of it.
 */
#ifndef DT_TRAIN_TOKEN_CACHE_H
#define DT_TRAIN_TOKEN_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "data/corpus.h"

/**
 * The folder in which the tokens of `corpus` are to be kept, as a new string that the caller frees; NULL for
 * none. By the option: `auto` means out_dir/tokens, where the tokenizer takes its time or a text can be read
 * only once. None while the tokenizer still collects its characters. Fails when out of memory. Local.
 */
dt_status dt_token_cache_folder(const dt_config *config, const dt_corpus *corpus, char **folder);

/** The same of a text of which it is known whether its tokens are kept by `auto`. Local. */
dt_status dt_token_cache_locate(const dt_config *config, bool by_auto, char **folder);

/**
 * Has the corpus, which is of texts and not indexed, read its tokens from a file in `folder`: one that is
 * there, or a new one. `tokenizer_name` is for its header. Where the folder cannot be used, is not seen by
 * all ranks, or its disk has too little space, the log says so in one line, and `*used` is false; a corpus
 * that can be read only once is refused then. On a failure, or DT_STOPPED, nothing new is left in the folder.
 * `folder` must agree. Collective.
 */
dt_status dt_token_cache_use(const dt_world *world, dt_corpus *corpus, const char *folder,
                             const char *tokenizer_name, bool *used);

/**
 * The same for one who reads and writes nothing: where `folder` has no such file, or a damaged one, `*used`
 * is false. Collective.
 */
dt_status dt_token_cache_find(const dt_world *world, dt_corpus *corpus, const char *folder, bool *used);

/**
 * Tokenizes the corpus into a new file in `folder`, a temporary one that exists, and has it read that.
 * `folder` must agree. Collective.
 */
dt_status dt_token_cache_visit(const dt_world *world, dt_corpus *corpus, const char *folder);

/**
 * What a run took from standard input is gone, but for its tokens: where `data` is that, and the config's
 * cache has the tokens of the content `hash`, `*list` becomes a new list (config/list.h) of the file that
 * holds them, which the caller frees; else NULL. `config` and `data` must agree. Collective.
 */
dt_status dt_token_cache_find_stream(const dt_world *world, const dt_config *config, const char *data,
                                     const dt_tokenizer *tokenizer, uint64_t hash, char **list);

/** The file in `folder` for a text of that hash, packed or not: the one that is there, which may be called by
 * the hash of the tokenizer's file, as older ones are, or the one that would be. A new string that the caller
 * frees; NULL when out of memory. Local. */
char *dt_token_cache_path(const char *folder, uint64_t hash, const dt_tokenizer *tokenizer);

#endif
