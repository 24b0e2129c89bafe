/*
 * Attention in bfloat16: every set against every score written out in double, against its own slopes, and
 * against the others bit for bit; and that no token sees a later one.
 */
#include "base/bf16.h"
#include "math/attention.h"
#include "support/numbers.h"
#include "support/reference.h"

/* The sets that this processor runs, the first its fastest; how many. */
static int find_sets(const dt_kernels *sets[DT_KERNELS_SETS]) {
    int count = 0;
    for (int index = 0; index < DT_KERNELS_SETS; index++)
        if (dt_kernels_get(index, DT_DTYPE_BF16))
            sets[count++] = dt_kernels_get(index, DT_DTYPE_BF16);
    return count;
}

/* Lengths around pairs, tiles of 6 and 14, groups of 112 and blocks of 256; heads around pairs and panels. */
static const struct {
    int64_t T, D, H;
} shapes[] = {{1, 4, 2},  {2, 1, 1},    {5, 7, 3},   {6, 33, 1},    {15, 64, 2}, {29, 2, 2},  {64, 16, 1},
              {65, 5, 2}, {113, 32, 1}, {150, 3, 4}, {257, 128, 1}, {260, 8, 1}, {391, 64, 1}};
static const int shape_count = (int)(sizeof shapes / sizeof *shapes);

/* Both masks of one site: the kernels' and the reference's. */
static dt_dropout drop_at(void) {
    return dt_dropout_at(6, 0.3, 1, DT_DROPOUT_ATTENTION, 4, 9);
}

static reference_dropout same_at(void) {
    return reference_dropout_at(6, 0.3, 1, 1, 4, 9);
}

static uint16_t *rounded(float *numbers, int64_t count) {
    uint16_t *halves = numbers_block(count, sizeof *halves);
    for (int64_t i = 0; i < count; i++)
        halves[i] = dt_bf16_round(numbers[i]);
    free(numbers);
    return halves;
}

static float *floats_of(const uint16_t *halves, int64_t count) {
    float *numbers = numbers_block(count, sizeof *numbers);
    for (int64_t i = 0; i < count; i++)
        numbers[i] = dt_bf16_widen(halves[i]);
    return numbers;
}

static double *doubles_of(const uint16_t *halves, int64_t count) {
    float *numbers = floats_of(halves, count);
    double *wide = numbers_widen(numbers, count);
    free(numbers);
    return wide;
}

/* A problem, and what a set makes of it. */
typedef struct pass {
    int64_t T, C, H;
    const dt_dropout *drop;
    uint16_t *qkv, *dy;
    uint16_t *y, *dqkv;
    float *lse;
} pass;

static pass create(int64_t T, int64_t D, int64_t H, const dt_dropout *drop) {
    const int64_t C = D * H, n = T * C;
    pass p = {.T = T, .C = C, .H = H, .drop = drop};
    p.qkv = rounded(numbers_random(3 * n, 1, 1.5), 3 * n);
    p.dy = rounded(numbers_random(n, 2, 1.0), n);
    p.y = rounded(numbers_poisoned(n), n);
    p.dqkv = rounded(numbers_poisoned(3 * n), 3 * n);
    p.lse = numbers_poisoned(H * T);
    return p;
}

static void release(pass *p) {
    void *blocks[] = {p->qkv, p->dy, p->y, p->dqkv, p->lse};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
}

/* Runs both passes, whatever stood in the scratch. */
static void run_forward(const dt_kernels *set, pass *p) {
    float *scratch = numbers_poisoned(set->attention->scratch_floats(p->T, p->C / p->H));
    set->attention->forward(p->y, p->lse, p->qkv, p->T, p->C, p->H, p->drop, dt_attention_all(p->T, p->H),
                            scratch);
    free(scratch);
}

static void run_backward(const dt_kernels *set, pass *p) {
    float *scratch = numbers_poisoned(set->attention->scratch_floats(p->T, p->C / p->H));
    set->attention->backward(p->dqkv, p->dy, p->y, p->lse, p->qkv, p->T, p->C, p->H, p->drop,
                             dt_attention_all(p->T, p->H), scratch);
    free(scratch);
}

