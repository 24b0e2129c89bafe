/* The tensor table: its own invariants, parameter counts known from elsewhere, and the moments of initial
 * weights. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/progress.h"
#include "model/layout.h"

static const dt_shape small = {.n_layers = 3, .C = 20, .H = 4, .F = 52, .T = 33, .V = 99};

/* Offsets ascend without overlap on aligned units, counts are rows * cols, the totals are the sums. */
static void table_is_packed_and_aligned(void **state) {
    (void)state;
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, small), DT_OK);
    assert_int_equal(layout.tensors, 2 + 12 * small.n_layers + 2);
    int64_t end = 0, parameters = 0;
    for (int64_t t = 0; t < layout.tensors; t++) {
        const dt_tensor *tensor = &layout.tensor[t];
        assert_int_equal(tensor->offset % DT_MEMORY_ALIGN_FLOATS, 0);
        assert_int_equal(tensor->offset, dt_memory_round_floats(end));
        assert_int_equal(tensor->count, tensor->rows * tensor->cols);
        assert_true(tensor->dims == 2 || (tensor->dims == 1 && tensor->rows == 1));
        assert_true(tensor->decay == (tensor->dims == 2));
        assert_ptr_equal(dt_layout_find(&layout, tensor->name), tensor);
        end = tensor->offset + tensor->count;
        parameters += tensor->count;
    }
    assert_int_equal(layout.parameters, parameters);
    assert_int_equal(layout.elements, dt_memory_round_floats(end));
    dt_layout_free(&layout);
}

/* The order, the names and the shapes are Hugging Face's GPT2LMHeadModel's. */
static void rows_are_hugging_face_names(void **state) {
    (void)state;
    const struct {
        const char *name;
        int64_t rows, cols;
        dt_init init;
    } expected[] = {
        {"wte.weight", 99, 20, DT_INIT_NORMAL},
        {"wpe.weight", 33, 20, DT_INIT_NORMAL},
        {"h.0.ln_1.weight", 1, 20, DT_INIT_ONE},
        {"h.0.ln_1.bias", 1, 20, DT_INIT_ZERO},
        {"h.0.attn.c_attn.weight", 20, 60, DT_INIT_NORMAL},
        {"h.0.attn.c_attn.bias", 1, 60, DT_INIT_ZERO},
        {"h.0.attn.c_proj.weight", 20, 20, DT_INIT_RESIDUAL},
        {"h.0.attn.c_proj.bias", 1, 20, DT_INIT_ZERO},
        {"h.0.ln_2.weight", 1, 20, DT_INIT_ONE},
        {"h.0.ln_2.bias", 1, 20, DT_INIT_ZERO},
        {"h.0.mlp.c_fc.weight", 20, 52, DT_INIT_NORMAL},
        {"h.0.mlp.c_fc.bias", 1, 52, DT_INIT_ZERO},
        {"h.0.mlp.c_proj.weight", 52, 20, DT_INIT_RESIDUAL},
        {"h.0.mlp.c_proj.bias", 1, 20, DT_INIT_ZERO},
        {"h.1.ln_1.weight", 1, 20, DT_INIT_ONE},
    };
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, small), DT_OK);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_string_equal(layout.tensor[i].name, expected[i].name);
        assert_int_equal(layout.tensor[i].rows, expected[i].rows);
        assert_int_equal(layout.tensor[i].cols, expected[i].cols);
        assert_int_equal(layout.tensor[i].init, expected[i].init);
    }
    assert_string_equal(layout.tensor[layout.tensors - 2].name, "ln_f.weight");
    assert_string_equal(layout.tensor[layout.tensors - 1].name, "ln_f.bias");
    assert_null(dt_layout_find(&layout, "h.3.ln_1.weight"));
    dt_layout_free(&layout);
}

/* P = VC + TC + n (4 C^2 + 2 C F + 9 C + F) + 2 C; and GPT-2 "124M" has 124439808 (Hugging Face's
 * num_parameters). */
