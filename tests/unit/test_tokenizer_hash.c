/* A tokenizer's hash is that of what its file means: the same however the file is written, another where a
 * text would get other tokens. And ids that a file leaves free. */
#include "support/sentence.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/encoder.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokens.h"

#define SAMPLES DTRAIN_SOURCE_DIR "/tests/samples/tokenizers/"

static json_t *read_sample(const char *name) {
    char path[512];
    snprintf(path, sizeof path, SAMPLES "%s.json", name);
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    return root;
}

/* The tokenizer of the JSON as these flags of jansson write it. */
static void open_written(dt_tokenizer *tokenizer, const json_t *root, size_t flags) {
    char *text = json_dumps(root, flags);
    assert_non_null(text);
    assert_done(dt_bpe_tokenizer_read(tokenizer, text, strlen(text), "f.json"));
    assert_true(tokenizer->file_hash == dt_checksum_64(text, strlen(text)));
    assert_true(dt_tokenizer_is(tokenizer, tokenizer->hash));
    assert_true(dt_tokenizer_is(tokenizer, tokenizer->file_hash)); /* as older files of tokens have it */
    assert_false(dt_tokenizer_is(tokenizer, tokenizer->hash + 1));
    free(text);
}

static uint64_t hash_of(const json_t *root, size_t flags) {
    dt_tokenizer tokenizer;
    open_written(&tokenizer, root, flags);
    const uint64_t hash = tokenizer.hash;
    dt_tokenizer_free(&tokenizer);
    return hash;
}

/* "a b" as ["a", "b"]. */
static void write_merges_as_pairs(json_t *root) {
    json_t *model = json_object_get(root, "model"), *merges = json_object_get(model, "merges");
    for (size_t i = 0; i < json_array_size(merges); i++) {
        const char *merge = json_string_value(json_array_get(merges, i));
        if (merge == NULL)
            continue;
        const size_t left = strcspn(merge, " ");
        json_t *pair = json_array();
        json_array_append_new(pair, json_stringn(merge, left));
        json_array_append_new(pair, json_string(merge + left + 1));
        json_array_set_new(merges, i, pair);
    }
}

static void the_same_meaning_has_the_same_hash(void **state) {
    (void)state;
    static const char *const names[] = {"gpt4", "qwen", "no_regex_prefix"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        json_t *root = read_sample(names[n]);
        const uint64_t hash = hash_of(root, JSON_COMPACT);
        assert_true(hash_of(root, JSON_INDENT(4) | JSON_SORT_KEYS) == hash);
        assert_true(hash_of(root, JSON_ENSURE_ASCII) == hash);
        write_merges_as_pairs(root);
        json_object_set_new(root, "version", json_string("another"));
        assert_true(hash_of(root, 0) == hash);
        json_decref(root);
    }
}

static void set(json_t *object, const char *key, json_t *value) {
    assert_int_equal(json_object_set_new(object, key, value), 0);
}

/* One change each: the first two merges, an id, a flag of an added token, a flag of the model, the
 * normalizer, the pattern and the prefix space. */
static void change(json_t *root, int what) {
    json_t *model = json_object_get(root, "model"), *merges = json_object_get(model, "merges");
    json_t *added = json_array_get(json_object_get(root, "added_tokens"), 0);
    json_t *byte_level = json_object_get(root, "pre_tokenizer"), *first;
    switch (what) {
    case 0:
        first = json_incref(json_array_get(merges, 0));
        json_array_remove(merges, 0);
        json_array_insert_new(merges, 1, first);
        break;
    case 1:
        set(added, "id", json_integer(json_integer_value(json_object_get(added, "id")) + 1));
        set(json_object_get(model, "vocab"), "<|endoftext|>", json_incref(json_object_get(added, "id")));
        break;
    case 2:
        set(added, "rstrip", json_true());
        break;
    case 3:
        set(model, "ignore_merges", json_true());
        break;
    case 4:
        set(root, "normalizer", json_pack("{s:s}", "type", "NFC"));
        break;
    case 5:
        set(byte_level, "use_regex", json_false());
        break;
    case 6:
        set(byte_level, "add_prefix_space", json_true());
        break;
    default:
        set(added, "content", json_string("<|end|>"));
    }
}

static void another_meaning_has_another_hash(void **state) {
    (void)state;
    uint64_t hashes[9];
    for (int what = -1; what < 8; what++) {
        json_t *root = read_sample("gpt2");
        if (what >= 0)
            change(root, what);
        hashes[what + 1] = hash_of(root, JSON_COMPACT);
        for (int before = 0; before < what + 1; before++)
            if (hashes[before] == hashes[what + 1])
                fail_msg("changes %d and %d have the same hash", before - 1, what);
        json_decref(root);
    }
}

/* As GPT-4's file has them: one free id behind the model's, and more between special tokens. */
static void ids_may_be_free_behind_the_models_own(void **state) {
    (void)state;
    static const int64_t ids[] = {421, 440};
    static const char text[] = "one<|endoftext|>two";
    json_t *root = read_sample("gpt4"), *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    for (size_t i = 0; i < 2; i++) {
        json_t *added = json_array_get(json_object_get(root, "added_tokens"), i);
        set(added, "id", json_integer(ids[i]));
        set(vocab, json_string_value(json_object_get(added, "content")), json_integer(ids[i]));
    }
    dt_tokenizer tokenizer;
    dt_encoder encoder;
    open_written(&tokenizer, root, JSON_COMPACT);
    assert_int_equal(tokenizer.V, 441);
    assert_int_equal(tokenizer.end_of_text, 440);
    for (int32_t id = 0; id < 441; id++) {
        size_t length;
        (void)dt_tokenizer_decode(&tokenizer, id, &length);
        assert_int_equal(length == 0, id == 420 || (id > 421 && id < 440));
    }
    assert_done(dt_encoder_create(&encoder, &tokenizer));
    assert_done(dt_encoder_encode_all(&encoder, text, sizeof text - 1));
    assert_int_equal(dt_tokens_count(encoder.tokens, tokenizer.token_bytes, encoder.count, 440), 1);
    dt_encoder_free(&encoder);
    dt_tokenizer_free(&tokenizer);
    json_decref(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_meaning_has_the_same_hash),
        cmocka_unit_test(another_meaning_has_another_hash),
        cmocka_unit_test(ids_may_be_free_behind_the_models_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
