/*
 * What a person reads on the console and where settings come from: version, the printed config, the
 * chosen corpus, plain lines in a file and one line that redraws itself on a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/command.h"
#include "support/text.h"

#define MPIRUN DTRAIN_MPIRUN " --oversubscribe"
#define TINY                                                                                                 \
    DTRAIN " --n-layers 1 --d-model 4 --n-heads 1 --d-ff 4 --max-seq-len 8 --seed 1 --micro-batch-size 1"    \
           " --checkpoint-cadence null --out-dir run"

/* The output of a command that must succeed; owned by the caller. Warnings of a slow processor may stand
 * beside it. */
#define output_of(...) take_output(command_run(__VA_ARGS__))

static char *take_output(command_result result) {
    if (result.exit_code != 0 || strstr(result.err, "error") != NULL)
        fail_msg("expected exit code 0 and no error, found %d and\n%s", result.exit_code, result.err);
    free(result.err);
    return result.out;
}

static int64_t count_of(const char *text, const char *piece) {
    int64_t count = 0;
    for (const char *at = text; (at = strstr(at, piece)) != NULL; at += strlen(piece))
        count++;
    return count;
}

static void expect(const char *text, const char *piece) {
    if (strstr(text, piece) == NULL)
        fail_msg("expected \"%s\" in:\n%s", piece, text);
}

static void test_version(void **state) {
    (void)state;
    char *version = output_of("%s --version", DTRAIN), *same = output_of("%s -V", DTRAIN);
    assert_string_equal(same, version);
    free(same);
    assert_int_equal(strncmp(version, "dtrain ", 7), 0);
    assert_int_equal(count_of(version, "\n"), 1);
    free(version);
}

/* Identity: printing, reading and printing again is printing once, for values that need care in YAML too. */
static void test_print_config(void **state) {
    (void)state;
    char *first = output_of(
        "%s --print-config --seed 7 --grad-clip 0.1 --learning-rate 1e-300 --no-shuffle --data 'null.txt'"
        " --sampling-prompt '\"a\": #b\\\n~ é' --out-dir=--x --train-ratio 0.30000000000000004"
        " --hooks '{update: [{name: identity, enabled: false, list: [1, 2.5, \"3\"]}]}'"
        " | tee first.yaml",
        DTRAIN);
    expect(first, "\nseed: 7\n");
    expect(first, "\nshuffle: false\n");
    expect(first, "\nsampling_cadence: null\n");
    const char *const ways[] = {DTRAIN " train --config first.yaml --print-config",
                                DTRAIN " --print-config --config - <first.yaml",
                                MPIRUN " -np 2 " DTRAIN " --config first.yaml --print-config",
                                MPIRUN " -np 2 " DTRAIN " --config - --print-config <first.yaml"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char *again = output_of("%s", ways[i]);
        assert_string_equal(again, first);
        free(again);
    }
    free(first);
}

static void test_flag_beats_file_beats_default(void **state) {
    (void)state;
    char *config =
        output_of("printf 'n_layers: 3\\nd_ff: 77\\n' | %s --print-config --n-layers 5 --config -", DTRAIN);
    expect(config, "\nn_layers: 5\n");
    expect(config, "\nd_ff: 77\n");
    expect(config, "\nd_model: 256\n");
    free(config);
    config = output_of("%s --print-config --seed 1 --seed 2", DTRAIN);
    expect(config, "\nseed: 2\n");
    free(config);
}

/* Without --data: data/uni-alg-int.txt, or else the first *.txt by name; the opening says which. */
static void test_chosen_corpus(void **state) {
    (void)state;
    free(output_of(
        "mkdir data data/a.txt && cp text.txt data/z.txt && cp text.txt data/m.txt && cp text.txt data/b"));
    char *said = output_of("%s --max-steps 1", TINY);
    expect(said, "data: data/m.txt (chosen, since no --data was given)\n");
    expect(said, "corpus    data/m.txt: 20000 bytes");
    free(said);
    free(output_of("cp text.txt data/uni-alg-int.txt"));
    said = output_of("%s -np 2 %s --max-steps 1 --data null", MPIRUN, TINY);
    expect(said, "data: data/uni-alg-int.txt (chosen, since no --data was given)\n");
    free(said);
    free(output_of("rm -r data"));
}

/* How many lines begin with the time of day, "09:14:27  ", and then `piece`. */
static int64_t stamped(const char *text, const char *piece) {
    int64_t count = 0;
    for (const char *line = text; *line != 0; line += strcspn(line, "\n"), line += *line != 0) {
        int hour, minute, second, used = 0;
        if (sscanf(line, "%2d:%2d:%2d  %n", &hour, &minute, &second, &used) == 3 && used == 10)
            count += strncmp(line + used, piece, strlen(piece)) == 0;
    }
    return count;
}

