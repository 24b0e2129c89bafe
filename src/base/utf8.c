/* The table of well-formed byte sequences, as comparisons. */
#include "base/utf8.h"

#include "base/assert.h"

int64_t dt_utf8_subpart(const uint8_t *bytes, int64_t length, bool *well_formed) {
    DT_ASSERT(length >= 1);
    const uint8_t lead = bytes[0];
    /* 0, which `used` never is, where no character begins. */
    const int64_t whole = lead < 0x80   ? 1
                          : lead < 0xC2 ? 0
                          : lead < 0xE0 ? 2
                          : lead < 0xF0 ? 3
                          : lead < 0xF5 ? 4
                                        : 0;
    /* The second byte has narrower bounds after four of the first ones: no overlong forms, no surrogates,
     * none beyond U+10FFFF. */
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    int64_t used = 1;
    while (used < whole && used < length && bytes[used] >= low && bytes[used] <= high) {
        used++;
        low = 0x80;
        high = 0xBF;
    }
    *well_formed = used == whole;
    return used;
}

int dt_utf8_bytes(const char *text) {
    bool well_formed;
    /* The 0 byte at the end continues nothing, so that no byte after it is looked at. */
    const int64_t used = dt_utf8_subpart((const uint8_t *)text, INT64_MAX, &well_formed);
    return well_formed ? (int)used : 0;
}

uint32_t dt_utf8_point(const char *text, int bytes) {
    DT_ASSERT(bytes >= 1 && bytes <= 4);
    const unsigned char *byte = (const unsigned char *)text;
    uint32_t point = bytes == 1 ? byte[0] : byte[0] & (0xFFu >> (bytes + 1));
    for (int i = 1; i < bytes; i++)
        point = point << 6 | (byte[i] & 0x3Fu);
    return point;
}

int dt_utf8_write(char *text, uint32_t point) {
    DT_ASSERT(point <= 0x10FFFF);
    const int bytes = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (int i = bytes - 1; i > 0; i--, point >>= 6)
        text[i] = (char)(0x80 | (point & 0x3F));
    text[0] = (char)(lead[bytes] | point);
    return bytes;
}
