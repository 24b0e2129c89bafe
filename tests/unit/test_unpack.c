/* Texts that gzip and zstd have packed, read in pieces of many sizes, and packed texts that are damaged. */
#include "support/corpus_folder.h"

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "data/unpack.h"

enum { TEXT_BYTES = 700000, PACKED_BYTES = 1 << 20 };

static uint8_t text[TEXT_BYTES], packed[PACKED_BYTES];

static void make_text(void) {
    for (uint32_t i = 0; i < TEXT_BYTES; i++)
        text[i] = (uint8_t)('a' + (i * i / 7 + i / 1000) % 26);
}

/* Packs text[0..length) to `to`; how many bytes. */
static size_t pack(bool zstd, size_t length, uint8_t *to, size_t capacity) {
    if (zstd) {
        const size_t bytes = ZSTD_compress(to, capacity, text, length, 3);
        assert_false(ZSTD_isError(bytes));
        return bytes;
    }
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = text;
    stream.avail_in = (uInt)length;
    stream.next_out = to;
    stream.avail_out = (uInt)capacity;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    const size_t bytes = capacity - stream.avail_out;
    assert_int_equal(deflateEnd(&stream), Z_OK);
    return bytes;
}

/* The whole of the folder's file in pieces of `piece` bytes. */
static dt_status read_all(const corpus_folder *folder, uint8_t *found, int64_t piece, int64_t *total) {
    dt_unpack *unpack;
    int64_t count = piece;
    *total = 0;
    dt_status status = dt_unpack_open(&unpack, folder->file, NULL);
    while (status == DT_OK && count == piece) {
        status = dt_unpack_read(unpack, found + *total, piece, &count);
        *total += count;
    }
    dt_unpack_close(unpack);
    return status;
}

static void expect_text(const corpus_folder *folder, size_t length) {
    static uint8_t found[TEXT_BYTES + 500000];
    static const int64_t pieces[] = {1000, 65536, 1 << 18, TEXT_BYTES + 1};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        int64_t total;
        if (read_all(folder, found, pieces[i], &total) != DT_OK)
            fail_msg("%s", dt_error());
        assert_int_equal(total, length);
        assert_memory_equal(found, text, length);
    }
}

static void test_packed(void **state) {
    const corpus_folder *folder = *state;
    for (int zstd = 0; zstd < 2; zstd++) {
        for (size_t length = 0; length <= TEXT_BYTES; length += TEXT_BYTES / 2) {
            corpus_folder_write(folder, packed, pack(zstd, length, packed, sizeof packed));
            assert_true(dt_unpack_recognise(packed, 4));
            expect_text(folder, length);
        }
    }
    assert_false(dt_unpack_recognise(text, 4));
}

/* Pieces one behind another are one text: here the first half of the text twice would not be, so each piece
 * is packed of its own half. */
static void test_several_pieces(void **state) {
    const corpus_folder *folder = *state;
    static uint8_t kept[TEXT_BYTES];
    memcpy(kept, text, sizeof kept);
    for (int zstd = 0; zstd < 2; zstd++) {
        const size_t half = TEXT_BYTES / 2;
        size_t bytes = pack(zstd, half, packed, sizeof packed);
        memmove(text, kept + half, half);
        bytes += pack(zstd, half, packed + bytes, sizeof packed - bytes);
        memcpy(text, kept, sizeof kept);
        corpus_folder_write(folder, packed, bytes);
        expect_text(folder, TEXT_BYTES);
    }
}

/* Zeros behind what gzip has packed, as tapes leave them, are no text: few, and more than are read at once.
 */
static void test_padding(void **state) {
    const corpus_folder *folder = *state;
    static const size_t paddings[] = {1, 3, 512, 600000};
    const size_t bytes = pack(false, TEXT_BYTES, packed, sizeof packed);
    for (size_t i = 0; i < sizeof paddings / sizeof *paddings; i++) {
        assert_true(bytes + paddings[i] < sizeof packed);
        memset(packed + bytes, 0, paddings[i]);
        corpus_folder_write(folder, packed, bytes + paddings[i]);
        expect_text(folder, TEXT_BYTES);
    }
}

