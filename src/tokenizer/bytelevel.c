/* Two ranges of numbers that are moved aside, and the way back. */
#include "tokenizer/bytelevel.h"

#include "tokenizer/unicode.h"

#define MOVED 256 /* the first code point of bytes that do not stand for themselves */

uint32_t dt_bytelevel_point(uint8_t byte) {
    if (byte <= 32)
        return MOVED + byte;
    if (byte >= 127 && byte <= 160)
        return MOVED + 33 + (byte - 127u);
    return byte == 173 ? MOVED + 67 : byte;
}

int dt_bytelevel_byte(uint32_t point) {
    if (point < MOVED)
        return dt_bytelevel_point((uint8_t)point) == point ? (int)point : -1;
    const uint32_t moved = point - MOVED;
    if (moved <= 32)
        return (int)moved;
    if (moved <= 66)
        return (int)(moved - 33 + 127);
    return moved == 67 ? 173 : -1;
}

int64_t dt_bytelevel_decode(const char *text, int64_t length, uint8_t *bytes) {
    int64_t count = 0, used;
    for (int64_t at = 0; at < length; at += used) {
        const int byte = dt_bytelevel_byte(dt_unicode_read((const uint8_t *)text + at, length - at, &used));
        if (byte < 0)
            return -1;
        bytes[count++] = (uint8_t)byte;
    }
    return count;
}

int64_t dt_bytelevel_encode(const uint8_t *bytes, int64_t length, char *text) {
    int64_t count = 0;
    for (int64_t i = 0; i < length; i++) {
        const uint32_t point = dt_bytelevel_point(bytes[i]);
        if (point < 0x80)
            text[count++] = (char)point;
        else {
            text[count++] = (char)(0xC0 | point >> 6);
            text[count++] = (char)(0x80 | (point & 0x3F));
        }
    }
    text[count] = 0;
    return count;
}
