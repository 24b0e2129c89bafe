/*
 * A team makes the same bits as one thread, whatever its size: losses and gradients of passes with dropout,
 * kept or recomputed, in both compute dtypes; and its shares are all of the work, once.
 *
 * Threads are POSIX threads, so that a thread sanitizer sees all that they do.
 */
#include <pthread.h>

#include "math/attention.h"
#include "model/backward.h"
#include "model/forward.h"
#include "model/head.h"
#include "model/heads.h"
#include "support/small_gpt.h"

enum { THREADS_MAX = 5 };

/* Two blocks of tokens in a head and some more, more than one band of rows, and nothing that 2 divides. */
static const dt_shape odd = {
    .n_layers = 2, .C = 39, .H = 3, .F = 53, .T = 2 * DT_ATTENTION_BLOCK + 37, .V = 101};
/* One head of attention, and a vocabulary so large that the logits stand there for a block of rows only. */
static const dt_shape wide = {.n_layers = 1, .C = 12, .H = 1, .F = 20, .T = 299, .V = 65537};

/* What the threads of a team are told. */
typedef struct task {
    const small_gpt *small;
    const dt_micro_batch *micro_batch;
    dt_activations *activations;
    const dt_gpt_view *gradient;
    dt_team team;
    double evaluated, loss;
} task;

static void *run_passes(void *given) {
    task *t = given;
    const small_gpt *s = t->small;
    const int64_t rows = t->micro_batch->sequences * s->layout.shape.T;
    dt_forward_run(&s->gpt, &s->weights, t->micro_batch, t->activations, &t->team);
    t->evaluated = dt_head_loss(&s->gpt, &s->weights, rows, t->activations, &t->team);
    t->loss = dt_backward_run(&s->gpt, &s->weights, t->micro_batch, 0.01F, t->activations, &t->team,
                              t->gradient, NULL);
    return NULL;
}

/* The gradient by a team of `threads`, which the caller frees; all of them must return the same losses. */
static float *gradient_of(small_gpt *small, int64_t sequences, dt_recompute recompute, int threads,
                          double *loss) {
    const dt_micro_batch micro_batch = small_gpt_micro_batch(small, sequences, 3);
    dt_activations a = small_gpt_activations_with(small, sequences, recompute);
    float *gradient = numbers_poisoned(small->layout.elements);
    dt_gpt_view view;
    dt_barrier barrier;
    task tasks[THREADS_MAX];
    dt_scratch scratch[THREADS_MAX];
    pthread_t thread[THREADS_MAX];
    assert_int_equal(dt_gpt_view_create(&view, &small->layout, gradient), DT_OK);
    assert_int_equal(dt_barrier_create(&barrier, true), DT_OK);
    for (int t = 0; t < threads; t++) {
        assert_int_equal(dt_scratch_create(&scratch[t], small->gpt.kernels, &small->layout.shape, sequences),
                         DT_OK);
        tasks[t] = (task){small,
                          &micro_batch,
                          &a,
                          &view,
                          {.size = threads, .index = t, .barrier = &barrier, .scratch = &scratch[t]},
                          0.0,
                          0.0};
    }
    for (int t = 1; t < threads; t++)
        assert_int_equal(pthread_create(&thread[t], NULL, run_passes, &tasks[t]), 0);
    (void)run_passes(&tasks[0]);
    for (int t = 1; t < threads; t++)
        assert_int_equal(pthread_join(thread[t], NULL), 0);
    for (int t = 0; t < threads; t++) {
        assert_true(tasks[t].loss == tasks[0].loss && tasks[t].evaluated == tasks[0].loss);
        dt_scratch_free(&scratch[t]);
    }
    *loss = tasks[0].loss;
    dt_barrier_free(&barrier);
    dt_gpt_view_free(&view);
    dt_activations_free(&a);
    return gradient;
}

static void compare(small_gpt *small, int64_t sequences, dt_recompute recompute) {
    double expected, loss;
    float *alone = gradient_of(small, sequences, recompute, 1, &expected);
    for (int threads = 2; threads <= THREADS_MAX; threads++) {
        float *together = gradient_of(small, sequences, recompute, threads, &loss);
        assert_true(loss == expected);
        for (int64_t i = 0; i < small->layout.elements; i++)
            if (memcmp(&alone[i], &together[i], sizeof *alone) != 0)
                fail_msg("%s, %s, %d sequences, %d threads: gradient [%" PRId64 "] is %.9g, and %.9g by one",
                         small->gpt.kernels->name, dt_dtype_names[small->gpt.kernels->compute],
                         (int)sequences, threads, i, (double)together[i], (double)alone[i]);
        free(together);
    }
    free(alone);
}

/* The fastest sets: that all sets agree, and ranges with them, is tested elsewhere. */
static void teams_of_any_size_make_the_same_bits(void **state) {
    (void)state;
    for (int64_t compute = DT_DTYPE_FP32; compute <= DT_DTYPE_BF16; compute++) {
        small_gpt *small = small_gpt_make(odd, 0.1);
        small_gpt_use(small, dt_kernels_best((dt_dtype)compute));
        compare(small, 1, DT_RECOMPUTE_NONE);
        compare(small, 2, DT_RECOMPUTE_LAYER);
        compare(small, SMALL_GPT_WINDOWS, DT_RECOMPUTE_NONE);
        small_gpt_free(small);
    }
}

