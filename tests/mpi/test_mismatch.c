/* The vote of the ranks on what should be alike: who has the majority, and who is named. */
#include <inttypes.h>
#include <string.h>

#include "comm/mismatch.h"
#include "support/cmocka_mpi.h"

/* Against counting: all votes of up to 5 ranks for 3 values. */
static void the_majority_is_that_of_counting(void **state) {
    (void)state;
    for (int size = 1; size <= 5; size++)
        for (int all = 0; all < 243; all++) {
            uint64_t values[5];
            int expected = -1;
            for (int r = 0, left = all; r < size; r++, left /= 3)
                values[r] = UINT64_C(0x7ff0000000000001) + (uint64_t)(left % 3);
            for (int r = size - 1; r >= 0; r--) {
                int votes = 0;
                for (int other = 0; other < size; other++)
                    votes += values[other] == values[r];
                if (2 * votes > size)
                    expected = r;
            }
            assert_int_equal(dt_mismatch_majority(values, sizeof *values, size), expected);
        }
}

/* Nothing is said of texts that are alike. */
static void nobody_stands_out_where_all_are_alike(void **state) {
    (void)state;
    char found[DT_MISMATCH_BYTES] = "x";
    assert_ok(dt_mismatch_find(&world, "the same", found));
    assert_string_equal(found, "");
}

/* Every rank in turn is the one that differs: it alone is named where the others are a majority, and on two
 * ranks both are. */
static void the_rank_that_differs_is_named(void **state) {
    (void)state;
    char found[DT_MISMATCH_BYTES], expected[DT_MISMATCH_BYTES];
    for (int differing = 0; differing < world.size && world.size > 1; differing++) {
        assert_ok(dt_mismatch_find(&world, world.rank == differing ? "A" : "B", found));
        if (world.size == 2)
            snprintf(expected, sizeof expected,
                     "rank 0 on %s has %s, rank 1 on %s has %s; no majority says which is right", world.host,
                     differing == 0 ? "A" : "B", world.host, differing == 1 ? "A" : "B");
        else
            snprintf(expected, sizeof expected, "rank %d on %s has A; the other %d ranks have B", differing,
                     world.host, world.size - 1);
        assert_string_equal(found, expected);
    }
}

/* Of long lines, one of which has another letter in the middle or ends sooner, that part is shown. */
static void the_part_of_a_line_that_differs_is_shown(void **state) {
    (void)state;
    char line[301], found[DT_MISMATCH_BYTES];
    memset(line, 'a', 300);
    line[300] = 0;
    assert_ok(dt_mismatch_find_in_line(&world, line, found));
    assert_string_equal(found, "");
    line[200] = world.rank == 0 ? 'X' : 'Y';
    assert_ok(dt_mismatch_find_in_line(&world, line, found));
    assert_true(world.size == 1 || (strstr(found, "aXa") && strstr(found, "aYa") && strlen(found) < 400));
    line[200] = 'a';
    if (world.rank == 0)
        line[250] = 0;
    assert_ok(dt_mismatch_find_in_line(&world, line, found));
    assert_true(world.size == 1 || strstr(found, "rank 0 on "));
}

/* Values that are no texts are not shown, and of many ranks that differ the first are named. */
static void values_are_not_shown_and_long_lists_are_cut(void **state) {
    (void)state;
    char found[DT_MISMATCH_BYTES], expected[DT_MISMATCH_BYTES] = "";
    uint64_t *values = calloc((size_t)world.size, sizeof *values);
    assert_non_null(values);
    for (int r = 0; r < world.size; r++)
        values[r] = (uint64_t)r;
    assert_ok(dt_mismatch_describe(&world, values, sizeof *values, false, found));
    for (int r = 0; r < world.size && r < 4; r++)
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%srank %d on %s",
                 r == 0 ? "" : ", ", r, world.host);
    if (world.size > 4)
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), " and %d more",
                 world.size - 4);
    strcat(expected, " differ from one another, and no majority says which is right");
    assert_string_equal(found, world.size > 1 ? expected : "");
    free(values);
}

/* Writes the ranks first, first + step, .. as they are listed: four of them, and how many more there are. */
static void write_list(char list[DT_MISMATCH_BYTES], int first, int step) {
    int named = 0, more = 0;
    size_t used = 0;
    list[0] = 0;
    for (int r = first; r < world.size; r += step)
        if (named == 4)
            more++;
        else
            used += (size_t)snprintf(list + used, DT_MISMATCH_BYTES - used, "%srank %d on %s",
                                     named++ ? ", " : "", r, world.host);
    if (more > 0)
        snprintf(list + used, DT_MISMATCH_BYTES - used, " and %d more", more);
}

static void expect_listed(bool mine, const char *expected, int expected_count) {
    char found[DT_MISMATCH_BYTES] = "x";
    int count = -1;
    assert_ok(dt_mismatch_list(&world, mine, found, &count));
    assert_string_equal(found, expected);
    assert_int_equal(count, expected_count);
}

static void marked_ranks_are_listed(void **state) {
    (void)state;
    char list[DT_MISMATCH_BYTES];
    expect_listed(false, "", 0);
    write_list(list, 1, 2);
    expect_listed(world.rank % 2 == 1, list, world.size / 2);
    write_list(list, 0, 1);
    expect_listed(true, list, world.size);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(the_majority_is_that_of_counting),
                                          cmocka_unit_test(nobody_stands_out_where_all_are_alike),
                                          cmocka_unit_test(the_rank_that_differs_is_named),
                                          cmocka_unit_test(the_part_of_a_line_that_differs_is_shown),
                                          cmocka_unit_test(values_are_not_shown_and_long_lists_are_cut),
                                          cmocka_unit_test(marked_ranks_are_listed)};

CMOCKA_MPI_MAIN(tests)
