/**
 * A text that can be read only once, tokenized round by round: rank 0 reads and unpacks, and all tokenize
 * what it hands out.
 */
#ifndef DT_TRAIN_TOKENIZE_STREAM_H
#define DT_TRAIN_TOKENIZE_STREAM_H

#include "base/status.h"
#include "train/tokenize_round.h"

/** Tokenizes the next source of the corpus, a stream, and writes its tokens. Fails where it is no text,
 * with DT_STOPPED on request. Collective. */
dt_status dt_tokenize_stream_take(dt_tokenize_work *t, const dt_source *source);

#endif
