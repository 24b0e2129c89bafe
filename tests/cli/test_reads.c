/*
 * How often a text is read: once in all, whatever the ranks. The kernel counts what a process and its
 * children have read (proc_pid_io(5)); a run on a text of a few bytes says what of it is not the text.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/text.h"
#include "support/training.h"

enum { MIB = 1 << 20, TEXT = 24 * MIB, SAMPLE = 16 * MIB, SLACK = 2 * MIB };

#define BPE "--token-cache null --tokenizer " DTRAIN_SOURCE_DIR "/tests/samples/tokenizers/gpt2.json"

/* What the ranks of a job have read together, in bytes. */
static int64_t count_read(int ranks, const char *words) {
    command_result r = command_run(
        "rm -rf out io.*; %s --oversubscribe --bind-to none -np %d sh -c "
        "'\"$@\"; code=$?; cat /proc/$$/io >io.$$; exit $code' sh %s %s >log 2>&1; code=$?; "
        "cat io.* | awk '/^rchar/ {sum += $2} END {print sum}'; [ $code = 0 ] || cat log >&2; exit $code",
        DTRAIN_MPIRUN, ranks, DTRAIN, words);
    if (r.exit_code != 0)
        fail_msg("%s: exit code %d: %s", words, r.exit_code, r.err);
    const int64_t bytes = strtoll(r.out, NULL, 10);
    command_free(&r);
    return bytes;
}

/* `words` take the name of a text behind `flag`, and read it once on `ranks` ranks; several read a sample
 * each, to see that they have the same. */
static void check_words_read_once(const char *words, const char *flag, int ranks) {
    char line[1024];
    snprintf(line, sizeof line, "%s %s small.txt", words, flag);
    const int64_t small = count_read(ranks, line);
    snprintf(line, sizeof line, "%s %s large.txt", words, flag);
    const int64_t read = count_read(ranks, line) - small, sampled = ranks > 1 ? ranks * SAMPLE : 0;
    if (read < TEXT - SLACK || read > TEXT + sampled + SLACK)
        fail_msg("%s on %d ranks: expected %d bytes read once, and %" PRId64 " sampled, found %" PRId64
                 " read",
                 words, ranks, TEXT, sampled, read);
}

static void check_read_once(const char *words) {
    for (int ranks = 1; ranks <= 3; ranks++)
        check_words_read_once(words, "--data", ranks);
}

static void training_reads_a_text_once(void **state) {
    (void)state;
    static const char *const tokenizers[] = {"--tokenizer ascii", "--tokenizer bytes", "--tokenizer chars",
                                             BPE};
    for (size_t i = 0; i < sizeof tokenizers / sizeof *tokenizers; i++) {
        char words[1024];
        snprintf(words, sizeof words,
                 "train --n-layers 1 --d-model 16 --n-heads 1 --max-seq-len 32 --batch-size 12 "
                 "--micro-batch-size 1 --max-steps 1 --eval-cadence 1 --eval-max-windows 1000 --eval-on all "
                 "--out-dir out %s",
                 tokenizers[i]);
        check_read_once(words);
    }
}

static void validation_data_is_read_once(void **state) {
    (void)state;
    check_read_once(
        "train --n-layers 1 --d-model 16 --n-heads 1 --max-seq-len 32 --max-steps 1 --eval-cadence 1 "
        "--eval-max-windows 1000 --out-dir out --validation-data text.txt");
}

static void eval_reads_a_text_once(void **state) {
    (void)state;
    check_read_once("eval saved/checkpoints/latest --windows 1000");
}

static void statistics_read_once(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        static const char *const words[] = {"tokenize --statistics --tokenizer bytes",
                                            "tokenize --statistics --data-format uint16"};
        check_words_read_once(words[i], "", 1);
        check_words_read_once(words[i], "", 2);
    }
}

static int set_up(void **state) {
    training_set_up_saved(state);
    text_write("small.txt", 60000, 1);
    text_write("large.txt", TEXT, 1);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_reads_a_text_once), cmocka_unit_test(validation_data_is_read_once),
        cmocka_unit_test(eval_reads_a_text_once), cmocka_unit_test(statistics_read_once)};
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
