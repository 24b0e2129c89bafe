/**
 * A stretch of a text in memory, which moves along the text from its start or anywhere in a file, and where
 * it may be cut.
 *
 * The text is a file, or comes from a stream that is read once (unpack.h). Positions are bytes of the text.
 * All functions are local.
 */
#ifndef DT_DATA_TEXT_WINDOW_H
#define DT_DATA_TEXT_WINDOW_H

#include <stdint.h>

#include "base/status.h"
#include "data/unpack.h"
#include "tokenizer/kind.h"

typedef struct dt_text_window {
    const dt_tokenizer *tokenizer;
    const char *path; /**< for sentences */
    int descriptor;
    dt_unpack *unpack;  /**< NULL where the text is a file */
    int64_t text_bytes; /**< INT64_MAX for a stream whose end was not seen */
    uint8_t *bytes;     /**< [capacity]: the text's bytes [from, to) */
    int64_t capacity, from, to;
} dt_text_window;

/** Over a file of `file_bytes` bytes, which it must still have. `path` and the tokenizer stay the caller's.
 * Closed by the caller; after a failure it holds nothing. */
dt_status dt_text_window_open(dt_text_window *window, const char *path, int64_t file_bytes,
                              const dt_tokenizer *tokenizer);

/** Over what `unpack` reads, which stays the caller's; NULL: over what dt_text_window_take is given. */
void dt_text_window_stream(dt_text_window *window, const char *path, dt_unpack *unpack,
                           const dt_tokenizer *tokenizer);

/**
 * Has the text's bytes [first, end) at hand, or those up to its end, and what the tokenizer must see before
 * them; what lies before that is forgotten, and a stream cannot go back to it.
 */
dt_status dt_text_window_move(dt_text_window *window, int64_t first, int64_t end);

/** Reads on, up to byte `to` or the text's end; what is at hand stays. Fails when memory is short. */
dt_status dt_text_window_extend(dt_text_window *window, int64_t to);

/** The first cut at or behind byte `at`, which is at hand, reading on until there is one. */
dt_status dt_text_window_cut(dt_text_window *window, int64_t at, int64_t *cut);

/** What is at hand, as tokenizers take it: byte 0 of it is byte window->from of the text. */
dt_text dt_text_window_text(const dt_text_window *window);

/** Makes room at hand for the bytes [from, to) of a text of `text_bytes`, which the caller has from another
 * window over the stream and copies to window->bytes. Fails when memory is short. */
dt_status dt_text_window_take(dt_text_window *window, int64_t from, int64_t to, int64_t text_bytes);

/** Frees what it holds; one that is all zero is fine. */
void dt_text_window_close(dt_text_window *window);

#endif
