/*
 * Tokenizers of tests/samples/tokenizers, which the reference made (tools/tokenizer-vectors): its ids, the
 * same ids in blocks of any size, and text again from ids.
 */
#include "support/sentence.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/file.h"
#include "support/token_blocks.h"
#include "tokenizer/bpe_tokenizer.h"

#if DT_CONTRACTS
#define LONG_LINE_BYTES (1 << 20)
#else
#define LONG_LINE_BYTES (10 << 20)
#endif

#define SAMPLES DTRAIN_SOURCE_DIR "/tests/samples/tokenizers/"

static const char *const names[] = {"gpt2", "prefix", "no_regex", "no_regex_prefix",
                                    "gpt4", "qwen",   "o200k",    "stages"};
#define NAMES (sizeof names / sizeof *names)

static void open_sample(dt_tokenizer *tokenizer, const char *name) {
    char path[512];
    snprintf(path, sizeof path, SAMPLES "%s.json", name);
    assert_done(dt_bpe_tokenizer_open(tokenizer, path));
}

static json_t *read_vectors(void) {
    json_error_t error;
    json_t *vectors = json_load_file(SAMPLES "vectors.json", 0, &error);
    if (vectors == NULL)
        fail_msg("%s", error.text);
    return vectors;
}

static int32_t id_at(const dt_encoder *encoder, int64_t i) {
    const int bytes = encoder->tokenizer->token_bytes;
    int32_t id;
    dt_tokens_widen(&id, encoder->tokens + i * bytes, bytes, 1);
    return id;
}

/* What is between one id and another in a text, for the sentence of a failure. */
static void expect_ids(const char *name, const char *text, const dt_encoder *encoder, const json_t *ids) {
    const int64_t count = (int64_t)json_array_size(ids);
    for (int64_t i = 0; i < count && i < encoder->count; i++)
        if (id_at(encoder, i) != json_integer_value(json_array_get(ids, (size_t)i)))
            fail_msg("%s: token %lld of \"%s\" is %d and should be %lld", name, (long long)i, text,
                     id_at(encoder, i), (long long)json_integer_value(json_array_get(ids, (size_t)i)));
    if (count != encoder->count)
        fail_msg("%s: %lld tokens of \"%s\", and should be %lld", name, (long long)encoder->count, text,
                 (long long)count);
}

static void ids_are_the_references(void **state) {
    (void)state;
    json_t *vectors = read_vectors(), *text;
    size_t i;
    for (size_t n = 0; n < NAMES; n++) {
        dt_tokenizer tokenizer;
        dt_encoder encoder;
        open_sample(&tokenizer, names[n]);
        assert_done(dt_encoder_create(&encoder, &tokenizer));
        json_array_foreach(json_object_get(vectors, "texts"), i, text) {
            const char *bytes = json_string_value(text);
            assert_done(dt_encoder_encode_all(&encoder, bytes, strlen(bytes)));
            expect_ids(names[n], bytes, &encoder,
                       json_array_get(json_object_get(json_object_get(vectors, "ids"), names[n]), i));
        }
        dt_encoder_free(&encoder);
        dt_tokenizer_free(&tokenizer);
    }
    json_decref(vectors);
}

/* All texts of the vectors one after the other, with what is no UTF-8 between them. The caller frees it. */
static char *join_texts(size_t *length) {
    static const char bad[] = "\xff\xe4\xbd\n\xf0\x9f\x98x\xc0\xaf\xed\xa0\x80 \x80\n\xe2\x28\xa1\n";
    json_t *vectors = read_vectors(), *text;
    char *joined = NULL;
    size_t i;
    FILE *file = open_memstream(&joined, length);
    json_array_foreach(json_object_get(vectors, "texts"), i, text) {
        fputs(json_string_value(text), file);
        fwrite(bad, 1, i % 3 == 0 ? sizeof bad - 1 : 0, file);
        fputs(i % 4 == 1 ? "\n" : "", file);
    }
    fclose(file);
    json_decref(vectors);
    return joined;
}

/* Tokens of the text in blocks of `size` bytes against those of the whole. */
static void expect_same_in_blocks(const dt_tokenizer *tokenizer, const char *name, const char *text,
                                  int64_t length, int64_t size, const token_blocks *whole) {
    const int64_t count = (length - 1) / size;
    int64_t *positions = malloc((size_t)(count + 1) * sizeof *positions);
    for (int64_t i = 0; i < count; i++)
        positions[i] = (i + 1) * size;
    token_blocks blocks = token_blocks_make(tokenizer, text, length, positions, count);
    if (blocks.made != whole->made ||
        memcmp(blocks.ids, whole->ids, (size_t)whole->made * sizeof *whole->ids) != 0)
        fail_msg("%s: blocks of %lld bytes give other tokens", name, (long long)size);
    assert_memory_equal(&blocks.count, &whole->count, sizeof whole->count);
    free(blocks.ids);
    free(positions);
}

