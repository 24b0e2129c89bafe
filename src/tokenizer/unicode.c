/* The table of runs, and what reads it. */
#include "tokenizer/unicode.h"

#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "tokenizer/unicode_table.h"

#define CATEGORIES (sizeof DT_UNICODE_NAMES / 2)

void dt_unicode_categories(uint8_t *category) {
    uint32_t point = 0;
    for (size_t line = 0; line < sizeof dt_unicode_runs / sizeof *dt_unicode_runs; line++)
        for (const char *run = dt_unicode_runs[line]; *run != 0;) {
            const char letter = *run++;
            uint32_t count = 0;
            while (*run >= '0' && *run <= '9')
                count = 10 * count + (uint32_t)(*run++ - '0');
            count += count == 0;
            DT_ASSERT(point + count <= DT_UNICODE_POINTS);
            memset(category + point, letter <= 'Z' ? letter - 'A' : letter - 'a' + 26, count);
            point += count;
        }
    DT_ASSERT(point == DT_UNICODE_POINTS);
}

uint32_t dt_unicode_mask(const char *name, size_t length) {
    uint32_t mask = 0;
    if (length != 1 && length != 2)
        return 0;
    for (size_t i = 0; i < CATEGORIES; i++)
        if (strncmp(&DT_UNICODE_NAMES[2 * i], name, length) == 0)
            mask |= (uint32_t)1 << i;
    return mask;
}

bool dt_unicode_is_space(uint32_t point) {
    return (point >= 9 && point <= 13) || point == ' ' || point == 0x85 || point == 0xA0 || point == 0x1680 ||
           (point >= 0x2000 && point <= 0x200A) || point == 0x2028 || point == 0x2029 || point == 0x202F ||
           point == 0x205F || point == 0x3000;
}

uint32_t dt_unicode_read(const uint8_t *bytes, int64_t length, int64_t *bytes_read) {
    if (bytes[0] < 0x80) {
        *bytes_read = 1;
        return bytes[0];
    }
    bool well_formed;
    *bytes_read = dt_utf8_subpart(bytes, length, &well_formed);
    return well_formed ? dt_utf8_point((const char *)bytes, (int)*bytes_read) : DT_UNICODE_REPLACEMENT;
}
