/* Which of two ways to multiply bfloat16 is taken: by given rates, and by tiles of known pace. */
#include "support/numbers.h"

#include "math/pace_bf16.h"

typedef struct dt_tile_bf16 tile;

#define TILE(isa, with) &dt_tile_bf16_##isa,
static const tile *const tiles[DT_KERNELS_SETS] = {DT_ISA_EACH(TILE, )};

/* The tile of the fastest set that this processor runs. */
static const tile *own;

static int find_own(void **state) {
    (void)state;
    int index = 0;
    while (dt_kernels_get(index, DT_DTYPE_FP32) == NULL)
        index++;
    own = tiles[index];
    return 0;
}

static void rates_decide(void **state) {
    (void)state;
    static const struct {
        dt_pace_bf16 pace;
        bool multiply_adds;
    } cases[] = {
        {{88.4e9, 153e9}, true},  /* a Xeon of the fifth generation */
        {{74.4e9, 95.1e9}, true}, /* the same, while another thread had half of the core */
        {{216e9, 109e9}, false},  /* a Zen 4 */
        {{120e9, 75e9}, false},   /* the same, disturbed */
        {{100e9, 100e9}, false},  /* nothing to gain */
        {{100e9, 105e9}, false},  /* that much may be an accident, or lost in expanding panels */
        {{100e9, 115e9}, true},   {{0.0, 0.0}, false}, /* no such instruction */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (dt_pace_bf16_prefers_multiply_adds(&cases[i].pace) != cases[i].multiply_adds)
            fail_msg("case %zu is decided wrongly", i);
}

static int calls;

static void thrice(const dt_tile_bf16_target *c, int64_t rows, const void *a, int64_t stride,
                   const void *panel, int64_t pairs) {
    for (int i = 0; i < 3; i++)
        own->multiply(c, rows, a, stride, panel, pairs);
}

/* Twenty calls, which are five tries, are long, and twenty are not. */
static void interrupted(const dt_tile_bf16_target *c, int64_t rows, const void *a, int64_t stride,
                        const void *panel, int64_t pairs) {
    if (calls++ / 20 % 2 == 0)
        thrice(c, rows, a, stride, panel, pairs);
    own->multiply(c, rows, a, stride, panel, pairs);
}

static bool prefers(const tile *dots, const tile *multiply_adds) {
    const dt_pace_bf16 pace = dt_pace_bf16_measure(dots, multiply_adds);
    print_message("dots %.3g FLOP/s, multiply-adds %.3g FLOP/s\n", pace.dots, pace.multiply_adds);
    assert_true(pace.dots > 0.0 && pace.multiply_adds > 0.0);
    return dt_pace_bf16_prefers_multiply_adds(&pace);
}

static void a_slow_tile_is_seen(void **state) {
    (void)state;
    tile slow = *own;
    slow.multiply = thrice;
    assert_true(prefers(&slow, own));
    assert_false(prefers(own, &slow));
}

static void interruptions_decide_nothing(void **state) {
    (void)state;
    tile disturbed = *own;
    disturbed.multiply = interrupted;
    assert_false(prefers(&disturbed, own));
    assert_true(calls > 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rates_decide), cmocka_unit_test(a_slow_tile_is_seen),
                                       cmocka_unit_test(interruptions_decide_nothing)};
    return cmocka_run_group_tests(tests, find_own, NULL);
}