static void blocks_give_the_wholes_tokens(void **state) {
    (void)state;
    static const int64_t sizes[] = {7, 64, 333, 1000, 4000};
    size_t length;
    char *text = join_texts(&length);
    for (size_t n = 0; n < NAMES; n++) {
        dt_tokenizer tokenizer;
        open_sample(&tokenizer, names[n]);
        token_blocks whole = token_blocks_make(&tokenizer, text, (int64_t)length, NULL, 0);
        assert_true(whole.count.invalid > 0);
        /* The smallest blocks are the most, and take longest in builds for debugging. */
        for (size_t s = DT_CONTRACTS; s < sizeof sizes / sizeof *sizes; s++)
            expect_same_in_blocks(&tokenizer, names[n], text, (int64_t)length, sizes[s], &whole);
        free(whole.ids);
        dt_tokenizer_free(&tokenizer);
    }
    free(text);
}

/* Identity: where a tokenizer can cut, a text of lines has cuts, and where it cannot, none but its end. */
static void known_patterns_can_be_cut(void **state) {
    (void)state;
    static const char text[] = "one two\nthree\n four\n/five\nsix\n";
    for (size_t n = 0; n < NAMES; n++) {
        dt_tokenizer tokenizer;
        open_sample(&tokenizer, names[n]);
        const dt_text whole = {(const uint8_t *)text, sizeof text - 1, true, true};
        const int64_t first = dt_tokenizer_cut(&tokenizer, &whole, 2),
                      second = dt_tokenizer_cut(&tokenizer, &whole, 10);
        if (strcmp(names[n], "stages") == 0)
            assert_int_equal(first, whole.length);
        else if (strncmp(names[n], "no_regex", 8) != 0) {
            assert_int_equal(first, 8);
            assert_int_equal(second, 26); /* not before a space, nor before a slash */
        }
        assert_int_equal(tokenizer.can_cut, strcmp(names[n], "stages") != 0);
        dt_tokenizer_free(&tokenizer);
    }
}

/* No place within an added token is a cut, nor one where a token begins, since that may take what is before
 * it. */
static void added_tokens_are_not_cut(void **state) {
    (void)state;
    dt_tokenizer tokenizer;
    static const char text[] = "a\n<strip>b\n<str\nx";
    open_sample(&tokenizer, "prefix");
    dt_text whole = {(const uint8_t *)text, sizeof text - 1, true, true};
    assert_int_equal(dt_tokenizer_cut(&tokenizer, &whole, 1), 11);
    /* What is at hand does not tell whether <strip> begins here. */
    whole.length = 15;
    whole.is_end = false;
    assert_int_equal(dt_tokenizer_cut(&tokenizer, &whole, 3), -1);
    dt_tokenizer_free(&tokenizer);
}

static void ids_give_their_text(void **state) {
    (void)state;
    static const char text[] = "Größe, 天地 <|endoftext|>\r\n\t👍🏽\x7f";
    dt_tokenizer tokenizer;
    dt_encoder encoder;
    char back[256] = "";
    size_t length, used = 0;
    open_sample(&tokenizer, "gpt2");
    assert_int_equal(tokenizer.V, 421);
    assert_int_equal(tokenizer.end_of_text, 420);
    assert_int_equal(tokenizer.token_bytes, 2);
    assert_done(dt_encoder_create(&encoder, &tokenizer));
    assert_done(dt_encoder_encode_all(&encoder, text, sizeof text - 1));
    for (int64_t i = 0; i < encoder.count; i++) {
        const char *bytes = dt_tokenizer_decode(&tokenizer, id_at(&encoder, i), &length);
        memcpy(back + used, bytes, length);
        used += length;
    }
    assert_int_equal(used, sizeof text - 1);
    assert_memory_equal(back, text, used);
    dt_encoder_free(&encoder);
    dt_tokenizer_free(&tokenizer);
}

/* A line of 10 MB has no cut, nor a shorter one in builds for debugging, and runs that are one piece
 * each are merged with a heap. */
static void long_lines_are_read(void **state) {
    (void)state;
    const int64_t length = LONG_LINE_BYTES;
    char *text = malloc((size_t)length);
    for (int64_t i = 0; i < length; i++)
        text[i] = i < 300000 ? (i < 150000 ? 'a' : ' ') : "the quick brown fox "[i % 20];
    dt_tokenizer tokenizer;
    open_sample(&tokenizer, "gpt4");
    const dt_text whole = {(const uint8_t *)text, length, true, true};
    assert_int_equal(dt_tokenizer_cut(&tokenizer, &whole, length / 2), length);
    const int64_t half = length / 2;
    token_blocks once = token_blocks_make(&tokenizer, text, length, NULL, 0);
    token_blocks again = token_blocks_make(&tokenizer, text, length, &half, 0);
    assert_int_equal(once.made, again.made);
    assert_memory_equal(once.ids, again.ids, (size_t)once.made * sizeof *once.ids);
    free(once.ids);
    free(again.ids);
    dt_tokenizer_free(&tokenizer);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_the_references),    cmocka_unit_test(blocks_give_the_wholes_tokens),
        cmocka_unit_test(known_patterns_can_be_cut), cmocka_unit_test(added_tokens_are_not_cut),
        cmocka_unit_test(ids_give_their_text),       cmocka_unit_test(long_lines_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
