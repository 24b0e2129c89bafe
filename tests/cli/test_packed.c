/* What can be read only once, and lists and globs: eval, data and tokenize --statistics take all that
 * training takes, say the same of it, and leave nothing behind; chars finds its characters in it. */
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
#define WEIGHTS  "/checkpoints/checkpoint_step_3/model.safetensors"
#define BPE_FILE DTRAIN_SOURCE_DIR "/tests/samples/tokenizers/gpt2.json"
#define FURTHER  "/checkpoints/checkpoint_step_4/model.safetensors"
#define TWO      "OMP_NUM_THREADS=1 " DTRAIN_MPIRUN " -np 2 --oversubscribe "

/* Forms of one text, as `--data` has them. */
static const char *const forms[] = {"text.txt.gz",        "- <text.txt",       "- <text.txt.gz", "'t*t.gz'",
                                    "a.txt --data b.txt", "a.gz --data b.txt", "text.tokens"};

enum { FORMS = sizeof forms / sizeof *forms };

/* Temporary files go to tmp/, so that a test sees them. */
static int set_up(void **state) {
    char tmp[512];
    *state = command_enter_folder();
    snprintf(tmp, sizeof tmp, "%s/tmp", (const char *)*state);
    text_write("text.txt", 60000, 1);
    command_done(
        "mkdir tmp && gzip -k text.txt && head -c 20000 text.txt >a.txt && tail -c +20001 text.txt >b.txt && "
        "gzip -c a.txt >a.gz && " DTRAIN " tokenize text.txt --out text.tokens");
    assert_int_equal(setenv("TMPDIR", tmp, 1), 0);
    training_done(TRAINING_ALONE, 1, "plain", MODEL "--data text.txt");
    return 0;
}

static void expect_nothing_left(void) {
    command_done("test -z \"$(ls -A tmp | grep -v '^ompi')\"");
}

/* The same lines for the text in each of its forms, on one rank and on two. */
static void expect_same_lines(const char *words) {
    char line[512], *plain, *found;
    snprintf(line, sizeof line, "%s --data text.txt", words);
    plain = verb_output("", line);
    assert_true(strlen(plain) > 0);
    for (int i = 0; i < FORMS; i++) {
        snprintf(line, sizeof line, "%s --data %s", words, forms[i]);
        found = verb_output(i % 2 ? TWO : "", line);
        /* But for the text's name, in the line before. */
        const char *numbers = strstr(found, "\nloss "), *expected = strstr(plain, "\nloss ");
        if (strcmp(numbers ? numbers : found, expected ? expected : plain) != 0)
            fail_msg("%s: \"%s\" is not \"%s\"", line, found, plain);
        free(found);
    }
    free(plain);
    expect_nothing_left();
}

static void eval_takes_what_training_takes(void **state) {
    (void)state;
    expect_same_lines("eval plain/checkpoints/latest --split validation --windows 30");
}

static void data_takes_what_training_takes(void **state) {
    (void)state;
    expect_same_lines("data --seed 3 --steps 2 --batch-size 4 --max-seq-len 16");
    command_done(
        DTRAIN " data --seed 3 --steps 1 --batch-size 4 --max-seq-len 16 --data text.txt >one && " TWO DTRAIN
               " data --seed 3 --steps 1 --batch-size 4 --max-seq-len 16 --data text.txt | cmp - one");
}

static void statistics_of_a_packed_text(void **state) {
    (void)state;
    command_done(
        DTRAIN
        " tokenize --statistics text.txt --tokenizer bytes | tail -n +2 >plain.txt && " TWO DTRAIN
        " tokenize --statistics text.txt.gz --tokenizer bytes 2>said | tail -n +2 | cmp - plain.txt && "
        "test -s plain.txt && grep -q '^dtrain: tokens: unpacked into the temporary .*/tmp/dtrain-' said");
    expect_nothing_left();
    verb_refused(
        "tokenize --decode text.txt.gz --tokenizer bytes", 2,
        "dtrain: error: cannot use text.txt.gz: expected files of tokens, found a text that is packed or "
        "comes from standard input; tokenize it first (dtrain tokenize)\n");
}

