/* Tiled attention against every score written out in double. */
#include "support/numbers.h"
#include "support/reference.h"

/* One token, less than a tile, a whole tile, and one or two tiles and a rest; heads of odd width too. */
static const struct {
    int64_t T, C, H;
} shapes[] = {{1, 8, 2}, {5, 12, 3}, {64, 16, 1}, {65, 10, 2}, {150, 12, 4}};
static const int shape_count = (int)(sizeof shapes / sizeof *shapes);

/* Both masks of one site: the kernels' and the reference's. */
static dt_dropout drop_at(void) {
    return dt_dropout_at(6, 0.3, 1, DT_DROPOUT_ATTENTION, 4, 9);
}

static reference_dropout same_at(void) {
    return reference_dropout_at(6, 0.3, 1, 1, 4, 9);
}

typedef struct problem {
    int64_t T, C, H;
    const reference_dropout *drop;
    double *qkv, *dy, *y;
} problem;

/*
 * A score is a sum of D products, a softmax a sum of up to T exponentials; for these sizes the worst of their
 * rounding is some ten eps of the largest number. 32 eps in the forward pass, and 64 in the backward pass,
 * where dS is a difference of two such sums.
 */
#define FORWARD_TOLERANCE  (32.0 * (double)FLT_EPSILON)
#define BACKWARD_TOLERANCE (64.0 * (double)FLT_EPSILON)

/* Outputs, log-sum-exps and gradients of one shape, whatever stood in the outputs and the scratch. */
static void check(const dt_kernels *k, int64_t T, int64_t C, int64_t H, bool dropping) {
    const dt_dropout some = drop_at(), *drop = dropping ? &some : NULL;
    const reference_dropout its = same_at(), *same = dropping ? &its : NULL;
    const int64_t n = T * C, workspace = dt_attention_scratch_floats(T, C / H);
    float *qkv = numbers_random(3 * n, 1, 1.5), *dy = numbers_random(n, 2, 1.0),
          *scratch = numbers_poisoned(workspace);
    float *y = numbers_poisoned(n), *lse = numbers_poisoned(H * T), *dqkv = numbers_poisoned(3 * n);
    double *wide_qkv = numbers_widen(qkv, 3 * n), *wide_dy = numbers_widen(dy, n),
           *y_expected = numbers_wide(n);
    double *lse_expected = numbers_wide(H * T), *dqkv_expected = numbers_wide(3 * n);

    k->attention->forward(y, lse, qkv, T, C, H, drop, dt_attention_all(T, H), scratch);
    reference_attention(y_expected, lse_expected, wide_qkv, T, C, H, same);
    assert_close(k->name, "y", y, y_expected, n, FORWARD_TOLERANCE);
    assert_close(k->name, "lse", lse, lse_expected, H * T, FORWARD_TOLERANCE);

    numbers_poison(scratch, workspace);
    k->attention->backward(dqkv, dy, y, lse, qkv, T, C, H, drop, dt_attention_all(T, H), scratch);
    reference_attention_backward(dqkv_expected, wide_dy, wide_qkv, T, C, H, same);
    assert_close(k->name, "dqkv", dqkv, dqkv_expected, 3 * n, BACKWARD_TOLERANCE);

    float *floats[] = {qkv, dy, scratch, y, lse, dqkv};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        free(floats[i]);
    double *doubles[] = {wide_qkv, wide_dy, y_expected, lse_expected, dqkv_expected};
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        free(doubles[i]);
}

static void both_passes_are_the_formula(void **state) {
    (void)state;
    for_each_kernels(k) for (int s = 0; s < shape_count; s++) {
        check(k, shapes[s].T, shapes[s].C, shapes[s].H, false);
        check(k, shapes[s].T, shapes[s].C, shapes[s].H, true);
    }
}

static double objective(void *context) {
    const problem *p = context;
    double sum = 0.0;
    reference_attention(p->y, NULL, p->qkv, p->T, p->C, p->H, p->drop);
    for (int64_t i = 0; i < p->T * p->C; i++)
        sum += p->dy[i] * p->y[i];
    return sum;
}

