/**
 * Logarithm, exponential, sine, cosine and power, the same bit for bit on every machine.
 *
 * The C library's differ by its version, and by whether the processor has fused multiply-adds. These are made
 * of IEEE additions, multiplications and divisions in double, in the order that elementary.c writes; so are
 * all numbers that a run computes by them: initial weights, learning rates, AdamW's corrections, losses and
 * samples. The errors below are in units of the last place of the exact result (ulp), the worst over many
 * arguments against MPFR rounded up (tests/unit/test_elementary.c). All functions are local, and need
 * rounding to nearest.
 */
#ifndef DT_BASE_ELEMENTARY_H
#define DT_BASE_ELEMENTARY_H

#include <stdint.h>

/** ln(2), rounded. */
#define DT_ELEMENTARY_LN2 0x1.62e42fefa39efp-1

/** The natural logarithm of x, within 0.9 ulp. -infinity of 0; NaN of what is negative and of NaN. */
double dt_elementary_log(double x);

/** e to the power x, within 0.9 ulp; from 709.79 on infinity, below -745.14 it is 0. NaN of NaN. */
double dt_elementary_exp(double x);

/** `*cosine` and `*sine` of `turns` whole turns, cos(2 pi turns) and sin(2 pi turns), each within 1.1 ulp and
 * exact at every quarter. |turns| is at most 2^48. */
void dt_elementary_turn(double turns, double *cosine, double *sine);

/** x to the power n, for x in [0, 1] and n >= 0: within 0.6 ulp where the result is above 2^-900; 0^0 is 1.
 */
double dt_elementary_power(double x, int64_t n);

#endif
