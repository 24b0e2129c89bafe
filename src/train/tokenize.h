/**
 * A corpus of texts tokenized once, by all ranks and threads at once, into a file of tokens.
 *
 * The blocks of a text go round by round: in each round every rank takes a run of them, the ranks tell one
 * another how many tokens theirs have, and each writes its own where they belong. So the text is read once,
 * nothing is held but a round, and the file's bytes do not depend on the ranks. Of a text that can be read
 * only once rank 0 reads and unpacks a round, and hands it out.
 */
#ifndef DT_TRAIN_TOKENIZE_H
#define DT_TRAIN_TOKENIZE_H

#include "base/status.h"
#include "comm/world.h"
#include "data/corpus.h"
#include "data/token_writer.h"

/**
 * Tokenizes `corpus`, which is of texts, has been opened and needs no index, into a file that is to be
 * `path`. On success rank 0's `writer` has all of it, with what there is to say of it but the tokenizer's
 * name; the other ranks' hold nothing. After a failure, or DT_STOPPED on request, nothing is left of the
 * file. `path` must agree. Collective.
 */
dt_status dt_tokenize_run(const dt_world *world, const dt_corpus *corpus, const char *path,
                          dt_token_writer *writer);

#endif
