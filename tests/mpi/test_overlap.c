/* Beside a backward pass the allreduce waits for nobody, and what comes out is the sum. */
#include "support/cmocka_mpi.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "step/overlap.h"

#define FLOATS_A_BUCKET ((int64_t)1024)
#define BUCKETS         ((int64_t)40) /* many more than can be under way at once */
#define ELEMENTS        (BUCKETS * FLOATS_A_BUCKET)

/* Whole numbers, whose sums are exact in any order. */
static float brought(int rank, int64_t element) {
    return (float)(element % 1000 + 1000 * rank);
}

/* Fails the test unless every rank has the sum of all. */
static void expect_sum(const float *sum) {
    for (int64_t e = 0; e < ELEMENTS; e++) {
        float expected = 0.0f;
        for (int r = 0; r < world.size; r++)
            expected += brought(r, e);
        if (fabsf(sum[e] - expected) > 0.0f)
            fail_msg("rank %d: element %d is %g, expected %g", world.rank, (int)e, (double)sum[e],
                     (double)expected);
    }
}

/*
 * One rank goes through its whole pass while the others wait for it elsewhere: it must come to the end of the
 * pass, though none of its buckets can be summed, and then the others go through theirs. A rank that
 * waited in its pass would wait for ever.
 */
static void a_pass_waits_for_no_other_rank(void **state) {
    (void)state;
    const dt_algorithm algorithms[] = {DT_ALGORITHM_FLAT, DT_ALGORITHM_HIERARCHICAL};
    for (int w = 0; w < 2; w++)
        for (int first = 0; first < world.size; first++) {
            const dt_allreduce_options options = {.algorithm = algorithms[w]};
            dt_micro_batches schedule;
            dt_overlap *overlap;
            dt_overlap_times times;
            float *sum, *gradient = dt_memory_alloc(ELEMENTS, sizeof *gradient, "a gradient");
            assert_non_null(gradient);
            assert_ok(dt_micro_batches_schedule(&schedule, world.size, world.rank, world.rank + 1, 1));
            assert_ok(dt_overlap_create(&overlap, &world, &schedule, &gradient, world.size, ELEMENTS,
                                        FLOATS_A_BUCKET * (int64_t)sizeof(float), &options, NULL));
            for (int64_t e = 0; e < ELEMENTS; e++)
                gradient[e] = brought(world.rank, e);
            dt_overlap_begin(overlap);
            if (world.rank != first)
                dt_world_barrier(&world);
            const dt_backward_progress *progress = dt_overlap_progress(overlap, 0);
            for (int64_t offset = ELEMENTS; offset >= 0; offset -= FLOATS_A_BUCKET / 2)
                progress->reached(progress->context, offset);
            if (world.rank == first)
                dt_world_barrier(&world);
            assert_ok(dt_overlap_finish(overlap, &sum, &times));
            expect_sum(sum);
            assert_true(times.exposed >= 0.0 && times.total >= times.exposed);
            dt_overlap_free(overlap);
            dt_micro_batches_free(&schedule);
            dt_memory_free(gradient);
        }
}

/* A pass whose reports are many and whose allreduce is short: what is not hidden is a part of the allreduce.
 */
static void no_more_is_exposed_than_the_allreduce_took(void **state) {
    (void)state;
    const dt_algorithm algorithms[] = {DT_ALGORITHM_FLAT, DT_ALGORITHM_HIERARCHICAL, DT_ALGORITHM_LIBRARY};
    for (int w = 0; w < 3; w++) {
        const dt_allreduce_options options = {.algorithm = algorithms[w]};
        dt_micro_batches schedule;
        dt_overlap *overlap;
        dt_overlap_times times;
        float *sum, *gradient = dt_memory_alloc(ELEMENTS, sizeof *gradient, "a gradient");
        assert_non_null(gradient);
        assert_ok(dt_micro_batches_schedule(&schedule, world.size, world.rank, world.rank + 1, 1));
        assert_ok(dt_overlap_create(&overlap, &world, &schedule, &gradient, world.size, ELEMENTS,
                                    ELEMENTS * (int64_t)sizeof(float), &options, NULL));
        dt_overlap_begin(overlap);
        const dt_backward_progress *progress = dt_overlap_progress(overlap, 0);
        for (int report = 0; report < 100000; report++) /* some 50 ms of looking after nothing */
            progress->reached(progress->context, ELEMENTS);
        dt_world_barrier(&world);
        progress->reached(progress->context, 0);
        assert_ok(dt_overlap_finish(overlap, &sum, &times));
        assert_true(times.exposed >= 0.0 && times.total >= times.exposed);
        dt_overlap_free(overlap);
        dt_micro_batches_free(&schedule);
        dt_memory_free(gradient);
    }
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(a_pass_waits_for_no_other_rank),
                                          cmocka_unit_test(no_more_is_exposed_than_the_allreduce_took)};

CMOCKA_MPI_MAIN(tests)
