/* What a broken contract says and how it ends the process, where contracts are checked; and that they cost
 * nothing where not. */
#include "support/sentence.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"

/* Runs `broken` in a child; its standard error into `said`. Returns the signal that ended it, or 0. */
static int run_child(void (*broken)(void), char *said, size_t said_bytes) {
    int ends[2], outcome;
    size_t length = 0;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL); /* cmocka has its own */
        dup2(ends[1], STDERR_FILENO);
        broken();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t more; (more = read(ends[0], said + length, said_bytes - 1 - length)) > 0;)
        length += (size_t)more;
    said[length] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &outcome, 0), child);
    return WIFSIGNALED(outcome) ? WTERMSIG(outcome) : 0;
}

static _Alignas(DT_MEMORY_ALIGN) float floats[32];
static int size = 3;

static void break_expression(void) {
    dt_assert_set_rank(7);
    DT_ASSERT(size > 2 && size < 3);
}

static void break_alignment(void) {
    DT_ASSERT_ALIGNED(floats + 1);
}

static void break_distance(void) {
    DT_ASSERT_APART(floats, sizeof *floats * 9, floats + 8, sizeof *floats);
}

static void keep_all(void) {
    DT_ASSERT(size == 3);
    DT_ASSERT_ALIGNED(floats + 16);
    DT_ASSERT_APART(floats, sizeof *floats * 8, floats + 8, sizeof *floats);
}

#if DT_CONTRACTS
static void expect_end(void (*broken)(void), const char *sentence, const char *function, const char *rank) {
    char said[1024], end[128];
    assert_int_equal(run_child(broken, said, sizeof said), SIGABRT);
    if (strncmp(said, sentence, strlen(sentence)) != 0)
        fail_msg("expected \"%s\", found \"%s\"", sentence, said);
    assert_non_null(strstr(said, "tests/unit/test_assert.c:"));
    snprintf(end, sizeof end, " in %s%s\n", function, rank);
    assert_non_null(strstr(said, end));
}
#endif

/* Expression, place, function and, where it is known, rank. */
static void a_broken_contract_says_which(void **state) {
    (void)state;
#if DT_CONTRACTS
    expect_end(break_expression, "dtrain: assertion failed: size > 2 && size < 3 at ", "break_expression",
               " on rank 7");
    expect_end(break_alignment, "dtrain: assertion failed: floats + 1 is aligned to a cache line at ",
               "break_alignment", "");
    expect_end(break_distance, "dtrain: assertion failed: floats and floats + 8 do not overlap at ",
               "break_distance", "");
#else
    print_message("skipped: this build does not check contracts; the presets debug and asan do\n");
    skip();
#endif
}

static void a_kept_contract_says_nothing(void **state) {
    char said[1024];
    (void)state;
    assert_int_equal(run_child(keep_all, said, sizeof said), 0);
    assert_string_equal(said, "");
}

static int asked;

static bool ask(void) {
    asked++;
    return true;
}

/* An argument is evaluated once where contracts are checked, and not at all elsewhere. */
static void arguments_cost_nothing_without_contracts(void **state) {
    (void)state;
    asked = 0;
    DT_ASSERT(ask());
    assert_int_equal(asked, DT_CONTRACTS);
#if !DT_CONTRACTS
    char said[1024];
    assert_int_equal(run_child(break_expression, said, sizeof said), 0);
    assert_int_equal(run_child(break_alignment, said, sizeof said), 0);
    assert_int_equal(run_child(break_distance, said, sizeof said), 0);
#endif
}

/* Arrays that touch do not overlap, in either order; empty ones overlap nothing. */
static void arrays_that_touch_are_apart(void **state) {
    (void)state;
    assert_true(dt_assert_is_apart(floats, 32, floats + 8, 4));
    assert_true(dt_assert_is_apart(floats + 8, 4, floats, 32));
    assert_false(dt_assert_is_apart(floats, 33, floats + 8, 4));
    assert_false(dt_assert_is_apart(floats + 8, 4, floats, 33));
    assert_false(dt_assert_is_apart(floats, 4, floats, 4));
    assert_true(dt_assert_is_apart(floats, 0, floats, 4));
    assert_true(dt_assert_is_aligned(NULL));
    assert_true(dt_assert_is_aligned(floats));
    assert_false(dt_assert_is_aligned(floats + 8));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_contract_says_which),
        cmocka_unit_test(a_kept_contract_says_nothing),
        cmocka_unit_test(arguments_cost_nothing_without_contracts),
        cmocka_unit_test(arrays_that_touch_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
