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

/* A backward pass of one micro-batch on each rank, in one buffer. */
typedef struct pass {
    dt_micro_batches micro_batches;
    dt_overlap *overlap;
    float *gradient; /* [ELEMENTS] */
} pass;

/* Collective. */
static void begin_pass(pass *p, dt_algorithm algorithm, int64_t bucket_floats) {
    const dt_allreduce_options options = {.algorithm = algorithm};
    p->gradient = dt_memory_alloc(ELEMENTS, sizeof *p->gradient, "a gradient");
    assert_non_null(p->gradient);
    assert_ok(dt_micro_batches_schedule(&p->micro_batches, world.size, world.rank, world.rank + 1, 1));
    assert_ok(dt_overlap_create(&p->overlap, &world, &p->micro_batches, 1, &p->gradient, world.size, ELEMENTS,
                                bucket_floats * (int64_t)sizeof(float), &options, NULL));
    for (int64_t e = 0; e < ELEMENTS; e++)
        p->gradient[e] = brought(world.rank, e);
    dt_overlap_begin(p->overlap);
}

/* The sum is that of all ranks, and what is exposed is a part of the time that it took. Collective. */
static void finish_pass(pass *p) {
    dt_overlap_times times;
    float *sum;
    assert_ok(dt_overlap_finish(p->overlap, &sum, &times));
    expect_sum(sum);
    assert_true(times.exposed >= 0.0 && times.total >= times.exposed);
    dt_overlap_free(p->overlap);
    dt_micro_batches_free(&p->micro_batches);
    dt_memory_free(p->gradient);
}

/*
 * One rank goes through its whole pass while the others wait for it elsewhere: it must come to the end of the
 * pass, though none of its buckets can be summed, and then the others go through theirs. A rank that
 * waited in its pass would wait for ever.
 */
static void a_pass_waits_for_no_other_rank(void **state) {
    (void)state;
    const dt_algorithm algorithms[] = {DT_ALGORITHM_FLAT, DT_ALGORITHM_HIERARCHICAL};
    for (int a = 0; a < 2; a++)
        for (int first = 0; first < world.size; first++) {
            pass p;
            begin_pass(&p, algorithms[a], FLOATS_A_BUCKET);
            if (world.rank != first)
                assert_ok(dt_world_barrier(&world));
            const dt_backward_progress *progress = dt_overlap_progress(p.overlap, 0);
            for (int64_t offset = ELEMENTS; offset >= 0; offset -= FLOATS_A_BUCKET / 2)
                progress->reached(progress->context, offset);
            if (world.rank == first)
                assert_ok(dt_world_barrier(&world));
            finish_pass(&p);
        }
}

/* A pass whose reports are many and whose allreduce is short: what is not hidden is a part of the allreduce.
 */
static void no_more_is_exposed_than_the_allreduce_took(void **state) {
    (void)state;
    const dt_algorithm algorithms[] = {DT_ALGORITHM_FLAT, DT_ALGORITHM_HIERARCHICAL, DT_ALGORITHM_LIBRARY};
    for (int a = 0; a < 3; a++) {
        pass p;
        begin_pass(&p, algorithms[a], ELEMENTS);
        const dt_backward_progress *progress = dt_overlap_progress(p.overlap, 0);
        for (int report = 0; report < 100000; report++) /* some 50 ms of looking after nothing */
            progress->reached(progress->context, ELEMENTS);
        assert_ok(dt_world_barrier(&world));
        progress->reached(progress->context, 0);
        finish_pass(&p);
    }
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(a_pass_waits_for_no_other_rank),
                                          cmocka_unit_test(no_more_is_exposed_than_the_allreduce_took)};

CMOCKA_MPI_MAIN(tests)
