/* 50,257 tokens, as many as GPT-2 has, on a model of few channels: the head works a micro-batch off in two
 * blocks of rows, batches have ids from the whole of the vocabulary, and the promise of the same bits holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"

#define V 50257

/* 384 rows in a micro-batch, of which 64 MB hold the logits of 318; five micro-batches, the last of one
 * sequence. */
#define MODEL                                                                                                \
    "--n-layers 1 --d-model 16 --n-heads 2 --d-ff 32 --max-seq-len 128 --batch-size 13 "                     \
    "--micro-batch-size 3 --learning-rate 1e-2 --seed 7 --eval-cadence 1 --eval-max-windows 4 --eval-on all "

#define STEPS  2
#define TOKENS 14000

/* The numbers below V in another order than their own: V is a prime. */
static uint32_t scattered(uint32_t i) {
    return (uint32_t)((uint64_t)i * 40503 % V);
}

static FILE *open_new(const char *path) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    return file;
}

/* A word for each token. */
static void write_word(FILE *file, uint32_t token) {
    for (uint32_t rest = token + 26 * 26 * 26; rest > 0; rest /= 26)
        fputc('a' + (int)(rest % 26), file);
}

/* A byte-level BPE of bytes, words, which need no merges, and <|endoftext|>. */
static void write_bpe(const char *path) {
    FILE *file = open_new(path);
    fputs("{\"added_tokens\": [{\"id\": 50256, \"content\": \"<|endoftext|>\", \"special\": true}], "
          "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}, "
          "\"model\": {\"type\": \"BPE\", \"ignore_merges\": true, \"merges\": [], \"vocab\": {",
          file);
    for (uint32_t byte = 0, other = 0x100; byte < 256; byte++) {
        const bool is_seen = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
        fprintf(file, "\"\\u%04x\": %u, ", is_seen ? byte : other++, byte);
    }
    for (uint32_t token = 256; token < V - 1; token++) {
        fputc('"', file);
        write_word(file, token);
        fprintf(file, "\": %u%s", token, token < V - 2 ? ", " : "}}}");
    }
    assert_int_equal(fclose(file), 0);
}

/* Words, each followed by a newline, in two files. */
static void write_words(void) {
    for (uint32_t half = 0; half < 2; half++) {
        FILE *file = open_new(half ? "words_2.txt" : "words_1.txt");
        for (uint32_t i = 0; i < TOKENS / 4; i++) {
            write_word(file, 256 + scattered(i + half * TOKENS) % (V - 257));
            fputc('\n', file);
        }
        assert_int_equal(fclose(file), 0);
    }
}

/* As many different characters as `chars` has tokens behind <PAD> and <UNK>, each once. */
static void write_characters(const char *path) {
    FILE *file = open_new(path);
    for (uint32_t i = 0; i < V - 2; i++) {
        const uint32_t point = 0x20000 + scattered(i + 1) * 2;
        fprintf(file, "%c%c%c%c", (char)(0xF0 | point >> 18), (char)(0x80 | (point >> 12 & 0x3F)),
                (char)(0x80 | (point >> 6 & 0x3F)), (char)(0x80 | (point & 0x3F)));
    }
    assert_int_equal(fclose(file), 0);
}

/* The way of nanoGPT: tokens of 16 bits and nothing else. */
static void write_tokens(const char *path) {
    FILE *file = open_new(path);
    for (uint32_t i = 0; i < TOKENS; i++) {
        const uint32_t token = scattered(i);
        fputc((int)(token & 0xFF), file);
        fputc((int)(token >> 8), file);
    }
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state) {
    *state = command_enter_folder();
    write_bpe("bpe.json");
    write_words();
    write_characters("characters.txt");
    write_tokens("tokens.bin");
    return 0;
}

/* A number in a file of the last checkpoint. */
static void expect_in_file(const char *out_dir, const char *file, const char *key, int value) {
    command_result r =
        command_run("grep -c '\"%s\": %d,' %s/checkpoints/latest/%s", key, value, out_dir, file);
    if (strcmp(r.out, "1\n") != 0)
        fail_msg("expected \"%s\": %d in %s of %s", key, value, file, out_dir);
    command_free(&r);
}

/* On one rank, on five, and on two and then three of two threads. */
static void check(const char *name, const char *data, int tokens) {
    char flags[512], alone[64], several[64], resumed[64];
    snprintf(alone, sizeof alone, "%s_alone", name);
    snprintf(several, sizeof several, "%s_several", name);
    snprintf(resumed, sizeof resumed, "%s_resumed", name);
    snprintf(flags, sizeof flags, MODEL "--max-steps 2 %s", data);
    training_done(TRAINING_ALONE, 1, alone, flags);
    training_done(5, 1, several, flags);
    training_same_run(alone, several, STEPS);
    training_same_metric(alone, several, "val_loss");

    snprintf(flags, sizeof flags, MODEL "--max-steps 1 %s", data);
    training_done(2, 1, resumed, flags);
    snprintf(flags, sizeof flags, MODEL "%s --resume latest --max-steps 2", data);
    training_done(3, 2, resumed, flags);
    training_same_run(alone, resumed, STEPS);
    training_same_metric(alone, resumed, "val_loss");

    expect_in_file(alone, "config.json", "vocab_size", V);
    expect_in_file(alone, "metadata.json", "tokens", tokens);
}

static void a_bpe(void **state) {
    (void)state;
    check("bpe", "--data words_1.txt --data words_2.txt --tokenizer bpe.json", TOKENS + 1);
}

static void characters(void **state) {
    (void)state;
    check("chars", "--data characters.txt --tokenizer chars", V - 2);
}

static void a_file_of_tokens_in_bf16(void **state) {
    (void)state;
    check("tokens",
          "--data tokens.bin --data-format uint16 --tokenizer null --vocab-size 50257 --compute-dtype bf16",
          TOKENS);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_bpe), cmocka_unit_test(characters),
                                       cmocka_unit_test(a_file_of_tokens_in_bf16)};
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
