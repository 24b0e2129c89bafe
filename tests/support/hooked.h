/*
 * A layout with hooks on it, for tests of hooks: a micro-batch's activations, and a gradient with numbers in
 * it. PROBE and EXAMPLE are plug-ins built beside the tests.
 */
#ifndef TESTS_SUPPORT_HOOKED_H
#define TESTS_SUPPORT_HOOKED_H

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "step/hooks.h"
#include "support/sentence.h"

enum { LAYERS = 2, WIDTH = 8, CONTEXT = 4, SEQUENCES = 3, MICRO_BATCHES = 3 };

#define HOOKED_BATCH_SIZE 6

typedef struct fixture {
    dt_layout layout;
    dt_activations activations;
    float *gradient;
    dt_hooks *hooks;
} fixture;

static uint32_t random_state = 5;

/* A number in [-1, 1) that float holds exactly. */
static inline float next_number(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return (float)(int32_t)(random_state & 0xFFFFFF00u) / 2147483648.0f;
}

static inline int set_up(void **state) {
    const dt_shape shape = {.n_layers = LAYERS, .C = WIDTH, .H = 2, .F = 16, .T = CONTEXT, .V = 5};
    fixture *f = calloc(1, sizeof *f);
    if (f == NULL || dt_layout_create(&f->layout, shape) != DT_OK ||
        dt_activations_create(&f->activations, dt_kernels_best(DT_DTYPE_FP32), &shape, SEQUENCES,
                              DT_RECOMPUTE_NONE) != DT_OK)
        return -1;
    f->gradient = calloc((size_t)f->layout.elements, sizeof *f->gradient);
    for (int64_t i = 0; i < f->layout.elements; i++)
        f->gradient[i] = next_number();
    *state = f;
    return 0;
}

static inline int tear_down(void **state) {
    fixture *f = *state;
    dt_hooks_free(f->hooks);
    dt_activations_free(&f->activations);
    dt_layout_free(&f->layout);
    free(f->gradient);
    free(f);
    return 0;
}

/* Makes the fixture's hooks, which must succeed. */
static inline void make_hooks(fixture *f, const char *text) {
    dt_hooks_free(f->hooks);
    f->hooks = NULL;
    assert_done(dt_hooks_create(&f->hooks, text, &f->layout, HOOKED_BATCH_SIZE));
}

/* The hooks must be refused with exactly this sentence. */
static inline void refuse(fixture *f, const char *text, const char *sentence) {
    dt_hooks_free(f->hooks);
    f->hooks = NULL;
    assert_refused(dt_hooks_create(&f->hooks, text, &f->layout, HOOKED_BATCH_SIZE), sentence);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
