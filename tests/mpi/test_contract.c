/*
 * Ranks that call a collective function unlike each other learn which argument differs and who has what,
 * where contracts are checked. How the process ends is unit.assert's; here the end is caught.
 */
#include "support/cmocka_mpi.h"

#include <setjmp.h>
#include <string.h>

#include "allreduce/allreduce.h"
#include "base/memory.h"
#include "comm/contract.h"

static char sentence[2048], where[256];
static int ended;
static jmp_buf end;

_Noreturn void __wrap_dt_assert_fail(const char *said, const char *file, int line, const char *function);

/* The test's own end of the process (the linker puts it in place of dt_assert_fail). */
_Noreturn void __wrap_dt_assert_fail(const char *said, const char *file, int line, const char *function) {
    ended++;
    (void)line;
    snprintf(sentence, sizeof sentence, "%s", said);
    snprintf(where, sizeof where, "%s in %s", file, function);
    longjmp(end, 1);
}

/* Runs the call, which must end the process. */
#define EXPECT_END(call)                                                                                     \
    do {                                                                                                     \
        ended = 0;                                                                                           \
        if (setjmp(end) == 0) {                                                                              \
            call;                                                                                            \
            fail_msg("rank %d: the call returned", world.rank);                                              \
        }                                                                                                    \
        assert_int_equal(ended, 1);                                                                          \
    } while (0)

/* True, with the reason printed, where this build checks nothing. */
static bool nothing_to_see(void) {
    if (!DT_CONTRACTS)
        print_message("skipped: this build does not check contracts; the presets debug and asan do\n");
    return !DT_CONTRACTS;
}

/* " on rank 1", or " on ranks 1, 2" and so on: all but rank 0. */
static const char *the_others(void) {
    static char text[128];
    snprintf(text, sizeof text, world.size > 2 ? "ranks 1" : "rank 1");
    for (int r = 2; r < world.size; r++)
        snprintf(text + strlen(text), sizeof text - strlen(text), ", %d", r);
    return text;
}

static void create(int64_t micro_batches, int64_t first_end, dt_algorithm algorithm) {
    const int64_t bounds[] = {0, first_end, 4 * DT_MEMORY_ALIGN_FLOATS};
    const dt_allreduce_options options = {.algorithm = algorithm};
    dt_allreduce *allreduce = NULL;
    assert_ok(dt_allreduce_create(&allreduce, &world, micro_batches, bounds[2], bounds, 2, &options));
    dt_allreduce_free(allreduce);
}

static void unlike_numbers_are_named(void **state) {
    char expected[512];
    (void)state;
    create(16, DT_MEMORY_ALIGN_FLOATS, DT_ALGORITHM_FLAT);
    if (nothing_to_see())
        skip();
    EXPECT_END(create(world.rank == 0 ? 16 : 17, DT_MEMORY_ALIGN_FLOATS, DT_ALGORITHM_FLAT));
    snprintf(
        expected, sizeof expected,
        "ranks disagree on the argument \"micro_batches\" of dt_allreduce_create: 16 on rank 0, 17 on %s",
        the_others());
    assert_string_equal(sentence, expected);
    assert_non_null(strstr(where, "src/allreduce/allreduce.c in dt_allreduce_create"));
    /* The first of two. */
    EXPECT_END(create(16, (1 + (world.rank > 0)) * DT_MEMORY_ALIGN_FLOATS,
                      world.rank > 0 ? DT_ALGORITHM_FLAT : DT_ALGORITHM_AUTO));
    assert_non_null(strstr(sentence, "the argument \"bounds\" of dt_allreduce_create: "));
    assert_non_null(strstr(sentence, "24 bytes with hash "));
    /* And ranks that have been told go on together. */
    create(16, DT_MEMORY_ALIGN_FLOATS, DT_ALGORITHM_FLAT);
}

static void collect(double limit, const char *text) {
    DT_COLLECTIVE(&world, DT_SAME_REAL(limit), DT_SAME_TEXT(text));
}

static void unlike_reals_and_texts_are_named(void **state) {
    char expected[512];
    (void)state;
    collect(0.1, "same");
    collect(0.0 / 0.0, NULL);
    if (nothing_to_see())
        skip();
    EXPECT_END(collect(world.rank == 0 ? 0.5 : 0.25, "same"));
    snprintf(expected, sizeof expected,
             "ranks disagree on the argument \"limit\" of collect: 0.5 on rank 0, 0.25 on %s", the_others());
    assert_string_equal(sentence, expected);
    EXPECT_END(collect(0.5, world.rank == 0 ? NULL : "a"));
    snprintf(expected, sizeof expected,
             "ranks disagree on the argument \"text\" of collect: NULL on rank 0, \"a\" on %s", the_others());
    assert_string_equal(sentence, expected);
}

static void go_here(void) {
    DT_COLLECTIVE_CALL(&world);
}

static void go_there(void) {
    DT_COLLECTIVE_CALL(&world);
}

static void ranks_in_different_functions_are_named(void **state) {
    char expected[512];
    (void)state;
    if (nothing_to_see())
        skip();
    EXPECT_END(world.rank == 0 ? go_here() : go_there());
    snprintf(expected, sizeof expected,
             "ranks disagree on the collective function: go_here on rank 0, go_there on %s", the_others());
    assert_string_equal(sentence, expected);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(unlike_numbers_are_named),
                                          cmocka_unit_test(unlike_reals_and_texts_are_named),
                                          cmocka_unit_test(ranks_in_different_functions_are_named)};

CMOCKA_MPI_MAIN(tests)
