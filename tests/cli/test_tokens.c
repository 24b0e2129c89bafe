/* Texts in several files, packed, from standard input, and tokens in files and in the cache: the same weights
 * however the tokens come, and a sentence for what cannot be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/text.h"
#include "support/verb.h"

#define MODEL                                                                                                 \
    "--n-layers 1 --d-model 16 --n-heads 2 --d-ff 16 --max-seq-len 16 --seed 7 --max-steps 3 --batch-size 4 " \
    "--micro-batch-size 1 "
#define BPE_FILE DTRAIN_SOURCE_DIR "/tests/samples/tokenizers/gpt2.json"
#define WEIGHTS  "/checkpoints/checkpoint_step_3/model.safetensors"

enum { TEXT_BYTES = 2500000 };

/* A folder with big.txt, of three blocks, in its forms, and a run on it as it is. */
static int set_up(void **state) {
    *state = command_enter_folder();
    text_write("big.txt", TEXT_BYTES, 1);
    command_result r =
        command_run("gzip -k big.txt && head -c 1000000 big.txt >a.txt && tail -c +1000001 big.txt >b.txt "
                    "&& gzip -c a.txt >two.gz && gzip -c b.txt >>two.gz");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    training_done(TRAINING_ALONE, 1, "plain", MODEL "--data big.txt");
    return 0;
}

/* The run on `data` has the weights of the plain one, and says `sentence`. */
static void expect_same(int ranks, int threads, const char *flags, const char *sentence) {
    command_result r = training_run(ranks, threads, "other", flags);
    if (r.exit_code != 0)
        fail_msg("%s: %s", flags, r.err);
    command_says(&r, sentence);
    command_free(&r);
    assert_false(training_files_differ("plain" WEIGHTS, "other" WEIGHTS));
    r = command_run("rm -r other");
    command_free(&r);
}

static void the_same_weights_however_tokens_come(void **state) {
    (void)state;
    expect_same(2, 1, MODEL "--data big.txt.gz", "tokens: kept in other/tokens/");
    expect_same(TRAINING_ALONE, 2, MODEL "--data two.gz", "corpus    two.gz: 2500000 bytes, 2500000 tokens");
    expect_same(2, 1, MODEL "--data - <big.txt", "corpus    standard input: 2500000 bytes");
    expect_same(TRAINING_ALONE, 1, MODEL "--data - --token-cache kept <big.txt.gz", "tokens: kept in kept/");
    expect_same(3, 1, MODEL "--data big.txt --token-cache kept", "tokens: read from kept/");
    expect_same(3, 1, MODEL "--data big.txt --token-cache fresh", "tokens: kept in fresh/");
    command_done("cmp kept/* fresh/*");
    expect_same(TRAINING_ALONE, 1, MODEL "--data 'kept/*.tokens'", "2500000 bytes, 2500000 tokens");
    /* What a run was stopped over goes on from any form of it. */
    command_result r = command_run(
        "%s train --out-dir plain --resume latest --max-steps 4 --data null --data kept/*", DTRAIN);
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    command_done("rm -r kept fresh");
}

/* A packed file whose hash is known is not unpacked into tokens again; what is damaged is made anew. */
static void a_cache_is_used_again(void **state) {
    (void)state;
    expect_same(TRAINING_ALONE, 1, MODEL "--data big.txt.gz --token-cache kept", "tokens: kept in kept/");
    expect_same(2, 1, MODEL "--data big.txt.gz --token-cache kept", "tokens: read from kept/");
    command_done("printf x | dd of=$(ls kept/*) bs=1 seek=30 conv=notrunc 2>/dev/null");
    expect_same(TRAINING_ALONE, 1, MODEL "--data big.txt.gz --token-cache kept",
                "tokenizing the texts again");
    expect_same(TRAINING_ALONE, 1, MODEL "--data big.txt.gz --token-cache kept", "tokens: read from kept/");
    command_done("printf x | dd of=$(ls kept/*) bs=1 seek=6000 conv=notrunc 2>/dev/null"); /* in a block */
    expect_same(TRAINING_ALONE, 1, MODEL "--data big.txt.gz --token-cache kept",
                "tokenizing the texts again");
    command_done("cp a.txt $(ls kept/*)"); /* a text is none of the tokens of another */
    expect_same(TRAINING_ALONE, 1, MODEL "--data big.txt.gz --token-cache kept",
                "tokenizing the texts again");
    command_done("test $(ls -A kept | wc -l) = 1 && rm -r kept");
    expect_same(TRAINING_ALONE, 1, MODEL "--data big.txt --token-cache kept", "tokens: kept in kept/");
    command_done(DTRAIN " tokenize a.txt --out a.tokens && mv a.tokens $(ls kept/*)");
    expect_same(TRAINING_ALONE, 1, MODEL "--data big.txt --token-cache kept",
                "holds the tokens of another text than its name");
    command_done("name=$(ls kept/*) && rm $name && mkdir $name");
    expect_same(2, 1, MODEL "--data big.txt --token-cache kept",
                "no token cache: cannot put a file of tokens");
    command_done("rm -r kept");
}