static void counts_are_the_known_ones(void **state) {
    (void)state;
    const dt_shape preset = {.n_layers = 4, .C = 256, .H = 4, .F = 1024, .T = 256, .V = 99};
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, preset), DT_OK);
    int64_t layer = 4 * preset.C * preset.C + 2 * preset.C * preset.F + 9 * preset.C + preset.F;
    assert_int_equal(layout.parameters, (preset.V + preset.T + 2) * preset.C + preset.n_layers * layer);
    dt_layout_free(&layout);
    const dt_shape gpt2 = {.n_layers = 12, .C = 768, .H = 12, .F = 3072, .T = 1024, .V = 50257};
    assert_int_equal(dt_layout_create(&layout, gpt2), DT_OK);
    assert_int_equal(layout.parameters, 124439808);
    dt_layout_free(&layout);
    /* Llama 3's vocabulary on a model of GPT-3's size: places far beyond 32 bits. */
    const dt_shape large = {.n_layers = 96, .C = 12288, .H = 96, .F = 49152, .T = 2048, .V = 128256};
    assert_int_equal(dt_layout_create(&layout, large), DT_OK);
    layer = 4 * large.C * large.C + 2 * large.C * large.F + 9 * large.C + large.F;
    assert_int_equal(layout.parameters, (large.V + large.T + 2) * large.C + large.n_layers * layer);
    assert_true(dt_layout_find(&layout, "ln_f.bias")->offset > (int64_t)1 << 37);
    dt_layout_free(&layout);
}

/* Sizes that are not positive or overflow are refused before anything is allocated, and leave an empty table.
 */
static void impossible_shapes_are_refused(void **state) {
    (void)state;
    const int64_t bad[] = {0, -1, INT64_MIN, INT64_MAX, INT64_MAX / 3, (int64_t)1 << 60};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (int field = 0; field < 5; field++) {
            dt_shape shape = small;
            int64_t *fields[] = {&shape.n_layers, &shape.C, &shape.F, &shape.T, &shape.V};
            *fields[field] = bad[i];
            dt_layout layout;
            assert_int_equal(dt_layout_create(&layout, shape), DT_FAILED);
            assert_null(layout.tensor);
        }
    dt_shape square = small;
    square.C = (int64_t)1 << 31; /* each side is fine, C * 3 C is not */
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, square), DT_FAILED);
}

/*
 * N normals of deviation s: the mean lies within 5 s / sqrt(N) of 0 and the second moment within 5 s^2 sqrt(2
 * / N) of s^2; the products of neighbours average to 0 within 5 s^2 / sqrt(N), so a pair's halves are
 * independent.
 */
static void check_normal(const float *x, int64_t count, double deviation) {
    double sum = 0, squares = 0, neighbours = 0, n = (double)count, variance = deviation * deviation;
    for (int64_t e = 0; e < count; e++) {
        sum += x[e];
        squares += (double)x[e] * x[e];
        neighbours += e > 0 ? (double)x[e] * x[e - 1] : 0.0;
    }
    assert_true(fabs(sum / n) < 5 * deviation / sqrt(n));
    assert_true(fabs(squares / n - variance) < 5 * variance * sqrt(2 / n));
    assert_true(fabs(neighbours / n) < 5 * variance / sqrt(n));
}

/* Weights are N(0, 0.02), residual projections N(0, 0.02 / sqrt(2 n_layers)), LayerNorm weights 1, the rest
 * 0. */
static void initial_weights_have_their_moments(void **state) {
    (void)state;
    const dt_shape shape = {.n_layers = 2, .C = 64, .H = 4, .F = 252, .T = 65, .V = 99};
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    float *x = dt_memory_alloc(layout.elements, sizeof *x, "test");
    memset(x, 0xff, (size_t)layout.elements * sizeof *x);
    dt_layout_init_parameters(&layout, 7, x);
    for (int64_t t = 0; t < layout.tensors; t++) {
        const dt_tensor *tensor = &layout.tensor[t];
        const float *elements = x + tensor->offset;
        if (tensor->dims == 2)
            check_normal(elements, tensor->count,
                         strstr(tensor->name, "c_proj") ? 0.02 / sqrt(2.0 * 2) : 0.02);
        for (int64_t e = 0; tensor->dims == 1 && e < tensor->count; e++)
            assert_true(elements[e] ==
                        (strstr(tensor->name, "ln_") && strstr(tensor->name, "weight") ? 1.0f : 0.0f));
        for (int64_t e = tensor->count; e < dt_memory_round_floats(tensor->count); e++)
            assert_true(elements[e] == 0.0f && !signbit(elements[e]));
    }
    dt_memory_free(x);
    dt_layout_free(&layout);
}

