/*
 * A linear layer on bfloat16 and its gradient: against the formulas in double on the same rounded numbers,
 * and every set's bits against the first one's.
 */
#include "base/bf16.h"
#include "math/kernels.h"
#include "support/numbers.h"

/* A sum of k products goes wrong by at most k eps of its terms, and by some 4 sqrt(k) eps as errors come. */
static double tolerance_of(int64_t k) {
    return 4.0 * sqrt((double)k) * (double)FLT_EPSILON;
}

/* A result that is rounded once more: by half a unit of its last place of 8, at most 2^-8 of itself. */
#define ROUNDED 0x1p-8

/* One layer with rows further apart than they are long, and what its products should be. */
typedef struct layer {
    dt_linear_shape shape;
    uint16_t *x, *dy;            /* [rows, in], [rows, out], as strided as the shape says */
    float *w, *bias;             /* [in, out], [out] */
    double *y, *dx, *dw, *dbias; /* in double, from w rounded */
} layer;

static double *zeros(int64_t count) {
    double *made = numbers_wide(count);
    for (int64_t i = 0; i < count; i++)
        made[i] = 0.0;
    return made;
}

static layer layer_of(int64_t rows, int64_t in, int64_t out) {
    layer l = {.shape = {rows, in, out, in + 3, out + 2}};
    const dt_linear_shape *s = &l.shape;
    l.x = numbers_halves(rows * s->x_stride, 1);
    l.dy = numbers_halves(rows * s->y_stride, 2);
    l.w = numbers_random(in * out, 3, 1.0);
    l.bias = numbers_random(out, 4, 1.0);
    l.y = zeros(rows * out);
    l.dx = zeros(rows * in);
    l.dw = zeros(in * out);
    l.dbias = zeros(out);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t o = 0; o < out; o++) {
            const double d = (double)dt_bf16_widen(l.dy[i * s->y_stride + o]);
            l.y[i * out + o] += (double)l.bias[o];
            l.dbias[o] += d;
            for (int64_t p = 0; p < in; p++) {
                const double weight = (double)dt_bf16_widen(dt_bf16_round(l.w[p * out + o])),
                             x = (double)dt_bf16_widen(l.x[i * s->x_stride + p]);
                l.y[i * out + o] += x * weight;
                l.dx[i * in + p] += d * weight;
                l.dw[p * out + o] += x * d;
            }
        }
    return l;
}

static void free_layer(layer *l) {
    void *blocks[] = {l->x, l->dy, l->w, l->bias, l->y, l->dx, l->dw, l->dbias};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
}

static void *aligned(int64_t bytes) {
    void *block = aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64);
    assert_non_null(block);
    memset(block, 0xff, (size_t)bytes);
    return block;
}

/* Packed in two parts, as two threads would. */
static void *packed(const dt_kernels *k, const layer *l, bool transposed) {
    const int64_t in = l->shape.in, out = l->shape.out;
    const int64_t count = transposed ? k->linear->panel_count(out, in) : k->linear->panel_count(in, out);
    void *panels = aligned(transposed ? k->linear->panels_bytes(out, in) : k->linear->panels_bytes(in, out));
    k->linear->pack_weight(panels, l->w, in, out, transposed, (dt_range){count / 2, count});
    k->linear->pack_weight(panels, l->w, in, out, transposed, (dt_range){0, count / 2});
    return panels;
}

/* All that a set makes of a layer. */
typedef struct results {
    float *y, *y_rounded, *dx, *dx_rounded, *dw, *dbias; /* without gaps; the rounded ones as floats */
} results;

/* The rows of an array with gaps between, of floats or of bfloat16. */
static float *dense(const void *array, bool rounded, int64_t rows, int64_t cols, int64_t stride) {
    float *made = numbers_block(rows * cols, sizeof *made);
    for (int64_t i = 0; i < rows * cols; i++) {
        const int64_t at = i / cols * stride + i % cols;
        made[i] = rounded ? dt_bf16_widen(((const uint16_t *)array)[at]) : ((const float *)array)[at];
    }
    return made;
}

