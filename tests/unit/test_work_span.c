/*
 * Work and span are those of real passes: one thread's FLOP are the model's, shares of a team add up to at
 * least the work, and a team that computes meets at as many barriers as one that is counted.
 */
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/minmax.h"
#include "model/backward.h"
#include "model/flop.h"
#include "model/forward.h"
#include "plan/work_span.h"
#include "plan/timed_kernels.h"
#include "support/small_gpt.h"

static const dt_shape small_shape = {.n_layers = 3, .C = 48, .H = 3, .F = 96, .T = 300, .V = 130};

/* A shape whose dimensions are whole tiles and blocks for a team of 4, so that shares are equal. */
static const dt_shape even_shape = {.n_layers = 5, .C = 256, .H = 4, .F = 1024, .T = 256, .V = 128};

static dt_work_span count(const dt_shape *shape, int64_t sequences, dt_recompute recompute, int threads) {
    dt_work_span counts;
    assert_int_equal(
        dt_work_span_count(&counts, dt_kernels_best(DT_DTYPE_FP32), shape, sequences, recompute, threads),
        DT_OK);
    assert_int_equal(counts.threads, threads);
    assert_int_equal(counts.rows, dt_timed_kernels_rows());
    return counts;
}

static bool is_attention(int64_t row) {
    return strstr(dt_timed_kernels_name(row), "attention") != NULL;
}

/* All FLOP of one kind of kernel. */
static double sum_flop(const dt_work_span *s, bool attention) {
    double sum = 0.0;
    for (int pass = 0; pass < DT_WORK_SPAN_PASSES; pass++)
        for (int64_t r = 0; r < s->rows; r++)
            sum += is_attention(r) == attention ? s->row[pass][r].work_flop : 0.0;
    return sum;
}

/* Of products exactly; attention computes scores twice in the backward pass, and packs. */
static void the_work_of_one_thread_is_the_models(void **state) {
    (void)state;
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, even_shape), DT_OK);
    const dt_work_span s = count(&even_shape, 2, DT_RECOMPUTE_NONE, 1);
    const double T = (double)even_shape.T,
                 attention = 2.0 * 6.0 * (double)(even_shape.n_layers * even_shape.C) * T * (T + 1.0);
    const double products = dt_flop_step(&layout, 2) - attention;
    assert_true(fabs(sum_flop(&s, false) - products) < 1e-9 * products);
    assert_true(sum_flop(&s, true) > attention && sum_flop(&s, true) < 2.0 * attention);
    dt_layout_free(&layout);
}

static void no_team_is_quicker_than_its_threads(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 3, 4, 8, 33, 64, 96};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int64_t recompute = DT_RECOMPUTE_NONE; recompute <= DT_RECOMPUTE_LAYER; recompute++) {
            const dt_work_span s = count(&small_shape, 2, (dt_recompute)recompute, sizes[i]);
            for (int pass = 0; pass < DT_WORK_SPAN_PASSES; pass++) {
                for (int64_t r = 0; r < s.rows; r++) {
                    const dt_work_span_row *row = &s.row[pass][r];
                    const double work = dt_work_span_cost(row->work_flop, row->work_bytes),
                                 span = dt_work_span_cost(row->span_flop, row->span_bytes);
                    if (span < work / sizes[i] * (1.0 - 1e-9) || span > work * (1.0 + 1e-9))
                        fail_msg("%s, %d threads: work %g, span %g", dt_timed_kernels_name(r), sizes[i], work,
                                 span);
                }
                const double ratio = dt_work_span_ratio(&s, pass);
                assert_true(ratio >= (1.0 - 1e-9) / sizes[i] && ratio <= 1.0 + 1e-9);
                assert_int_equal(s.barriers[pass] > 0, sizes[i] > 1);
            }
        }
}

/* Four threads share out whole tiles, rows and heads evenly: each has a quarter, but for the rows of the
 * vocabulary that a token is in. */