static void tokens_are_made_once(void **state) {
    (void)state;
    command_done(DTRAIN " tokenize big.txt --out one.tokens");
    command_done(DTRAIN_MPIRUN " -np 3 --oversubscribe " DTRAIN " tokenize big.txt --out three.tokens");
    command_done("cmp one.tokens three.tokens && " DTRAIN " tokenize --decode one.tokens | cmp - big.txt");
    expect_same(TRAINING_ALONE, 1, MODEL "--data one.tokens",
                "corpus    one.tokens: 2500000 bytes, 2500000 tokens");
    command_done(DTRAIN " tokenize a.txt b.txt --tokenizer bytes --out both.tokens && " DTRAIN
                        " tokenize --decode both.tokens | cmp - big.txt");
    char *out = verb_output("", "tokenize --statistics both.tokens");
    assert_non_null(strstr(out, "both.tokens: 2500000 tokens of 1 byte\n"));
    assert_non_null(
        strstr(out, "text: 2500000 bytes, 1.000 bytes per token; 0 tokens for unknown characters"));
    free(out);
    training_refused(TRAINING_ALONE, "other", MODEL "--data both.tokens", 2,
                     "expected tokens by this run's tokenizer (ascii, ");
    verb_refused(
        "tokenize both.tokens --tokenizer bytes --out x.tokens", 2,
        "dtrain: error: tokenize: expected texts, found that both.tokens is a file of tokens already; --decode "
        "gives its text back, --statistics counts\n");
}

/* Nothing that is read is written over, whatever name it has, nor another file, tokens among them. */
static void what_is_there_stays(void **state) {
    (void)state;
    static const struct {
        const char *words, *sentence;
    } cases[] = {
        {"b.txt --out b.txt", "found that b.txt is the text b.txt, which would be lost; give another name"},
        {"a.txt b.txt --out hard.tokens", "found that hard.tokens is the text b.txt, which would be lost"},
        {"b.txt --out soft.tokens", "found that soft.tokens is the text b.txt, which would be lost"},
        {"soft.tokens --out b.txt", "found that b.txt is the text soft.tokens, which would be lost"},
        {"two.gz --out two.gz", "found that two.gz is the text two.gz, which would be lost"},
        {"- --out b.txt <b.txt", "found that b.txt is the text standard input, which would be lost"},
        {"b.txt --tokenizer t.json --out ./t.json",
         "found that ./t.json is the tokenizer t.json, which would"},
        {"x.tokenizer.json --tokenizer chars --out x",
         "found that x.tokenizer.json is the text x.tokenizer.json, which would be lost"},
        {"a.txt --tokenizer chars --out x",
         "found that x.tokenizer.json is another file, which would be lost"},
        {"a.txt --out b.txt", "--out, found b.txt, which is there"},
        {"a.txt --out soft.tokens", "--out, found soft.tokens, which is there"},
        {"a.txt --tokenizer bytes --out made.tokens",
         "tokenize: expected the name of a new file for --out, found made.tokens, which is there"},
        {"b.txt --out made.tokens", "--out, found made.tokens, which is there"},
    };
    command_done(DTRAIN " tokenize b.txt --out made.tokens");
    command_done(
        "ln b.txt hard.tokens && ln -s b.txt soft.tokens && head -c 1000 a.txt >x.tokenizer.json && cp " BPE_FILE
        " t.json && md5sum *.txt *.tokens *.json *.gz >sums");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        command_result r = command_run("%s tokenize %s", DTRAIN, cases[i].words);
        if (r.exit_code != 2)
            fail_msg("%s: %d, %s", cases[i].words, r.exit_code, r.err);
        command_says(&r, cases[i].sentence);
        command_free(&r);
    }
    command_done("md5sum --quiet -c sums");
    command_done("rm made.tokens hard.tokens soft.tokens x.tokenizer.json t.json");
}

