/* One buffer that grows as far as the text has no cut. */
#include "data/text_window.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/minmax.h"
#include "tokenizer/tokenizer.h"

/* What is read past the end of what was asked for, since the next cut is likely to be in it. */
#define AHEAD_BYTES 4096

/* What is read at once in search of a cut. */
#define SEARCH_BYTES ((int64_t)1 << 20)

dt_status dt_text_window_open(dt_text_window *window, const char *path, int64_t file_bytes,
                              const dt_tokenizer *tokenizer) {
    int64_t found_bytes;
    *window = (dt_text_window){.tokenizer = tokenizer, .path = path, .text_bytes = file_bytes};
    DT_TRY(dt_file_open(path, &window->descriptor, &found_bytes));
    if (found_bytes == file_bytes)
        return DT_OK;
    dt_text_window_close(window);
    return dt_fail("%s changed while in use: expected %" PRId64 " bytes, as at the start, found %" PRId64
                   "; start again and leave the file alone",
                   path, file_bytes, found_bytes);
}

void dt_text_window_stream(dt_text_window *window, const char *path, dt_unpack *unpack,
                           const dt_tokenizer *tokenizer) {
    *window = (dt_text_window){
        .tokenizer = tokenizer, .path = path, .descriptor = -1, .unpack = unpack, .text_bytes = INT64_MAX};
}

static dt_status reserve(dt_text_window *window, int64_t needed) {
    if (needed <= window->capacity)
        return DT_OK;
    uint8_t *bytes = realloc(window->bytes, (size_t)needed);
    if (bytes == NULL)
        return dt_fail("out of memory for %" PRId64
                       " bytes of %s, in which its tokenizer finds no place to cut "
                       "it; use another tokenizer, or break up its longest line",
                       needed, window->path);
    window->bytes = bytes;
    window->capacity = needed;
    return DT_OK;
}

dt_status dt_text_window_extend(dt_text_window *window, int64_t to) {
    const int64_t end = dt_min(to, window->text_bytes), missing = end - window->to;
    if (missing <= 0)
        return DT_OK;
    DT_TRY(reserve(window, end - window->from));
    uint8_t *bytes = window->bytes + (window->to - window->from);
    int64_t count = missing;
    if (window->unpack) {
        DT_TRY(dt_unpack_read(window->unpack, bytes, missing, &count));
        if (count < missing)
            window->text_bytes = window->to + count;
    } else
        DT_TRY(dt_file_read_at(window->descriptor, window->path, bytes, (size_t)missing, window->to));
    window->to += count;
    return DT_OK;
}

dt_status dt_text_window_move(dt_text_window *window, int64_t first, int64_t end) {
    const int64_t from = dt_max(first - window->tokenizer->before, 0);
    const bool overlaps = from >= window->from && from <= window->to;
    if (first >= window->text_bytes)
        return DT_OK; /* behind the end there is nothing */
    DT_ASSERT(overlaps || window->unpack == NULL);
    /* What is at hand stays where it is, so that a long stretch is not copied again and again. */
    if (overlaps && dt_min(end, window->text_bytes) <= window->to)
        return DT_OK;
    const int64_t kept = overlaps ? window->to - from : 0;
    if (kept > 0 && from > window->from)
        memmove(window->bytes, window->bytes + (from - window->from), (size_t)kept);
    window->from = from;
    window->to = from + kept;
    return dt_text_window_extend(window, end + AHEAD_BYTES);
}

dt_text dt_text_window_text(const dt_text_window *window) {
    return (dt_text){window->bytes, window->to - window->from, window->from == 0,
                     window->to == window->text_bytes};
}

dt_status dt_text_window_cut(dt_text_window *window, int64_t at, int64_t *cut) {
    if (!window->tokenizer->can_cut && at > 0 && window->unpack == NULL) {
        *cut = window->text_bytes; /* no need to read all of it to know */
        return DT_OK;
    }
    for (;;) {
        const dt_text text = dt_text_window_text(window);
        const int64_t found = dt_tokenizer_cut(window->tokenizer, &text, at - window->from);
        *cut = window->from + found;
        if (found >= 0)
            return DT_OK;
        /* Twice as much each time, so that a long stretch is not searched again and again. */
        DT_TRY(dt_text_window_extend(window, window->to + dt_max(SEARCH_BYTES, window->to - window->from)));
    }
}

dt_status dt_text_window_take(dt_text_window *window, int64_t from, int64_t to, int64_t text_bytes) {
    DT_ASSERT(window->unpack == NULL && window->descriptor < 0 && from <= to && to <= text_bytes);
    DT_TRY(reserve(window, to - from));
    window->from = from;
    window->to = to;
    window->text_bytes = text_bytes;
    return DT_OK;
}

void dt_text_window_close(dt_text_window *window) {
    if (window->path && window->descriptor >= 0 && window->unpack == NULL)
        close(window->descriptor);
    free(window->bytes);
    *window = (dt_text_window){0};
}
