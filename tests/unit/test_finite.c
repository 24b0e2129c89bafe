/* The first tensor that is not finite is found wherever in it the number stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "optim/finite.h"

static const dt_shape shape = {.n_layers = 1, .C = 12, .H = 2, .F = 24, .T = 8, .V = 99};

typedef struct vector {
    dt_layout layout;
    dt_state state;
} vector;

static int set_up(void **state) {
    static vector made;
    assert_int_equal(dt_layout_create(&made.layout, shape), DT_OK);
    assert_int_equal(dt_state_create(&made.state, &made.layout), DT_OK);
    for (int64_t i = 0; i < made.layout.elements; i++)
        made.state.parameters[i] = i % 2 ? FLT_MAX : -FLT_MIN / 2;
    *state = &made;
    return 0;
}

static int tear_down(void **state) {
    vector *r = *state;
    dt_state_free(&r->state);
    dt_layout_free(&r->layout);
    return 0;
}

/* The largest numbers and those below the normal ones are finite. */
static void extreme_numbers_are_finite(void **state) {
    const vector *r = *state;
    assert_null(dt_finite_first(&r->layout, r->state.parameters));
    assert_int_equal(dt_finite_check(&r->state), DT_OK);
}

/* Each kind at the first and the last position of every tensor, with another one in a later tensor. */
static void the_first_tensor_is_found(void **state) {
    vector *r = *state;
    const float kinds[] = {NAN, INFINITY, -INFINITY};
    float *x = r->state.parameters;
    for (int64_t t = 0; t < r->layout.tensors; t++)
        for (int i = 0; i < 6; i++) {
            const dt_tensor *tensor = &r->layout.tensor[t], *last = &r->layout.tensor[r->layout.tensors - 1];
            float *position = x + tensor->offset + (i % 2 ? tensor->count - 1 : 0), kept = *position;
            float *later = x + last->offset + last->count / 2, kept_later = *later;
            *position = kinds[i / 2];
            *later = NAN;
            assert_ptr_equal(dt_finite_first(&r->layout, x), tensor);
            *later = kept_later;
            *position = kept;
        }
    assert_null(dt_finite_first(&r->layout, x));
}

/* Weights and both moments, by the names that the files of a checkpoint have. */
static void a_state_that_must_not_be_saved_is_named(void **state) {
    vector *r = *state;
    const struct {
        float *vector;
        const char *name;
    } rows[] = {{r->state.parameters, "in tensor wte.weight;"},
                {r->state.exp_avg, "in tensor exp_avg.wte.weight;"},
                {r->state.exp_avg_sq, "in tensor exp_avg_sq.wte.weight;"}};
    for (int i = 0; i < 3; i++) {
        const float kept = rows[i].vector[3];
        rows[i].vector[3] = INFINITY;
        assert_int_equal(dt_finite_check(&r->state), DT_FAILED);
        assert_non_null(strstr(dt_error(), rows[i].name));
        rows[i].vector[3] = kept;
    }
}

/* printf writes a NaN with its sign, which says nothing. All else stays as it is, to the sign of zero. */
static void a_nan_has_no_sign(void **state) {
    (void)state;
    char text[64];
    snprintf(text, sizeof text, "%g %.4f", dt_finite_plain(-NAN), dt_finite_plain(NAN));
    assert_string_equal(text, "nan nan");
    snprintf(text, sizeof text, "%g %g %g", dt_finite_plain(-INFINITY), dt_finite_plain(-0.0),
             dt_finite_plain(-1.5));
    assert_string_equal(text, "-inf -0 -1.5");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extreme_numbers_are_finite), cmocka_unit_test(the_first_tensor_is_found),
        cmocka_unit_test(a_state_that_must_not_be_saved_is_named), cmocka_unit_test(a_nan_has_no_sign)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
