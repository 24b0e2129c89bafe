/*
 * Files that lie or ask for what is not read: one is whole, and each row changes a stretch of it.
 */
#include "support/sentence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/scratch.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/bytelevel.h"
#include "tokenizer/tokenizer.h"

#define REST                                                                                                 \
    "\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"             \
    "\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\"},"

/* A file of the 256 bytes and two merges; the caller frees it. */
static char *write_file(void) {
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    fputs("{\"added_tokens\":[{\"id\":258,\"content\":\"<e>\",\"special\":true}]," REST
          "\"model\":{\"type\":\"BPE\",\"vocab\":{",
          file);
    for (int byte = 0; byte < 256; byte++) {
        char name[DT_BYTELEVEL_CHAR_BYTES + 1];
        const uint8_t one = (uint8_t)byte;
        dt_bytelevel_encode(&one, 1, name);
        fprintf(file, "\"%s%s\":%d,", byte == '"' || byte == '\\' ? "\\" : "", name, byte);
    }
    fputs("\"th\":256,\"the\":257},\"merges\":[\"t h\",\"th e\"]}}", file);
    fclose(file);
    return text;
}

/* The file with `from` changed to `to`; the caller frees it. */
static char *change(const char *file, const char *from, const char *to) {
    const char *at = strstr(file, from);
    char *changed;
    assert_non_null(at);
    assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - file), file, to, at + strlen(from)) > 0);
    return changed;
}

static void expect_refused(const char *file, size_t length, const char *sentence) {
    dt_tokenizer tokenizer;
    assert_int_equal(dt_bpe_tokenizer_read(&tokenizer, file, length, "f.json"), DT_USAGE);
    if (strncmp(dt_error(), "f.json: ", 8) != 0 || strstr(dt_error(), sentence) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", sentence, dt_error());
    dt_tokenizer_free(&tokenizer);
}

/* What a good file says, a lie in its place, and the sentence about it. */
static const struct {
    const char *from, *to, *sentence;
} lies[] = {
    {"\"type\":\"BPE\"", "\"type\":\"WordPiece\"", "expected a model that is BPE, found WordPiece"},
    {"\"type\":\"BPE\"", "\"type\":\"Unigram\"", "found Unigram"},
    {"\"normalizer\":null", "\"normalizer\":{\"type\":\"NFKC\"}",
     "null, NFC or a Sequence of NFC, found NFKC"},
    {"\"normalizer\":null",
     "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"}]}", "found Lowercase"},
    {"{\"type\":\"ByteLevel\",\"add", "{\"type\":\"Metaspace\",\"add", "found Metaspace"},
    {"{\"type\":\"ByteLevel\",\"add_prefix_space\":false}", "null", "found something without a type"},
    {"{\"type\":\"ByteLevel\",\"add_prefix_space\":false}",
     "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},"
     "\"behavior\":\"Removed\"}]}",
     "the behavior Isolated, found \"Removed\""},
    {"{\"type\":\"ByteLevel\",\"add_prefix_space\":false}",
     "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\w\"},"
     "\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\"}]}",
     "found \\w at byte 0"},
    {"\"decoder\":{\"type\":\"ByteLevel\"}", "\"decoder\":{\"type\":\"WordPiece\"}",
     "a decoder that is ByteLevel"},
    {"\"post_processor\":null", "\"post_processor\":{\"type\":\"BertProcessing\"}", "found BertProcessing"},
    {"\"merges\"", "\"dropout\":0.1,\"merges\"", "without \"dropout\", found it set"},
    {"\"merges\"", "\"unk_token\":\"<u>\",\"merges\"", "without \"unk_token\""},
    {"\"merges\"", "\"byte_fallback\":true,\"merges\"", "without \"byte_fallback\""},
    {"\"merges\"", "\"end_of_word_suffix\":\"</w>\",\"merges\"", "without \"end_of_word_suffix\""},
    {"\"merges\"", "\"ignore_merges\":1,\"merges\"", "expected true or false for \"ignore_merges\""},
    {"\"the\":257", "\"the\":259",
     "a token for each id up to 259, which is one of the model's own, found none for 257"},
    {"\"the\":257", "\"the\":256", "found id 256 for two of them"},
    {"\"the\":257", "\"th\":257", "duplicate object key"},
    {"\"the\":257", "\"the\":-1", "expected ids from 0 to 2097151, found another for the token \"the\""},
    {"\"the\":257", "\"the\":99999999", "found another for the token \"the\""},
    {"\"the\":257", "\"the\":\"257\"", "found another for the token \"the\""},
    {"\"the\":257", "\"\":257", "tokens of 1 to 65536 bytes, found one of 0"},
    {"\"t h\"", "\"t x\"", "found \"tx\" in merge 0, which is none"},
    {"\"t h\"", "\"t\"", "expected merges of two tokens"},
    {"\"t h\"", "[\"t\"]", "expected merges of two tokens"},
    {"\"t h\"", "17", "expected merges of two tokens"},
    {"\"t h\"", "\"t h\",\"t h\"", "merges of different pairs, found merge 1 to be merge 0 again"},
    {"\"t h\",\"th e\"", "\"the th\"", "found \"theth\" in merge 0"},
    {"\"merges\":[", "\"merge\":[", "\"merges\""},
    {"\"!\":33,", "", "found none for byte 0x21"},
    {"\"id\":258", "\"id\":257", "found id 257 for the added token \"<e>\", which another token has"},
    {"\"id\":258", "\"id\":300",
     "expected id 258 for the added token \"<e>\", the next one, as the tokenizers "},
    {"\"the\":257}", "\"the\":257,\"<e>\":258,\"< >\":1284}",
     "at most 1024 ids without a token, found 1025, the first of them 259"},
    {"\"id\":258", "\"id\":null", "found another for the token \"<e>\""},
    {"\"<e>\"", "\"the\"", "which has another in the vocabulary"},
    {"\"<e>\"", "\"\"", "a content of 1 to 4096 bytes"},
    {"\"special\":true", "\"single_word\":true", "without single_word, found it for \"<e>\""},
    {"\"special\":true}", "\"special\":true},{\"id\":259,\"content\":\"<e>\",\"special\":true}",
     "found \"<e>\" twice"},
    {"\"added_tokens\":[", "\"added_tokens\":7,\"x\":[", "expected a list \"added_tokens\""},
    {"\"model\":{", "\"model\":[{", "found on line 1"},
    {"\"model\"", "\"modell\"", "an object with a \"model\""},
};

