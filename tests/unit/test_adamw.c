/* AdamW against its formula in double over fifty steps, for any number of threads. */
#include <omp.h>

#include "base/status.h"
#include "base/memory.h"
#include "optim/adamw.h"
#include "optim/clip.h"
#include "optim/moments.h"
#include "support/numbers.h"

/* Tensors that end inside a vector, and ones of several of the chunks that threads share, with a rest. */
static const dt_shape shape = {.n_layers = 1, .C = 20, .H = 2, .F = 850, .T = 3, .V = 99};
static const int64_t steps = 50;

typedef struct vectors {
    float *parameters, *exp_avg, *exp_avg_sq;
} vectors;

/* Parameters of all sizes and zero moments; what stands between tensors is 7 in each and must stay so. */
static vectors start(const dt_layout *layout) {
    vectors v = {numbers_poisoned(layout->elements), numbers_poisoned(layout->elements),
                 numbers_poisoned(layout->elements)};
    float *chosen = numbers_random(layout->elements, 1, 0.5);
    for (int64_t e = 0; e < layout->elements; e++)
        v.parameters[e] = v.exp_avg[e] = v.exp_avg_sq[e] = 7.0f;
    for (int64_t t = 0; t < layout->tensors; t++)
        for (int64_t e = layout->tensor[t].offset; e < layout->tensor[t].offset + layout->tensor[t].count;
             e++) {
            v.parameters[e] = chosen[e];
            v.exp_avg[e] = v.exp_avg_sq[e] = 0.0f;
        }
    free(chosen);
    return v;
}

static void vectors_free(vectors v) {
    free(v.parameters);
    free(v.exp_avg);
    free(v.exp_avg_sq);
}

/* The gradient of a step: numbers from 1e-6 to 1e2, element 0 of it always 0. */
static float *gradient_of(const dt_layout *layout, int64_t step) {
    float *gradient = numbers_random(layout->elements, (uint32_t)(1000 + step), 1.0);
    for (int64_t e = 0; e < layout->elements; e++)
        gradient[e] *= powf(10.0f, (float)(e % 9 - 6));
    gradient[0] = 0.0f;
    return gradient;
}

/* The formula of the header for one element, with t = step. */
static void reference_update(const dt_adamw *o, bool decay, int64_t step, double g, double *p, double *m,
                             double *v) {
    if (decay)
        *p -= o->learning_rate * o->weight_decay * *p;
    g *= o->gradient_scale;
    *m = o->beta1 * *m + (1.0 - o->beta1) * g;
    *v = o->beta2 * *v + (1.0 - o->beta2) * g * g;
    const double root = sqrt(*v) / sqrt(1.0 - pow(o->beta2, (double)step));
    *p -= o->learning_rate / (1.0 - pow(o->beta1, (double)step)) * *m / (root + 1e-8);
}

/*
 * Every step changes a parameter by at most about the learning rate, to a few eps of that and with a rounding
 * of the parameter itself, and a moment keeps the errors of about 1 / (1 - beta) steps, some 8 eps. The
 * moments are compared relative to a gradient's own size, which e % 9 decides, so a small one cannot hide
 * behind a large one.
 */
static void check(double weight_decay, double gradient_scale, double beta1) {
    const dt_adamw options = {.learning_rate = 0.01,
                              .weight_decay = weight_decay,
                              .beta1 = beta1,
                              .beta2 = 0.95,
                              .gradient_scale = gradient_scale};
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    vectors v = start(&layout);
    double *p = numbers_widen(v.parameters, layout.elements), *m = numbers_widen(v.exp_avg, layout.elements),
           *s = numbers_widen(v.exp_avg_sq, layout.elements);
    for (int64_t step = 1; step <= steps; step++) {
        float *gradient = gradient_of(&layout, step), *before = numbers_copy(gradient, layout.elements);
        dt_adamw_step(&layout, &options, step, gradient, v.parameters, v.exp_avg, v.exp_avg_sq);
        assert_same_bits("adamw", "gradient", gradient, before, layout.elements);
        for (int64_t t = 0; t < layout.tensors; t++)
            for (int64_t e = layout.tensor[t].offset; e < layout.tensor[t].offset + layout.tensor[t].count;
                 e++)
                reference_update(&options, layout.tensor[t].dims == 2, step, (double)gradient[e], &p[e],
                                 &m[e], &s[e]);
        free(gradient);
        free(before);
    }
    const double eps = (double)FLT_EPSILON;
    for (int64_t e = 0; e < layout.elements; e++) {
        const double size = gradient_scale * pow(10.0, (double)(e % 9 - 6));
        const double parameter_error = fabs((double)v.parameters[e] - p[e]);
        if (!(parameter_error <= (double)steps * eps * (fabs(p[e]) + 0.1)) ||
            !(fabs((double)v.exp_avg[e] - m[e]) <= 8.0 * eps * size) ||
            !(fabs((double)v.exp_avg_sq[e] - s[e]) <= 16.0 * eps * s[e]))
            fail_msg(
                "element %" PRId64 ": parameter %.9g, expected %.9g; exp_avg %.9g, expected %.9g; exp_avg_sq "
                "%.9g, expected %.9g",
                e, (double)v.parameters[e], p[e], (double)v.exp_avg[e], m[e], (double)v.exp_avg_sq[e], s[e]);
    }
    free(p);
    free(m);
    free(s);
    vectors_free(v);
    dt_layout_free(&layout);
}