static void equal_shares_are_a_quarter(void **state) {
    (void)state;
    const dt_work_span s = count(&even_shape, 2, DT_RECOMPUTE_NONE, 4);
    assert_true(fabs(dt_work_span_ratio(&s, DT_WORK_SPAN_FORWARD) - 0.25) < 1e-9);
    assert_true(fabs(dt_work_span_ratio(&s, DT_WORK_SPAN_BACKWARD) - 0.25) < 1e-3);
}

/* ---- barriers ---- */

typedef struct task {
    const small_gpt *small;
    const dt_micro_batch *micro_batch;
    dt_activations *activations;
    const dt_gpt_view *gradient;
    dt_team team;
    unsigned forward; /* how often the team had met after its forward pass */
} task;

static void *run_passes(void *given) {
    task *t = given;
    const small_gpt *s = t->small;
    dt_forward_run(&s->gpt, &s->weights, t->micro_batch, t->activations, &t->team);
    t->forward = atomic_load(&t->team.barrier->round);
    dt_backward_run(&s->gpt, &s->weights, t->micro_batch, 1.0F, t->activations, &t->team, t->gradient, NULL);
    return NULL;
}

static void expect_barriers(dt_recompute recompute) {
    small_gpt *small = small_gpt_make(small_shape, 0.1);
    const dt_micro_batch micro_batch = small_gpt_micro_batch(small, 1, 3);
    dt_activations a = small_gpt_activations_with(small, 1, recompute);
    float *gradient = numbers_poisoned(small->layout.elements);
    dt_gpt_view view;
    dt_barrier barrier;
    dt_scratch scratch[2];
    task tasks[2];
    pthread_t other;
    assert_int_equal(dt_gpt_view_create(&view, &small->layout, gradient), DT_OK);
    assert_int_equal(dt_barrier_create(&barrier, false), DT_OK);
    for (int t = 0; t < 2; t++) {
        assert_int_equal(dt_scratch_create(&scratch[t], small->gpt.kernels, &small_shape, 1), DT_OK);
        tasks[t] = (task){.small = small,
                          .micro_batch = &micro_batch,
                          .activations = &a,
                          .gradient = &view,
                          .team = {.size = 2, .index = t, .barrier = &barrier, .scratch = &scratch[t]}};
    }
    assert_int_equal(pthread_create(&other, NULL, run_passes, &tasks[1]), 0);
    (void)run_passes(&tasks[0]);
    assert_int_equal(pthread_join(other, NULL), 0);
    const dt_work_span s = count(&small_shape, 1, recompute, 2);
    /* The first thread to leave the last barrier of a pass has seen all of it, and none of the next. */
    const unsigned forward = (unsigned)dt_min(tasks[0].forward, tasks[1].forward);
    assert_int_equal(s.barriers[DT_WORK_SPAN_FORWARD], forward);
    assert_int_equal(s.barriers[DT_WORK_SPAN_FORWARD] + s.barriers[DT_WORK_SPAN_BACKWARD],
                     atomic_load(&barrier.round));
    for (int t = 0; t < 2; t++)
        dt_scratch_free(&scratch[t]);
    dt_barrier_free(&barrier);
    dt_gpt_view_free(&view);
    dt_activations_free(&a);
    free(gradient);
    small_gpt_free(small);
}

static void barriers_are_those_of_a_team_that_computes(void **state) {
    (void)state;
    expect_barriers(DT_RECOMPUTE_NONE);
    expect_barriers(DT_RECOMPUTE_LAYER);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_work_of_one_thread_is_the_models),
    cmocka_unit_test(no_team_is_quicker_than_its_threads),
    cmocka_unit_test(equal_shares_are_a_quarter),
    cmocka_unit_test(barriers_are_those_of_a_team_that_computes),
};

int main(void) {
    return cmocka_run_group_tests(tests, NULL, NULL);
}
