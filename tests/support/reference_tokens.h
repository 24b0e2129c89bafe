/* The tokenizer ascii once more, as slow and plain as the words of tokenizer/ascii.h and of the Unicode
 * standard. */
#ifndef DT_TESTS_REFERENCE_TOKENS_H
#define DT_TESTS_REFERENCE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tokenizer/ascii.h"

/* Unicode 15, table 3-7: a row's lead bytes and the range of each byte that follows. */
static const struct {
    int length;
    uint8_t low[4], high[4];
} reference_well_formed[] = {
    {1, {0x00}, {0x7F}},
    {2, {0xC2, 0x80}, {0xDF, 0xBF}},
    {3, {0xE0, 0xA0, 0x80}, {0xE0, 0xBF, 0xBF}},
    {3, {0xE1, 0x80, 0x80}, {0xEC, 0xBF, 0xBF}},
    {3, {0xED, 0x80, 0x80}, {0xED, 0x9F, 0xBF}},
    {3, {0xEE, 0x80, 0x80}, {0xEF, 0xBF, 0xBF}},
    {4, {0xF0, 0x90, 0x80, 0x80}, {0xF0, 0xBF, 0xBF, 0xBF}},
    {4, {0xF1, 0x80, 0x80, 0x80}, {0xF3, 0xBF, 0xBF, 0xBF}},
    {4, {0xF4, 0x80, 0x80, 0x80}, {0xF4, 0x8F, 0xBF, 0xBF}},
};

/* The longest start of any row that the bytes begin with, and whether it is that row whole. */
static inline size_t reference_tokens_match(const uint8_t *bytes, size_t length, bool *whole) {
    size_t best = 0;
    *whole = false;
    for (size_t row = 0; row < sizeof reference_well_formed / sizeof reference_well_formed[0]; row++) {
        size_t have = 0, want = (size_t)reference_well_formed[row].length;
        while (have < want && have < length && bytes[have] >= reference_well_formed[row].low[have] &&
               bytes[have] <= reference_well_formed[row].high[have])
            have++;
        if (have > best) {
            best = have;
            *whole = have == want;
        }
    }
    return best > 0 ? best : 1;
}

/* The tokens of a text, straight from the words of the header. */
static inline dt_token_count reference_tokens(const uint8_t *bytes, size_t length, uint8_t *tokens) {
    dt_token_count count = {0};
    for (size_t position = 0; position < length;) {
        bool whole;
        size_t used = reference_tokens_match(bytes + position, length - position, &whole);
        uint8_t byte = bytes[position], token = DT_ASCII_UNKNOWN;
        if (byte == '\r' && position + 1 < length && bytes[position + 1] == '\n') {
            token = 97;
            used = 2;
        } else if (byte >= 32 && byte <= 126)
            token = (uint8_t)(byte - 32 + 2);
        else if (byte == '\n')
            token = 97;
        else if (byte == '\t')
            token = 98;
        count.unknown += token == DT_ASCII_UNKNOWN;
        count.invalid += !whole;
        count.zero += byte == 0;
        tokens[count.tokens++] = token;
        position += used;
    }
    return count;
}

#endif