/* The reference's gradient is itself the slope of sum(dy y), to the precision of central differences. */
static void the_reference_gradient_is_the_slope(void **state) {
    (void)state;
    enum { T = 6, C = 6, H = 2 };
    const reference_dropout drop = same_at();
    float *qkv = numbers_random(3 * T * C, 3, 1.0), *dy = numbers_random(T * C, 4, 1.0);
    for (int dropping = 0; dropping < 2; dropping++) {
        problem p = {T,
                     C,
                     H,
                     dropping ? &drop : NULL,
                     numbers_widen(qkv, 3 * T * C),
                     numbers_widen(dy, T * C),
                     numbers_wide(T * C)};
        double *gradient = numbers_wide(3 * T * C);
        reference_attention_backward(gradient, p.dy, p.qkv, T, C, H, p.drop);
        for (int i = 0; i < 3 * T * C; i++) {
            const double slope = reference_slope(&p.qkv[i], objective, &p);
            if (!(fabs(gradient[i] - slope) <= 1e-7))
                fail_msg("dqkv[%d] is %.12g, its slope is %.12g", i, gradient[i], slope);
        }
        free(p.qkv);
        free(p.dy);
        free(p.y);
        free(gradient);
    }
    free(qkv);
    free(dy);
}

/* query() of row t is row t of the forward pass; it may read no row after t, so those are NaN. */
static void a_query_alone_is_the_last_row(void **state) {
    (void)state;
    for_each_kernels(k) for (int s = 0; s < shape_count; s++) {
        const int64_t T = shapes[s].T, C = shapes[s].C, H = shapes[s].H;
        float *qkv = numbers_random(3 * T * C, 5, 1.5), *y = numbers_poisoned(T * C),
              *alone = numbers_poisoned(C);
        float *lse = numbers_poisoned(H * T),
              *scratch = numbers_poisoned(dt_attention_scratch_floats(T, C / H));
        k->attention->forward(y, lse, qkv, T, C, H, NULL, dt_attention_all(T, H), scratch);
        for (int64_t t = T - 1; t >= 0; t -= t < 3 ? 1 : t / 3) {
            double *row = numbers_widen(y + t * C, C);
            numbers_poison(qkv + (t + 1) * 3 * C, (T - 1 - t) * 3 * C);
            numbers_poison(scratch, dt_attention_scratch_floats(T, C / H));
            k->attention->query(alone, qkv, t, C, H, scratch);
            assert_close(k->name, "y of a query", alone, row, C, FORWARD_TOLERANCE);
            free(row);
        }
        free(qkv);
        free(y);
        free(alone);
        free(lse);
        free(scratch);
    }
}

/* Scores of 2e4 and 4e4: the softmax takes off the largest first, so one key wins all the weight. */
static void large_scores_stay_finite(void **state) {
    (void)state;
    enum { T = 3, C = 4 };
    const dt_dropout *none = NULL;
    for_each_kernels(k) {
        float qkv[T * 3 * C] = {0}, y[T * C], lse[T], dqkv[T * 3 * C], dy[T * C];
        float *scratch = numbers_poisoned(dt_attention_scratch_floats(T, C));
        for (int t = 0; t < T; t++)
            for (int c = 0; c < C; c++) {
                qkv[t * 3 * C + c] = 100.0f;
                qkv[t * 3 * C + C + c] = 100.0f * (float)t; /* the last key wins for every query */
                qkv[t * 3 * C + 2 * C + c] = (float)(10 * t + c);
                dy[t * C + c] = 1.0f;
            }
        k->attention->forward(y, lse, qkv, T, C, 1, none, dt_attention_all(T, 1), scratch);
        k->attention->backward(dqkv, dy, y, lse, qkv, T, C, 1, none, dt_attention_all(T, 1), scratch);
        for (int i = 0; i < T * C; i++) {
            const int t = i / C, c = i % C;
            assert_near(k->name, "y", (double)y[i], (double)(10 * t + c), (double)FLT_EPSILON);
            if (!(fabsf(dqkv[t * 3 * C + c]) <= 1e-20f) || !(fabsf(dqkv[t * 3 * C + C + c]) <= 1e-20f) ||
                dqkv[t * 3 * C + 2 * C + c] != 1.0f)
                fail_msg("%s: gradients of token %d, column %d: q %g, k %g, v %g; expected 0, 0, 1", k->name,
                         t, c, (double)dqkv[t * 3 * C + c], (double)dqkv[t * 3 * C + C + c],
                         (double)dqkv[t * 3 * C + 2 * C + c]);
        }
        free(scratch);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_gradient_is_the_slope),
        cmocka_unit_test(both_passes_are_the_formula),
        cmocka_unit_test(a_query_alone_is_the_last_row),
        cmocka_unit_test(large_scores_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
