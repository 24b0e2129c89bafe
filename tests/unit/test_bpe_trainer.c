/*
 * Training: its merges are the reference's, memory is bounded, and what is written is read again.
 *
 * The samples' own files (tools/tokenizer-vectors) were trained by the reference on the first texts of
 * vectors.json, three times over.
 */
#include "support/sentence.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scratch.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/hf_write.h"
#include "tokenizer/line_counter.h"
#include "tokenizer/tokenizer.h"

#define SAMPLES DTRAIN_SOURCE_DIR "/tests/samples/tokenizers/"

/* How many of the texts are what was trained on. */
#define PROSE 10

static json_t *read_json(const char *path) {
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL)
        fail_msg("%s: %s", path, error.text);
    return root;
}

/* The text that the reference has trained on, in a new file of the folder; the caller frees the name. */
static char *write_prose(const char *folder) {
    char *path = dt_file_join(folder, "prose.txt");
    json_t *vectors = read_json(SAMPLES "vectors.json");
    FILE *file = fopen(path, "w");
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < PROSE; i++)
            fputs(json_string_value(json_array_get(json_object_get(vectors, "texts"), i)), file);
    fclose(file);
    json_decref(vectors);
    return path;
}

/* Counts the file, some bytes at a time. */
static void count_file(dt_line_counter *counter, const char *path) {
    uint8_t bytes[777];
    size_t got;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    while ((got = fread(bytes, 1, sizeof bytes, file)) > 0)
        assert_done(dt_line_counter_add(counter, bytes, (int64_t)got));
    assert_done(dt_line_counter_end(counter));
    fclose(file);
}

/* The file that training writes, for the caller to free. */
static char *train(const char *text, int64_t tokens, bool use_regex, bool add_prefix_space,
                   const char *end_of_text) {
    dt_line_counter counter;
    dt_bpe_learned learned;
    char *written = NULL;
    size_t length;
    const dt_hf_options options = {use_regex, add_prefix_space, end_of_text};
    assert_done(dt_line_counter_create(&counter, use_regex, add_prefix_space, NULL));
    count_file(&counter, text);
    assert_done(dt_bpe_train(&counter.counts, tokens, NULL, &learned));
    FILE *file = open_memstream(&written, &length);
    assert_done(dt_hf_write(file, &learned, &options));
    fclose(file);
    dt_bpe_learned_free(&learned);
    dt_line_counter_free(&counter);
    return written;
}

/* A merge as "a b", whichever way it is written. */
static void merge_text(const json_t *merge, char text[256]) {
    if (json_is_string(merge))
        snprintf(text, 256, "%s", json_string_value(merge));
    else
        snprintf(text, 256, "%s %s", json_string_value(json_array_get(merge, 0)),
                 json_string_value(json_array_get(merge, 1)));
}

static void expect_same_model(const char *written, const char *name) {
    json_error_t error;
    char path[512], mine[256], reference[256];
    snprintf(path, sizeof path, SAMPLES "%s.json", name);
    json_t *found = json_loads(written, 0, &error), *expected = read_json(path);
    assert_non_null(found);
    const json_t *model = json_object_get(found, "model"), *other = json_object_get(expected, "model");
    const json_t *merges = json_object_get(model, "merges"), *others = json_object_get(other, "merges");
    assert_int_equal(json_array_size(merges), json_array_size(others));
    for (size_t i = 0; i < json_array_size(merges); i++) {
        merge_text(json_array_get(merges, i), mine);
        merge_text(json_array_get(others, i), reference);
        assert_string_equal(mine, reference);
    }
    assert_true(json_equal(json_object_get(model, "vocab"), json_object_get(other, "vocab")));
    json_decref(found);
    json_decref(expected);
}

static void merges_are_the_references(void **state) {
    (void)state;
    char *folder = scratch_make(), *text = write_prose(folder);
    static const struct {
        const char *name;
        int64_t tokens;
        bool use_regex, add_prefix_space;
    } rows[] = {{"gpt2", 420, true, false},
                {"prefix", 400, true, true},
                {"no_regex", 450, false, false},
                {"no_regex_prefix", 330, false, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *written = train(text, rows[i].tokens, rows[i].use_regex, rows[i].add_prefix_space, NULL);
        expect_same_model(written, rows[i].name);
        free(written);
    }
    free(text);
    scratch_remove(folder);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    char *folder = scratch_make(), *text = write_prose(folder);
    char *written = train(text, 300, true, false, "<|endoftext|>");
    dt_tokenizer tokenizer;
    assert_done(dt_bpe_tokenizer_read(&tokenizer, written, strlen(written), "f.json"));
    assert_int_equal(tokenizer.V, 301);
    assert_int_equal(tokenizer.end_of_text, 300);
    dt_tokenizer_free(&tokenizer);
    free(written);
    free(text);
    scratch_remove(folder);
}

/* A text that has fewer pairs than tokens are asked for, one of a single piece, and one that is no UTF-8. */
static void small_texts_end_early(void **state) {
    (void)state;
    static const char *const texts[] = {"", "a", "aaaaaaaa", "\xff\xfe\xff", "ab ab ab\n\n"};
    char *folder = scratch_make(), *path = dt_file_join(folder, "text.txt");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        scratch_put(path, texts[i], strlen(texts[i]));
        char *written = train(path, 1000, true, false, NULL);
        dt_tokenizer tokenizer;
        assert_done(dt_bpe_tokenizer_read(&tokenizer, written, strlen(written), "f.json"));
        assert_true(tokenizer.V >= 256 && tokenizer.V < 270);
        dt_tokenizer_free(&tokenizer);
        free(written);
    }
    free(path);
    scratch_remove(folder);
}

/* Of whole lines the first are counted, and the rest of the text is left. */
static void lines_are_a_sample(void **state) {
    (void)state;
    char *folder = scratch_make(), *path = dt_file_join(folder, "text.txt");
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fprintf(file, "line %03d\n", i);
    fclose(file);
    dt_line_counter counter;
    assert_done(dt_line_counter_create(&counter, false, false, NULL));
    counter.counts.max_pieces = 100;
    count_file(&counter, path);
    assert_true(counter.counts.is_full);
    assert_int_equal(counter.counts.count, 100);
    assert_int_equal(counter.counts.forgotten, 0);
    assert_int_equal(counter.bytes, 101 * 9); /* with the line that was one too many */
    dt_line_counter_free(&counter);
    free(path);
    scratch_remove(folder);
}

/* Where only few pieces may be held, the frequent ones keep their counts and the rare ones go. */
static void rare_pieces_are_forgotten(void **state) {
    (void)state;
    dt_piece_counts counts;
    assert_done(dt_piece_counts_create(&counts));
    counts.max_pieces = 1000;
    char piece[16];
    for (int i = 0; i < 20000; i++) {
        assert_done(dt_piece_counts_add(&counts, (const uint8_t *)" the", 4));
        const int length = snprintf(piece, sizeof piece, "%d", i);
        assert_done(dt_piece_counts_add(&counts, (const uint8_t *)piece, length));
    }
    assert_true(counts.count <= 1000);
    assert_int_equal(counts.pieces[0].count, 20000);
    assert_int_equal(counts.forgotten + counts.count, 20001);
    assert_int_equal(counts.forgotten_count, 1);
    counts.max_bytes = 100;
    assert_int_equal(dt_piece_counts_add(&counts, (const uint8_t *)SAMPLES, 51), DT_USAGE);
    dt_piece_counts_free(&counts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_are_the_references), cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(small_texts_end_early),     cmocka_unit_test(lines_are_a_sample),
        cmocka_unit_test(rare_pieces_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