/* Tokens of ASCII as nanoGPT would have them. */
static void write_raw(const char *path) {
    char *text = command_read_file("big.txt");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (const char *c = text; *c; c++) {
        const unsigned char token[2] = {(unsigned char)(*c == '\n' ? 97 : *c - 30), 0};
        assert_int_equal(fwrite(token, 2, 1, file), 1);
    }
    assert_int_equal(fclose(file), 0);
    free(text);
}

static void others_files_of_tokens(void **state) {
    (void)state;
    write_raw("train.bin");
    expect_same(2, 1, MODEL "--data train.bin --data-format uint16",
                "corpus    train.bin: 5000000 bytes, 2500000 tokens");
    command_done(
        "{ printf '\\210\\330\\064\\001\\001\\000\\000\\000\\240\\045\\046\\000'; head -c 1012 /dev/zero; cat train.bin; } "
        ">llm.bin");
    expect_same(TRAINING_ALONE, 1, MODEL "--data llm.bin",
                "corpus    llm.bin: 5001024 bytes, 2500000 tokens");
    command_done("gzip -k train.bin llm.bin");
    training_refused(TRAINING_ALONE, "other", MODEL "--data - --data-format uint16 <train.bin", 2,
                     "cannot use standard input: expected tokens in a file that is not packed, since "
                     "data_format is given, found a stream");
    training_refused(TRAINING_ALONE, "other", MODEL "--data train.bin.gz --data-format uint16", 2,
                     "cannot use train.bin.gz: expected tokens in a file that is not packed, since "
                     "data_format is given, found one packed by gzip or zstd");
    training_refused(TRAINING_ALONE, "other", MODEL "--data llm.bin.gz", 2,
                     "cannot use llm.bin.gz: expected a text, found tokens, which are read only from a file");
    training_refused(TRAINING_ALONE, "other", MODEL "--data - <llm.bin", 2,
                     "cannot use standard input: expected a text, found tokens, which are read only from");
    command_done("printf '\\143\\000' >>train.bin");
    training_refused(TRAINING_ALONE, "other", MODEL "--data train.bin --data-format uint16", 2,
                     "expected tokens below the vocabulary's size 99, found 99 at offset 5000000");
    training_refused(TRAINING_ALONE, "other", MODEL "--data llm.bin --data train.bin", 2,
                     "cannot use train.bin: expected a text in UTF-8, found a NUL byte");
}

#define BPE "--tokenizer " BPE_FILE " "

static int64_t count_tokens(const char *flags) {
    char line[512];
    long long count = 0;
    snprintf(line, sizeof line, "tokenize --statistics a.txt b.txt " BPE "%s", flags);
    char *out = verb_output("", line);
    assert_int_equal(sscanf(out, "a.txt and 1 more file: %lld tokens", &count), 1);
    free(out);
    return count;
}

/* A BPE's tokens are kept without being asked for, and are the same however they are made; between files
 * stands the end of a text. */
static void a_bpe(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "bpe", MODEL BPE "--data big.txt --token-cache null");
    command_done("mv plain ascii && mv bpe plain");
    expect_same(2, 1, MODEL BPE "--data big.txt", "tokens: kept in other/tokens/");
    expect_same(TRAINING_ALONE, 2, MODEL BPE "--data two.gz", "tokens: kept in other/tokens/");
    command_done(DTRAIN_MPIRUN " -np 3 --oversubscribe " DTRAIN " tokenize big.txt " BPE "--out bpe.tokens");
    expect_same(TRAINING_ALONE, 1, MODEL BPE "--data bpe.tokens", "corpus    bpe.tokens: 2500000 bytes");
    command_done("rm -r plain && mv ascii plain && " DTRAIN " tokenize --decode bpe.tokens | cmp - big.txt");
    assert_int_equal(count_tokens("--join-documents true"), count_tokens("--join-documents false") + 1);
}

#define LLAMA DTRAIN_SOURCE_DIR "/tests/samples/tokenizers/gpt4.json"

/* A template of Llama 3's form is for prompts: the line stands once, whatever the number of ranks. */
static void a_template_is_told_of(void **state) {
    (void)state;
    static const char *const lines[] = {" tokenize a.txt --out x.tokens ",
                                        " train " MODEL "--data a.txt --out-dir llama "};
    const char *sentence =
        "dtrain: " LLAMA ": its post_processor's template is read and not applied to a text\n";
    for (int i = 0; i < 2; i++) {
        command_result r = command_run("OMP_NUM_THREADS=1 " DTRAIN_MPIRUN " -np 2 --oversubscribe " DTRAIN
                                       "%s--tokenizer " LLAMA,
                                       lines[i]);
        assert_int_equal(r.exit_code, 0);
        const char *first = strstr(r.err, sentence);
        assert_non_null(first);
        assert_null(strstr(first + 1, sentence));
        command_free(&r);
    }
    command_done(DTRAIN " eval llama/checkpoints/latest --windows 2 2>&1 >/dev/null | { ! grep template; }");
}

