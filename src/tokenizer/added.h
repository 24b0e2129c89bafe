/**
 * Added tokens: texts such as <|endoftext|> that are found before anything else is done, the leftmost first,
 * of those that begin at one place the longest.
 */
#ifndef DT_TOKENIZER_ADDED_H
#define DT_TOKENIZER_ADDED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** Of one token, at most, and of all tokens of a set together. */
#define DT_ADDED_MAX_BYTES  4096
#define DT_ADDED_MAX_MEMORY (1 << 26)

typedef struct dt_added_token {
    int32_t id;
    bool strips_left, strips_right; /**< it takes the white space on that side too */
} dt_added_token;

/** A tree of their bytes. Immutable once all are in, shared by threads. */
typedef struct dt_added {
    struct dt_added_node *nodes; /**< nodes[0] is the root */
    int32_t node_count, node_capacity;
    int64_t longest;  /**< bytes of the longest token */
    bool begins[256]; /**< whether a token begins with this byte */
    bool strips;      /**< whether any takes white space */
} dt_added;

/** A token in a text, with the white space that it takes. */
typedef struct dt_added_match {
    int32_t id;
    int64_t first, end; /**< what it covers */
    int64_t next;       /**< where the search goes on: the end of its own text */
} dt_added_match;

/** Adds a token of text[0..length), 1 to DT_ADDED_MAX_BYTES bytes. Fails, with `where` before the sentence,
 * where one of the same text is there, or memory is short. Local. */
dt_status dt_added_add(dt_added *added, dt_added_token token, const char *text, int64_t length,
                       const char *where);

/** Frees it; one that is all zero is an empty set. Local. */
void dt_added_free(dt_added *added);

/**
 * The first token in bytes[0..length) that begins at `from` or behind it; false where there is none. White
 * space is taken back to `floor` at most. Local.
 */
bool dt_added_find(const dt_added *added, const uint8_t *bytes, int64_t length, int64_t from, int64_t floor,
                   dt_added_match *match);

/** What the bytes at hand say of a place. */
typedef enum dt_added_answer { DT_ADDED_NO, DT_ADDED_YES, DT_ADDED_UNKNOWN } dt_added_answer;

/**
 * Whether a token, found or not, may begin before `at` or there and end behind it. bytes must reach
 * added->longest bytes before `at`, or to the text's start; unknown where the answer lies behind the last
 * byte and the text goes on. Local.
 */
dt_added_answer dt_added_covers(const dt_added *added, const uint8_t *bytes, int64_t length, bool is_end,
                                int64_t at);

/** How many bytes of white space behind a token are looked through for its end. */
#define DT_ADDED_SPACE_BYTES 64

/**
 * Whether a token, found or not, may end at `at`, the white space that it takes included, so that another
 * stretch of text begins there; also where there is too much white space to tell. bytes must reach
 * added->longest + DT_ADDED_SPACE_BYTES before `at`, or to the text's start. Local.
 */
bool dt_added_ends_at(const dt_added *added, const uint8_t *bytes, int64_t at);

#endif