/* In a file: the time of day, and one line for the first step, for every log_cadence steps and for the last,
 * and nothing that only a terminal understands. */
static void expect_plain(const char *launcher) {
    char *said = output_of("%s %s --max-steps 7 --log-cadence 3 --data text.txt", launcher, TINY);
    assert_null(strchr(said, '\r'));
    assert_null(strchr(said, '\033'));
    assert_int_equal(stamped(said, "step "), 4);
    assert_int_equal(stamped(said, "step 1/7  loss "), 1);
    assert_int_equal(stamped(said, "step 3/7  loss "), 1);
    assert_int_equal(stamped(said, "step 6/7  loss "), 1);
    assert_int_equal(stamped(said, "step 7/7  loss "), 1);
    assert_int_equal(stamped(said, "done after step 7: loss "), 1);
    expect(said, " MFU ");
    expect(said, " 896 tokens\n"); /* 7 steps of 16 sequences of 8 */
    expect(said,
           "; to go on: the same command with --resume run/checkpoints/checkpoint_step_7 --max-steps N\n");
    free(said);
}

static void test_plain_lines(void **state) {
    (void)state;
    expect_plain("");
    expect_plain(MPIRUN " -np 2");
    char *said = output_of("%s --max-steps 250 --data text.txt", TINY);
    assert_int_equal(stamped(said, "step "), 51); /* about fifty, by itself: the first, and each fifth */
    free(said);
}

/* On a terminal lines scroll as in a file, without the time, and one line below them is redrawn, a few times
 * a second but after each line, with percent, a bar and the time left; the closing lines take its place. */
static void expect_redrawn(const char *launcher) {
    char *said = output_of("script -qec '%s %s --max-steps 7 --log-cadence 3 --data text.txt' /dev/null",
                           launcher, TINY);
    expect(said, "\nstep 1/7  loss ");
    expect(said, "\033[Jstep 3/7  loss ");
    expect(said, "\033[Jstep 7/7  loss "); /* in the place of the redrawn line */
    expect(said, " 14 %  [");
    expect(said, " left  loss ");
    expect(said, "\ndone after step 7: loss ");
    assert_int_equal(stamped(said, ""), 0);
    assert_null(strstr(said, "100 %")); /* at the end the lines say it */
    assert_null(strstr(strstr(said, "step 7/7"), " %  ["));
    free(said);
}

/* The longest run of characters that the terminal would draw on one line, of those drawn over each other. */
static size_t longest_redrawn(const char *said) {
    size_t longest = 0;
    for (const char *at = said; (at = strstr(at, " %  ")) != NULL; at++) {
        const size_t length = strcspn(at, "\r\n") + strlen(" 14");
        if (length > longest)
            longest = length;
    }
    return longest;
}

/* The redrawn line is one column shorter than the terminal is wide, under mpirun too, where a rank's own
 * terminal is mpirun's and has no width; it is whole where there is room. */
static void expect_width(const char *launcher) {
    for (int width = 24; width <= 240; width *= 10) {
        char *said = output_of("script -qec 'stty cols %d; %s %s --max-steps 7 --data text.txt' /dev/null",
                               width, launcher, TINY);
        const size_t longest = longest_redrawn(said);
        assert_in_range(longest, width == 24 ? 10 : 80, width == 24 ? 23 : 130);
        free(said);
    }
}

static bool has_terminal(void) {
    if (system("command -v script >/dev/null") == 0) /* script(1) is the terminal */
        return true;
    print_message("skipped: needs script, which is a terminal; tools/install-packages test\n");
    return false;
}

/* A terminal that says that it knows no sequences, or says nothing, gets lines as a file does. */
static void test_plain_terminal(void **state) {
    (void)state;
    const char *const kinds[] = {"TERM=dumb", "TERM=", "-u TERM"};
    if (!has_terminal())
        skip();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char *said =
            output_of("script -qec 'env %s %s --max-steps 7 --log-cadence 3 --data text.txt' /dev/null",
                      kinds[i], TINY);
        assert_null(strchr(said, '\033'));
        expect(said, "\nstep 3/7  loss ");
        expect(said, "\nstep 6/7  loss ");
        free(said);
    }
}