/*
 * Rounding to bfloat16 is off by up to 2^-9 of a number. An output is a sum of products with rounded
 * probabilities, and is rounded itself; a gradient is one with rounded dS, which is a difference with what
 * the rounded Y gives. Where all of that goes one way it comes to some four of them, relative to the largest,
 * but such errors are of either sign: over an array their mean square is about that of two independent ones,
 * 2^-9 / sqrt(3) each, where a few queries do not decide it alone. Log-sum-exps are floats, to the error of
 * the power.
 */
#define WORST_Y        0x1p-7
#define WORST_GRADIENT 0x1p-6
#define MEAN_Y         0x1p-8
#define MEAN_GRADIENT  0x1p-7
#define FEW            2
#define LSE_TOLERANCE  4e-6

static void assert_mean(const char *set, const char *what, const float *found, const double *expected,
                        int64_t count, double tolerance) {
    double error = 0.0, size = 0.0;
    for (int64_t i = 0; i < count; i++) {
        error += ((double)found[i] - expected[i]) * ((double)found[i] - expected[i]);
        size += expected[i] * expected[i];
    }
    if (!(error <= tolerance * tolerance * size))
        fail_msg("%s: %s is off by %.3g of itself in the mean square, allowed %.3g", set, what,
                 sqrt(error / size), tolerance);
}

static void check(const dt_kernels *set, int64_t T, int64_t D, int64_t H, bool dropping) {
    const dt_dropout some = drop_at();
    const reference_dropout its = same_at(), *same = dropping ? &its : NULL;
    pass p = create(T, D, H, dropping ? &some : NULL);
    const int64_t n = T * p.C;
    double *qkv = doubles_of(p.qkv, 3 * n), *dy = doubles_of(p.dy, n), *y_expected = numbers_wide(n),
           *lse_expected = numbers_wide(H * T), *dqkv_expected = numbers_wide(3 * n);
    run_forward(set, &p);
    run_backward(set, &p);
    reference_attention(y_expected, lse_expected, qkv, T, p.C, H, same);
    reference_attention_backward(dqkv_expected, dy, qkv, T, p.C, H, same);
    float *y = floats_of(p.y, n), *dqkv = floats_of(p.dqkv, 3 * n);
    assert_close(set->name, "y", y, y_expected, n, WORST_Y);
    assert_close(set->name, "lse", p.lse, lse_expected, H * T, LSE_TOLERANCE);
    assert_close(set->name, "dqkv", dqkv, dqkv_expected, 3 * n, WORST_GRADIENT);
    if (T > FEW) {
        assert_mean(set->name, "y", y, y_expected, n, MEAN_Y);
        assert_mean(set->name, "dqkv", dqkv, dqkv_expected, 3 * n, MEAN_GRADIENT);
    }
    void *blocks[] = {qkv, dy, y_expected, lse_expected, dqkv_expected, y, dqkv};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
    release(&p);
}

static void both_passes_are_the_formula(void **state) {
    (void)state;
    const dt_kernels *sets[DT_KERNELS_SETS];
    (void)find_sets(sets); /* the others have its bits, as the next test sees */
    for (int s = 0; s < shape_count; s++) {
        check(sets[0], shapes[s].T, shapes[s].D, shapes[s].H, false);
        check(sets[0], shapes[s].T, shapes[s].D, shapes[s].H, true);
    }
}

static void assert_same_halves(const char *set, const char *what, const uint16_t *found,
                               const uint16_t *expected, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (found[i] != expected[i])
            fail_msg("%s: %s[%" PRId64 "] is %.9g, expected the very bits of %.9g", set, what, i,
                     (double)dt_bf16_widen(found[i]), (double)dt_bf16_widen(expected[i]));
}

/* One definition: outputs, log-sum-exps, gradients and a query alone have the same bits in every set. */
static void all_sets_make_the_same_bits(void **state) {
    (void)state;
    const dt_dropout some = drop_at();
    const dt_kernels *sets[DT_KERNELS_SETS];
    const int count = find_sets(sets);
    for (int s = 0; s < shape_count; s++)
        for (int dropping = 0; dropping < 2; dropping++) {
            const int64_t T = shapes[s].T, D = shapes[s].D, H = shapes[s].H, C = D * H;
            pass first = create(T, D, H, dropping ? &some : NULL);
            uint16_t *alone = numbers_block(C, sizeof *alone), *other = numbers_block(C, sizeof *other);
            run_forward(sets[0], &first);
            run_backward(sets[0], &first);
            for (int i = 0; i < count; i++) {
                pass p = create(T, D, H, first.drop);
                float *scratch = numbers_poisoned(sets[i]->attention->scratch_floats(T, D));
                run_forward(sets[i], &p);
                run_backward(sets[i], &p);
                sets[i]->attention->query(i == 0 ? alone : other, p.qkv, T - 1, C, H, scratch);
                assert_same_halves(sets[i]->name, "y", p.y, first.y, T * C);
                assert_same_bits(sets[i]->name, "lse", p.lse, first.lse, H * T);
                assert_same_halves(sets[i]->name, "dqkv", p.dqkv, first.dqkv, 3 * T * C);
                assert_same_halves(sets[i]->name, "y of a query", i == 0 ? alone : other, alone, C);
                free(scratch);
                release(&p);
            }
            free(alone);
            free(other);
            release(&first);
        }
}