/* A run's own text, without its name: its tokens are read where the run is now, and eval adds none there. */
static void a_runs_own_tokens_are_found(void **state) {
    (void)state;
    static const char *const flags[] = {MODEL "--data text.txt.gz", MODEL "--data - <text.txt"};
    char *plain = verb_output("", "eval plain/checkpoints/latest --split validation --windows 30");
    command_done("cp -r plain further && " DTRAIN " --out-dir further --resume latest --max-steps 4");
    for (int i = 0; i < 2; i++) {
        training_done(TRAINING_ALONE, 1, "made", flags[i]);
        command_done("mv made moved && ls moved/tokens >before");
        char *found = verb_output(i ? TWO : "", "eval moved/checkpoints/latest --windows 30 </dev/null");
        assert_non_null(strstr(found, "its validation split: 30 windows"));
        assert_string_equal(strstr(found, "\nloss "), strstr(plain, "\nloss "));
        free(found);
        command_done("ls moved/tokens | cmp - before && cp -r moved on && " DTRAIN
                     " --out-dir on --resume latest --max-steps 4 </dev/null");
        assert_false(training_files_differ("further" FURTHER, "on" FURTHER));
        command_done("rm -r on moved/tokens");
        found = verb_output("", i ? "eval moved/checkpoints/latest --windows 30 <text.txt.gz"
                                  : "eval moved/checkpoints/latest --windows 30");
        assert_string_equal(strstr(found, "\nloss "), strstr(plain, "\nloss "));
        free(found);
        command_done("test ! -e moved/tokens && test ! -e made && rm -r moved");
    }
    free(plain);
    expect_nothing_left();
}

/* A second reading is of what the first has put aside; without a place for that a file is unpacked again. */
static void characters_of_what_is_read_once(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "chars", MODEL "--tokenizer chars --data text.txt");
    static const char *const words[] = {"--data text.txt.gz", "--data a.txt --data b.txt",
                                        "--data - <text.txt"};
    for (int i = 0; i < 3; i++) {
        char line[512];
        snprintf(line, sizeof line, MODEL "--tokenizer chars %s", words[i]);
        training_done(i == 1 ? TRAINING_ALONE : 2, 1, "again", line);
        assert_false(training_files_differ("chars" WEIGHTS, "again" WEIGHTS));
        command_done(i < 2 ? DTRAIN " eval again/checkpoints/latest --windows 3"
                           : DTRAIN " eval again/checkpoints/latest --windows 3 </dev/null");
        command_done("rm -r again");
    }
    command_done("cat text.txt.gz | " DTRAIN " tokenize - --tokenizer chars --out packed.tokens && " DTRAIN
                 " tokenize --decode packed.tokens | cmp - text.txt && cmp packed.tokens.tokenizer.json "
                 "chars/checkpoints/latest/tokenizer.json");
    command_done("cat text.txt | " DTRAIN
                 " data --tokenizer chars --data - --seed 1 --steps 1 --batch-size 4 "
                 "--max-seq-len 16 | grep -q windows");
    command_done("TMPDIR=nope OMPI_MCA_orte_tmpdir_base=/tmp " DTRAIN
                 " tokenize text.txt.gz --tokenizer chars --out again.tokens 2>said && " DTRAIN
                 " tokenize --decode again.tokens | cmp - text.txt && grep -q 'text.txt.gz will be unpacked "
                 "again' said");
    command_done("! cat text.txt | TMPDIR=nope OMPI_MCA_orte_tmpdir_base=/tmp " DTRAIN
                 " tokenize - --tokenizer chars --out x.tokens 2>said && grep -q 'put aside in nope, name a "
                 "larger folder by the variable TMPDIR' said");
    command_done("gzip -c /dev/null >nothing.gz");
    verb_refused("data --tokenizer chars --data nothing.gz --seed 1", 2,
                 "dtrain: error: cannot use nothing.gz: expected a text, found nothing in it\n");
    verb_refused("tokenize - --tokenizer chars --out x.tokens </dev/null", 2,
                 "dtrain: error: cannot use standard input: expected a text, found nothing in it\n");
    expect_nothing_left();
}

/* Tokens and what makes them may be moved together; another tokenizer of that name is none. */
static void a_tokenizer_beside_its_tokens(void **state) {
    (void)state;
    command_done("mkdir -p deep && " DTRAIN
                 " tokenize text.txt --tokenizer chars --out deep/c.tokens && mv deep away && "
                 "mkdir deep && printf '{}' >deep/c.tokens.tokenizer.json && " DTRAIN
                 " tokenize --decode away/c.tokens | cmp - text.txt && cd away && " DTRAIN
                 " tokenize --decode c.tokens | cmp - ../text.txt && rm *.json");
    verb_refused("tokenize --decode away/c.tokens", 2,
                 "dtrain: error: tokenize: expected the tokenizer deep/c.tokens.tokenizer.json that made "
                 "away/c.tokens, found it neither there nor beside the tokens; name it by --tokenizer\n");
}

