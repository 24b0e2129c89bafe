/* The table of code points is the reference's. */
#include "support/sentence.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/bytelevel.h"
#include "tokenizer/unicode.h"

/*
 * What `tools/unicode-table --reference` prints: FNV-1a over a byte for each code point, its category's
 * number, and 32 more for white space, as the tokenizers library 0.23.3 takes \p{..} and \s; 255 for
 * surrogates.
 */
#define REFERENCE_HASH UINT64_C(0x3af450ebf23f1311)

static void all_points_are_the_references(void **state) {
    (void)state;
    uint8_t *category = malloc(DT_UNICODE_POINTS);
    uint64_t hash = UINT64_C(14695981039346656037);
    dt_unicode_categories(category);
    for (uint32_t point = 0; point < DT_UNICODE_POINTS; point++) {
        const bool is_surrogate = point >= 0xD800 && point < 0xE000;
        assert_int_equal(is_surrogate, dt_unicode_mask("Cs", 2) >> category[point] & 1);
        const uint8_t number = (uint8_t)(category[point] + (dt_unicode_is_space(point) ? 32 : 0));
        hash = (hash ^ (is_surrogate ? 255 : number)) * UINT64_C(1099511628211);
    }
    assert_true(hash == REFERENCE_HASH);
    free(category);
}

static void names_are_masks(void **state) {
    (void)state;
    assert_int_equal(dt_unicode_mask("Lu", 2), 1);
    assert_int_equal(dt_unicode_mask("L", 1), 31);
    assert_int_equal(dt_unicode_mask("uL", 2), 0);
    assert_int_equal(dt_unicode_mask("", 0), 0);
    assert_int_equal(dt_unicode_mask("Lul", 3), 0);
    assert_int_equal(dt_unicode_mask("Cn", 2), 1 << 29);
}

static void every_byte_has_a_character(void **state) {
    (void)state;
    uint8_t bytes[256], back[512];
    char text[513];
    for (int byte = 0; byte < 256; byte++) {
        bytes[byte] = (uint8_t)byte;
        assert_int_equal(dt_bytelevel_byte(dt_bytelevel_point((uint8_t)byte)), byte);
    }
    assert_int_equal(dt_bytelevel_point(' '), 0x120);
    assert_int_equal(dt_bytelevel_point('\n'), 0x10A);
    assert_int_equal(dt_bytelevel_point(173), 0x143);
    assert_int_equal(dt_bytelevel_byte(0x144), -1);
    assert_int_equal(dt_bytelevel_byte(' '), -1);
    const int64_t length = dt_bytelevel_encode(bytes, 256, text);
    assert_int_equal(dt_bytelevel_decode(text, length, back), 256);
    assert_memory_equal(back, bytes, 256);
    assert_int_equal(dt_bytelevel_decode("a b", 3, back), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_points_are_the_references),
        cmocka_unit_test(names_are_masks),
        cmocka_unit_test(every_byte_has_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
