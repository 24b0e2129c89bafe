/**
 * Counting the pieces of text files, a line at a time, as the tokenizers library trains: no piece spans
 * lines, and a prefix space stands before each.
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
    int64_t bytes;            /**< counted so far, of all files */
    dt_bpe_contents contents; /**< its splitter is what counts here */
    dt_tokenizer tokenizer;
    dt_encoder encoder;
    uint8_t *buffer; /**< what has been read and not counted */
    int64_t capacity, used;
} dt_line_counter;

/** Nothing counted yet. Pieces are those of GPT-2's pattern, or whole lines, of which only the first are
 * counted that memory holds (counter->counts.is_full says so). The caller frees it in any case, and does not
 * move it. Local. */
dt_status dt_line_counter_create(dt_line_counter *counter, bool use_regex, bool add_prefix_space);

/** Frees it; one that is all zero is fine. Local. */
void dt_line_counter_free(dt_line_counter *counter);

/** Counts the pieces of the file `path` ("-" is standard input), and calls `progress`, unless it is NULL, now
 * and then. What is no UTF-8 is read as U+FFFD. A line of more than 32 MB is taken in stretches of that.
 * Local. */
dt_status dt_line_counter_read(dt_line_counter *counter, const char *path, void (*progress)(int64_t bytes));

#endif