/* What to do is said in the words of the verb. */
static void advice_suits_the_verb(void **state) {
    (void)state;
    verb_refused(
        "tokenize nope.txt --out x.tokens", 2,
        "dtrain: error: no corpus: cannot open nope.txt: No such file or directory; name a file that is "
        "there\n");
    verb_refused(
        "tokenize 'nope*' --out x.tokens", 2,
        "dtrain: error: no corpus: expected files that match the glob nope*, found none; name files that "
        "are there, with a glob in quotes\n");
    /* Without mpirun Open MPI would need such a folder, and version 5 would make it. */
    command_result r = command_run(DTRAIN_MPIRUN " -np 1 --oversubscribe env TMPDIR=nope " DTRAIN
                                                 " eval plain/checkpoints/latest --data text.txt.gz");
    assert_int_equal(r.exit_code, 1);
    command_says(
        &r,
        "dtrain: error: cannot make a temporary folder in nope: No such file or directory; text.txt.gz can be "
        "read only once and needs a folder for its tokens that all ranks see: name one by the variable "
        "TMPDIR, or tokenize it first (dtrain tokenize)\n");
    command_free(&r);
    command_done("touch empty.txt");
    verb_refused("tokenize empty.txt --out x.tokens", 2,
                 "dtrain: error: cannot use empty.txt: expected a text, found an empty file; name another\n");
}

/* Asked to stop while it waits for more, nothing is left of what was unpacked. */
static void a_stop_leaves_nothing(void **state) {
    (void)state;
    command_done(
        "mkfifo pipe && { { cat text.txt; exec sleep 60; } >pipe & writer=$!; " DTRAIN
        " eval plain/checkpoints/latest --data - <pipe >stopped.out 2>stopped.err & reader=$!; "
        "until test -n \"$(ls -A tmp/dtrain-* 2>/dev/null)\"; do sleep 0.05; done; kill -TERM $reader; "
        "wait $reader; code=$?; kill $writer; test $code = 1 && test ! -s stopped.out && "
        "grep -q 'asked to stop while standard input was read: nothing was found' stopped.err; }");
    expect_nothing_left();
}

/* The same of tokens that are written to a file. */
static void a_stopped_tokenize_leaves_nothing(void **state) {
    (void)state;
    command_done(
        "mkdir stopped && mkfifo tube && { { cat text.txt; exec sleep 60; } >tube & writer=$!; " DTRAIN
        " tokenize - --out stopped/x.tokens <tube 2>stopped.err & reader=$!; "
        "until test -n \"$(ls -A stopped)\"; do sleep 0.05; done; kill -TERM $reader; wait $reader; code=$?; "
        "kill $writer; test $code = 1 && test -z \"$(ls -A stopped)\" && "
        "grep -q 'asked to stop while standard input was read' stopped.err; }");
}

/* A run that is stopped or refused over its text leaves no folder that was not there. */
static void no_folder_is_left(void **state) {
    (void)state;
    command_done("mkfifo slow && { { cat text.txt; exec sleep 60; } >slow & writer=$!; " DTRAIN
                 " train " MODEL
                 "--tokenizer bytes --data - --out-dir gone/deep <slow >gone.out 2>&1 & reader=$!; "
                 "until test -n \"$(ls -A gone/deep/tokens 2>/dev/null)\"; do sleep 0.05; done; "
                 "kill -TERM $reader; wait $reader; kill $writer; test ! -e gone; }");
    command_done("mkdir there && { ! " DTRAIN " train " MODEL
                 "--data - --out-dir there/deep/er </dev/null 2>refused.err; } && "
                 "grep -q 'found nothing in it' refused.err && test -z \"$(ls -A there)\"");
}