static double objective(const dt_kernels *set, pass *p) {
    double sum = 0.0;
    run_forward(set, p);
    for (int64_t i = 0; i < p->T * p->C; i++)
        sum += (double)dt_bf16_widen(p->dy[i]) * (double)dt_bf16_widen(p->y[i]);
    return sum;
}

/*
 * The backward pass is the slope of the forward pass, of sum(dy y), along its own gradient. Steps must be
 * large beside what rounding Y does to the sum, 2^-9 / sqrt(3) of the root of sum((dy y)^2): that is 0.02
 * here, and the steps of a quarter change the sum by 4 and more. The cubic term of such a step is 1 % of
 * that.
 */
static void the_gradient_is_the_slope(void **state) {
    (void)state;
    enum { T = 40, D = 8, H = 2, N = 3 * T * D * H };
    const dt_dropout some = drop_at();
    const dt_kernels *sets[DT_KERNELS_SETS];
    (void)find_sets(sets);
    for (int dropping = 0; dropping < 2; dropping++)
        for (int third = 0; third < 3; third++) { /* of q, of k and of v */
            pass p = create(T, D, H, dropping ? &some : NULL);
            uint16_t *qkv = p.qkv, *moved[2] = {numbers_block(N, sizeof *qkv), numbers_block(N, sizeof *qkv)};
            double length = 0.0, expected = 0.0, sum[2];
            run_forward(sets[0], &p);
            run_backward(sets[0], &p);
            float *gradient = floats_of(p.dqkv, N);
            for (int i = 0; i < N; i++) {
                gradient[i] = i / (D * H) % 3 == third ? gradient[i] : 0.0f;
                length += (double)gradient[i] * (double)gradient[i];
            }
            for (int side = 0; side < 2; side++) {
                const double step = (side ? -0.25 : 0.25) / sqrt(length);
                for (int i = 0; i < N; i++)
                    moved[side][i] =
                        dt_bf16_round((float)((double)dt_bf16_widen(qkv[i]) + step * (double)gradient[i]));
                p.qkv = moved[side];
                sum[side] = objective(sets[0], &p);
            }
            for (int i = 0; i < N; i++)
                expected += (double)gradient[i] *
                            ((double)dt_bf16_widen(moved[0][i]) - (double)dt_bf16_widen(moved[1][i]));
            assert_near(sets[0]->name,
                        third == 0   ? "slope in q"
                        : third == 1 ? "slope in k"
                                     : "slope in v",
                        sum[0] - sum[1], expected, 0.03);
            p.qkv = qkv;
            free(moved[0]);
            free(moved[1]);
            free(gradient);
            release(&p);
        }
}

/* Infinities of both signs and NaN in place of rows [from, to) of x[T, width]. */
static void spoil(uint16_t *x, int64_t width, int64_t from, int64_t to) {
    static const uint16_t bad[] = {0x7f80, 0xff80, 0x7fc0};
    for (int64_t i = from * width; i < to * width; i++)
        x[i] = bad[i % 3];
}

/*
 * What is not finite in later tokens changes no bit of earlier outputs, log-sum-exps and dQ, and in earlier
 * rows of dY no bit of later tokens' gradients: weights of zero are no sums of products with them.
 */
