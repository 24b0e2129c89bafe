/* Each tokenizer: the same bits on any number of ranks and threads with a resume in between, a checkpoint
 * that brings its tokenizer along, and samples and evaluations that say what tokens are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"
#include "support/verb.h"

#define MODEL                                                                                                \
    "--n-layers 1 --d-model 16 --n-heads 2 --d-ff 16 --max-seq-len 16 --seed 7 --batch-size 10 "             \
    "--micro-batch-size 1 --dropout 0.1 --eval-cadence 4 --eval-max-windows 3 --learning-rate 1e-2 "

/* A text of three blocks with characters of one to four bytes, CR LF, and more than 256 of them. The cut
 * between two blocks falls into a character, or beside one. */
static void write_text(const char *path) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (uint32_t line = 0; line < 45000; line++) {
        const uint32_t point = 0x4E00 + line * 7 % 300;
        fprintf(file, "%u caf\xC3\xA9 <UNK> %c%c%c \xF0\x9F\x98%c it's\r\n", line, (char)(0xE0 | point >> 12),
                (char)(0x80 | (point >> 6 & 0x3F)), (char)(0x80 | (point & 0x3F)), (char)(0x80 + line % 5));
    }
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state) {
    *state = command_enter_folder();
    write_text("text.txt");
    command_done("head -c 300000 text.txt >head.txt && " DTRAIN
                 " tokenizer train head.txt --vocab-size 300 --out bpe.json");
    return 0;
}

static const struct {
    const char *name, *unit;
    int V;
    const char *end, *pad; /* ids in config.json, by which transformers' generate ends */
} tokenizers[] = {{"ascii", "character", 99, "null", "0"},
                  {"bytes", "byte", 256, "null", "null"},
                  {"chars", "character", 333, "null", "0"},
                  {"bpe.json", "token", 300, "299", "299"}};
#define TOKENIZERS (sizeof tokenizers / sizeof *tokenizers)

static void names_of(char out_dir[64], const char *tokenizer, int ranks) {
    snprintf(out_dir, 64, "%s_%d", tokenizer, ranks);
}

static void train(const char *tokenizer, int ranks, int threads, int then_ranks, int then_threads) {
    char out_dir[64], flags[512];
    names_of(out_dir, tokenizer, ranks);
    snprintf(flags, sizeof flags, MODEL "--data text.txt --max-steps 2 --tokenizer %s", tokenizer);
    training_done(ranks, threads, out_dir, flags);
    training_done(then_ranks, then_threads, out_dir, "--resume latest --max-steps 4");
}

static void same_bits_on_any_ranks_and_threads(void **state) {
    (void)state;
    for (size_t i = 0; i < TOKENIZERS; i++) {
        char alone[64], other[64];
        names_of(alone, tokenizers[i].name, 1);
        train(tokenizers[i].name, 1, 2, 2, 1);
        train(tokenizers[i].name, 3, 1, 5, 2);
        names_of(other, tokenizers[i].name, 3);
        training_same_run(alone, other, 4);
        training_same_metric(alone, other, "val_loss");
    }
}

static void expect_in(const char *file, const char *text, int times) {
    command_result r = command_run("grep -cE '%s,?$' %s", text, file);
    if (atoi(r.out) != times)
        fail_msg("expected %d lines with %s in %s, found %s", times, text, file, r.out);
    command_free(&r);
}

/* A text ends at the tokenizer's end of text, and nowhere where it has none. */
static void transformers_is_told_where_a_text_ends(void **state) {
    (void)state;
    for (size_t i = 0; i < TOKENIZERS; i++) {
        const char *keys[] = {"bos", "eos", "pad"};
        char file[128], text[64];
        snprintf(file, sizeof file, "%s_1/checkpoints/latest/config.json", tokenizers[i].name);
        for (int k = 0; k < 3; k++) {
            snprintf(text, sizeof text, "\"%s_token_id\": %s", keys[k],
                     k < 2 ? tokenizers[i].end : tokenizers[i].pad);
            expect_in(file, text, 1);
        }
        snprintf(file, sizeof file, "%s_1/checkpoints/latest/tokenizer_config.json", tokenizers[i].name);
        expect_in(file, "_token\": .*", strcmp(tokenizers[i].end, "null") != 0);
        expect_in(file, "\"eos_token\": \"<\\|endoftext\\|>\"", strcmp(tokenizers[i].end, "null") != 0);
    }
}