/* With and without decay and clipping, and with beta1 = 0, where the first moment is the gradient. */
static void fifty_steps_are_the_formula(void **state) {
    (void)state;
    check(0.0, 1.0, 0.9);
    check(0.3, 1.0, 0.9);
    check(0.3, 0.125, 0.9);
    check(0.1, 0.3, 0.0);
}

/* No gradient and no decay: nothing moves, and eps keeps 0 / 0 out. */
static void a_zero_gradient_moves_nothing(void **state) {
    (void)state;
    const dt_adamw options = {.learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.95, .gradient_scale = 1.0};
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    vectors v = start(&layout);
    float *before = numbers_copy(v.parameters, layout.elements);
    float *zeros = calloc((size_t)layout.elements, sizeof *zeros);
    dt_adamw_step(&layout, &options, 1, zeros, v.parameters, v.exp_avg, v.exp_avg_sq);
    assert_same_bits("adamw", "parameters", v.parameters, before, layout.elements);
    free(zeros);
    free(before);
    vectors_free(v);
    dt_layout_free(&layout);
}

/* The header's operations for one element, each rounded to float by itself: what is volatile is not
 * contracted. */
static void rounded_update(const float c[8], float gradient, float *p, float *m, float *v) {
    enum { SCALE, BETA1, REST1, BETA2, REST2, ROOT, KEEP, RATE };
    volatile float g = gradient * c[SCALE], kept1 = c[BETA1] * *m, new1 = c[REST1] * g;
    volatile float kept2 = c[BETA2] * *v, new2 = c[REST2] * g;
    new2 = new2 * g;
    volatile float mean = kept1 + new1, square = kept2 + new2;
    volatile float root = sqrtf(square);
    root = root / c[ROOT];
    root = root + 1e-8f;
    volatile float change = mean / root, kept = *p * c[KEEP];
    change = c[RATE] * change;
    *m = mean;
    *v = square;
    *p = kept - change;
}

/* Identity: the very bits of the operations that the header states. */
static void every_operation_is_rounded_by_itself(void **state) {
    (void)state;
    const dt_adamw o = {
        .learning_rate = 0.01, .weight_decay = 0.1, .beta1 = 0.9, .beta2 = 0.95, .gradient_scale = 0.7};
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    vectors v = start(&layout), expected = start(&layout);
    double power1 = 1.0, power2 = 1.0;
    for (int64_t step = 1; step <= 3; step++) {
        float *gradient = gradient_of(&layout, step);
        dt_adamw_step(&layout, &o, step, gradient, v.parameters, v.exp_avg, v.exp_avg_sq);
        power1 *= o.beta1;
        power2 *= o.beta2;
        for (int64_t t = 0; t < layout.tensors; t++) {
            const double decay = layout.tensor[t].dims == 2 ? o.weight_decay : 0.0;
            const float c[8] = {(float)o.gradient_scale,
                                (float)o.beta1,
                                (float)(1.0 - o.beta1),
                                (float)o.beta2,
                                (float)(1.0 - o.beta2),
                                (float)sqrt(1.0 - power2),
                                (float)(1.0 - o.learning_rate * decay),
                                (float)(o.learning_rate / (1.0 - power1))};
            const int64_t first = layout.tensor[t].offset;
            for (int64_t e = first; e < first + layout.tensor[t].count; e++)
                rounded_update(c, gradient[e], &expected.parameters[e], &expected.exp_avg[e],
                               &expected.exp_avg_sq[e]);
        }
        free(gradient);
    }
    assert_same_bits("adamw", "parameters", v.parameters, expected.parameters, layout.elements);
    assert_same_bits("adamw", "exp_avg", v.exp_avg, expected.exp_avg, layout.elements);
    assert_same_bits("adamw", "exp_avg_sq", v.exp_avg_sq, expected.exp_avg_sq, layout.elements);
    vectors_free(v);
    vectors_free(expected);
    dt_layout_free(&layout);
}