static void no_token_sees_a_later_one(void **state) {
    (void)state;
    const dt_kernels *sets[DT_KERNELS_SETS];
    const int count = find_sets(sets);
    for (int i = 0; i < count; i++)
        for (int s = 0; s < shape_count; s++) {
            const int64_t T = shapes[s].T, D = shapes[s].D, H = shapes[s].H, C = D * H, cut = T / 2;
            pass p = create(T, D, H, NULL), q = create(T, D, H, NULL);
            run_forward(sets[i], &p);
            run_backward(sets[i], &p);
            spoil(q.qkv, 3 * C, cut, T);
            run_forward(sets[i], &q);
            assert_same_halves(sets[i]->name, "y before what is not finite", q.y, p.y, cut * C);
            for (int64_t h = 0; h < H; h++)
                assert_same_bits(sets[i]->name, "lse", q.lse + h * T, p.lse + h * T, cut);
            run_backward(sets[i], &q);
            for (int64_t t = 0; t < cut; t++)
                assert_same_halves(sets[i]->name, "dq", q.dqkv + t * 3 * C, p.dqkv + t * 3 * C, C);
            release(&q);
            q = create(T, D, H, NULL);
            run_forward(sets[i], &q);
            spoil(q.dy, C, 0, cut);
            run_backward(sets[i], &q);
            assert_same_halves(sets[i]->name, "dqkv after what is not finite", q.dqkv + cut * 3 * C,
                               p.dqkv + cut * 3 * C, (T - cut) * 3 * C);
            release(&p);
            release(&q);
        }
}

/* query() of row t is row t of the forward pass; it may read no row after t, so those are NaN. Its scores are
 * added in another order, so that a probability may be rounded the other way. */
static void a_query_alone_is_the_last_row(void **state) {
    (void)state;
    const dt_kernels *sets[DT_KERNELS_SETS];
    (void)find_sets(sets);
    for (int s = 0; s < shape_count; s++) {
        const int64_t T = shapes[s].T, D = shapes[s].D, C = D * shapes[s].H;
        pass p = create(T, D, shapes[s].H, NULL);
        float *scratch = numbers_poisoned(sets[0]->attention->scratch_floats(T, D));
        uint16_t *alone = rounded(numbers_poisoned(C), C);
        run_forward(sets[0], &p);
        for (int64_t t = T - 1; t >= 0; t -= t < 3 ? 1 : t / 3) {
            spoil(p.qkv, 3 * C, t + 1, T);
            sets[0]->attention->query(alone, p.qkv, t, C, shapes[s].H, scratch);
            double *row = doubles_of(p.y + t * C, C);
            float *found = floats_of(alone, C);
            assert_close(sets[0]->name, "y of a query", found, row, C, WORST_Y);
            free(row);
            free(found);
        }
        free(alone);
        free(scratch);
        release(&p);
    }
}

/* Scores of 2e4 and 4e4: the softmax takes off the largest first, so one key wins all the weight. */
static void large_scores_stay_finite(void **state) {
    (void)state;
    enum { T = 3, C = 4 };
    const dt_kernels *sets[DT_KERNELS_SETS];
    (void)find_sets(sets);
    pass p = create(T, C, 1, NULL);
    for (int t = 0; t < T; t++)
        for (int c = 0; c < C; c++) {
            p.qkv[t * 3 * C + c] = dt_bf16_round(100.0f);
            p.qkv[t * 3 * C + C + c] =
                dt_bf16_round(100.0f * (float)t); /* the last key wins for every query */
            p.qkv[t * 3 * C + 2 * C + c] = dt_bf16_round((float)(10 * t + c));
            p.dy[t * C + c] = dt_bf16_round(1.0f);
        }
    run_forward(sets[0], &p);
    run_backward(sets[0], &p);
    for (int i = 0; i < T * C; i++) {
        const int t = i / C, c = i % C;
        const uint16_t *g = p.dqkv + t * 3 * C + c;
        if (p.y[i] != dt_bf16_round((float)(10 * t + c)) || g[0] != 0 || g[C] != 0 ||
            g[2 * C] != dt_bf16_round(1.0f))
            fail_msg("token %d, column %d: y %g, gradients q %g, k %g, v %g; expected %d, 0, 0, 1", t, c,
                     (double)dt_bf16_widen(p.y[i]), (double)dt_bf16_widen(g[0]), (double)dt_bf16_widen(g[C]),
                     (double)dt_bf16_widen(g[2 * C]), 10 * t + c);
    }
    release(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_passes_are_the_formula),   cmocka_unit_test(all_sets_make_the_same_bits),
        cmocka_unit_test(the_gradient_is_the_slope),     cmocka_unit_test(no_token_sees_a_later_one),
        cmocka_unit_test(a_query_alone_is_the_last_row), cmocka_unit_test(large_scores_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
