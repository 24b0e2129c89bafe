/*
 * The tree sum over ranks, bit for bit against the same tree computed by one rank alone, whichever algorithm
 * sums them, and in both dtypes.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/philox.h"
#include "allreduce/allreduce.h"
#include "support/cmocka_mpi.h"

#define MICRO_BATCHES_MAX 40
#define UNITS             23
#define ELEMENTS          (UNITS * DT_MEMORY_ALIGN_FLOATS)

/* One sum: what is added, and how it is cut. All ranks make the same. */
typedef struct sum_case {
    uint32_t seed;
    int64_t micro_batches, elements, buckets;
    int64_t bounds[UNITS + 2];
    int64_t order[UNITS + 1]; /* in which the buckets are started */
    dt_allreduce_options options;
} sum_case;

/* The hosts are the machine's, or smaller ones of 1, 2 and 3 ranks, the last of which may be smaller still.
 */
static const dt_allreduce_options every_option[] = {
    {.algorithm = DT_ALGORITHM_AUTO, .dtype = DT_DTYPE_FP32, .host_ranks = 0},
    {.algorithm = DT_ALGORITHM_FLAT, .dtype = DT_DTYPE_FP32, .host_ranks = 0},
    {.algorithm = DT_ALGORITHM_HIERARCHICAL, .dtype = DT_DTYPE_FP32, .host_ranks = 0},
    {.algorithm = DT_ALGORITHM_HIERARCHICAL, .dtype = DT_DTYPE_FP32, .host_ranks = 1},
    {.algorithm = DT_ALGORITHM_HIERARCHICAL, .dtype = DT_DTYPE_FP32, .host_ranks = 2},
    {.algorithm = DT_ALGORITHM_HIERARCHICAL, .dtype = DT_DTYPE_FP32, .host_ranks = 3},
    {.algorithm = DT_ALGORITHM_FLAT, .dtype = DT_DTYPE_BF16, .host_ranks = 0},
    {.algorithm = DT_ALGORITHM_HIERARCHICAL, .dtype = DT_DTYPE_BF16, .host_ranks = 0},
    {.algorithm = DT_ALGORITHM_HIERARCHICAL, .dtype = DT_DTYPE_BF16, .host_ranks = 2},
    {.algorithm = DT_ALGORITHM_HIERARCHICAL, .dtype = DT_DTYPE_BF16, .host_ranks = 3}};
#define OPTIONS (sizeof every_option / sizeof *every_option)

/* Random signs and magnitudes from 2^-12 to 2^12: sums in another order have other bits. */
static float micro_batch_value(uint32_t seed, int64_t micro_batch, int64_t element) {
    dt_philox_words words =
        dt_philox((dt_philox_key){seed, 1}, (uint32_t)micro_batch, (uint32_t)element, 0, 0);
    float magnitude = ldexpf(1.0f + (float)(words.w0 >> 9) * 0x1p-23f, (int)(words.w1 % 24) - 12);
    return (words.w2 & 1u) != 0 ? -magnitude : magnitude;
}

/* To the nearest number with 8 digits of precision, by the arithmetic of floats: frexp and rint. */
static float to_dtype(dt_dtype number, float value) {
    int exponent;
    if (number == DT_DTYPE_FP32)
        return value;
    const float fraction = frexpf(value, &exponent);
    return ldexpf(rintf(ldexpf(fraction, 8)), exponent - 8);
}

/* The definition of the tree: split at the largest power of two below the length, left + right; every node is
 * rounded to the number. */
static float node_value(const sum_case *sum, dt_tree_node node, int64_t element) {
    if (node.end - node.first == 1)
        return to_dtype(sum->options.dtype, micro_batch_value(sum->seed, node.first, element));
    int64_t half = 1;
    while (half * 2 < node.end - node.first)
        half *= 2;
    return to_dtype(sum->options.dtype,
                    node_value(sum, (dt_tree_node){node.first, node.first + half}, element) +
                        node_value(sum, (dt_tree_node){node.first + half, node.end}, element));
}

/* What a rank brings: a single micro-batch as the backward pass leaves it, not yet rounded. */
static float brought_value(const sum_case *sum, dt_tree_node node, int64_t element) {
    return node.end - node.first == 1 ? micro_batch_value(sum->seed, node.first, element)
                                      : node_value(sum, node, element);
}

static float *new_node(const sum_case *sum, dt_tree_node node,
                       float (*value)(const sum_case *, dt_tree_node, int64_t)) {
    float *values = dt_memory_alloc(sum->elements, sizeof *values, "a node");
    assert_non_null(values);
    for (int64_t i = 0; i < sum->elements; i++)
        values[i] = value(sum, node, i);
    return values;
}

