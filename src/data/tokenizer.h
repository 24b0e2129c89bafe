/**
 * Characters to tokens and back: 99 tokens, one a byte.
 *
 *     0 <PAD>   1 <UNK>   2..96 the printable ASCII characters 32..126   97 newline   98 tab
 *
 * Input is UTF-8. A character outside the set is one <UNK>, however many bytes it has; a CR LF pair is one
 * newline. Each maximal subpart of an ill-formed sequence is one <UNK> (Unicode 15, section 3.9, "U+FFFD
 * Substitution of Maximal Subparts") and is counted as invalid.
 *
 * Where a token starts can be told from the three bytes before a place, so a file can be cut into blocks that
 * are tokenized apart: a token belongs to the block in which its first byte lies.
 *
 * Text at rest, in a cache or a shard, is a byte per token; what a model takes is token ids of 32 bits
 * (dt_tokenizer_widen). All functions are local.
 */
#ifndef DT_DATA_TOKENIZER_H
#define DT_DATA_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#define DT_TOKEN_PAD 0
#define DT_TOKEN_UNK 1
#define DT_VOCAB     99

/** The first token that stands for a character: what is below is no text, and no sample draws it. */
#define DT_TOKEN_TEXT 2

/** How many bytes before and after a block dt_tokenizer_block must see. */
#define DT_TOKENIZER_BEFORE 3
#define DT_TOKENIZER_AFTER  3

/** What a stretch of text holds. */
typedef struct dt_tokenizer_count {
    int64_t tokens;  /**< in all */
    int64_t unknown; /**< of which <UNK> */
    int64_t invalid; /**< of which for ill-formed UTF-8 */
    int64_t zero;    /**< of which NUL bytes */
} dt_tokenizer_count;

/**
 * The tokens whose first byte lies in bytes[first..end), of text bytes[0..length) around it. The text must
 * reach DT_TOKENIZER_BEFORE bytes before `first` and DT_TOKENIZER_AFTER past `end`, or to the file's own
 * start and end. Writes them to `tokens` (room for end - first) unless that is NULL, and adds to `*count`
 * unless that is NULL. Returns how many tokens there are.
 */
int64_t dt_tokenizer_block(const uint8_t *bytes, int64_t length, int64_t first, int64_t end, uint8_t *tokens,
                           dt_tokenizer_count *count);

/** The tokens of a whole text; `tokens` has room for `length`. Returns how many there are. */
int64_t dt_tokenizer_encode(const char *text, size_t length, uint8_t *tokens);

/** ids[count] of tokens[count] that are a byte each. */
void dt_tokenizer_widen(int32_t *ids, const uint8_t *tokens, int64_t count);

/** A token as text: one character in UTF-8, "" for <PAD>, U+FFFD for <UNK> and for what is no token. */
const char *dt_tokenizer_text(int32_t token);

/** A token's name in vocab.json: "<PAD>", "<UNK>" (also for what is no token), or the character itself. */
const char *dt_tokenizer_name(int32_t token);

#endif
