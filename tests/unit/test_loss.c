/* Cross-entropy against its formula in double, its gradient against central differences of that formula. */
#include "support/numbers.h"
#include "support/reference.h"

enum { ROWS = 5 };

static const struct { int64_t V, stride; } shapes[] = {{1, 16}, {2, 2}, {17, 32}, {99, 112}, {99, 99}};
static const int shape_count = (int)(sizeof shapes / sizeof *shapes);

/* Logits whose padding is NaN, with targets that include the first and the last of the vocabulary. */
static float *make_logits(int32_t *targets, int64_t V, int64_t stride) {
    float *chosen = numbers_random(ROWS * V, 1, 3.0), *logits = numbers_poisoned(ROWS * stride);
    for (int64_t i = 0; i < ROWS; i++) {
        memcpy(logits + i * stride, chosen + i * V, (size_t)V * sizeof *logits);
        targets[i] = (int32_t)(i == 0 ? 0 : i == 1 ? V - 1 : (7 * i) % V);
    }
    free(chosen);
    return logits;
}

/* The same without padding, in double. */
static double *without_padding(const float *logits, int64_t V, int64_t stride) {
    double *dense = numbers_wide(ROWS * V);
    for (int64_t i = 0; i < ROWS * V; i++)
        dense[i] = (double)logits[i / V * stride + i % V];
    return dense;
}

typedef struct problem {
    int64_t V;
    const int32_t *targets;
    double *logits, scale;
} problem;

static double objective(void *context) {
    const problem *p = context;
    return p->scale * reference_loss(p->logits, p->targets, ROWS, p->V);
}

/*
 * The loss is summed in double of one exp-sum in float a row, right to a few eps of itself; so is every
 * gradient, which is at most `scale`: 8 eps. One logit is nothing to choose from: with V = 1 the loss and its
 * gradient are exactly 0.
 */
static void check(const dt_kernels *k, int64_t V, int64_t stride) {
    const double tolerance = 8.0 * (double)FLT_EPSILON;
    const float scale = 0.037f;
    int32_t targets[ROWS];
    float *logits = make_logits(targets, V, stride), *untouched = numbers_copy(logits, ROWS * stride);
    problem p = {V, targets, without_padding(logits, V, stride), (double)scale};
    const double expected = reference_loss(p.logits, targets, ROWS, V);
    double losses[ROWS], again[ROWS];
    k->loss->forward(losses, logits, targets, dt_range_all(ROWS), V, stride);
    const double forward = dt_loss_sum(losses, ROWS);
    assert_near(k->name, "loss", forward, expected, tolerance);
    assert_same_bits(k->name, "logits", logits, untouched, ROWS * stride);
    k->loss->backward(again, logits, targets, dt_range_all(ROWS), V, stride, scale);
    assert_memory_equal(again, losses, sizeof losses);
    for (int64_t i = 0; i < ROWS; i++) {
        for (int64_t v = 0; v < V; v++) {
            const double slope = reference_slope(&p.logits[i * V + v], objective, &p);
            const float found = logits[i * stride + v];
            if (!(fabs((double)found - slope) <= tolerance * (double)scale))
                fail_msg("%s: V %" PRId64 ", dlogits[%" PRId64 "][%" PRId64 "] is %.9g, expected %.9g",
                         k->name, V, i, v, (double)found, slope);
        }
        for (int64_t v = V; v < stride; v++)
            if (logits[i * stride + v] != 0.0f)
                fail_msg("%s: padding [%" PRId64 "][%" PRId64 "] is %g, expected 0", k->name, i, v,
                         (double)logits[i * stride + v]);
    }
    free(logits);
    free(untouched);
    free(p.logits);
}

static void loss_and_gradient_are_the_formula(void **state) {
    (void)state;
    for_each_kernels(k) for (int s = 0; s < shape_count; s++) check(k, shapes[s].V, shapes[s].stride);
}

/* Logits of any size are compared with the largest of their row first, so nothing overflows. */
static void large_logits_stay_finite(void **state) {
    (void)state;
    enum { V = 20 };
    for_each_kernels(k) {
        float logits[2 * V];
        const int32_t targets[2] = {3, 4};
        for (int v = 0; v < 2 * V; v++)
            logits[v] = -1e4f;
        logits[3] = 1e4f;     /* the first row is certain of its target, */
        logits[V + 3] = 1e4f; /* the second of another */
        double losses[2];
        k->loss->backward(losses, logits, targets, dt_range_all(2), V, V, 1.0f);
        assert_near(k->name, "loss", dt_loss_sum(losses, 2), 2e4, (double)FLT_EPSILON);
        for (int v = 0; v < 2 * V; v++) {
            const float expected = v == V + 3 ? 1.0f : v == V + 4 ? -1.0f : 0.0f;
            if (!(fabsf(logits[v] - expected) <= 1e-30f))
                fail_msg("%s: dlogits[%d] is %g, expected %g", k->name, v, (double)logits[v],
                         (double)expected);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_and_gradient_are_the_formula),
        cmocka_unit_test(large_logits_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
