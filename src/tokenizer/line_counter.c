/* A buffer that is refilled behind its last unfinished line. */
#include "tokenizer/line_counter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tokenizer/bpe_encoder.h"
#include "tokenizer/encoder.h"

#define READ_BYTES     (1 << 20)
#define MAX_LINE_BYTES (32 << 20)

dt_status dt_line_counter_create(dt_line_counter *counter, bool use_regex, bool add_prefix_space) {
    const dt_splitter_stage stage = {dt_splitter_gpt2, false};
    *counter = (dt_line_counter){.capacity = 2 * READ_BYTES};
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
        const dt_text text = {line, length, true, true};
        DT_TRY(dt_bpe_encoder_pieces(&counter->encoder, &text, dt_piece_counts_add, &counter->counts));
        first += length;
        counter->bytes += length;
    }
    counter->used -= first;
    memmove(counter->buffer, counter->buffer + first, (size_t)counter->used);
    return DT_OK;
}

/* Room to read into; a line that has grown too long is counted as it stands. */
static dt_status make_space(dt_line_counter *counter) {
    if (counter->capacity - counter->used >= READ_BYTES)
        return DT_OK;
    if (counter->used >= MAX_LINE_BYTES)
        return count_lines(counter, true);
    uint8_t *grown = realloc(counter->buffer, 2 * (size_t)counter->capacity);
    if (grown == NULL)
        return dt_fail("out of memory for reading a text");
    counter->buffer = grown;
    counter->capacity *= 2;
    return DT_OK;
}

static dt_status read_all(dt_line_counter *counter, int descriptor, const char *path,
                          void (*progress)(int64_t bytes)) {
    while (true) {
        DT_TRY(make_space(counter));
        const ssize_t got = read(descriptor, counter->buffer + counter->used, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return dt_fail("%s: cannot be read: %s", path, strerror(errno));
        if (got == 0)
            return count_lines(counter, true);
        counter->used += got;
        DT_TRY(count_lines(counter, false));
        if (counter->counts.is_full)
            return DT_OK;
        if (progress != NULL)
            progress(counter->bytes);
    }
}

dt_status dt_line_counter_read(dt_line_counter *counter, const char *path, void (*progress)(int64_t bytes)) {
    if (strcmp(path, "-") == 0)
        return read_all(counter, STDIN_FILENO, "standard input", progress);
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return dt_usage("%s: cannot be read: %s", path, strerror(errno));
    const dt_status status = read_all(counter, descriptor, path, progress);
    close(descriptor);
    return status;
}
