/* A try: all threads start together, do a slice of work, and the slowest counts. */
#include "step/ceiling.h"

#include <stdint.h>

#include "base/assert.h"
#include "base/clock.h"
#include "math/kernels.h"
#include "step/dot_bf16_loop.h"
#include "step/fma_loop.h"

/* Where the results of loops end up that exist only to be timed. */
static volatile float kept;

/* The widest that the processor has, also where DTRAIN_ISA asks for slower kernels: a ceiling stays where it
 * is. */
static int widest_set(void) {
    int index = 0;
    /* The last set is every processor's. */
    while (index < DT_KERNELS_SETS - 1 && dt_kernels_get(index, DT_DTYPE_FP32) == NULL)
        index++;
    return index;
}

/* The rate of a loop of which a round is so many FLOP. */
static double measure(float (*run)(int64_t rounds), int64_t round_flop, int threads,
                      const dt_ceiling_effort *effort) {
    const int64_t rounds = (int64_t)(effort->flop / (double)round_flop);
    const double flop = (double)(rounds * round_flop) * threads, begun = dt_clock_seconds();
    double best = 0.0, now = begun;
    for (int try = 0; try < effort->tries && now - begun < effort->max_seconds; try++) {
        const double start = now;
#pragma omp parallel num_threads(threads)
        {
            const float sum = run(rounds);
#pragma omp critical
            kept = sum;
        }
        now = dt_clock_seconds();
        const double rate = flop / (now - start);
        best = rate > best ? rate : best;
    }
    return best;
}

static double measure_floats(int threads, const dt_ceiling_effort *effort) {
#define FMA(isa, with) &dt_fma_loop_##isa,
    static const struct dt_fma_loop *const all[DT_KERNELS_SETS] = {DT_ISA_EACH(FMA, )};
#undef FMA
    const struct dt_fma_loop *loop = all[widest_set()];
    return measure(loop->run, loop->round_flop, threads, effort);
}

static double measure_bf16(int threads, const dt_ceiling_effort *effort) {
#define DOT(isa, with) &dt_dot_bf16_loop_##isa,
    static const struct dt_dot_bf16_loop *const all[DT_KERNELS_SETS] = {DT_ISA_EACH(DOT, )};
#undef DOT
    const struct dt_dot_bf16_loop *loop = all[widest_set()];
    return loop->run ? measure(loop->run, loop->round_flop, threads, effort) : 0.0;
}

double dt_ceiling_measure(dt_dtype dtype, int threads, const dt_ceiling_effort *effort) {
    DT_ASSERT(threads > 0 && effort->flop > 0.0 && effort->tries > 0);
    return dtype == DT_DTYPE_BF16 ? measure_bf16(threads, effort) : measure_floats(threads, effort);
}
