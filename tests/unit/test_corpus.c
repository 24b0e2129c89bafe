/* A corpus read by blocks and by ranks against the same text tokenized whole, and everything that a file can
 * do wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "data/recognise.h"
#include "support/corpus_folder.h"
#include "support/mixed_text.h"
#include "support/reference_tokens.h"
#include "tokenizer/chars.h"
#include "tokenizer/tokenizer.h"

#define BLOCK ((size_t)DT_TEXT_BLOCK_BYTES)

static dt_token_count count_whole(const uint8_t *text, size_t length) {
    uint8_t *tokens = malloc(length);
    assert_non_null(tokens);
    const dt_token_count count = reference_tokens(text, length, tokens);
    free(tokens);
    return count;
}

/* Identity: shares are contiguous, in rank order, cover all blocks and differ by one at most. */
static void test_slices(void **state) {
    (void)state;
    static const int64_t counts[] = {1, 2, 7, 8, 9, 1000, (int64_t)1 << 43};
    static const int sizes[] = {1, 2, 3, 8, 100000};
    for (size_t i = 0; i < 7; i++)
        for (size_t j = 0; j < 5; j++) {
            int64_t position = 0, first, end;
            for (int rank = 0; rank < sizes[j]; rank++) {
                dt_corpus_slice(counts[i], rank, sizes[j], &first, &end);
                assert_true(first == position && end >= first);
                assert_true(end - first == counts[i] / sizes[j] || end - first == counts[i] / sizes[j] + 1);
                position = end;
            }
            assert_int_equal(position, counts[i]);
        }
}

/* Identity: however many ranks index a text, rows, totals and hash are the same, and the totals those of the
 * whole. */
static void test_index_does_not_know_the_ranks(void **state) {
    const corpus_folder *folder = *state;
    size_t length = 3 * BLOCK + 12345;
    uint8_t *text = mixed_text(length);
    corpus_folder_write(folder, text, length);
    const dt_token_count whole = count_whole(text, length);
    static const int sizes[] = {1, 2, 3, 5, 8};
    dt_corpus alone;
    corpus_folder_open(&alone, folder->file, 1);
    assert_int_equal(alone.blocks, 4);
    assert_int_equal(alone.file_bytes, length);
    assert_int_equal(alone.total.tokens, whole.tokens);
    assert_int_equal(alone.total.unknown, whole.unknown);
    assert_int_equal(alone.total.invalid, whole.invalid);
    for (size_t i = 0; i < 5; i++) {
        dt_corpus corpus;
        corpus_folder_open(&corpus, folder->file, sizes[i]);
        assert_true(corpus.hash == alone.hash);
        assert_memory_equal(&corpus.total, &alone.total, sizeof alone.total);
        assert_memory_equal(corpus.block, alone.block, (size_t)alone.blocks * sizeof *alone.block);
        assert_memory_equal(corpus.first_token, alone.first_token,
                            (size_t)(alone.blocks + 1) * sizeof(int64_t));
        dt_corpus_close(&corpus);
    }
    text[length - 1] ^= 1;
    corpus_folder_write(folder, text, length);
    dt_corpus other;
    corpus_folder_open(&other, folder->file, 1);
    assert_true(other.hash != alone.hash);
    dt_corpus_close(&other);
    dt_corpus_close(&alone);
    free(text);
}

/* Identity: any range of tokens read by blocks is that range of the whole text's tokens. */
static void test_ranges(void **state) {
    const corpus_folder *folder = *state;
    size_t length = 3 * BLOCK + 999;
    int64_t count;
    uint8_t *text = mixed_text(length), *tokens = mixed_text_tokens(text, length, &count),
            *found = malloc((size_t)count);
    assert_non_null(found);
    corpus_folder_write(folder, text, length);
    dt_corpus corpus;
    corpus_folder_open(&corpus, folder->file, 2);
    assert_int_equal(corpus.total.tokens, count);
    for (uint32_t i = 0; i < 16; i++) {
        dt_philox_words words = dt_philox((dt_philox_key){5, 6}, i, 0, 0, 0);
        int64_t first = (int64_t)words.w0 % (count + 1),
                end = first + (int64_t)words.w1 % (count - first + 1);
        if (i == 0) {
            first = 0;
            end = count;
        } else if (i < 4) { /* ranges that begin or end where a block does */
            first = corpus.first_token[i - 1];
            end = corpus.first_token[i];
        }
        assert_int_equal(dt_corpus_read(&corpus, first, end, found), DT_OK);
        assert_memory_equal(found, tokens + first, (size_t)(end - first));
    }
    dt_corpus_close(&corpus);
    free(found);
    free(tokens);
    free(text);
}

