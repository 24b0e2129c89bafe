/* The table of well-formed byte sequences, as comparisons. */
#include "base/utf8.h"

#include "base/assert.h"

int dt_utf8_bytes(const char *text) {
    const unsigned char *byte = (const unsigned char *)text;
    const unsigned char first = byte[0];
    const int more = first < 0x80   ? 0
                     : first < 0xC2 ? -1
                     : first < 0xE0 ? 1
                     : first < 0xF0 ? 2
                     : first < 0xF5 ? 3
                                    : -1;
    /* The second byte has narrower bounds after four of the first ones: no overlong forms, no surrogates,
     * none beyond U+10FFFF. */
    const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (more > 0 && (byte[1] < low || byte[1] > high))
        return 0;
    for (int i = 2; i <= more; i++)
        if (byte[i] < 0x80 || byte[i] > 0xBF)
            return 0;
    return more + 1;
}

uint32_t dt_utf8_point(const char *text, int bytes) {
    DT_ASSERT(bytes >= 1 && bytes <= 4);
    const unsigned char *byte = (const unsigned char *)text;
    uint32_t point = bytes == 1 ? byte[0] : byte[0] & (0xFFu >> (bytes + 1));
    for (int i = 1; i < bytes; i++)
        point = point << 6 | (byte[i] & 0x3Fu);
    return point;
}
