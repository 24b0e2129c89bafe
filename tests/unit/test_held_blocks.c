/* A corpus that holds what it has read once: its tokens come from memory where they are held, and else from
 * the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/corpus_folder.h"
#include "support/mixed_text.h"
#include "tokenizer/chars.h"
#include "tokenizer/tokenizer.h"

#define BLOCK ((size_t)DT_TEXT_BLOCK_BYTES)

/* What is read of a corpus that holds blocks, up to `limit` bytes, and whose file is gone where `is_gone`. */
static dt_status read_held(const corpus_folder *folder, dt_tokenizer *tokenizer, int64_t limit, bool is_gone,
                           uint8_t *tokens, int64_t count) {
    const char *path = folder->file;
    const dt_corpus_inputs inputs = {
        .paths = &path, .count = 1, .tokenizer = tokenizer, .V = tokenizer->V, .threads = 2};
    dt_corpus corpus;
    assert_int_equal(dt_corpus_open(&corpus, &inputs), DT_OK);
    assert_int_equal(dt_corpus_hold(&corpus, limit), DT_OK);
    assert_int_equal(dt_corpus_index(&corpus, 0, 1), DT_OK);
    if (dt_chars_collected(tokenizer)) {
        assert_int_equal(dt_chars_settle(tokenizer), DT_OK);
        corpus.token_bytes = tokenizer->token_bytes;
    }
    assert_int_equal(dt_corpus_finish(&corpus), DT_OK);
    assert_true(corpus.held.bytes <= limit);
    assert_int_equal(corpus.total.tokens, count);
    if (is_gone)
        assert_int_equal(unlink(folder->file), 0);
    const dt_status status = dt_corpus_read(&corpus, 0, count, tokens);
    dt_corpus_drop_outside(&corpus, 0, 0);
    assert_int_equal(corpus.held.bytes, 0);
    dt_corpus_close(&corpus);
    return status;
}

/* Identity: what is held is read from memory, by a tokenizer that collects its characters too, and what is
 * not from the file. */
static void test_held_blocks(void **state) {
    const corpus_folder *folder = *state;
    const size_t length = 3 * BLOCK + 12345;
    uint8_t *text = mixed_text(length), *tokens = malloc(length), *again = malloc(length);
    int64_t count;
    assert_true(tokens && again);
    uint8_t *whole = mixed_text_tokens(text, length, &count);
    dt_tokenizer ascii = *corpus_folder_ascii(), chars;
    for (int64_t blocks = 0; blocks <= 4; blocks += 2) {
        corpus_folder_write(folder, text, length);
        const int64_t limit = blocks * DT_TEXT_BLOCK_BYTES;
        assert_int_equal(read_held(folder, &ascii, limit, false, tokens, count), DT_OK);
        assert_memory_equal(tokens, whole, (size_t)count);
        assert_int_equal(read_held(folder, &ascii, limit, true, tokens, count),
                         blocks == 4 ? DT_OK : DT_FAILED);
    }
    corpus_folder_write(folder, text, length);
    count = 0;
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(dt_chars_open(&chars), DT_OK);
        if (pass == 0) {
            const char *path = folder->file;
            dt_corpus corpus;
            corpus_folder_gather(&corpus,
                                 &(dt_corpus_inputs){.paths = &path, .count = 1, .tokenizer = &chars}, 1);
            assert_int_equal(dt_chars_settle(&chars), DT_OK);
            corpus.token_bytes = chars.token_bytes;
            count = corpus.total.tokens;
            assert_int_equal(dt_corpus_read(&corpus, 0, count, again), DT_OK);
            dt_corpus_close(&corpus);
        } else {
            assert_int_equal(read_held(folder, &chars, 4 * DT_TEXT_BLOCK_BYTES, true, tokens, count), DT_OK);
            assert_memory_equal(tokens, again, (size_t)count);
        }
        dt_tokenizer_free(&chars);
    }
    free(again);
    free(tokens);
    free(whole);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_held_blocks, corpus_folder_make, corpus_folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
