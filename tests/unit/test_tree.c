/* The canonical tree against its definition, for all small numbers of micro-batches and all runs of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "allreduce/tree.h"
#include "support/micro_batch_sums.h"

#define MICRO_BATCHES_MAX 70
#define COUNT(array)      ((int64_t)(sizeof(array) / sizeof *(array)))

/* Whether `wanted` is a node at or below `below`; if so, `parent` becomes the node above it. */
static bool find_node(dt_tree_node below, dt_tree_node wanted, dt_tree_node above, dt_tree_node *parent) {
    if (below.first == wanted.first && below.end == wanted.end) {
        *parent = above;
        return true;
    }
    if (wanted.first < below.first || wanted.end > below.end || below.end - below.first == 1)
        return false;
    int64_t half = 1;
    while (half * 2 < below.end - below.first)
        half *= 2;
    dt_tree_node left = {below.first, below.first + half}, right = {below.first + half, below.end};
    return find_node(left, wanted, below, parent) || find_node(right, wanted, below, parent);
}

static bool same_bits(float left, float right) {
    return memcmp(&left, &right, sizeof left) == 0;
}

/* split(n) is the power of two p with p < n <= 2p. */
static void splits_at_the_largest_power_of_two_below(void **state) {
    (void)state;
    for (int64_t count = 2; count < 5000; count++) {
        int64_t half = dt_tree_split(count);
        assert_int_equal(half & (half - 1), 0);
        assert_true(half < count && count <= 2 * half);
    }
    assert_int_equal(dt_tree_split(INT64_MAX), INT64_C(1) << 62);
    assert_int_equal(dt_tree_split(INT64_C(1) << 62), INT64_C(1) << 61);
}

/* Rank r's run is [floor(r L / size), floor((r + 1) L / size)), also where the product overflows. */
static void shares_follow_each_other_evenly(void **state) {
    (void)state;
    for (int64_t micro_batches = 1; micro_batches <= MICRO_BATCHES_MAX; micro_batches++)
        for (int size = 1; size <= micro_batches; size++)
            for (int rank = 0; rank < size; rank++) {
                int64_t first, end;
                dt_tree_run(micro_batches, rank, size, &first, &end);
                assert_int_equal(first, rank * micro_batches / size);
                assert_int_equal(end, (rank + 1) * micro_batches / size);
                assert_true(first < end);
            }
    int64_t first, end;
    dt_tree_run(INT64_MAX, 999, 1000, &first, &end);
    assert_int_equal(end, INT64_MAX);
    assert_true(end - first == INT64_MAX / 1000 || end - first == INT64_MAX / 1000 + 1);
}

/* A cover's nodes are the tree's, fill the run side by side, and none has its parent inside the run. */
static void covers_are_the_largest_nodes_of_a_run(void **state) {
    (void)state;
    dt_tree_node cover[DT_TREE_COVER_MAX], parent;
    for (int64_t micro_batches = 1; micro_batches <= MICRO_BATCHES_MAX; micro_batches++)
        for (int64_t first = 0; first < micro_batches; first++)
            for (int64_t end = first + 1; end <= micro_batches; end++) {
                int count = dt_tree_cover(micro_batches, first, end, cover);
                int64_t reached = first;
                for (int i = 0; i < count; i++) {
                    assert_int_equal(cover[i].first, reached);
                    assert_true(find_node((dt_tree_node){0, micro_batches}, cover[i], (dt_tree_node){-1, -1},
                                          &parent));
                    assert_false(first <= parent.first && parent.end <= end);
                    reached = cover[i].end;
                }
                assert_int_equal(reached, end);
            }
}

/* A long tree's worst run has at most two nodes a level, and the whole is the root alone. */
static void covers_fit_their_room(void **state) {
    (void)state;
    dt_tree_node cover[DT_TREE_COVER_MAX];
    int64_t micro_batches = INT64_C(1) << 62;
    assert_int_equal(dt_tree_cover(micro_batches, 1, micro_batches - 1, cover), 2 * 61);
    assert_int_equal(dt_tree_cover(micro_batches, 0, micro_batches, cover), 1);
    assert_int_equal(dt_tree_cover(INT64_MAX, 1, INT64_MAX - 1, cover), 2 * 61 + 1);
    assert_int_equal(dt_tree_cover(10, 3, 3, cover), 0);
}

/* Adding up a run's micro-batches leaves its cover: each node's defined sum in the operand of its first
 * micro-batch. */
static void adds_of_micro_batches_leave_the_cover(void **state) {
    (void)state;
    dt_tree_node nodes[MICRO_BATCHES_MAX], cover[DT_TREE_COVER_MAX];
    dt_tree_add adds[MICRO_BATCHES_MAX];
    float values[MICRO_BATCHES_MAX];
    for (int64_t micro_batches = 1; micro_batches <= MICRO_BATCHES_MAX; micro_batches++)
        for (int64_t first = 0; first < micro_batches; first++)
            for (int64_t end = first + 1; end <= micro_batches; end++) {
                for (int64_t i = 0; i < end - first; i++) {
                    nodes[i] = (dt_tree_node){first + i, first + i + 1};
                    values[i] = micro_batch_value(first + i);
                }
                int64_t added = dt_tree_adds(micro_batches, nodes, end - first, adds);
                int count = dt_tree_cover(micro_batches, first, end, cover);
                assert_int_equal(added, end - first - count);
                for (int64_t i = 0; i < added; i++)
                    values[adds[i].into] += values[adds[i].from];
                for (int i = 0; i < count; i++)
                    assert_true(same_bits(values[cover[i].first - first],
                                          sum_by_definition(cover[i].first, cover[i].end)));
            }
}

