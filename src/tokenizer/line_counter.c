/* A buffer that is refilled behind its last unfinished line. */
#include "tokenizer/line_counter.h"

#include <stdlib.h>
#include <string.h>

#include "base/minmax.h"
#include "tokenizer/bpe_encoder.h"
#include "tokenizer/encoder.h"

#define FIRST_BYTES    (2 << 20)
#define MAX_LINE_BYTES (32 << 20)

dt_status dt_line_counter_create(dt_line_counter *counter, bool use_regex, bool add_prefix_space,
                                 const char *apart) {
    const dt_splitter_stage stage = {dt_splitter_gpt2, false};
    *counter = (dt_line_counter){.capacity = FIRST_BYTES, .apart = apart};
    counter->tokenizer = (dt_tokenizer){.own = &counter->contents, .token_bytes = 4};
    counter->buffer = malloc((size_t)counter->capacity);
    if (counter->buffer == NULL)
        return dt_fail("out of memory for reading a text");
    DT_TRY(dt_piece_counts_create(&counter->counts));
    counter->counts.is_sample = !use_regex;
    DT_TRY(dt_splitter_create(&counter->contents.splitter, &stage, use_regex, add_prefix_space ? 0 : -1,
                              "GPT-2's pattern"));
    counter->encoder = (dt_encoder){.tokenizer = &counter->tokenizer};
    return dt_bpe_encoder_create(&counter->encoder);
}

void dt_line_counter_free(dt_line_counter *counter) {
    dt_bpe_encoder_free(&counter->encoder);
    dt_splitter_free(&counter->contents.splitter);
    dt_piece_counts_free(&counter->counts);
    free(counter->buffer);
    *counter = (dt_line_counter){.buffer = NULL};
}

/* What lies between two of the texts that are apart is a text of its own. */
static dt_status count_line(dt_line_counter *counter, const uint8_t *line, int64_t length) {
    const size_t apart = counter->apart ? strlen(counter->apart) : 0;
    const uint8_t *end = line + length;
    while (line < end) {
        const uint8_t *found = apart ? memmem(line, (size_t)(end - line), counter->apart, apart) : NULL;
        const dt_text text = {line, (found ? found : end) - line, true, true};
        if (text.length > 0)
            DT_TRY(dt_bpe_encoder_pieces(&counter->encoder, &text, dt_piece_counts_add, &counter->counts));
        line = found ? found + apart : end;
    }
    return DT_OK;
}

/* Counts the lines of the buffer that are whole, or all that it holds where `is_end`, and moves the rest to
 * its start. */
static dt_status count_lines(dt_line_counter *counter, bool is_end) {
    int64_t first = 0;
    while (first < counter->used && !counter->counts.is_full) {
        const uint8_t *line = counter->buffer + first;
        const uint8_t *newline = memchr(line, '\n', (size_t)(counter->used - first));
        if (newline == NULL && !is_end)
            break;
        const int64_t length = newline != NULL ? newline + 1 - line : counter->used - first;
        DT_TRY(count_line(counter, line, length));
        first += length;
        counter->bytes += length;
    }
    counter->used -= first;
    memmove(counter->buffer, counter->buffer + first, (size_t)counter->used);
    return DT_OK;
}

/* Room for `more` bytes; a line that has grown too long is counted as it stands. */
static dt_status make_space(dt_line_counter *counter, int64_t more) {
    if (counter->used >= MAX_LINE_BYTES)
        DT_TRY(count_lines(counter, true));
    if (counter->capacity - counter->used >= more)
        return DT_OK;
    const int64_t capacity = dt_max(2 * counter->capacity, counter->used + more);
    uint8_t *grown = realloc(counter->buffer, (size_t)capacity);
    if (grown == NULL)
        return dt_fail("out of memory for reading a text");
    counter->buffer = grown;
    counter->capacity = capacity;
    return DT_OK;
}

dt_status dt_line_counter_add(dt_line_counter *counter, const uint8_t *bytes, int64_t length) {
    if (counter->counts.is_full)
        return DT_OK;
    DT_TRY(make_space(counter, length));
    memcpy(counter->buffer + counter->used, bytes, (size_t)length);
    counter->used += length;
    return count_lines(counter, false);
}

dt_status dt_line_counter_end(dt_line_counter *counter) {
    return count_lines(counter, true);
}