static void expect_refused(const corpus_folder *folder, const char *sentence) {
    static uint8_t found[2 * TEXT_BYTES];
    int64_t total;
    assert_int_equal(read_all(folder, found, TEXT_BYTES + 1, &total), DT_USAGE);
    if (strstr(dt_error(), sentence) == NULL || strstr(dt_error(), folder->file) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", sentence, dt_error());
}

static void test_damaged(void **state) {
    const corpus_folder *folder = *state;
    for (int zstd = 0; zstd < 2; zstd++) {
        const char *name = zstd ? "expected a whole file packed by zstd, found "
                                : "expected a whole file packed by gzip, found ";
        char sentence[128];
        const size_t bytes = pack(zstd, TEXT_BYTES, packed, sizeof packed);
        snprintf(sentence, sizeof sentence, "%sits end, too early: it was cut short, near byte %zu of it",
                 name, bytes - 1);
        corpus_folder_write(folder, packed, bytes - 1);
        expect_refused(folder, sentence);
        corpus_folder_write(folder, packed, bytes / 2);
        expect_refused(folder, "it was cut short");
        corpus_folder_write(folder, packed, 5);
        expect_refused(folder, "it was cut short");
        packed[bytes] = 'x';
        corpus_folder_write(folder, packed, bytes + 1);
        expect_refused(folder, "bytes of another kind behind what is packed");
        packed[bytes] = 0; /* and something behind zeros */
        packed[bytes + 1] = 'x';
        corpus_folder_write(folder, packed, bytes + 2);
        expect_refused(folder, "bytes of another kind behind what is packed");
        packed[bytes / 2] ^= 0x55;
        corpus_folder_write(folder, packed, bytes);
        expect_refused(folder, name);
    }
}

/* Standard input, which may be packed or not. */
static void test_standard_input(void **state) {
    const corpus_folder *folder = *state;
    const int before = dup(STDIN_FILENO);
    for (int kind = 0; kind < 3; kind++) {
        const size_t bytes = kind < 2 ? pack(kind == 1, TEXT_BYTES, packed, sizeof packed) : TEXT_BYTES;
        corpus_folder_write(folder, kind < 2 ? packed : text, bytes);
        static uint8_t found[TEXT_BYTES + 1];
        int64_t count;
        dt_unpack *unpack;
        assert_non_null(freopen(folder->file, "rb", stdin));
        assert_int_equal(lseek(STDIN_FILENO, 0, SEEK_SET), 0);
        assert_int_equal(dt_unpack_open(&unpack, "-", NULL), DT_OK);
        assert_int_equal(dt_unpack_read(unpack, found, sizeof found, &count), DT_OK);
        assert_int_equal(count, TEXT_BYTES);
        assert_memory_equal(found, text, TEXT_BYTES);
        assert_int_equal(dt_unpack_input_bytes(unpack), bytes);
        dt_unpack_close(unpack);
    }
    if (before >= 0) {
        assert_true(dup2(before, STDIN_FILENO) >= 0);
        close(before);
    }
}

static bool asked(void) {
    return true;
}

static void test_stop(void **state) {
    const corpus_folder *folder = *state;
    dt_unpack *unpack;
    corpus_folder_write(folder, text, 100);
    assert_int_equal(dt_unpack_open(&unpack, folder->file, asked), DT_STOPPED);
    assert_null(unpack);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, corpus_folder_make, corpus_folder_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_packed),         WITH_FOLDER(test_several_pieces), WITH_FOLDER(test_damaged),
        WITH_FOLDER(test_standard_input), WITH_FOLDER(test_stop),           WITH_FOLDER(test_padding),
    };
    make_text();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