/* However the micro-batches are dealt out, the covers of all ranks add up to the same root, in operand 0. */
static void adds_of_all_covers_make_the_root(void **state) {
    (void)state;
    dt_tree_node nodes[MICRO_BATCHES_MAX], cover[DT_TREE_COVER_MAX];
    dt_tree_add adds[MICRO_BATCHES_MAX];
    float values[MICRO_BATCHES_MAX];
    for (int64_t micro_batches = 1; micro_batches <= MICRO_BATCHES_MAX; micro_batches++)
        for (int size = 1; size <= micro_batches; size++) {
            int64_t count = 0, first, end;
            for (int rank = 0; rank < size; rank++) {
                dt_tree_run(micro_batches, rank, size, &first, &end);
                int covered = dt_tree_cover(micro_batches, first, end, cover);
                for (int i = 0; i < covered; i++) {
                    nodes[count] = cover[i];
                    values[count++] = sum_by_definition(cover[i].first, cover[i].end);
                }
            }
            int64_t added = dt_tree_adds(micro_batches, nodes, count, adds);
            assert_int_equal(added, count - 1);
            for (int64_t i = 0; i < added; i++)
                values[adds[i].into] += values[adds[i].from];
            assert_true(same_bits(values[0], sum_by_definition(0, micro_batches)));
        }
}

/* Additions come in the order of a depth-first walk: 6 micro-batches as in the header's picture. */
static void adds_come_depth_first(void **state) {
    (void)state;
    const dt_tree_add expected[] = {{0, 1}, {2, 3}, {0, 2}, {4, 5}, {0, 4}};
    dt_tree_node nodes[6];
    dt_tree_add adds[6];
    for (int64_t i = 0; i < 6; i++)
        nodes[i] = (dt_tree_node){i, i + 1};
    assert_int_equal(dt_tree_adds(6, nodes, 6, adds), COUNT(expected));
    assert_memory_equal(adds, expected, sizeof expected);
    assert_int_equal(dt_tree_adds(6, nodes, 0, adds), 0);
}

/* The tests above can tell orders apart: from left to right the same values have another sum. */
static void order_shows(void **state) {
    (void)state;
    int different = 0;
    for (int64_t micro_batches = 4; micro_batches <= MICRO_BATCHES_MAX; micro_batches++) {
        float running = 0;
        for (int64_t micro_batch = 0; micro_batch < micro_batches; micro_batch++)
            running += micro_batch_value(micro_batch);
        different += !same_bits(running, sum_by_definition(0, micro_batches));
    }
    assert_true(different > (MICRO_BATCHES_MAX - 4) / 2);
}

static double sum_doubles(const double *values, int64_t first, int64_t end) {
    if (end - first == 1)
        return values[first];
    int64_t half = 1;
    while (half * 2 < end - first)
        half *= 2;
    return sum_doubles(values, first, first + half) + sum_doubles(values, first + half, end);
}

/* dt_tree_sum is the definition in double, where the order shows too, and leaves the values as they were. */
static void sum_is_the_definition_in_double(void **state) {
    (void)state;
    double values[MICRO_BATCHES_MAX], kept[MICRO_BATCHES_MAX];
    for (int64_t micro_batch = 0; micro_batch < MICRO_BATCHES_MAX; micro_batch++)
        values[micro_batch] =
            (double)micro_batch_value(micro_batch) * ldexp(1.0 / 3.0, (int)(micro_batch * 7 % 60) - 30);
    memcpy(kept, values, sizeof kept);
    int different = 0;
    for (int64_t micro_batches = 1; micro_batches <= MICRO_BATCHES_MAX; micro_batches++) {
        double sum = dt_tree_sum(values, micro_batches), expected = sum_doubles(values, 0, micro_batches),
               running = 0;
        assert_memory_equal(&sum, &expected, sizeof sum);
        for (int64_t micro_batch = 0; micro_batch < micro_batches; micro_batch++)
            running += values[micro_batch];
        different += running < sum || running > sum;
    }
    assert_true(different > MICRO_BATCHES_MAX / 4);
    assert_memory_equal(values, kept, sizeof kept);
    assert_true(dt_tree_sum(values, 0) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_at_the_largest_power_of_two_below),
        cmocka_unit_test(shares_follow_each_other_evenly),
        cmocka_unit_test(covers_are_the_largest_nodes_of_a_run),
        cmocka_unit_test(covers_fit_their_room),
        cmocka_unit_test(adds_of_micro_batches_leave_the_cover),
        cmocka_unit_test(adds_of_all_covers_make_the_root),
        cmocka_unit_test(adds_come_depth_first),
        cmocka_unit_test(order_shows),
        cmocka_unit_test(sum_is_the_definition_in_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