/* Identity: what straddles the border of two blocks at any byte is tokenized as it is in the whole text. */
static void test_straddling(void **state) {
    static const char *const slices[] = {"\xC3\xA9",      "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\r\n",
                                         "\xF0\x9F\x98z", "\xE2\x82",     "\x80\x80\x80\x80", "\r\r\n\n",
                                         "\xEF\xBB\xBF"};
    const corpus_folder *folder = *state;
    enum { NEAR = 16 }; /* tokens before the end: enough to begin in the first block */
    uint8_t *text = malloc(BLOCK + 8), found[NEAR];
    assert_non_null(text);
    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++)
        for (size_t before = 1 + i % DTRAIN_STRADDLING_STRIDE; before <= strlen(slices[i]);
             before += DTRAIN_STRADDLING_STRIDE) {
            /* Once the second block ends with the part, and so may have no token of its own; once it does
             * not. */
            for (size_t after = 0; after < 2; after++) {
                size_t start = BLOCK - before, length = start + strlen(slices[i]) + after;
                int64_t count;
                memset(text, 'x', BLOCK + 8);
                memcpy(text + start, slices[i], strlen(slices[i]));
                uint8_t *tokens = mixed_text_tokens(text, length, &count);
                corpus_folder_write(folder, text, length);
                dt_corpus corpus;
                corpus_folder_open(&corpus, folder->file, 2);
                const dt_token_count whole = count_whole(text, length);
                assert_memory_equal(&corpus.total, &whole, sizeof whole);
                assert_int_equal(dt_corpus_read(&corpus, count - NEAR, count, found), DT_OK);
                assert_memory_equal(found, tokens + count - NEAR, NEAR);
                dt_corpus_close(&corpus);
                free(tokens);
            }
        }
    free(text);
}

/*
 * Identity: a text past 4 GiB is found where it is. The file is a hole of zero bytes, each one <UNK>, between
 * as much text as is looked at to tell what it is, and a text at its end. There is one rank a block, and
 * those in the midst of the hole are spared: their rows are copies of the second one, which the blocks around
 * 2^31 and 2^32 bytes are seen to equal.
 */
