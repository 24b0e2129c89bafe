/* Files that are no UTF-8 text are told by their first bytes and named; texts of every kind pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/recognise.h"

#define BYTES_MAX 4096

/* The bytes are refused in one sentence that has `what` in it; a NULL is for those that pass. */
static void expect(const void *bytes, size_t length, const char *what) {
    const dt_status status = dt_recognise_text("f", bytes, (int64_t)length);
    if (what == NULL && status != DT_OK)
        fail_msg("refused: %s", dt_error());
    if (what == NULL)
        return;
    if (status != DT_USAGE || strstr(dt_error(), what) == NULL)
        fail_msg("expected \"%s\", found %d and \"%s\"", what, status, dt_error());
    assert_int_equal(strncmp(dt_error(), "cannot use f: expected a text in UTF-8, found ", 46), 0);
    assert_non_null(strstr(dt_error(), "; "));
}

#define EXPECT(literal, what) expect(literal, sizeof(literal) - 1, what)

static void packed_files_are_named(void **state) {
    (void)state;
    EXPECT("\x1F\x8B\x08\x00\x00\x00\x00\x00", "a file packed by gzip; unpack it (gunzip -k FILE)");
    EXPECT("\x28\xB5\x2F\xFD\x04\x00", "a file packed by zstd; unpack it (unzstd FILE)");
    EXPECT("\x5E\x2A\x4D\x18\x04\x00", "a file packed by zstd");
    EXPECT("\xFD"
           "7zXZ\x00\x00\x04",
           "a file packed by xz");
    EXPECT("BZh91AY&SY\x01", "a file packed by bzip2");
    EXPECT("\x04\x22\x4D\x18\x64", "a file packed by lz4");
    EXPECT("PK\x03\x04\x14\x00", "a zip archive");
    EXPECT("%PDF-1.7\n", "a PDF document; extract its text (pdftotext FILE)");
    EXPECT("\x7F"
           "ELF\x02\x01",
           "a compiled program (ELF)");
    char tar[512] = "name.txt";
    memcpy(tar + 257, "ustar\00000", 8);
    expect(tar, sizeof tar, "a tar archive; unpack it (tar xf FILE)");
}

/* Writes ASCII, and for each '~' a character past U+FFFF, in units of `width` bytes. */
static size_t widen(const char *text, int width, bool big_endian, uint8_t *bytes) {
    size_t length = 0;
    for (const char *c = text; *c; c++) {
        const uint32_t wide[2] = {*c == '~' ? (width == 2 ? 0xD83D : 0x1F600) : (uint8_t)*c, 0xDE00};
        for (int u = 0; u < (*c == '~' && width == 2 ? 2 : 1); u++)
            for (int i = 0; i < width; i++)
                bytes[length++] = (uint8_t)(wide[u] >> 8 * (big_endian ? width - 1 - i : i));
    }
    return length;
}

/* With a mark and without, and cut in the middle of a unit. */
static void wide_characters_are_named(void **state) {
    (void)state;
    static const struct {
        int width;
        bool big_endian;
        const char *mark, *name;
    } cases[] = {{2, false, "\xFF\xFE", "found one in UTF-16LE; convert it (iconv -f UTF-16LE -t UTF-8"},
                 {2, true, "\xFE\xFF", "found one in UTF-16BE;"},
                 {4, false, "\xFF\xFE\0\0", "found one in UTF-32LE;"},
                 {4, true, "\0\0\xFE\xFF", "found one in UTF-32BE;"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[BYTES_MAX];
        const size_t width = (size_t)cases[i].width;
        memcpy(bytes, cases[i].mark, width);
        const size_t length = width + widen("It was bright;\r\n\tthe ~ clock.\n", cases[i].width,
                                            cases[i].big_endian, bytes + width);
        expect(bytes, length, cases[i].name);
        expect(bytes + width, length - width, cases[i].name);
        expect(bytes + width, length - width - 1, cases[i].name);
        expect(bytes, width, cases[i].name); /* nothing but the mark */
    }
    /* Chinese, where only the line's end has a NUL. */
    EXPECT("\x2D\x4E\x87\x65\x0A\x00", "found one in UTF-16LE;");
    EXPECT("\x4E\x2D\x65\x87\x00\x0A", "found one in UTF-16BE;");
}

/* Token ids as 16-bit and 32-bit numbers, and a stray NUL, are no text; neither are they taken for wide one.
 */
static void binary_files_are_named(void **state) {
    (void)state;
    uint16_t ids[512];
    uint32_t wide[512];
    for (uint32_t i = 0; i < 512; i++) {
        wide[i] = i % 20 == 0 ? 11 : i * 7919 % 50257; /* a comma in GPT-2 is 11 */
        ids[i] = (uint16_t)wide[i];
    }
    expect(ids, sizeof ids, "found a NUL byte at offset ");
    expect(wide, sizeof wide, "found a NUL byte at offset ");
    EXPECT("some text\0and more", "found a NUL byte at offset 9, which a text does not have");
    EXPECT("\0", "found a NUL byte at offset 0");
}

static void texts_pass(void **state) {
    (void)state;
    EXPECT("a", NULL);
    EXPECT("It was a bright cold day\r\n\tin April\f\n", NULL);
    EXPECT("\xEF\xBB\xBFwith a mark", NULL);
    EXPECT("caf\xE9 in Latin-1", NULL);
    EXPECT("\xE4\xB8\xAD\xE6\x96\x87\n", NULL);
    EXPECT("PK, %PDF and BZh are letters", NULL);
    EXPECT("\x1B[1mbold\x1B[0m\n", NULL);
    assert_true(dt_recognise_mark((const uint8_t *)"\xEF\xBB\xBF", 3));
    assert_false(dt_recognise_mark((const uint8_t *)"\xEF\xBB", 2));
    assert_false(dt_recognise_mark((const uint8_t *)"a\xEF\xBB\xBF", 4));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_files_are_named), cmocka_unit_test(wide_characters_are_named),
        cmocka_unit_test(binary_files_are_named), cmocka_unit_test(texts_pass)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
