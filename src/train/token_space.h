/**
 * How much of a disk the tokens of texts will take, asked before they are written.
 */
#ifndef DT_TRAIN_TOKEN_SPACE_H
#define DT_TRAIN_TOKEN_SPACE_H

#include <stdint.h>

#include "base/status.h"
#include "data/corpus.h"

/**
 * About how many bytes a file of the corpus's tokens has, by the first block of a few of its texts; 0 where
 * nobody knows, since the text comes from standard input. The corpus is of texts. Local.
 */
dt_status dt_token_space_estimate(const dt_corpus *corpus, int64_t *bytes);

/** Fails where the disk of `folder` has too little free space for them. Local. */
dt_status dt_token_space_check(const dt_corpus *corpus, const char *folder);

#endif