/* The folder is enough, wherever the file that was trained with has gone. */
static void a_checkpoint_brings_its_tokenizer(void **state) {
    (void)state;
    command_done("mv bpe.json away.json");
    for (size_t i = 0; i < TOKENIZERS; i++) {
        char line[256], expected[64];
        snprintf(line, sizeof line, "cp -r %s_1/checkpoints/checkpoint_step_4 moved", tokenizers[i].name);
        command_done(line);
        snprintf(expected, sizeof expected, " bits per %s  ", tokenizers[i].unit);
        char *out = verb_output("", "eval moved --data text.txt --windows 3");
        if (strstr(out, expected) == NULL && strcmp(tokenizers[i].unit, "byte") != 0)
            fail_msg("expected \"%s\" in \"%s\"", expected, out);
        assert_int_equal(strstr(out, "bits per byte\n") != NULL,
                         strcmp(tokenizers[i].unit, "character") != 0);
        free(out);
        snprintf(expected, sizeof expected, "\"vocab_size\": %d,", tokenizers[i].V);
        snprintf(line, sizeof line, "grep -q '%s' moved/config.json", expected);
        command_done(line);
        free(verb_output("", "verify moved"));
        command_done("rm -r moved");
    }
    command_done("cmp away.json bpe.json_1/checkpoints/latest/tokenizer.json && mv away.json bpe.json");
}

/* A file's name says nothing of what it makes, nor does the way in which it is written. */
static void a_tokenizer_is_judged_by_its_content(void **state) {
    (void)state;
    command_done(
        "tr -d '\\n' <bpe.json >copy.json && ! cmp -s bpe.json copy.json && cp -r bpe.json_1 on && " DTRAIN
        " tokenize head.txt --tokenizer copy.json --out copy.tokens && " DTRAIN
        " tokenize --statistics copy.tokens --tokenizer bpe.json");
    training_done(2, 1, "on", "--resume latest --max-steps 5 --tokenizer ./copy.json");
    training_done(TRAINING_ALONE, 1, "on", "--resume latest --max-steps 6 --tokenizer bpe.json");
    command_done("cp -r chars_1 signs");
    training_done(TRAINING_ALONE, 1, "signs",
                  "--resume latest --max-steps 5 --tokenizer chars_1/checkpoints/latest/tokenizer.json");
    command_done(DTRAIN
                 " tokenizer train head.txt --vocab-size 290 --out fewer.json && cp fewer.json bpe.json");
    const char *const others[] = {"bpe.json", "fewer.json"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char flags[128], sentence[128];
        snprintf(flags, sizeof flags, "--resume latest --max-steps 7 --tokenizer %s", others[i]);
        snprintf(sentence, sizeof sentence,
                 "cannot resume: %s is not the tokenizer that the checkpoint was trained with", others[i]);
        training_refused(2, "on", flags, 2, sentence);
    }
    training_refused(TRAINING_ALONE, "on", "--resume latest --max-steps 7 --tokenizer bytes", 2,
                     "tokenizer is bpe.json in the checkpoint and bytes in this run");
    /* The checkpoint's own is enough where there is no file any more. */
    command_done("rm bpe.json");
    training_done(TRAINING_ALONE, 1, "on", "--resume latest --max-steps 7 --tokenizer bpe.json");
    command_done("mv copy.json bpe.json && rm -r on signs");
}

/* What is shown is whole UTF-8, whatever is drawn. */
static void samples_are_whole_characters(void **state) {
    (void)state;
    for (size_t i = 0; i < TOKENIZERS; i++) {
        char line[256];
        snprintf(line, sizeof line,
                 DTRAIN
                 " sample %s_1/checkpoints/latest --max-length 500 --temperature 3 --count 3 | iconv -f "
                 "UTF-8 -t UTF-8 >/dev/null",
                 tokenizers[i].name);
        command_done(line);
    }
}

/* More rows than tokens: they are trained as any, and no sample draws them. */
static void a_vocabulary_can_be_padded(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "padded",
                  MODEL "--data text.txt --max-steps 1 --tokenizer bytes --vocab-size 320");
    command_done("grep -q '\"vocab_size\": 320,' padded/checkpoints/latest/config.json");
    char *out = verb_output("", "sample padded/checkpoints/latest --max-length 300 --prompt x");
    free(out);
    training_refused(TRAINING_ALONE, "refused", MODEL "--data text.txt --tokenizer bytes --vocab-size 255", 2,
                     "vocab_size: expected at least the 256 tokens of the tokenizer bytes, found 255");
    training_refused(TRAINING_ALONE, "refused", MODEL "--data text.txt --tokenizer none.json", 2,
                     "tokenizer: expected ascii, bytes, chars or the path of a tokenizer.json, found "
                     "\"none.json\": cannot open none.json");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_on_any_ranks_and_threads),
        cmocka_unit_test(transformers_is_told_where_a_text_ends),
        cmocka_unit_test(a_checkpoint_brings_its_tokenizer),
        cmocka_unit_test(a_tokenizer_is_judged_by_its_content),
        cmocka_unit_test(samples_are_whole_characters),
        cmocka_unit_test(a_vocabulary_can_be_padded),
    };
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