/* Nobody has to remove it. */
static void a_damaged_cache_of_standard_input(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "first", MODEL "--data - --token-cache kept <text.txt");
    command_done("cp kept/* whole && printf x | dd of=$(ls kept/*) bs=1 seek=5000 conv=notrunc 2>/dev/null");
    command_result r = training_run(2, 1, "again", MODEL "--data - --token-cache kept <text.txt");
    assert_int_equal(r.exit_code, 0);
    command_says(&r, "is damaged: the checksum of its block 0, 60000 bytes at offset 4096, does not match");
    command_says(&r, "; the new tokens take its place\n");
    command_free(&r);
    assert_false(training_files_differ("first" WEIGHTS, "again" WEIGHTS));
    command_done("cmp kept/* whole && " DTRAIN " eval first/checkpoints/latest --windows 3");
}

/* One of the two is the checkpoint's; with the tokens of the text at hand it is not read at all. */
static void a_resume_reads_standard_input_once(void **state) {
    (void)state;
    static const char sentence[] =
        "cannot read standard input twice: data and validation_data both ask for it";
    text_write("held.txt", 3000, 5);
    training_done(TRAINING_ALONE, 1, "piped",
                  MODEL "--eval-cadence 1 --data - --validation-data held.txt <a.txt");
    training_done(TRAINING_ALONE, 1, "piped", "--resume latest --max-steps 4 --validation-data - <held.txt");
    command_done("rm -r piped/tokens");
    training_refused(2, "piped", "--resume latest --max-steps 5 <a.txt", 2, sentence);
    training_refused(TRAINING_ALONE, "piped", "--resume latest --max-steps 5 --data - <a.txt", 2, sentence);
    command_done("test ! -e piped/tokens");
}

/* What was looked for at the start of a run is not asked for again where nothing evaluates on it. */
static void a_resume_needs_no_unused_text(void **state) {
    (void)state;
    text_write("held.txt", 3000, 5);
    training_done(TRAINING_ALONE, 1, "idle", MODEL "--data a.txt --validation-data held.txt");
    command_done("rm held.txt && " DTRAIN " --out-dir idle --resume latest --max-steps 4");
    training_refused(TRAINING_ALONE, "idle", "--resume latest --max-steps 5 --eval-cadence 1", 2,
                     "cannot open held.txt: No such file or directory");
}

/* A run's folder is found by rank 0 where only --resume names it; all ranks make and read tokens there. */
static void tokens_are_made_anew_in_the_runs_folder(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "bpe", MODEL "--data text.txt --tokenizer " BPE_FILE);
    command_done("cp -r bpe moved && rm -r moved/tokens");
    training_done(TRAINING_ALONE, 1, "bpe", "--resume bpe/checkpoints/latest --max-steps 4");
    command_result r = training_goes_on(2, "--resume moved --max-steps 4");
    command_says(&r, "moved/tokens/");
    command_free(&r);
    assert_false(training_files_differ("bpe" FURTHER, "moved" FURTHER));
    command_done("test ! -e tokens");
    /* Standard input, which is given once more. */
    command_done(DTRAIN " train --out-dir piped " MODEL "--data - <text.txt");
    command_done("rm -r piped/tokens && " TWO DTRAIN
                 " train --resume piped --data - --max-steps 4 <text.txt");
    /* A link of the file's name that leads nowhere is no file of tokens. */
    command_done(
        "name=$(ls piped/tokens/*) && rm $name && ln -s gone $name && rm -r piped/checkpoints/checkpoint_step_4");
    command_done(
        DTRAIN " train --resume piped/checkpoints/checkpoint_step_3 --data - --max-steps 4 <text.txt && test "
               "-f piped/tokens/*.tokens");
    command_done("rm -r bpe moved piped");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eval_takes_what_training_takes),
        cmocka_unit_test(data_takes_what_training_takes),
        cmocka_unit_test(statistics_of_a_packed_text),
        cmocka_unit_test(a_runs_own_tokens_are_found),
        cmocka_unit_test(characters_of_what_is_read_once),
        cmocka_unit_test(a_stop_leaves_nothing),
        cmocka_unit_test(tokens_are_made_anew_in_the_runs_folder),
        cmocka_unit_test(a_resume_needs_no_unused_text),
        cmocka_unit_test(a_tokenizer_beside_its_tokens),
        cmocka_unit_test(advice_suits_the_verb),
        cmocka_unit_test(no_folder_is_left),
        cmocka_unit_test(a_damaged_cache_of_standard_input),
        cmocka_unit_test(a_resume_reads_standard_input_once),
        cmocka_unit_test(a_stopped_tokenize_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
