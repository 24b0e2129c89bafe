/**
 * Counting the pieces of texts, a line at a time, as the tokenizers library trains: no piece spans lines, and
 * a prefix space stands before each.
 *
 *     DT_TRY(dt_line_counter_create(&counter, true, false, NULL));
 *     for (each text) {
 *         for (its bytes, in parts of any size)
 *             DT_TRY(dt_line_counter_add(&counter, bytes, length));
 *         DT_TRY(dt_line_counter_end(&counter));
 *     }
 *     dt_line_counter_free(&counter);
 */
#ifndef DT_TOKENIZER_LINE_COUNTER_H
#define DT_TOKENIZER_LINE_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include "tokenizer/bpe_contents.h"
#include "tokenizer/kind.h"
#include "tokenizer/piece_counts.h"

typedef struct dt_line_counter {
    dt_piece_counts counts;
    int64_t bytes;            /**< counted so far, of all texts */
    const char *apart;        /**< a text that is part of no piece; or NULL */
    dt_bpe_contents contents; /**< its splitter is what counts here */
    dt_tokenizer tokenizer;
    dt_encoder encoder;
    uint8_t *buffer; /**< what has been read and not counted */
    int64_t capacity, used;
} dt_line_counter;

/**
 * Nothing counted yet. Pieces are those of GPT-2's pattern, or whole lines, of which only the first are
 * counted that memory holds (counter->counts.is_full says so): from then on nothing is. `apart`, NULL or a
 * string that outlives the counter, divides lines as an added token will in a text. The caller frees it in
 * any case, and does not move it. Local.
 */
dt_status dt_line_counter_create(dt_line_counter *counter, bool use_regex, bool add_prefix_space,
                                 const char *apart);

/** Frees it; one that is all zero is fine. Local. */
void dt_line_counter_free(dt_line_counter *counter);

/** Counts the pieces of the lines that end in the next bytes[0..length) of a text. What is no UTF-8 is read
 * as U+FFFD. A line of more than 32 MB is taken in stretches of that. Local. */
dt_status dt_line_counter_add(dt_line_counter *counter, const uint8_t *bytes, int64_t length);

/** The text has ended: counts the rest of it. Local. */
dt_status dt_line_counter_end(dt_line_counter *counter);

#endif
