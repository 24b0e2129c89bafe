/* Sets of code points as bits. */
#include "tokenizer/charset.h"

#include "base/assert.h"

void dt_charset_add_range(dt_charset *set, uint32_t first, uint32_t last) {
    DT_ASSERT(last < DT_UNICODE_POINTS);
    for (uint32_t point = first; point <= last; point++)
        dt_charset_add(set, point);
}

void dt_charset_add_categories(dt_charset *set, const uint8_t *category, uint32_t mask, bool is_negated) {
    for (uint32_t point = 0; point < DT_UNICODE_POINTS; point++)
        if ((mask >> category[point] & 1) != is_negated)
            dt_charset_add(set, point);
}

/* Behind it there is no white space. */
#define SPACES_END 0x3040

void dt_charset_add_space(dt_charset *set, bool is_negated) {
    for (uint32_t point = 0; point < SPACES_END; point++)
        if (dt_unicode_is_space(point) != is_negated)
            dt_charset_add(set, point);
    if (is_negated)
        for (uint32_t i = SPACES_END / 64; i < DT_UNICODE_POINTS / 64; i++)
            set->bits[i] = UINT64_MAX;
}

void dt_charset_invert(dt_charset *set) {
    for (uint32_t i = 0; i < DT_UNICODE_POINTS / 64; i++)
        set->bits[i] = ~set->bits[i];
}
