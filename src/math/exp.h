/**
 * The exponential as a branch-free formula that a loop over floats turns into vector code.
 *
 * x = n ln 2 + r with |r| <= ln(2)/2; exp(x) = 2^n (1 + r + r^2 P(r)). P is the polynomial of degree 5 of
 * Moshier's Cephes library (expf.c), ln 2 is split in two so that n ln 2 is taken off without rounding. The
 * error is below 1.1 units in the last place on [-87.3, 88.3] (tests/unit/test_exp.c; over all floats there
 * the worst is 1.01); outside the argument is moved to the nearer end, so that the result is never infinite
 * and never below 1e-38.
 */
#ifndef DT_MATH_EXP_H
#define DT_MATH_EXP_H

#include <stdint.h>
#include <string.h>

#include "math/fma.h"

#define DT_EXP_MIN (-87.3f)
#define DT_EXP_MAX (88.3f)

/** Below this dt_exp_flushed is 0. */
#define DT_EXP_FLUSH (-64.0f)

/** exp(x) for x in the range above; for any other x something. Local. */
DT_FMA_INLINE float dt_exp_unchecked(float x) {
    /* 1.5 x 2^23: adding it rounds to an integer, which then stands in the low bits of the sum. */
    const float shift = 12582912.0f;
    const float shifted = dt_fma(x, 1.44269504088896341f, shift), n = shifted - shift;
    const float r = dt_fma(n, 2.12194440e-4f, dt_fma(n, -0.693359375f, x));
    float p = dt_fma(1.9875691500e-4f, r, 1.3981999507e-3f);
    p = dt_fma(p, r, 8.3334519073e-3f);
    p = dt_fma(p, r, 4.1665795894e-2f);
    p = dt_fma(p, r, 1.6666665459e-1f);
    p = dt_fma(p, r, 5.0000001201e-1f);
    float y = dt_fma(p, r * r, r) + 1.0f;
    uint32_t bits, power;
    memcpy(&power, &shifted, sizeof power);
    memcpy(&bits, &y, sizeof bits);
    bits += power << 23; /* the shift's own bits leave at the top */
    memcpy(&y, &bits, sizeof y);
    return y;
}

/** exp(x) as said above. Local. */
DT_FMA_INLINE float dt_exp(float x) {
    x = x < DT_EXP_MIN ? DT_EXP_MIN : x;
    x = x > DT_EXP_MAX ? DT_EXP_MAX : x;
    return dt_exp_unchecked(x);
}

/**
 * exp(x) for a softmax, where x is at most about 0: 0 for x < DT_EXP_FLUSH. Beside the largest of a row,
 * which is 1 here, that is below 2^-92 and lost in any sum; kept, it would become a denormal in the products
 * that follow, of which a row that one score dominates is full. Local.
 */
DT_FMA_INLINE float dt_exp_flushed(float x) {
    const float y = dt_exp_unchecked(x);
    return x < DT_EXP_FLUSH ? 0.0f : y;
}

#endif
