/**
 * The tokens of a text that can be read only once, for work that keeps nothing: in a file that goes with it.
 */
#ifndef DT_TRAIN_TOKEN_TEMPORARY_H
#define DT_TRAIN_TOKEN_TEMPORARY_H

#include "base/status.h"
#include "comm/world.h"
#include "data/corpus.h"

/**
 * Has the corpus, which is of texts and not indexed, read its tokens from a new file in a temporary folder
 * (base/temporary.h), which dt_corpus_close removes. Fails where there is too little space, and where not all
 * ranks see the folder; then nothing is left of it. Collective.
 */
dt_status dt_token_temporary_use(const dt_world *world, dt_corpus *corpus);

#endif
