/* Whole tiles, as products are made of them: what an instruction would do alone is not asked. */
#include "math/pace_bf16.h"

#include <stdint.h>

#include "base/clock.h"
#include "math/tile.h"

/* Some milliseconds: a thread on the same core slows multiply-adds more than dots, to 1.3 times their rate
 * where it is 1.7 times, and some stay that long while a program starts. Slow builds end by the clock. */
#define TRIES       200
#define MIN_TRIES   20
#define MAX_SECONDS 10e-3

/* Of a try. A panel of them and the rows take 24 KB as floats, so that both stay in the first-level cache. */
#define CALLS 4
#define PAIRS 64

/* What multiply-adds must be ahead by. Processors are known at half and at twice; expanding panels costs the
 * way by multiply-adds some percent more. */
#define MARGIN 1.1

typedef struct operands {
    float rows[DT_TILE_MAX_ROWS * 2 * PAIRS];
    float panel[2 * PAIRS * DT_TILE_MAX_COLS];
    float sums[DT_TILE_MAX_ROWS * DT_TILE_MAX_COLS];
} operands;

/* The FLOP/s of one try; all operands are 0, which costs a multiplier the same as other numbers. */
static double try(const struct dt_tile_bf16 *tile, operands *o) {
    const dt_tile_bf16_target target = {.at = o->sums, .stride = tile->cols, .cols = tile->cols};
    const double start = dt_clock_seconds();
    for (int call = 0; call < CALLS; call++)
        tile->multiply(&target, tile->rows, o->rows, (int64_t)2 * PAIRS, o->panel, PAIRS);
    const double flop = 2.0 * CALLS * (double)(tile->rows * tile->cols * 2 * PAIRS);
    return flop / (dt_clock_seconds() - start);
}

dt_pace_bf16 dt_pace_bf16_measure(const struct dt_tile_bf16 *dots, const struct dt_tile_bf16 *multiply_adds) {
    _Alignas(64) operands o = {{0}, {0}, {0}};
    dt_pace_bf16 pace = {0.0, 0.0};
    const double begun = dt_clock_seconds();
    for (int i = 0; i < TRIES && (i < MIN_TRIES || dt_clock_seconds() - begun < MAX_SECONDS); i++) {
        const double one = try(dots, &o), other = try(multiply_adds, &o);
        pace.dots = one > pace.dots ? one : pace.dots;
        pace.multiply_adds = other > pace.multiply_adds ? other : pace.multiply_adds;
    }
    return pace;
}

bool dt_pace_bf16_prefers_multiply_adds(const dt_pace_bf16 *pace) {
    return pace->multiply_adds > MARGIN * pace->dots;
}