static void bits_do_not_depend_on_threads(void **state) {
    (void)state;
    const dt_adamw options = {
        .learning_rate = 0.01, .weight_decay = 0.1, .beta1 = 0.9, .beta2 = 0.95, .gradient_scale = 0.7};
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    vectors alone = start(&layout);
    for (int threads = 1; threads <= 4; threads++) {
        vectors v = threads == 1 ? alone : start(&layout);
        omp_set_num_threads(threads);
        for (int64_t step = 1; step <= 3; step++) {
            float *gradient = gradient_of(&layout, step);
            dt_adamw_step(&layout, &options, step, gradient, v.parameters, v.exp_avg, v.exp_avg_sq);
            free(gradient);
        }
        assert_same_bits("adamw", "parameters", v.parameters, alone.parameters, layout.elements);
        assert_same_bits("adamw", "exp_avg", v.exp_avg, alone.exp_avg, layout.elements);
        assert_same_bits("adamw", "exp_avg_sq", v.exp_avg_sq, alone.exp_avg_sq, layout.elements);
        if (threads > 1)
            vectors_free(v);
    }
    vectors_free(alone);
    dt_layout_free(&layout);
}

/* Runs that begin and end anywhere, in two parts of which each has every other one, with its moments one
 * after another: together they are the step of the whole, on any number of threads. */
static void runs_are_the_step(void **state) {
    (void)state;
    const dt_adamw options = {
        .learning_rate = 0.01, .weight_decay = 0.1, .beta1 = 0.9, .beta2 = 0.95, .gradient_scale = 0.7};
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    vectors whole = start(&layout), subset[2] = {start(&layout), start(&layout)};
    const vectors *const all[] = {&whole, &subset[0], &subset[1]};
    for (int i = 0; i < 3; i++) {
        memset(all[i]->exp_avg, 0, (size_t)layout.elements * sizeof(float));
        memset(all[i]->exp_avg_sq, 0, (size_t)layout.elements * sizeof(float));
    }
    const int64_t ends[] = {
        0, 1, 17, layout.elements / 3, layout.elements / 3, layout.elements / 2, layout.elements};
    enum { RUNS = sizeof ends / sizeof *ends - 1 };
    for (int64_t step = 1; step <= 3; step++) {
        float *gradient = gradient_of(&layout, step);
        omp_set_num_threads((int)step);
        dt_adamw_step(&layout, &options, step, gradient, whole.parameters, whole.exp_avg, whole.exp_avg_sq);
        for (int s = 0; s < 2; s++) {
            dt_slice run[RUNS];
            int64_t runs = 0;
            for (int r = s; r < RUNS; r += 2)
                run[runs++] = (dt_slice){ends[r], ends[r + 1] - ends[r]};
            /* The other part's weights must not be touched. */
            dt_adamw_step_runs(&layout, &options, step, run, runs, gradient, subset[0].parameters,
                               subset[s].exp_avg, subset[s].exp_avg_sq);
        }
        free(gradient);
    }
    omp_set_num_threads(1);
    assert_same_bits("adamw", "parameters", subset[0].parameters, whole.parameters, layout.elements);
    int64_t at[2] = {0, 0};
    for (int r = 0; r < RUNS; r++) {
        const int64_t count = ends[r + 1] - ends[r];
        assert_same_bits("adamw", "exp_avg", subset[r % 2].exp_avg + at[r % 2], whole.exp_avg + ends[r],
                         count);
        assert_same_bits("adamw", "exp_avg_sq", subset[r % 2].exp_avg_sq + at[r % 2],
                         whole.exp_avg_sq + ends[r], count);
        at[r % 2] += count;
    }
    vectors_free(whole);
    vectors_free(subset[0]);
    vectors_free(subset[1]);
    dt_layout_free(&layout);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_steps_are_the_formula),
        cmocka_unit_test(a_zero_gradient_moves_nothing),
        cmocka_unit_test(every_operation_is_rounded_by_itself),
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(runs_are_the_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