/* The tokenizer, the text and the place are named. */
static void a_pattern_that_gives_up(void **state) {
    (void)state;
    command_done(
        "sed 's/\"pre_tokenizer\":{[^}]*}/\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":"
        "[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?:a|aa)+b|c\"},\"behavior\":\"Isolated\"},"
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}/' " DTRAIN_SOURCE_DIR
        "/tests/samples/tokenizers/no_regex.json >slow.json && printf 'c%064d' 0 | tr 0 a >aaa.txt");
    static const char *const lines[] = {"tokenize aaa.txt --out slow.tokens",
                                        "train " MODEL "--data aaa.txt --out-dir slow"};
    for (int i = 0; i < 2; i++) {
        command_result r = command_run("%s %s --tokenizer slow.json", DTRAIN, lines[i]);
        assert_int_equal(r.exit_code, 2);
        /* Once. */
        assert_ptr_equal(strstr(r.err, "slow.json: expected a pattern that finds its pieces in a few steps, "
                                       "found one that gives up 1 characters into a stretch of text: "),
                         r.err + strlen("dtrain: error: "));
        command_says(&r, "; another pattern is needed; found in aaa.txt, bytes 0 to 65");
        command_free(&r);
    }
}

/* Characters are collected before, and what makes the tokens lies beside them. */
static void characters(void **state) {
    (void)state;
    command_done("printf 'na\\303\\257ve \\346\\226\\207 %.0s' $(seq 2000) >script.txt");
    training_done(2, 1, "chars", MODEL "--data script.txt --tokenizer chars");
    command_done(DTRAIN_MPIRUN " -np 2 --oversubscribe " DTRAIN
                               " tokenize script.txt --tokenizer chars --out chars.tokens");
    command_done(DTRAIN " tokenize --decode chars.tokens | cmp - script.txt");
    training_done(2, 1, "kept", MODEL "--data chars.tokens --tokenizer chars.tokens.tokenizer.json");
    assert_false(training_files_differ("chars" WEIGHTS, "kept" WEIGHTS));
}

/* Tokens alone: the weights are the same, and there is nothing that would make text of them. */
static void no_tokenizer(void **state) {
    (void)state;
    write_raw("train.bin");
    expect_same(2, 1, MODEL "--data train.bin --data-format uint16 --tokenizer null --vocab-size 99",
                "corpus    train.bin");
    training_done(TRAINING_ALONE, 1, "bare",
                  MODEL "--data train.bin --data-format uint16 --tokenizer null --vocab-size 99");
    command_done(DTRAIN " verify bare/checkpoints/latest && " DTRAIN
                        " eval bare/checkpoints/latest --windows 10");
    /* A text of its own is one, whatever was trained on. */
    command_done(
        "loss() { " DTRAIN
        " eval bare/checkpoints/latest --windows 10 \"$@\" | grep -o '^loss [0-9.]* nats'; }; "
        "test -n \"$(loss)\" && "
        "test \"$(loss --split all)\" = \"$(loss --data big.txt --tokenizer ascii)\" && "
        "test \"$(loss --split all)\" = \"$(loss --data train.bin --data-format uint16 --split all)\"");
    verb_refused("eval bare/checkpoints/latest --data big.txt", 2,
                 "dtrain: error: cannot use big.txt: expected a file of tokens, since no tokenizer is given, "
                 "found a text; give one, as in --tokenizer bytes, or name a file of tokens\n");
    command_done("test ! -e bare/checkpoints/latest/tokenizer.json");
    command_done("OMP_NUM_THREADS=1 " DTRAIN " --out-dir bare --resume latest --max-steps 4");
    verb_refused("sample bare/checkpoints/latest", 2,
                 "dtrain: error: sample: bare/checkpoints/latest was trained on tokens alone, without a "
                 "tokenizer; name the one that made them by --tokenizer\n");
    command_done(DTRAIN " sample bare/checkpoints/latest --tokenizer ascii --max-length 3");
    training_refused(TRAINING_ALONE, "other", MODEL "--data big.txt --tokenizer null --vocab-size 99", 2,
                     "expected a file of tokens, since no tokenizer is given, found a text");
}

