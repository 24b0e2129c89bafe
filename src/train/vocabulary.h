/**
 * The tokenizer of a run, the same on all ranks: rank 0 reads the file, and the characters of a text are
 * those that any rank has seen.
 */
#ifndef DT_TRAIN_VOCABULARY_H
#define DT_TRAIN_VOCABULARY_H

#include "base/status.h"
#include "comm/world.h"
#include "data/corpus.h"
#include "tokenizer/tokenizer.h"

/**
 * Makes the tokenizer that `name` names, or that of the checkpoint `folder`, where that is not NULL on rank
 * 0. All ranks return the same code; the tokenizer is to be freed in any case. `name` must agree. Collective.
 */
dt_status dt_vocabulary_open(dt_tokenizer *tokenizer, const dt_world *world, const char *name,
                             const char *folder);

/**
 * Has a tokenizer that collects characters (tokenizer/chars.h) see those of the corpus's texts that can be
 * read only once, which rank 0 reads for it and puts aside in TMPDIR, where dt_tokenize_run finds them;
 * leaves any other as it is. A packed file for which there is no room there is read again. Fails as reading
 * the text does. Collective.
 */
dt_status dt_vocabulary_read_streams(const dt_tokenizer *tokenizer, dt_corpus *corpus, const dt_world *world);

/**
 * Once each rank has indexed its part of the corpus: gives a tokenizer that collects characters
 * (tokenizer/chars.h) its tokens, and the corpus their number and width; leaves any other as it is.
 * Collective.
 */
dt_status dt_vocabulary_settle(dt_tokenizer *tokenizer, dt_corpus *corpus, const dt_world *world);

#endif