/* The word "warning" is yellow on a terminal that knows colours and whose user has not refused them. */
static void test_colours(void **state) {
    static const struct {
        const char *environment;
        bool coloured;
    } cases[] = {{"TERM=xterm", true}, {"NO_COLOR=", true}, {"NO_COLOR=1", false}, {"TERM=dumb", false}};
    (void)state;
    if (!has_terminal())
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *said =
            output_of("script -qec 'env %s %s --max-steps 2 --warmup-steps 9 --data text.txt' /dev/null",
                      cases[i].environment, TINY);
        expect(said, "warning:");
        assert_int_equal(strstr(said, "dtrain: \033[33mwarning:\033[m ") != NULL, cases[i].coloured);
        assert_int_equal(strstr(said, "[33m") != NULL, cases[i].coloured);
        free(said);
    }
    char *said =
        output_of("script -qec '%s %s --max-steps 2 --warmup-steps 9 --data text.txt 2>err' /dev/null; "
                  "cat err",
                  "", TINY);
    expect(said, "dtrain: warning: ");
    free(said);
}

/* What has nothing of a terminal's in it but tabs and the ends of lines. */
static void expect_no_controls(const char *said) {
    for (const char *c = said; *c != 0; c++)
        if ((unsigned char)*c < 0x20 && *c != '\n' && *c != '\t' && *c != '\r')
            fail_msg("found the control character %d in:\n%s", *c, said);
}

/*
 * Names of files, words of a config and of the command line come out with their escape sequences written out,
 * on both streams and whichever verb repeats them; the text that sample is asked for goes to a file as it is.
 */
static void test_foreign_text(void **state) {
    (void)state;
    const struct {
        const char *line, *says;
    } cases[] = {
        {DTRAIN " --config \"$(printf 'no\033]0;x\007')\"", "cannot open no\\x1b]0;x\\x07: "},
        {DTRAIN " --n-layers \"$(printf '\033[2J')\"", "but is \\x1b[2J"},
        {DTRAIN " \"$(printf 'a\nb')\"", "there is no verb \"a\\nb\""},
        {"printf 'd_ff: \"\\\\e[1m\"\\n' | " DTRAIN " --config -", "the string \"\\x1b[1m\""},
        {DTRAIN " --print-config --data \"$(printf 'a\342\200\256txt\033[1m')\"",
         "data: \"a\\u202Etxt\\x1B[1m\"\n"},
        {DTRAIN " verify \"$(printf 'x\302\2332J')\"", "x\\u009b2J is no checkpoint"},
        {TINY " --max-steps 1 --data \"$(printf 't\033[7m.txt')\"", "corpus    t\\x1b[7m.txt: "},
        {MPIRUN " -np 2 " TINY " --max-steps 1 --data \"$(printf 't\033[7m.txt')\"",
         "corpus    t\\x1b[7m.txt: "},
        {TINY
         " --max-steps 1 --data text.txt --sampling-cadence 1 --sampling-prompt \"$(printf 'A\033[7mB')\"",
         "sample:\nA\\x1b[7mB"},
    };
    free(output_of("cp text.txt \"$(printf 't\033[7m.txt')\""));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        command_result r = command_run("%s", cases[i].line);
        expect_no_controls(r.out);
        expect_no_controls(r.err);
        if (strstr(r.out, cases[i].says) == NULL)
            expect(r.err, cases[i].says);
        command_free(&r);
    }
    char *text = output_of("%s sample run/checkpoints/latest --prompt \"$(printf 'A\033[7mB')\"", DTRAIN);
    expect(text, "A\033[7mB");
    free(text);
    if (has_terminal()) {
        text = output_of(
            "script -qec \"%s sample run/checkpoints/latest --prompt '$(printf 'A\033[7mB')'\" /dev/null",
            DTRAIN);
        expect(text, "A\\x1b[7mB");
        free(text);
    }
}

static void test_terminal(void **state) {
    (void)state;
    if (!has_terminal())
        skip();
    expect_redrawn("");
    expect_redrawn(MPIRUN " -np 2");
    expect_width("");
    expect_width(MPIRUN " -np 2");
}

static int enter(void **state) {
    *state = command_enter_folder();
    text_write("text.txt", 20000, 1);
    setenv("TERM", "xterm", 1);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),       cmocka_unit_test(test_print_config),
        cmocka_unit_test(test_chosen_corpus), cmocka_unit_test(test_flag_beats_file_beats_default),
        cmocka_unit_test(test_plain_lines),   cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_foreign_text),  cmocka_unit_test(test_plain_terminal),
        cmocka_unit_test(test_colours),
    };
    return cmocka_run_group_tests(tests, enter, command_tear_down);
}