/* A number below `range` that differs from rank to rank and call to call, so that ranks fall out of step. */
static uint32_t own_chance(uint32_t range) {
    static uint32_t calls = 0;
    return dt_philox((dt_philox_key){(uint32_t)world.rank, 2}, calls++, 0, 0, 0).w0 % range;
}

/* A number below `range` that is the same on all ranks. */
static uint32_t common_chance(uint32_t range) {
    static uint32_t calls = 0;
    return dt_philox((dt_philox_key){7, 3}, calls++, 0, 0, 0).w0 % range;
}

/* Cuts the vector: one bucket; one unit each, so that most slices are empty; or at random, the last empty. */
static void cut(sum_case *sum, int layout) {
    int64_t units = sum->elements / DT_MEMORY_ALIGN_FLOATS;
    bool bound[UNITS + 1] = {false};
    sum->buckets = 0;
    for (int64_t unit = 1; unit < units && layout != 0; unit++)
        bound[unit] = layout == 1 || common_chance(3) == 0;
    for (int64_t unit = 1; unit <= units; unit++)
        if (unit == units || bound[unit])
            sum->bounds[++sum->buckets] = unit * DT_MEMORY_ALIGN_FLOATS;
    if (layout == 2) {
        sum->bounds[sum->buckets + 1] = sum->bounds[sum->buckets];
        sum->buckets++;
    }
    for (int64_t b = 0; b < sum->buckets; b++) {
        int64_t other = common_chance((uint32_t)b + 1);
        sum->order[b] = sum->order[other];
        sum->order[other] = b;
    }
}

/* Sums once and compares every rank's result with `expected`. */
static void check_sum(dt_allreduce *allreduce, const sum_case *sum, const float *expected, bool in_place) {
    int count;
    const dt_tree_node *cover = dt_allreduce_cover(allreduce, &count);
    float *nodes[DT_TREE_COVER_MAX];
    for (int i = 0; i < count; i++)
        nodes[i] = new_node(sum, cover[i], brought_value);
    float *result = in_place ? nodes[0] : dt_memory_alloc(sum->elements, sizeof *result, "a result");
    assert_non_null(result);
    for (int64_t b = 0; b < sum->buckets; b++) {
        if (own_chance(16) == 0)
            usleep(own_chance(300));
        assert_ok(dt_allreduce_start(allreduce, sum->order[b], nodes, result));
        /* Sometimes until the next one need not wait: polls alone must get there. */
        bool ready = false;
        const uint32_t min = own_chance(4);
        for (uint32_t polls = 0; polls < min || (min == 3 && !ready); polls++)
            assert_ok(dt_allreduce_poll(allreduce, &ready));
    }
    assert_ok(dt_allreduce_finish(allreduce));
    assert_memory_equal(result, expected, (size_t)sum->elements * sizeof *result);
    if (!in_place)
        dt_memory_free(result);
    for (int i = 0; i < count; i++)
        dt_memory_free(nodes[i]);
}

/* One object sums twice, in place and not, each time other numbers. */
static void check_case(sum_case *sum) {
    dt_allreduce *allreduce;
    assert_ok(dt_allreduce_create(&allreduce, &world, sum->micro_batches, sum->elements, sum->bounds,
                                  sum->buckets, &sum->options));
    for (int round = 0; round < 2; round++) {
        sum->seed++;
        float *expected = new_node(sum, (dt_tree_node){0, sum->micro_batches}, node_value);
        check_sum(allreduce, sum, expected, round == 0);
        dt_memory_free(expected);
    }
    dt_allreduce_free(allreduce);
}

/* sum over ranks == sum along the tree, for every algorithm and dtype, many numbers of micro-batches and
 * every way to cut. */
static void sums_are_the_trees_bit_for_bit(void **state) {
    (void)state;
    sum_case sum = {.seed = 1, .elements = ELEMENTS};
    for (size_t option = 0; option < OPTIONS; option++)
        for (sum.micro_batches = world.size; sum.micro_batches <= MICRO_BATCHES_MAX;
             sum.micro_batches += 1 + (int64_t)option % 3) {
            sum.options = every_option[option];
            cut(&sum, (int)common_chance(3));
            check_case(&sum);
        }
}