static void several_files(void **state) {
    (void)state;
    expect_same(2, 1, MODEL "--data a.txt --data b.txt", "corpus    a.txt and 1 more file: 2500000 bytes");
    expect_same(TRAINING_ALONE, 1, MODEL "--data '[ab].txt'",
                "corpus    a.txt and 1 more file: 2500000 bytes");
    command_done("printf 'data: [a.txt, b.txt]\\n' >list.yaml");
    expect_same(TRAINING_ALONE, 1, MODEL "--config list.yaml", "a.txt and 1 more file");
    expect_same(TRAINING_ALONE, 1, MODEL "--config list.yaml --token-cache kept", "tokens: kept in kept/");
    training_refused(TRAINING_ALONE, "other", MODEL "--data 'nothing*.txt'", 2,
                     "expected files that match the glob nothing*.txt");
}

/* All of `data` is trained on, and val_loss is that of the other text. */
static void validation_has_files_of_its_own(void **state) {
    (void)state;
    text_write("held.txt", 3000, 5);
    training_done(2, 1, "held", MODEL "--data a.txt --validation-data held.txt --eval-cadence 3");
    char *val_loss = training_last_metric("held", "val_loss"), line[128];
    for (int i = 0; i < 2; i++) {
        command_result r =
            command_run("%s eval held/checkpoints/latest %s", DTRAIN, i == 0 ? "--data held.txt" : "");
        assert_int_equal(r.exit_code, 0);
        snprintf(line, sizeof line, "loss %.7s", val_loss);
        command_says(&r, line);
        command_says(&r, "on held.txt");
        command_free(&r);
    }
    command_result r = command_run("%s eval held/checkpoints/latest --split train --windows 2", DTRAIN);
    command_says(&r, "on a.txt, its train split");
    command_free(&r);
    training_refused(TRAINING_ALONE, "held", "--resume latest --max-steps 4 --validation-data null", 2,
                     "validation_data is held.txt in the checkpoint and null in this run");
    /* Looked for, and told of, where nothing evaluates on it. */
    training_refused(TRAINING_ALONE, "idle", MODEL "--data a.txt --validation-data nope.txt", 2,
                     "cannot open nope.txt: No such file or directory");
    r = training_run(TRAINING_ALONE, 1, "idle", MODEL "--data a.txt --validation-data held.txt");
    assert_int_equal(r.exit_code, 0);
    command_says(&r, "dtrain: warning: validation_data is held.txt, which this run never evaluates on, "
                     "without an eval_cadence");
    command_free(&r);
    free(val_loss);
}

static void what_cannot_be_kept_is_refused(void **state) {
    (void)state;
    training_refused(
        TRAINING_ALONE, "none", MODEL "--data big.txt.gz --token-cache null", 2,
        "cannot use big.txt.gz: it can be read only once and from its start, so its tokens must be kept");
    training_refused(2, "none", MODEL "--data big.txt.gz --token-cache big.txt/x", 1,
                     "big.txt.gz can be read only once and needs a folder for its tokens that all ranks see");
    expect_same(TRAINING_ALONE, 1, MODEL "--data big.txt --token-cache big.txt/x",
                "dtrain: no token cache: ");
    command_done("head -c 100000 big.txt.gz >short.gz");
    training_refused(
        2, "none", MODEL "--data short.gz", 2,
        "cannot unpack short.gz: expected a whole file packed by gzip, found its end, too early");
    /* The folder is not to blame. */
    training_refused(TRAINING_ALONE, "none", MODEL "--data short.gz", 2, "(gzip -t FILE checks one)\n");
    training_refused(TRAINING_ALONE, "none", MODEL "--data - <&-", 2,
                     "cannot read standard input: Bad file descriptor\n");
    command_done("test ! -e none");
    command_done("mkdir -p full && { ! " DTRAIN
                 " tokenize short.gz --out full/x.tokens 2>/dev/null; } && test -z \"$(ls -A full)\"");
    training_refused(TRAINING_ALONE, "none", MODEL "--data - --data a.txt", 2,
                     "cannot use standard input (-) with other files");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_weights_however_tokens_come),
        cmocka_unit_test(a_cache_is_used_again),
        cmocka_unit_test(tokens_are_made_once),
        cmocka_unit_test(what_is_there_stays),
        cmocka_unit_test(others_files_of_tokens),
        cmocka_unit_test(a_bpe),
        cmocka_unit_test(a_template_is_told_of),
        cmocka_unit_test(a_pattern_that_gives_up),
        cmocka_unit_test(characters),
        cmocka_unit_test(no_tokenizer),
        cmocka_unit_test(several_files),
        cmocka_unit_test(validation_has_files_of_its_own),
        cmocka_unit_test(what_cannot_be_kept_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
