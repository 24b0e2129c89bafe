/**
 * What a tokenizer is, whatever its kind: sizes, a few special ids, and a table of functions.
 *
 * This room turns text into tokens and back. It knows nothing of files of tokens, corpora or ranks: bytes
 * enter, and where they may be cut; tokens leave.
 *
 * A kind is a file that fills the table below (ascii.c, bytes.c); tokenizer.h chooses among them, and
 * encoder.h is what callers encode with.
 *
 * A text may be tokenised in blocks, by threads and ranks apart. Where it may be cut is the kind's rule: a
 * *cut* is a place such that the tokens of the whole text are those of what lies before it, followed by those
 * of what lies behind. A block owns the tokens between two cuts, and sees the bytes around them.
 */
#ifndef DT_TOKENIZER_KIND_H
#define DT_TOKENIZER_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** A stretch of a text in memory, and whether it begins and ends where the whole text does. */
typedef struct dt_text {
    const uint8_t *bytes; /**< [length] */
    int64_t length;
    bool is_start, is_end;
} dt_text;

/** What a stretch of text holds. */
typedef struct dt_token_count {
    int64_t tokens;  /**< in all */
    int64_t unknown; /**< of which <UNK> */
    int64_t invalid; /**< ill-formed pieces of UTF-8, where the kind reads UTF-8 */
    int64_t zero;    /**< NUL bytes */
} dt_token_count;

typedef struct dt_tokenizer dt_tokenizer;
typedef struct dt_encoder dt_encoder;

/** What a kind of tokenizer does. Its functions are local. */
typedef struct dt_tokenizer_kind {
    /** As the option `tokenizer` has it, or what a tokenizer.json is of: "ascii", "bytes". */
    const char *name;

    /** What a token is, in sentences: "character", "byte" or "token". */
    const char *unit;

    /** Whether it encodes about as fast as a disk reads, so that nothing is gained by keeping its tokens. */
    bool is_fast;

    /** Frees tokenizer->own; NULL: there is nothing to free. */
    void (*free)(dt_tokenizer *tokenizer);

    /** Makes encoder->own, a thread's scratch and cache; NULL: none is needed. Freed also on failure. */
    dt_status (*open_encoder)(dt_encoder *encoder);
    void (*close_encoder)(dt_encoder *encoder);

    /** dt_encoder_encode without its checks: appends to encoder->tokens where `keep`, and adds to `*count`.
     */
    dt_status (*encode)(dt_encoder *encoder, const dt_text *text, int64_t first, int64_t end, bool keep,
                        dt_token_count *count);

    /** dt_tokenizer_cut for a place that is neither the start nor the end of the whole text. */
    int64_t (*cut)(const dt_tokenizer *tokenizer, const dt_text *text, int64_t from);

    /** dt_tokenizer_decode for an id in [0, V). */
    const char *(*decode)(const dt_tokenizer *tokenizer, int32_t id, size_t *length);

    /** The tokenizer.json that makes the same tokens, a new string that the caller frees; NULL when out of
     * memory. Where the function is NULL, the tokenizer was made of a file, and keeps it. */
    char *(*json)(const dt_tokenizer *tokenizer);
} dt_tokenizer_kind;

/** Does not change once it is made, so threads share it. */
struct dt_tokenizer {
    const dt_tokenizer_kind *kind;
    int64_t V;           /**< ids are 0..V-1 */
    int token_bytes;     /**< of a token at rest: 1, 2 or 4 (tokens.h) */
    int32_t unknown;     /**< the id of <UNK>, or -1 */
    int32_t end_of_text; /**< the id that ends a text, or -1 */
    int32_t first_text;  /**< no id below it stands for text, and no sample draws one */
    int64_t before;      /**< bytes before a place that must be seen to judge whether it is a cut */
    int64_t after;       /**< bytes behind a block's last cut that must be seen to encode the block */
    bool can_cut;        /**< a text has cuts other than its start and end */
    uint64_t hash;       /**< equal for tokenizers that make the same tokens: their identity */
    uint64_t file_hash;  /**< of the bytes of its file, which older files of tokens have in its place; or 0 */
    const char *note;    /**< what its file asks for and a text does not get, in words; NULL: nothing */
    void *own;           /**< the kind's */
};

/** One thread's scratch and cache for encoding, and the tokens that it has made. */
struct dt_encoder {
    const dt_tokenizer *tokenizer;
    uint8_t *tokens;  /**< those of the last call, tokenizer->token_bytes each */
    int64_t count;    /**< how many there are */
    int64_t capacity; /**< for how many there is memory */
    void *own;        /**< the kind's */
};

#endif