/* The same identity for messages so long that MPI hands them over in another way (rendezvous). */
static void long_messages_too(void **state) {
    (void)state;
    sum_case sum = {.seed = 100, .micro_batches = world.size + 3, .elements = 11 * 16384, .buckets = 5};
    for (int64_t b = 0; b < sum.buckets; b++) {
        sum.order[b] = sum.buckets - 1 - b;
        sum.bounds[b + 1] = b == 4 ? sum.elements : (2 * b + 1) * 16384;
    }
    for (size_t option = 1; option < OPTIONS; option += 3) { /* flat, small hosts, and both in bf16 */
        sum.options = every_option[option];
        check_case(&sum);
    }
}

/* A vector of no elements has a sum, of no elements. */
static void an_empty_vector_has_a_sum(void **state) {
    (void)state;
    for (size_t option = 0; option < OPTIONS; option++) {
        sum_case sum = {
            .micro_batches = world.size, .elements = 0, .buckets = 1, .options = every_option[option]};
        check_case(&sum);
        sum.buckets = 0;
        check_case(&sum);
    }
}

/* The tests above can tell orders apart: from left to right the same micro_batches have other sums. */
static void order_shows(void **state) {
    (void)state;
    const sum_case sum = {.seed = 5};
    int different = 0;
    for (int64_t element = 0; element < ELEMENTS; element++) {
        float running = 0, tree = node_value(&sum, (dt_tree_node){0, MICRO_BATCHES_MAX}, element);
        for (int64_t micro_batch = 0; micro_batch < MICRO_BATCHES_MAX; micro_batch++)
            running += micro_batch_value(5, micro_batch, element);
        different += memcmp(&running, &tree, sizeof tree) != 0;
    }
    assert_true(different > ELEMENTS / 4);
}

static void more_ranks_than_micro_batches_are_refused(void **state) {
    (void)state;
    int64_t bounds[] = {0, 16}, micro_batches = world.size - 1;
    char expected[DT_ERROR_BYTES];
    dt_allreduce *allreduce;
    assert_int_equal(dt_allreduce_create(&allreduce, &world, micro_batches, 16, bounds, 1, every_option),
                     DT_USAGE);
    assert_null(allreduce);
    snprintf(expected, sizeof expected,
             "%d rank%s for %" PRId64 " micro-batch%s: expected at most one rank per micro-batch (a step has "
             "ceil(batch_size / micro_batch_size) of them); use at most %" PRId64
             " rank%s, a larger batch_size or a smaller micro_batch_size",
             world.size, world.size == 1 ? "" : "s", micro_batches, micro_batches == 1 ? "" : "es",
             micro_batches, micro_batches == 1 ? "" : "s");
    assert_string_equal(dt_error(), expected);
}

static void check_refused(int64_t elements, const int64_t *bounds, const char *words) {
    dt_allreduce *allreduce;
    assert_int_equal(dt_allreduce_create(&allreduce, &world, world.size, elements, bounds, 2, every_option),
                     DT_FAILED);
    assert_null(allreduce);
    assert_non_null(strstr(dt_error(), words));
}

static void wrong_bounds_are_refused(void **state) {
    (void)state;
    check_refused(32, (int64_t[]){0, 16, 48}, "expected bounds from 0 to 32, found 0 to 48");
    check_refused(32, (int64_t[]){16, 16, 32}, "expected bounds from 0 to 32, found 16 to 32");
    check_refused(32, (int64_t[]){0, 8, 32},
                  "bound 1 of the buckets is 8: expected a multiple of 16, at least 0");
    check_refused(32, (int64_t[]){0, 48, 32},
                  "bound 2 of the buckets is 32: expected a multiple of 16, at least 48");
    int64_t huge = INT64_C(1) << 40;
    check_refused(huge, (int64_t[]){0, 16, huge}, "use smaller buckets");
}

/* With powers of two of ranks and micro_batches a rank sends 2 (size - 1) / size of the vector. */
static void the_volume_is_that_of_a_ring(void **state) {
    (void)state;
    if ((world.size & (world.size - 1)) != 0) {
        print_message("skipped: %d ranks are no power of two\n", world.size);
        skip();
    }
    int64_t elements = 12 * 16 * world.size, bounds[] = {0, elements / 3, elements};
    sum_case sum = {.micro_batches = 4 * world.size, .elements = elements, .buckets = 2, .order = {0, 1}};
    memcpy(sum.bounds, bounds, sizeof bounds);
    dt_allreduce *allreduce;
    assert_ok(dt_allreduce_create(&allreduce, &world, sum.micro_batches, elements, bounds, 2, every_option));
    float *expected = new_node(&sum, (dt_tree_node){0, sum.micro_batches}, node_value);
    check_sum(allreduce, &sum, expected, true);
    assert_int_equal(dt_allreduce_take_sent_bytes(allreduce),
                     2 * (world.size - 1) * elements * (int64_t)sizeof(float) / world.size);
    assert_int_equal(dt_allreduce_take_sent_bytes(allreduce), 0);
    dt_memory_free(expected);
    dt_allreduce_free(allreduce);
}

