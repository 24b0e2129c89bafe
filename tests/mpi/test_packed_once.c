/* A packed text whose characters are collected first is unpacked once: it may be gone when its tokens are
 * made. */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tokenizer/chars.h"
#include "tokenizer/tokenizer.h"
#include "train/corpus_index.h"
#include "train/tokenize.h"
#include "train/vocabulary.h"
#include "support/cmocka_mpi.h"

enum { LINES = 200000, FOLDER_BYTES = 64 };

static const char line[] = "gr\303\266\303\237er \344\270\200 line\n";

/* Two packed files in a fresh folder that all ranks know. */
static void write_packed(char folder[FOLDER_BYTES]) {
    char words[512];
    snprintf(folder, FOLDER_BYTES, "/tmp/dtrain-test-XXXXXX");
    if (world.rank == 0) {
        assert_non_null(mkdtemp(folder));
        snprintf(words, sizeof words, "cd %s && yes '%.*s' | head -n %d >a && echo abc >b && gzip a b",
                 folder, (int)strlen(line) - 1, line, LINES);
        assert_int_equal(system(words), 0);
    }
    assert_ok(dt_world_broadcast(&world, folder, FOLDER_BYTES));
}

/* The way back from all tokens. */
static void check_tokens(const dt_corpus *corpus, const dt_tokenizer *tokenizer) {
    const char end[] = "abc\n";
    const int64_t characters = 14, count = LINES * characters + 4;
    uint8_t *tokens = malloc((size_t)count);
    assert_non_null(tokens);
    assert_int_equal(corpus->token_bytes, 1);
    assert_int_equal(corpus->total.tokens, count);
    assert_ok(dt_corpus_read(corpus, 0, count, tokens));
    char text[64] = "";
    for (int64_t t = 0, used = 0; t < characters; t++) {
        size_t length;
        const char *piece = dt_tokenizer_decode(tokenizer, tokens[t], &length);
        memcpy(text + used, piece, length);
        used += (int64_t)length;
    }
    assert_string_equal(text, line);
    for (int64_t l = 1; l < LINES; l++)
        assert_memory_equal(tokens + l * characters, tokens, (size_t)characters);
    for (int64_t t = 0; t < 4; t++) {
        size_t length;
        assert_int_equal(*dt_tokenizer_decode(tokenizer, tokens[count - 4 + t], &length), end[t]);
    }
    free(tokens);
}

/* Identity: the tokens of files that are gone once their characters are known are those of the text. */
static void a_packed_text_is_unpacked_once(void **state) {
    (void)state;
    char folder[FOLDER_BYTES], names[2][FOLDER_BYTES + 8], target[FOLDER_BYTES + 8];
    write_packed(folder);
    snprintf(names[0], sizeof names[0], "%s/a.gz", folder);
    snprintf(names[1], sizeof names[1], "%s/b.gz", folder);
    snprintf(target, sizeof target, "%s/tokens", folder);
    const char *paths[] = {names[0], names[1]};
    dt_tokenizer tokenizer;
    dt_corpus corpus, made;
    dt_token_writer writer;
    assert_ok(dt_chars_open(&tokenizer));
    assert_ok(dt_corpus_open(
        &corpus, &(dt_corpus_inputs){.paths = paths, .count = 2, .tokenizer = &tokenizer, .threads = 1}));
    assert_ok(dt_corpus_index_collect(&tokenizer, &corpus, &world));
    assert_ok(dt_world_barrier(&world));
    if (world.rank == 0)
        assert_true(unlink(names[0]) == 0 && unlink(names[1]) == 0);
    assert_ok(dt_tokenize_run(&world, &corpus, target, &writer));
    if (world.rank == 0)
        assert_ok(dt_token_writer_finish(&writer, target, true));
    assert_ok(dt_world_barrier(&world));
    assert_ok(dt_corpus_open_kept(&made, &corpus, target));
    check_tokens(&made, &tokenizer);
    assert_ok(dt_world_barrier(&world));
    if (world.rank == 0)
        assert_ok(dt_file_remove_tree(folder));
    dt_corpus_close(&made);
    dt_corpus_close(&corpus);
    dt_tokenizer_free(&tokenizer);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(a_packed_text_is_unpacked_once)};
CMOCKA_MPI_MAIN(tests)
