/**
 * Tokens at rest, in a corpus or a shard: 1, 2 or 4 bytes each, as the vocabulary asks, in the machine's
 * order. What a model takes is ids of 32 bits. All functions are local.
 */
#ifndef DT_TOKENIZER_TOKENS_H
#define DT_TOKENIZER_TOKENS_H

#include <stdint.h>

/** The fewest bytes that hold every id below V: 1 up to 256, 2 up to 65536, else 4. */
int dt_tokens_bytes(int64_t V);

/** ids[count] of tokens[count] that are `token_bytes` bytes each. */
void dt_tokens_widen(int32_t *ids, const void *tokens, int token_bytes, int64_t count);

/** The way back: each id must be one of a vocabulary that dt_tokens_bytes gives `token_bytes` for. */
void dt_tokens_narrow(void *tokens, const int32_t *ids, int token_bytes, int64_t count);

/** How many of tokens[count] are `id`; -1 is none of them. */
int64_t dt_tokens_count(const void *tokens, int token_bytes, int64_t count, int32_t id);

#endif
