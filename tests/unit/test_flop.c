/* The model FLOP of a step. */
#include "support/sentence.h"

#include "model/flop.h"

/* 6 FLOP for each of 4 (4 256^2 + 2 256 1024) + 99 256 matrix parameters and 16 256 tokens, and
 * 6 256 256 257 for each of 4 layers and 16 sequences. */
static void the_model_flop_are_those_counted_by_hand(void **state) {
    (void)state;
    dt_layout layout;
    const dt_shape shape = {.n_layers = 4, .C = 256, .H = 4, .F = 1024, .T = 256, .V = 99};
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    const double expected = 6.0 * 3171072.0 * 16.0 * 256.0 + 6.0 * 256.0 * 256.0 * 257.0 * 4.0 * 16.0;
    assert_true(dt_flop_step(&layout, 16) == expected);
    dt_layout_free(&layout);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_flop_are_those_counted_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