static float *product_of(const dt_kernels *k, const layer *l, const dt_weight *w, bool input,
                         dt_result result, float *workspace) {
    const dt_linear_shape *s = &l->shape;
    const int64_t stride = input ? s->x_stride : s->y_stride;
    float *made = numbers_poisoned(s->rows * stride);
    if (input)
        k->linear->backward_input(made, result, l->dy, w, s, dt_linear_all_dx(k->linear, s), workspace);
    else
        k->linear->forward(made, result, l->x, w, l->bias, s, dt_linear_all_y(k->linear, s), workspace);
    float *taken = dense(made, result == DT_RESULT_OPERAND, s->rows, input ? s->in : s->out, stride);
    free(made);
    return taken;
}

static results results_of(const dt_kernels *k, const layer *l) {
    const dt_linear_shape *s = &l->shape;
    float *workspace = aligned(k->linear->workspace_floats(s->rows, s->in, s->out) * (int64_t)sizeof(float));
    void *panels = packed(k, l, false), *panels_t = packed(k, l, true);
    const dt_weight w = {.panels = panels, .panels_t = panels_t};
    results r = {.y = product_of(k, l, &w, false, DT_RESULT_FLOAT, workspace),
                 .y_rounded = product_of(k, l, &w, false, DT_RESULT_OPERAND, workspace),
                 .dx = product_of(k, l, &w, true, DT_RESULT_FLOAT, workspace),
                 .dx_rounded = product_of(k, l, &w, true, DT_RESULT_OPERAND, workspace),
                 .dw = numbers_poisoned(s->in * s->out),
                 .dbias = numbers_poisoned(s->out)};
    k->linear->backward_weight(r.dw, r.dbias, l->x, l->dy, s, false, dt_linear_all_dw(k->linear, s),
                               workspace);
    free(workspace);
    free(panels);
    free(panels_t);
    return r;
}

static void free_results(results *r) {
    void *blocks[] = {r->y, r->y_rounded, r->dx, r->dx_rounded, r->dw, r->dbias};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
}

static void assert_formula(const char *set, const layer *l, const results *r) {
    const int64_t rows = l->shape.rows, in = l->shape.in, out = l->shape.out;
    assert_close(set, "y", r->y, l->y, rows * out, tolerance_of(in));
    assert_close(set, "y rounded", r->y_rounded, l->y, rows * out, tolerance_of(in) + ROUNDED);
    assert_close(set, "dx", r->dx, l->dx, rows * in, tolerance_of(out));
    assert_close(set, "dx rounded", r->dx_rounded, l->dx, rows * in, tolerance_of(out) + ROUNDED);
    assert_close(set, "dw", r->dw, l->dw, in * out, tolerance_of(rows));
    assert_close(set, "dbias", r->dbias, l->dbias, out, tolerance_of(rows));
}

static void assert_same(const char *set, const layer *l, const results *r, const results *first) {
    const int64_t rows = l->shape.rows, in = l->shape.in, out = l->shape.out;
    assert_same_bits(set, "y", r->y, first->y, rows * out);
    assert_same_bits(set, "y rounded", r->y_rounded, first->y_rounded, rows * out);
    assert_same_bits(set, "dx", r->dx, first->dx, rows * in);
    assert_same_bits(set, "dx rounded", r->dx_rounded, first->dx_rounded, rows * in);
    assert_same_bits(set, "dw", r->dw, first->dw, in * out);
    assert_same_bits(set, "dbias", r->dbias, first->dbias, out);
}

/* Less than a panel, whole ones and rests, odd sides, more rows or columns than a pass over k takes. */
static void a_layer_is_the_formula_with_the_same_bits_in_every_set(void **state) {
    (void)state;
    static const int64_t shapes[][3] = {{1, 1, 1},     {1, 16, 48},   {7, 20, 33},  {65, 48, 192},
                                        {130, 33, 99}, {4099, 5, 34}, {6, 2051, 3}, {5, 3, 2305}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        layer l = layer_of(shapes[i][0], shapes[i][1], shapes[i][2]);
        results first = {0};
        for (int index = 0; index < DT_KERNELS_SETS; index++) {
            const dt_kernels *k = dt_kernels_get(index, DT_DTYPE_BF16);
            if (k == NULL)
                continue;
            results r = results_of(k, &l);
            assert_formula(k->name, &l, &r);
            if (first.y == NULL) {
                first = r;
                continue;
            }
            assert_same(k->name, &l, &r, &first);
            free_results(&r);
        }
        free_results(&first);
        free_layer(&l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_layer_is_the_formula_with_the_same_bits_in_every_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