static void test_beyond_4_gib(void **state) {
    static const char text[] = "It was a bright cold day in April, \xE2\x80\x9CThe clocks\r\nwere striking.";
    const corpus_folder *folder = *state;
    /* The quotation mark, bytes 35 to 37 of the text, straddles two blocks. */
    int64_t hole = ((int64_t)1 << 32) + 2 * DT_TEXT_BLOCK_BYTES - 36;
    size_t length = sizeof text - 1;
    char start[DT_RECOGNISE_BYTES];
    memset(start, 'x', sizeof start);
    int descriptor = open(folder->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct stat info;
    assert_true(descriptor >= 0);
    bool fits = ftruncate(descriptor, hole) == 0 && fstat(descriptor, &info) == 0 && info.st_blocks == 0 &&
                pwrite(descriptor, text, length, hole) == (ssize_t)length &&
                pwrite(descriptor, start, sizeof start, 0) == (ssize_t)sizeof start;
    close(descriptor);
    if (!fits) {
        print_message("skipped: the disk of %s cannot hold a sparse file of more than 4 GiB\n", folder->path);
        skip();
    }
    dt_corpus corpus;
    assert_int_equal(corpus_folder_look(&corpus, folder->file), DT_OK);
    assert_int_equal(corpus.file_bytes, hole + (int64_t)length);
    assert_int_equal(corpus.blocks, 4096 + 3);
    for (int rank = 0; rank < (int)corpus.blocks; rank++) {
        bool visited = rank < 2 || (rank >= 2047 && rank < 2049) || rank >= 4095;
        if (visited)
            assert_int_equal(dt_corpus_index(&corpus, rank, (int)corpus.blocks), DT_OK);
        else
            corpus.block[rank] = corpus.block[1];
        if (!visited)
            corpus.block[rank].start = rank * DT_TEXT_BLOCK_BYTES;
        if (rank < 4098) /* the last block begins within the quotation mark */
            assert_int_equal(corpus.block[rank].start, rank * DT_TEXT_BLOCK_BYTES);
        if (visited && rank > 0 && rank < 4097) {
            assert_memory_equal(&corpus.block[rank].count, &corpus.block[1].count, sizeof(dt_token_count));
            assert_true(corpus.block[rank].hash == corpus.block[1].hash);
        }
    }
    assert_int_equal(dt_corpus_finish(&corpus), DT_OK);
    uint8_t expected[sizeof text], found[sizeof text];
    int64_t count = reference_tokens((const uint8_t *)text, length, expected).tokens;
    assert_int_equal(corpus.total.tokens, hole + count);
    assert_int_equal(corpus.total.unknown, hole - (int64_t)sizeof start + 1);
    assert_int_equal(corpus.total.zero, hole - (int64_t)sizeof start);
    assert_int_equal(corpus.total.invalid, 0);
    assert_int_equal(dt_corpus_read(&corpus, hole, hole + count, found), DT_OK);
    assert_memory_equal(found, expected, (size_t)count);
    assert_int_equal(dt_corpus_read(&corpus, hole - 1, hole + 1, found), DT_OK);
    assert_int_equal(found[0], DT_ASCII_UNKNOWN);
    assert_int_equal(found[1], expected[0]);
    dt_corpus_close(&corpus);
}

/* Identity: several files are their tokens one behind another, with the end of a text between them, whatever
 * the number of ranks; where they are one text cut in two, they are not the same content as the whole. */
static void test_several_files(void **state) {
    const corpus_folder *folder = *state;
    enum { FILES = 3 };
    static const size_t lengths[FILES] = {BLOCK + 77, 5, BLOCK};
    dt_tokenizer ending = *corpus_folder_ascii();
    ending.end_of_text = DT_ASCII_PAD;
    char paths[FILES][96];
    const char *names[FILES];
    uint8_t *text = mixed_text(BLOCK + 77), *expected = malloc(3 * BLOCK), *found = malloc(3 * BLOCK);
    assert_non_null(expected);
    assert_non_null(found);
    for (int joined = 0; joined < 2; joined++) {
        int64_t total = 0;
        for (int f = 0; f < FILES; f++) {
            int64_t count;
            snprintf(paths[f], sizeof paths[f], "%s/%d.txt", folder->path, f);
            names[f] = paths[f];
            FILE *file = fopen(paths[f], "wb");
            assert_non_null(file);
            assert_int_equal(fwrite(text, 1, lengths[f], file), lengths[f]);
            assert_int_equal(fclose(file), 0);
            uint8_t *tokens = mixed_text_tokens(text, lengths[f], &count);
            memcpy(expected + total, tokens, (size_t)count);
            total += count;
            if (joined && f < FILES - 1)
                expected[total++] = DT_ASCII_PAD;
            free(tokens);
        }
        uint64_t hash = 0;
        for (int size = 1; size <= 5; size += 2) {
            const dt_corpus_inputs inputs = {
                .paths = names, .count = FILES, .tokenizer = &ending, .V = ending.V, .join = joined};
            dt_corpus corpus;
            corpus_folder_gather(&corpus, &inputs, size);
            assert_int_equal(corpus.blocks, 4);
            assert_int_equal(corpus.total.tokens, total);
            assert_int_equal(corpus.file_bytes, lengths[0] + lengths[1] + lengths[2]);
            assert_int_equal(dt_corpus_read(&corpus, 0, total, found), DT_OK);
            assert_memory_equal(found, expected, (size_t)total);
            for (int64_t at = corpus.first_token[2] - 3; at < corpus.first_token[2] + 9; at++) {
                assert_int_equal(dt_corpus_read(&corpus, at, at + 1, found), DT_OK);
                assert_int_equal(found[0], expected[at]);
            }
            assert_true(size == 1 || corpus.hash == hash);
            hash = corpus.hash;
            dt_corpus_close(&corpus);
        }
    }
    free(found);
    free(expected);
    free(text);
}

/* Identity: a file that is missing, a folder or empty is refused by name; the corpus then holds nothing. */
static void test_open_failures(void **state) {
    const corpus_folder *folder = *state;
    dt_corpus corpus;
    assert_int_equal(corpus_folder_look(&corpus, folder->file), DT_USAGE);
    assert_non_null(strstr(dt_error(), folder->file));
    assert_int_equal(corpus_folder_look(&corpus, folder->path), DT_USAGE);
    assert_non_null(strstr(dt_error(), "found a folder"));
    corpus_folder_write(folder, "", 0);
    assert_int_equal(corpus_folder_look(&corpus, folder->file), DT_USAGE);
    assert_non_null(strstr(dt_error(), "found an empty file"));
    assert_non_null(strstr(dt_error(), folder->file));
    assert_null(corpus.path);
    dt_corpus_close(&corpus);
}

/* Identity: a file that shrank, grew, or holds other bytes than were indexed is refused, not read wrongly. */
static void test_file_changes(void **state) {
    const corpus_folder *folder = *state;
    uint8_t tokens[16];
    dt_corpus corpus;
    corpus_folder_write(folder, "some text", 9);
    assert_int_equal(corpus_folder_look(&corpus, folder->file), DT_OK);
    corpus_folder_write(folder, "some", 4);
    assert_int_equal(dt_corpus_index(&corpus, 0, 1), DT_FAILED);
    assert_non_null(strstr(dt_error(), "expected 9 bytes, as at the start, found 4"));
    corpus_folder_write(folder, "some text", 9);
    assert_int_equal(dt_corpus_index(&corpus, 0, 1), DT_OK);
    assert_int_equal(dt_corpus_finish(&corpus), DT_OK);
    corpus_folder_write(folder, "some text more", 14);
    assert_int_equal(dt_corpus_read(&corpus, 0, 9, tokens), DT_FAILED);
    corpus_folder_write(folder, "some test", 9);
    assert_int_equal(dt_corpus_read(&corpus, 0, 9, tokens), DT_FAILED);
    assert_non_null(strstr(dt_error(), "the block at byte 0 is not the one that was indexed"));
    corpus_folder_write(folder, "some text", 9);
    assert_int_equal(dt_corpus_read(&corpus, 0, 9, tokens), DT_OK);
    dt_corpus_close(&corpus);
}

/* Identity: a range that is not within 0..total is refused; an empty one is fine wherever it stands. */
static void test_range_failures(void **state) {
    const corpus_folder *folder = *state;
    uint8_t tokens[16];
    dt_corpus corpus;
    corpus_folder_write(folder, "some\r\ntext", 10);
    corpus_folder_open(&corpus, folder->file, 1);
    assert_int_equal(dt_corpus_read(&corpus, 0, 10, tokens), DT_FAILED);
    assert_non_null(strstr(dt_error(), "cannot read tokens [0, 10)"));
    assert_non_null(strstr(dt_error(), "within its 9 tokens"));
    assert_int_equal(dt_corpus_read(&corpus, -1, 3, tokens), DT_FAILED);
    assert_int_equal(dt_corpus_read(&corpus, 4, 3, tokens), DT_FAILED);
    assert_int_equal(dt_corpus_read(&corpus, 9, 9, tokens), DT_OK);
    assert_int_equal(dt_corpus_read(&corpus, 0, 9, tokens), DT_OK);
    dt_corpus_close(&corpus);
}

static uint64_t sample_hash(const corpus_folder *folder, const dt_tokenizer *tokenizer) {
    const char *path = folder->file;
    const dt_corpus_inputs inputs = {.paths = &path, .count = 1, .tokenizer = tokenizer, .V = tokenizer->V};
    dt_corpus corpus;
    uint64_t hash;
    assert_int_equal(dt_corpus_open(&corpus, &inputs), DT_OK);
    assert_int_equal(dt_corpus_sample(&corpus, &hash), DT_OK);
    dt_corpus_close(&corpus);
    return hash;
}

/* Every rank takes one, so no tokens are made for it: a tokenizer that collects has seen nothing. */
static void test_samples(void **state) {
    const corpus_folder *folder = *state;
    const size_t length = 5 * BLOCK / 2;
    uint8_t *text = mixed_text(length);
    dt_tokenizer chars;
    corpus_folder_write(folder, text, length);
    assert_int_equal(dt_chars_open(&chars), DT_OK);
    const uint64_t before = sample_hash(folder, &chars);
    for (int64_t i = 0; i < DT_CHARS_WORDS; i++)
        assert_int_equal(dt_chars_collected(&chars)[i], 0);
    assert_int_equal(sample_hash(folder, corpus_folder_ascii()), before);
    text[length - 1] ^= 1;
    corpus_folder_write(folder, text, length);
    assert_int_not_equal(sample_hash(folder, &chars), before);
    dt_tokenizer_free(&chars);
    free(text);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, corpus_folder_make, corpus_folder_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices),   WITH_FOLDER(test_index_does_not_know_the_ranks),
        WITH_FOLDER(test_ranges),        WITH_FOLDER(test_straddling),
        WITH_FOLDER(test_beyond_4_gib),  WITH_FOLDER(test_open_failures),
        WITH_FOLDER(test_file_changes),  WITH_FOLDER(test_range_failures),
        WITH_FOLDER(test_several_files), WITH_FOLDER(test_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