/* bfloat16 sends half the bytes. */
static void rounded_nodes_travel_in_half_the_bytes(void **state) {
    (void)state;
    int64_t sent_bytes[2];
    for (int n = 0; n < 2; n++) {
        sum_case sum = {.micro_batches = world.size, .elements = 4096, .buckets = 1, .bounds = {0, 4096}};
        sum.options = (dt_allreduce_options){.algorithm = DT_ALGORITHM_FLAT,
                                             .dtype = n == 0 ? DT_DTYPE_FP32 : DT_DTYPE_BF16};
        dt_allreduce *allreduce;
        assert_ok(dt_allreduce_create(&allreduce, &world, sum.micro_batches, sum.elements, sum.bounds, 1,
                                      &sum.options));
        float *expected = new_node(&sum, (dt_tree_node){0, sum.micro_batches}, node_value);
        check_sum(allreduce, &sum, expected, true);
        sent_bytes[n] = dt_allreduce_take_sent_bytes(allreduce);
        dt_memory_free(expected);
        dt_allreduce_free(allreduce);
    }
    assert_int_equal(sent_bytes[0], 2 * sent_bytes[1]);
    assert_true((sent_bytes[1] > 0) == (world.size > 1));
}

/* With whole numbers, whose sums are exact in any order, the library's sum is the tree's too. */
static void the_library_sums_as_well(void **state) {
    (void)state;
    const dt_allreduce_options options = {.algorithm = DT_ALGORITHM_LIBRARY};
    const int64_t bounds[] = {0, 64, 160}, micro_batches = 3 * world.size + 1;
    dt_allreduce *allreduce;
    int count;
    float *nodes[DT_TREE_COVER_MAX];
    assert_ok(dt_allreduce_create(&allreduce, &world, micro_batches, 160, bounds, 2, &options));
    const dt_tree_node *cover = dt_allreduce_cover(allreduce, &count);
    for (int n = 0; n < count; n++) {
        nodes[n] = dt_memory_alloc(160, sizeof **nodes, "a node");
        for (int64_t i = 0; i < 160; i++)
            nodes[n][i] = (float)((cover[n].end - cover[n].first) * (i + 1));
    }
    for (int64_t b = 1; b >= 0; b--)
        assert_ok(dt_allreduce_start(allreduce, b, nodes, nodes[0]));
    assert_ok(dt_allreduce_finish(allreduce));
    for (int64_t i = 0; i < 160; i++)
        assert_int_equal((int)nodes[0][i], micro_batches * (i + 1));
    for (int n = 0; n < count; n++)
        dt_memory_free(nodes[n]);
    dt_allreduce_free(allreduce);
}

/* auto is flat on a single host and where every rank has a host of its own, and hierarchical in between. */
static void auto_follows_the_hosts(void **state) {
    (void)state;
    const int64_t bounds[] = {0, 64};
    for (int host_ranks = 0; host_ranks <= world.size; host_ranks++) {
        const dt_allreduce_options options = {
            .algorithm = DT_ALGORITHM_AUTO, .dtype = DT_DTYPE_FP32, .host_ranks = host_ranks};
        const bool layered = host_ranks > 1 && host_ranks < world.size;
        dt_allreduce *allreduce;
        assert_ok(dt_allreduce_create(&allreduce, &world, world.size, 64, bounds, 1, &options));
        assert_int_equal(dt_allreduce_algorithm(allreduce),
                         layered ? DT_ALGORITHM_HIERARCHICAL : DT_ALGORITHM_FLAT);
        dt_allreduce_free(allreduce);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sums_are_the_trees_bit_for_bit),
    cmocka_unit_test(long_messages_too),
    cmocka_unit_test(an_empty_vector_has_a_sum),
    cmocka_unit_test(order_shows),
    cmocka_unit_test(more_ranks_than_micro_batches_are_refused),
    cmocka_unit_test(wrong_bounds_are_refused),
    cmocka_unit_test(the_volume_is_that_of_a_ring),
    cmocka_unit_test(rounded_nodes_travel_in_half_the_bytes),
    cmocka_unit_test(the_library_sums_as_well),
    cmocka_unit_test(auto_follows_the_hosts),
};

CMOCKA_MPI_MAIN(tests)
