/* Blocks of a stream that one reads and others tokenize. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/text_blocks.h"
#include "support/corpus_folder.h"
#include "support/sentence.h"

#define TEXT_BYTES (5 * DT_TEXT_BLOCK_BYTES / 2)

static void write_text(const corpus_folder *folder) {
    char *text = malloc((size_t)TEXT_BYTES);
    assert_non_null(text);
    for (int64_t i = 0; i < TEXT_BYTES; i++)
        text[i] = i % 61 == 60 ? '\n' : (char)('a' + i % 23);
    corpus_folder_write(folder, text, (size_t)TEXT_BYTES);
    free(text);
}

/* Of its tokens too, of one byte each. */
static void expect_same_block(const dt_text_block *one, const dt_text_block *other) {
    assert_true(one->start == other->start && one->stop == other->stop && one->hash == other->hash);
    assert_int_equal(one->count.tokens, other->count.tokens);
    assert_memory_equal(one->tokens, other->tokens, (size_t)one->count.tokens);
}

/* Whoever has the bytes of the reader's window makes the same tokens of each block. */
static void others_tokenize_what_one_reads(void **state) {
    const corpus_folder *folder = *state;
    const dt_tokenizer *ascii = corpus_folder_ascii();
    dt_text_blocks all = {0}, reader = {0}, other = {0};
    dt_text_window file, stream, taken;
    dt_unpack *unpack;
    int64_t starts[4 + 1], found;
    write_text(folder);
    assert_done(dt_text_blocks_create(&all, ascii, 2, 1, true));
    assert_done(dt_text_blocks_create(&reader, ascii, 1, 1, true));
    assert_done(dt_text_blocks_create(&other, ascii, 1, 1, true));
    assert_done(dt_text_window_open(&file, folder->file, TEXT_BYTES, ascii));
    assert_done(dt_text_blocks_run(&all, &file, 0, 3, NULL));
    assert_int_equal(all.count, 3);
    assert_done(dt_unpack_open(&unpack, folder->file, NULL));
    dt_text_window_stream(&stream, folder->file, unpack, ascii);
    dt_text_window_stream(&taken, folder->file, NULL, ascii);
    /* Two blocks, and then those that are left. */
    for (int64_t first = 0; first < 4; first += 2) {
        assert_done(dt_text_blocks_look(&reader, &stream, first, 2, starts, &found));
        assert_int_equal(found, first == 0 ? 2 : 1);
        assert_done(dt_text_window_take(&taken, stream.from, stream.to, stream.text_bytes));
        memcpy(taken.bytes, stream.bytes, (size_t)(stream.to - stream.from));
        for (int64_t i = 0; i < found; i++) {
            assert_done(dt_text_blocks_run(&other, &taken, first + i, 1, starts + i));
            assert_int_equal(other.count, 1);
            expect_same_block(&other.block[0], &all.block[first + i]);
        }
    }
    assert_int_equal(stream.text_bytes, TEXT_BYTES);
    assert_done(dt_text_blocks_look(&reader, &stream, 3, 2, starts, &found));
    assert_int_equal(found, 0);
    dt_text_window_close(&file);
    dt_text_window_close(&stream);
    dt_text_window_close(&taken);
    dt_unpack_close(unpack);
    dt_text_blocks_free(&all);
    dt_text_blocks_free(&reader);
    dt_text_blocks_free(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
        others_tokenize_what_one_reads, corpus_folder_make, corpus_folder_remove)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
