/* Files of tokens, dtrain's own and others', written and read back, and everything that can be wrong with
 * one. */
#include "support/corpus_folder.h"

#include <unistd.h>

#include "base/checksum.h"
#include "base/philox.h"
#include "data/token_writer.h"
#include "tokenizer/tokens.h"

enum { TOKENS = 3000 };

/* TOKENS ids below V, `token_bytes` each. */
static void make_tokens(void *tokens, int token_bytes, int64_t V) {
    for (uint32_t t = 0; t < TOKENS; t++) {
        const int32_t id = (int32_t)(dt_philox((dt_philox_key){1, 2}, t, 0, 0, 0).w0 % (uint32_t)V);
        dt_tokens_narrow((uint8_t *)tokens + t * (uint32_t)token_bytes, &id, token_bytes, 1);
    }
}

static void write_file(const corpus_folder *folder, const void *header, size_t header_bytes,
                       const void *tokens, size_t bytes) {
    FILE *file = fopen(folder->file, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(header, 1, header_bytes, file), header_bytes);
    assert_int_equal(fwrite(tokens, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

/* A file of dtrain's own whose runs of tokens have these lengths. */
static void write_own(const corpus_folder *folder, const void *tokens, int token_bytes, int64_t V,
                      const int64_t *runs, int count) {
    dt_token_writer writer;
    dt_token_row rows[4];
    int64_t done = 0;
    assert_int_equal(dt_token_writer_begin(&writer, folder->file, token_bytes), DT_OK);
    for (int r = 0; r < count; done += runs[r], r++) {
        const uint8_t *from = (const uint8_t *)tokens + done * token_bytes;
        assert_int_equal(dt_token_writer_put(&writer, writer.offset, from, runs[r], rows), DT_OK);
        assert_int_equal(dt_token_writer_add(&writer, rows, dt_token_writer_rows(runs[r])), DT_OK);
    }
    writer.about = (dt_token_about){.token_bytes = token_bytes,
                                    .V = V,
                                    .end_of_text = -1,
                                    .count = {done, 3, 2, 1},
                                    .content_bytes = 12345,
                                    .content_hash = 678,
                                    .marked = true,
                                    .tokenizer_hash = corpus_folder_ascii()->hash,
                                    .tokenizer_name = "ascii"};
    assert_int_equal(dt_token_writer_finish(&writer, folder->file, false), DT_OK);
}

static const int64_t runs[] = {1000, 1, 1999};

static void open_corpus(dt_corpus *corpus, const corpus_folder *folder, int64_t V, int raw_bytes, int size) {
    const char *path = folder->file;
    const dt_corpus_inputs inputs = {.paths = &path, .count = 1, .V = V, .raw_bytes = raw_bytes};
    corpus_folder_gather(corpus, &inputs, size);
}

/* Any range comes back, and so does what the header says. */
static void expect_tokens(const corpus_folder *folder, const void *tokens, int token_bytes, int64_t V,
                          int raw_bytes) {
    uint8_t found[TOKENS * 4];
    for (int size = 1; size <= 3; size++) {
        dt_corpus corpus;
        open_corpus(&corpus, folder, V, raw_bytes, size);
        assert_false(corpus.is_text);
        assert_int_equal(corpus.token_bytes, token_bytes);
        assert_int_equal(corpus.total.tokens, TOKENS);
        for (int64_t first = 0; first < TOKENS; first += 499) {
            assert_int_equal(dt_corpus_read(&corpus, first, TOKENS, found), DT_OK);
            assert_memory_equal(found, (const uint8_t *)tokens + first * token_bytes,
                                (size_t)((TOKENS - first) * token_bytes));
        }
        dt_corpus_close(&corpus);
    }
}

static void test_own(void **state) {
    const corpus_folder *folder = *state;
    static const int widths[] = {1, 2, 4};
    static const int64_t sizes[] = {256, 50257, 128256};
    uint8_t tokens[TOKENS * 4];
    for (int w = 0; w < 3; w++) {
        make_tokens(tokens, widths[w], sizes[w]);
        write_own(folder, tokens, widths[w], sizes[w], runs, 3);
        expect_tokens(folder, tokens, widths[w], sizes[w], 0);
        dt_corpus corpus;
        open_corpus(&corpus, folder, sizes[w] + 5, 0, 1);
        assert_int_equal(corpus.file_bytes, 12345);
        assert_int_equal(corpus.hash, 678);
        assert_int_equal(corpus.total.unknown, 3);
        assert_int_equal(corpus.total.invalid, 2);
        assert_int_equal(corpus.total.zero, 1);
        assert_int_equal(corpus.blocks, 3);
        dt_corpus_close(&corpus);
    }
}

/* Identity: a run that is longer than a block may be is several. */
static void test_long_run(void **state) {
    const corpus_folder *folder = *state;
    const int64_t count = 2 * DT_TOKEN_BLOCK + 5;
    uint8_t *tokens = malloc((size_t)count), *found = malloc((size_t)count);
    assert_non_null(tokens);
    assert_non_null(found);
    for (int64_t t = 0; t < count; t++)
        tokens[t] = (uint8_t)(t % 97);
    write_own(folder, tokens, 1, 97, &count, 1);
    dt_corpus corpus;
    open_corpus(&corpus, folder, 97, 0, 2);
    assert_int_equal(corpus.blocks, 3);
    assert_int_equal(dt_token_writer_rows(count), 3);
    assert_int_equal(corpus.source[0].file_bytes,
                     DT_TOKEN_HEADER_BYTES + dt_token_writer_bytes(count, 1) + 3 * DT_TOKEN_ROW_BYTES);
    assert_int_equal(dt_corpus_read(&corpus, 0, count, found), DT_OK);
    assert_memory_equal(found, tokens, (size_t)count);
    dt_corpus_close(&corpus);
    free(found);
    free(tokens);
}

static void test_llmc(void **state) {
    const corpus_folder *folder = *state;
    static const struct {
        int32_t magic, version;
        int token_bytes;
        int64_t V;
    } kinds[] = {{20240520, 1, 2, 50257}, {20240801, 7, 4, 128256}};
    uint8_t tokens[TOKENS * 4];
    for (int k = 0; k < 2; k++) {
        int32_t header[256] = {kinds[k].magic, kinds[k].version, TOKENS};
        const size_t bytes = (size_t)(TOKENS * kinds[k].token_bytes);
        make_tokens(tokens, kinds[k].token_bytes, kinds[k].V);
        write_file(folder, header, sizeof header, tokens, bytes);
        expect_tokens(folder, tokens, kinds[k].token_bytes, kinds[k].V, 0);
    }
}

static void test_raw(void **state) {
    const corpus_folder *folder = *state;
    uint8_t tokens[TOKENS * 4];
    for (int width = 2; width <= 4; width += 2) {
        make_tokens(tokens, width, 50257);
        write_file(folder, NULL, 0, tokens, (size_t)(TOKENS * width));
        expect_tokens(folder, tokens, width, 50257, width);
    }
}

/* Opens, indexes and reads all, which must fail with `sentence`. */
static void expect_refused(const corpus_folder *folder, int64_t V, int raw_bytes, const char *sentence) {
    const char *path = folder->file;
    const dt_corpus_inputs inputs = {.paths = &path, .count = 1, .V = V, .raw_bytes = raw_bytes};
    uint8_t found[TOKENS * 4];
    dt_corpus corpus;
    dt_status status = dt_corpus_open(&corpus, &inputs);
    if (status == DT_OK)
        status = dt_corpus_index(&corpus, 0, 1);
    if (status == DT_OK)
        status = dt_corpus_finish(&corpus);
    if (status == DT_OK)
        status = dt_corpus_read(&corpus, 0, corpus.total.tokens, found);
    assert_true(status == DT_USAGE || status == DT_FAILED);
    if (strstr(dt_error(), sentence) == NULL || strstr(dt_error(), folder->file) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", sentence, dt_error());
    dt_corpus_close(&corpus);
}

static void test_bad_raw(void **state) {
    const corpus_folder *folder = *state;
    static const uint16_t tokens[] = {1, 2, 50257, 3};
    write_file(folder, NULL, 0, tokens, sizeof tokens - 1);
    expect_refused(folder, 50257, 2,
                   "expected tokens of 2 bytes each, as data_format says, found a file of 7 bytes");
    write_file(folder, NULL, 0, tokens, 6);
    expect_refused(folder, 50257, 4,
                   "expected tokens of 4 bytes each, as data_format says, found a file of 6 bytes");
    expect_refused(
        folder, 50257, 2,
        "expected tokens below the vocabulary's size 50257, found 50257 at offset 4; give a larger");
    expect_refused(folder, 50257, 0,
                   "for tokens without a header, as nanoGPT's train.bin has them, name a file");
}

static void test_bad_llmc(void **state) {
    const corpus_folder *folder = *state;
    int32_t header[256] = {20240520, 1, 4};
    static const uint16_t tokens[] = {1, 2, 3, 4, 5};
    write_file(folder, header, 100, tokens, 0);
    expect_refused(folder, 9, 0,
                   "expected the 1024 bytes of the header of llm.c's files of tokens, found 100 bytes");
    write_file(folder, header, sizeof header, tokens, 7);
    expect_refused(folder, 9, 0,
                   "expected 4 tokens of 2 bytes behind its header of llm.c's, as that says, found 7");
    write_file(folder, header, sizeof header, tokens, 10);
    expect_refused(folder, 9, 0, "as that says, found 10 bytes");
    write_file(folder, header, sizeof header, tokens, 8);
    expect_refused(folder, 3, 0, "expected tokens below the vocabulary's size 3, found 3 at offset 1028");
    header[1] = 2;
    write_file(folder, header, sizeof header, tokens, 8);
    expect_refused(folder, 9, 0,
                   "expected version 1 of llm.c's files of tokens that begin with 20240520, found version 2");
    header[1] = 1;
    header[2] = 0;
    write_file(folder, header, sizeof header, tokens, 0);
    expect_refused(folder, 9, 0, "expected a token or more by its header of llm.c's, found 0 told there");
}

/* One byte of the file changed, wherever it is, is noticed. */
static void test_damage(void **state) {
    const corpus_folder *folder = *state;
    uint8_t tokens[TOKENS * 4];
    char *whole;
    size_t length;
    make_tokens(tokens, 2, 300);
    write_own(folder, tokens, 2, 300, runs, 3);
    assert_int_equal(dt_file_read(folder->file, 1 << 20, &whole, &length), DT_OK);
    static const size_t at[] = {8, 12, 17, 24, 40, 48, 90, 130, 224, 255};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        whole[at[i]] ^= 1;
        corpus_folder_write(folder, whole, length);
        expect_refused(folder, 300, 0, "found a header that its checksum does not match");
        whole[at[i]] ^= 1;
    }
    whole[DT_TOKEN_HEADER_BYTES + 7] ^= 1;
    corpus_folder_write(folder, whole, length);
    expect_refused(folder, 300, 0,
                   "is damaged: the checksum of its block 0, 2000 bytes at offset 4096, does not match");
    whole[DT_TOKEN_HEADER_BYTES + 7] ^= 1;
    whole[length - 1] ^= 1;
    corpus_folder_write(folder, whole, length);
    expect_refused(folder, 300, 0, "found a table that its checksum does not match");
    whole[length - 1] ^= 1;
    corpus_folder_write(folder, whole, length - 1);
    expect_refused(folder, 300, 0, "found a length that its header does not give it");
    corpus_folder_write(folder, whole, 4000);
    expect_refused(folder, 300, 0, "found its first bytes alone");
    corpus_folder_write(folder, whole, length);
    expect_refused(folder, 299, 0, "found one of 300; give vocab_size: 300");
    free(whole);
}

/* A file whose checksums are right and whose numbers lie. */
static void test_lies(void **state) {
    const corpus_folder *folder = *state;
    uint16_t tokens[] = {1, 2, 7};
    dt_token_writer writer;
    dt_token_row row[1];
    assert_int_equal(dt_token_writer_begin(&writer, folder->file, 2), DT_OK);
    assert_int_equal(dt_token_writer_put(&writer, writer.offset, tokens, 3, row), DT_OK);
    assert_int_equal(dt_token_writer_add(&writer, row, 1), DT_OK);
    writer.about = (dt_token_about){.token_bytes = 2, .V = 7, .end_of_text = -1, .count = {.tokens = 3}};
    assert_int_equal(dt_token_writer_finish(&writer, folder->file, false), DT_OK);
    expect_refused(folder, 7, 0, "expected tokens below the vocabulary's size 7, found 7 at offset 4100");
    static const dt_token_about lies[] = {
        {.token_bytes = 3, .V = 7, .end_of_text = -1, .count = {.tokens = 3}},
        {.token_bytes = 2, .V = 0, .end_of_text = -1, .count = {.tokens = 3}},
        {.token_bytes = 2, .V = 7, .end_of_text = 7, .count = {.tokens = 3}},
        {.token_bytes = 2, .V = 7, .end_of_text = -1, .count = {.tokens = 0}},
        {.token_bytes = 2, .V = 7, .end_of_text = -1, .count = {.tokens = 4}},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint8_t packed[DT_TOKEN_ROW_BYTES], header[DT_TOKEN_HEADER_BYTES], block[4096] = {0};
        dt_token_file_pack_rows(row, 1, packed);
        dt_token_file_pack_header(&lies[i], 1, DT_TOKEN_HEADER_BYTES + 4096, packed, header);
        FILE *file = fopen(folder->file, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(header, sizeof header, 1, file) + fwrite(block, sizeof block, 1, file) +
                             fwrite(packed, sizeof packed, 1, file),
                         3);
        assert_int_equal(fclose(file), 0);
        expect_refused(folder, 7, 0,
                       i < 4 ? "numbers in its header that cannot be"
                             : "a table that does not fit its header");
    }
}

/* Two write one file at once, whose bytes do not depend on it; the name appears at the end; who comes second
 * leaves what is there. */
static void test_joined_writers(void **state) {
    const corpus_folder *folder = *state;
    uint8_t tokens[TOKENS * 2];
    char *alone, *together;
    size_t alone_bytes, together_bytes;
    dt_token_row rows[3];
    make_tokens(tokens, 2, 300);
    write_own(folder, tokens, 2, 300, runs, 3);
    assert_int_equal(dt_file_read(folder->file, 1 << 20, &alone, &alone_bytes), DT_OK);
    unlink(folder->file);
    for (int second = 0; second < 2; second++) {
        dt_token_writer writer, other;
        assert_int_equal(dt_token_writer_begin(&writer, folder->file, 2), DT_OK);
        assert_int_equal(dt_token_writer_join(&other, writer.temporary, 2), DT_OK);
        const int64_t offset =
            writer.offset + dt_token_writer_bytes(runs[0], 2) + dt_token_writer_bytes(runs[1], 2);
        assert_int_equal(dt_token_writer_put(&other, offset, tokens + 2 * 1001, runs[2], &rows[2]), DT_OK);
        assert_int_equal(dt_token_writer_put(&writer, writer.offset, tokens, runs[0], &rows[0]), DT_OK);
        assert_int_equal(dt_token_writer_put(&writer, writer.offset + dt_token_writer_bytes(runs[0], 2),
                                             tokens + 2 * 1000, runs[1], &rows[1]),
                         DT_OK);
        assert_int_equal(dt_token_writer_add(&writer, rows, 3), DT_OK);
        writer.about = (dt_token_about){.token_bytes = 2,
                                        .V = 300,
                                        .end_of_text = -1,
                                        .count = {TOKENS, 3, 2, 1},
                                        .content_bytes = 12345,
                                        .content_hash = 678 + (uint64_t)second,
                                        .marked = true,
                                        .tokenizer_hash = corpus_folder_ascii()->hash,
                                        .tokenizer_name = "ascii"};
        dt_token_writer_abandon(&other);
        assert_true(dt_file_exists(writer.temporary));
        assert_int_equal(dt_token_writer_finish(&writer, folder->file, true), DT_OK);
        assert_int_equal(dt_file_read(folder->file, 1 << 20, &together, &together_bytes), DT_OK);
        assert_int_equal(together_bytes, alone_bytes);
        assert_memory_equal(together, alone, alone_bytes);
        free(together);
    }
    dt_token_writer writer;
    assert_int_equal(dt_token_writer_begin(&writer, folder->file, 2), DT_OK);
    dt_token_writer_abandon(&writer);
    char **names;
    size_t count;
    assert_int_equal(dt_file_list(folder->path, &names, &count), DT_OK);
    assert_int_equal(count, 1);
    dt_file_free_names(names, count);
    free(alone);
}

/* A corpus of a text, and of a file of its tokens, are of one content; another tokenizer's is refused. */
static void test_tokenizer_must_agree(void **state) {
    const corpus_folder *folder = *state;
    uint8_t tokens[TOKENS];
    const char *path = folder->file;
    dt_tokenizer other = *corpus_folder_ascii();
    dt_corpus corpus;
    make_tokens(tokens, 1, 99);
    write_own(folder, tokens, 1, 99, runs, 3);
    other.hash ^= 1;
    const dt_corpus_inputs same = {.paths = &path, .count = 1, .tokenizer = corpus_folder_ascii(), .V = 99},
                           wrong = {.paths = &path, .count = 1, .tokenizer = &other, .V = 99};
    assert_int_equal(dt_corpus_open(&corpus, &same), DT_OK);
    dt_corpus_close(&corpus);
    assert_int_equal(dt_corpus_open(&corpus, &wrong), DT_USAGE);
    assert_non_null(strstr(dt_error(), "expected tokens by this run's tokenizer (ascii, hash"));
    assert_non_null(strstr(dt_error(), "found tokens by ascii (hash"));
}

/* Texts and files of tokens do not mix, and a text needs a tokenizer. */
static void test_mixtures(void **state) {
    const corpus_folder *folder = *state;
    char text[128];
    uint8_t tokens[TOKENS];
    dt_corpus corpus;
    make_tokens(tokens, 1, 99);
    write_own(folder, tokens, 1, 99, runs, 3);
    snprintf(text, sizeof text, "%s/other.txt", folder->path);
    FILE *file = fopen(text, "wb");
    assert_non_null(file);
    assert_true(fputs("a text", file) >= 0);
    assert_int_equal(fclose(file), 0);
    const char *paths[] = {folder->file, text, "-"};
    const dt_corpus_inputs mixed = {.paths = paths, .count = 2, .tokenizer = corpus_folder_ascii(), .V = 99},
                           bare = {.paths = paths + 1, .count = 1, .V = 99},
                           input = {
                               .paths = paths + 1, .count = 2, .tokenizer = corpus_folder_ascii(), .V = 99};
    assert_int_equal(dt_corpus_open(&corpus, &mixed), DT_USAGE);
    assert_non_null(
        strstr(dt_error(), "expected texts alone or files of tokens alone, found a text among files"));
    assert_int_equal(dt_corpus_open(&corpus, &bare), DT_USAGE);
    assert_non_null(
        strstr(dt_error(), "expected a file of tokens, since no tokenizer is given, found a text"));
    assert_int_equal(dt_corpus_open(&corpus, &input), DT_USAGE);
    assert_non_null(strstr(dt_error(), "cannot use standard input (-) with other files"));
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, corpus_folder_make, corpus_folder_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_own),
        WITH_FOLDER(test_long_run),
        WITH_FOLDER(test_llmc),
        WITH_FOLDER(test_raw),
        WITH_FOLDER(test_bad_raw),
        WITH_FOLDER(test_bad_llmc),
        WITH_FOLDER(test_damage),
        WITH_FOLDER(test_lies),
        WITH_FOLDER(test_joined_writers),
        WITH_FOLDER(test_mixtures),
        WITH_FOLDER(test_tokenizer_must_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