static void a_head_in_blocks_makes_the_same_bits(void **state) {
    (void)state;
    for (int64_t compute = DT_DTYPE_FP32; compute <= DT_DTYPE_BF16; compute++) {
        small_gpt *small = small_gpt_make(wide, 0.0);
        small_gpt_use(small, dt_kernels_best((dt_dtype)compute));
        assert_true(dt_activations_logits_rows(&wide, wide.T) < wide.T);
        compare(small, 1, DT_RECOMPUTE_NONE);
        small_gpt_free(small);
    }
}

/* Each slice begins where the one before ends, and none is more than `apart` longer than another. */
static void expect_slices(int64_t count, int threads,
                          dt_range (*slice_of)(const dt_team *team, int64_t count), int64_t apart) {
    int64_t end = 0, shortest = count, longest = 0;
    for (int t = 0; t < threads; t++) {
        const dt_range own = slice_of(&(dt_team){.size = threads, .index = t}, count);
        if (own.first < own.end)
            assert_int_equal(own.first, end);
        end = own.first < own.end ? own.end : end;
        shortest = own.end - own.first < shortest ? own.end - own.first : shortest;
        longest = own.end - own.first > longest ? own.end - own.first : longest;
    }
    assert_int_equal(end, count);
    assert_true(longest - shortest <= apart);
}

static void slices_are_all_of_the_work(void **state) {
    (void)state;
    for (int threads = 1; threads <= 9; threads++)
        for (int64_t count = 0; count <= 70; count++) {
            expect_slices(count, threads, dt_team_slice, 1);
            expect_slices(count, threads, dt_team_columns, 31);
        }
}

/* The rows of all sequences are those of dt_team_slice. */
static void rows_of_sequences_are_all_of_the_rows(void **state) {
    (void)state;
    for (int threads = 1; threads <= 9; threads++)
        for (int64_t sequences = 1; sequences <= 4; sequences++)
            for (int64_t T = 1; T <= 9; T++) {
                int times[4 * 9] = {0};
                for (int t = 0; t < threads; t++)
                    for (int64_t s = 0; s < sequences; s++) {
                        const dt_team team = {.size = threads, .index = t};
                        const dt_range rows = dt_team_rows(&team, sequences, T, s);
                        for (int64_t row = rows.first; row < rows.end; row++)
                            times[s * T + row]++;
                    }
                for (int64_t row = 0; row < sequences * T; row++)
                    assert_int_equal(times[row], 1);
            }
}

static void heads_are_shared_out_whole(void **state) {
    (void)state;
    for (int threads = 1; threads <= 13; threads++)
        for (int64_t H = 1; H <= 5; H++)
            for (int64_t T = 1; T <= 5 * DT_ATTENTION_BLOCK; T += 193)
                for (int backward = 0; backward <= 1; backward++) {
                    const dt_heads heads = {.sequences = 2, .T = T, .H = H, .backward = backward};
                    int times[2 * 5 * 5] = {0};
                    const int64_t outputs = dt_attention_all(T, H).end;
                    for (int t = 0; t < threads; t++)
                        for (int64_t s = 0; s < 2; s++) {
                            const dt_team team = {.size = threads, .index = t};
                            const dt_range own = dt_heads_slice(&heads, &team, s);
                            for (int64_t o = own.first; o < own.end; o++)
                                times[s * outputs + o]++;
                        }
                    for (int64_t o = 0; o < 2 * outputs; o++)
                        assert_int_equal(times[o], 1);
                }
}

/* Sections cost what is packed and computed twice: only where heads are too few are there any. */
static void heads_are_cut_only_for_want_of_heads(void **state) {
    (void)state;
    for (int backward = 0; backward <= 1; backward++) {
        const dt_heads gpt2 = {.sequences = 1, .T = 1024, .H = 12, .backward = backward};
        for (int threads = 1; threads <= 4; threads++)
            assert_int_equal(dt_heads_sections(&gpt2, threads), 1);
        assert_true(dt_heads_sections(&gpt2, 48) > 1);
        /* Half a head is more than half of its cost, and less than all of it. */
        for (int64_t at = 1; at < 4; at++) {
            const double whole = dt_heads_cost(&gpt2, 0, 4),
                         both = dt_heads_cost(&gpt2, 0, at) + dt_heads_cost(&gpt2, at, 4);
            assert_true(both > whole && dt_heads_cost(&gpt2, 0, at) < whole);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(teams_of_any_size_make_the_same_bits),
        cmocka_unit_test(a_head_in_blocks_makes_the_same_bits),
        cmocka_unit_test(slices_are_all_of_the_work),
        cmocka_unit_test(rows_of_sequences_are_all_of_the_rows),
        cmocka_unit_test(heads_are_shared_out_whole),
        cmocka_unit_test(heads_are_cut_only_for_want_of_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