/* The seed decides every bit; another seed, and another tensor of the same shape, give other numbers. */
static void seed_decides_initial_weights(void **state) {
    (void)state;
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, small), DT_OK);
    size_t bytes = (size_t)layout.elements * sizeof(float);
    float *x = dt_memory_alloc(layout.elements, sizeof *x, "test");
    float *y = dt_memory_alloc(layout.elements, sizeof *y, "test");
    dt_layout_init_parameters(&layout, 11, x);
    dt_layout_init_parameters(&layout, 11, y);
    assert_memory_equal(x, y, bytes);
    const dt_tensor *first = dt_layout_find(&layout, "h.0.mlp.c_fc.weight");
    const dt_tensor *second = dt_layout_find(&layout, "h.1.mlp.c_fc.weight");
    assert_memory_not_equal(x + first->offset, x + second->offset, (size_t)first->count * sizeof *x);
    dt_layout_init_parameters(&layout, 11 + ((uint64_t)1 << 32), y);
    for (int64_t t = 0; t < layout.tensors; t++)
        if (layout.tensor[t].dims == 2)
            assert_memory_not_equal(x + layout.tensor[t].offset, y + layout.tensor[t].offset,
                                    (size_t)layout.tensor[t].count * sizeof *x);
    dt_memory_free(x);
    dt_memory_free(y);
    dt_layout_free(&layout);
}

/* Making those of a large model takes minutes, and a watchdog looks on. */
static void making_weights_leaves_marks(void **state) {
    (void)state;
    const dt_shape shape = {.n_layers = 1, .C = 256, .H = 4, .F = 1024, .T = 64, .V = 2048};
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    int64_t before = dt_progress_look().marks;
    float *x = dt_memory_alloc(50000000, sizeof *x, "test"); /* 200 MB of it, as its moments have */
    assert_true(dt_progress_look().marks - before >= 6);
    before = dt_progress_look().marks;
    dt_layout_init_parameters(&layout, 11, x);
    assert_true(dt_progress_look().marks - before >= layout.parameters / 100000);
    dt_memory_free(x);
    dt_layout_free(&layout);
}

/* Every element of a tensor is found, and nothing outside tensors. */
static void addresses_lead_to_tensors(void **state) {
    (void)state;
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, small), DT_OK);
    float *x = dt_memory_alloc(layout.elements, sizeof *x, "test");
    int64_t between = 0;
    for (int64_t e = 0, t = 0; e < layout.elements; e++) {
        while (t + 1 < layout.tensors && e >= layout.tensor[t + 1].offset)
            t++;
        const bool inside = e < layout.tensor[t].offset + layout.tensor[t].count;
        assert_ptr_equal(dt_layout_tensor_at(&layout, x, x + e), inside ? &layout.tensor[t] : NULL);
        between += !inside;
    }
    assert_int_equal(between, layout.elements - layout.parameters);
    assert_null(dt_layout_tensor_at(&layout, x + 1, x));
    assert_null(dt_layout_tensor_at(&layout, x, x + layout.elements));
    dt_memory_free(x);
    dt_layout_free(&layout);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_packed_and_aligned),        cmocka_unit_test(rows_are_hugging_face_names),
        cmocka_unit_test(counts_are_the_known_ones),          cmocka_unit_test(impossible_shapes_are_refused),
        cmocka_unit_test(initial_weights_have_their_moments), cmocka_unit_test(seed_decides_initial_weights),
        cmocka_unit_test(making_weights_leaves_marks),        cmocka_unit_test(addresses_lead_to_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
