/*
 * How much memory a text takes while a run opens it and trains on it: as much as its tokens, once. The kernel
 * knows the most that any process had which was waited for (getrusage(2)); a run on a text of a few bytes
 * says what of it is not the text.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "support/text.h"
#include "support/training.h"

enum { MIB = 1 << 20, TEXT = 64 * MIB, SLACK = 8 * MIB };

/* The most that a process had so far, in bytes, after one more has trained with `flags`. */
static int64_t peak_after(const char *flags) {
    struct rusage usage;
    char all[1024];
    snprintf(all, sizeof all,
             "--n-layers 1 --d-model 16 --n-heads 1 --max-seq-len 32 --batch-size 4 --micro-batch-size 1 "
             "--max-steps 1 --eval-cadence 1 --eval-max-windows 10 %s",
             flags);
    training_done(TRAINING_ALONE, 1, "out", all);
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
    return (int64_t)usage.ru_maxrss * 1024;
}

/* Identity: the peak grows by the tokens of the text, which are as many bytes, wherever they lie. */
static void a_text_is_in_memory_once(void **state) {
    (void)state;
    static const char *const ways[] = {"--data large.txt --tokenizer bytes",
                                       "--data large.txt --tokenizer chars",
                                       "--data large.txt --validation-data small.txt --tokenizer bytes"};
    const int64_t small = peak_after("--data small.txt --tokenizer chars");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const int64_t taken = peak_after(ways[i]) - small;
        if (taken < TEXT - SLACK || taken > TEXT + SLACK)
            fail_msg("%s: expected the text's %d bytes in memory once, found %" PRId64, ways[i], TEXT, taken);
    }
}

static int set_up(void **state) {
    training_set_up(state);
    text_write("small.txt", 60000, 1);
    text_write("large.txt", TEXT, 1);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_text_is_in_memory_once)};
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
