/* A text with all that a corpus's blocks may be cut at, and its tokens, made whole. */
#ifndef DT_TESTS_MIXED_TEXT_H
#define DT_TESTS_MIXED_TEXT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "support/reference_tokens.h"

/* A text of `length` bytes of plain letters, characters of two to four bytes, CR LF and broken UTF-8. */
static inline uint8_t *mixed_text(size_t length) {
    static const char *const slices[] = {
        "the ",         "quick\t", "fox\r\n", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
        "\xF0\x9F\x98", "\xFF",    "\r",      "\n"};
    uint8_t *text = malloc(length);
    assert_non_null(text);
    size_t done = 0;
    for (uint32_t i = 0; done < length; i++) {
        const char *slice = slices[dt_philox((dt_philox_key){3, 4}, i, 0, 0, 0).w0 % 10];
        size_t bytes = strlen(slice) < length - done ? strlen(slice) : length - done;
        memcpy(text + done, slice, bytes);
        done += bytes;
    }
    return text;
}

/* The tokens of a whole text, which the caller frees. */
static inline uint8_t *mixed_text_tokens(const uint8_t *text, size_t length, int64_t *count) {
    uint8_t *tokens = malloc(length);
    assert_non_null(tokens);
    *count = reference_tokens(text, length, tokens).tokens;
    return tokens;
}

#endif
