/**
 * Opening a corpus with all ranks: where data/, which knows no ranks, and comm/, which knows no corpus, meet.
 */
#ifndef DT_TRAIN_CORPUS_INDEX_H
#define DT_TRAIN_CORPUS_INDEX_H

#include <stdbool.h>

#include "base/status.h"
#include "comm/world.h"
#include "data/corpus.h"
#include "checkpoint/checkpoint.h"

/**
 * Opens `path`, or what dt_corpus_find finds on rank 0 when it is NULL, and indexes it: each rank reads its
 * slice of the blocks once. `path` and the tokenizer must agree. `stop_requested` (may be NULL) is the
 * corpus's from then on: where any rank's says so, all return DT_STOPPED. All ranks return the same code; the
 * corpus is to be closed in any case. Collective.
 */
dt_status dt_corpus_index_open(dt_corpus *corpus, const dt_world *world, const char *path,
                               const dt_tokenizer *tokenizer, bool (*stop_requested)(void));

/** What identifies the corpus. Local. */
dt_corpus_identity dt_corpus_index_identity(const dt_corpus *corpus);

#endif