static void each_lie_gets_its_sentence(void **state) {
    (void)state;
    char *file = write_file();
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        char *changed = change(file, lies[i].from, lies[i].to);
        expect_refused(changed, strlen(changed), lies[i].sentence);
        free(changed);
    }
    free(file);
}

static void the_whole_file_is_read_and_no_start_of_it(void **state) {
    (void)state;
    char *file = write_file();
    const size_t length = strlen(file);
    dt_tokenizer tokenizer;
    assert_done(dt_bpe_tokenizer_read(&tokenizer, file, length, "f.json"));
    assert_int_equal(tokenizer.V, 259);
    size_t kept;
    assert_memory_equal(dt_bpe_tokenizer_file(&tokenizer, &kept), file, length);
    assert_int_equal(kept, length);
    dt_tokenizer_free(&tokenizer);
    for (size_t end = 0; end < length; end += 7)
        expect_refused(file, end, "expected a tokenizer.json, found on line");
    free(file);
}

/* To take away what GPT-2's pattern does not match takes nothing away. */
static void removing_nothing_is_read(void **state) {
    (void)state;
    char *file = write_file();
    char *changed = change(
        file, "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}",
        "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
        "\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|"
        "\\\\s+\"},\"behavior\":\"Removed\",\"invert\":true},{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":false,\"use_regex\":false}]}");
    dt_tokenizer tokenizer;
    assert_done(dt_bpe_tokenizer_read(&tokenizer, changed, strlen(changed), "f.json"));
    assert_true(tokenizer.can_cut);
    dt_tokenizer_free(&tokenizer);
    free(changed);
    changed =
        change(file, "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}",
               "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Removed\",\"invert\":true}");
    expect_refused(changed, strlen(changed), "found \"Removed\"");
    free(changed);
    free(file);
}

static void what_is_deep_or_long_is_refused(void **state) {
    (void)state;
    const size_t length = 200000;
    char *deep = malloc(length);
    memset(deep, '[', length);
    expect_refused(deep, length, "nested at most 64 deep");
    memset(deep, 'a', length);
    deep[0] = deep[length - 1] = '"';
    char *file = write_file();
    deep[length - 1] = 0;
    char name[] = "\"the";
    char *changed = change(file, name, deep);
    expect_refused(changed, strlen(changed), "found one of 199998 for id 257");
    free(changed);
    free(file);
    free(deep);
}

/* A file that is too long is not read at all. */
static void a_huge_file_is_not_read(void **state) {
    (void)state;
    char *folder = scratch_make(), *path = dt_file_join(folder, "tokenizer.json");
    dt_tokenizer tokenizer;
    scratch_put(path, "{", 1);
    assert_int_equal(truncate(path, (off_t)1 << 30), 0);
    assert_int_not_equal(dt_bpe_tokenizer_open(&tokenizer, path), DT_OK);
    assert_non_null(strstr(dt_error(), path));
    dt_tokenizer_free(&tokenizer);
    assert_int_not_equal(dt_bpe_tokenizer_open(&tokenizer, folder), DT_OK);
    dt_tokenizer_free(&tokenizer);
    free(path);
    scratch_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lie_gets_its_sentence),
        cmocka_unit_test(the_whole_file_is_read_and_no_start_of_it),
        cmocka_unit_test(removing_nothing_is_read),
        cmocka_unit_test(what_is_deep_or_long_is_refused),
        cmocka_unit_test(a_huge_file_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
