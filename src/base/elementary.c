/*
 * Each function brings its argument into a short range, where a power series converges quickly, without an
 * error that counts; coefficients are the series' own, as many as double can show. Nothing here may be
 * contracted into fused multiply-adds or reordered: CMakeLists.txt says so to the compilers.
 */
#include "base/elementary.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* ln(2) = LN2_HIGH + LN2_LOW. HIGH has 21 zero bits at its end, so that its products with exponents are
 * exact: the way of Sun's fdlibm (e_log.c, e_exp.c, 1993), as is the form of the last additions of both
 * functions. */
#define LN2_HIGH 0x1.62e42fee00000p-1
#define LN2_LOW  0x1.a39ef35793c76p-33

/* 1.5 x 2^52: adding it and taking it off rounds to an integer. */
#define SHIFT 0x1.8p52

#define BIAS 1023

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^exponent, a normal number. */
static double power_of_two(int exponent) {
    return of_bits((uint64_t)(exponent + BIAS) << 52);
}

/* factor[0] + x factor[1] + x^2 factor[2] + .., from the last one on. */
static double series(const double *factor, int count, double x) {
    double sum = factor[count - 1];
    for (int i = count - 2; i >= 0; i--)
        sum = sum * x + factor[i];
    return sum;
}

/*
 * x = 2^k (1 + f) with 1 + f from sqrt(1/2) to sqrt(2). With s = f / (2 + f),
 *     ln(1 + f) = 2 atanh(s) = 2s + s R,  R = 2/3 s^2 + 2/5 s^4 + ..,  2s = f - f^2/2 + s f^2/2
 * and |s| < 0.1716.
 */
double dt_elementary_log(double x) {
    static const double factor[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                                    2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
    const uint64_t root_half = UINT64_C(0x3fe6a09e667f3bcd), exponents = UINT64_C(0x7ff) << 52;
    int k = 0;
    if (!(x > 0.0))
        return x == 0.0 ? -(double)INFINITY : (double)NAN;
    if (x > 0x1.fffffffffffffp1023)
        return x;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k = -54;
    }
    /* Exponents begin at the root of a half. */
    const uint64_t raised = bits_of(x) - root_half + ((uint64_t)BIAS << 52);
    k += (int)(raised >> 52) - BIAS;
    const double f = of_bits(bits_of(x) - ((raised & exponents) - ((uint64_t)BIAS << 52))) - 1.0;
    const double s = f / (2.0 + f), square = s * s, half = 0.5 * f * f, whole = (double)k;
    const double rest = square * series(factor, COUNT(factor), square);
    return whole * LN2_HIGH - ((half - (s * (half + rest) + whole * LN2_LOW)) - f);
}

/* x = n ln(2) + r, |r| <= ln(2) / 2, and e^x = 2^n (1 + r + r^2 (1/2 + r/6 + ..)). What is lost in rounding r
 * is added to its square's part. */
double dt_elementary_exp(double x) {
    static const double factor[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                    1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                    1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
    if (!(x < 710.0))
        return isnan(x) ? (double)NAN : (double)INFINITY;
    if (x < -746.0)
        return 0.0;
    const double n = (x * (1.0 / DT_ELEMENTARY_LN2) + SHIFT) - SHIFT;
    const double high = x - n * LN2_HIGH, low = n * LN2_LOW, r = high - low, lost = (high - r) - low;
    const double y = 1.0 + (r + (r * r * series(factor, COUNT(factor), r) + lost));
    /* In two steps, of which the second alone rounds, where the result is denormal or overflows. */
    const int exponent = (int)n, first = exponent / 2;
    return y * power_of_two(first) * power_of_two(exponent - first);
}

/* high + low, and |low| is at most half a unit of high's last place. */
typedef struct pair {
    double high, low;
} pair;

/* The same sum, for |a| >= |b|. */
static pair normalise(double a, double b) {
    const double high = a + b;
    return (pair){high, b - (high - a)};
}

/* a b exactly, where it does not underflow, without a fused multiply-add: T. J. Dekker, "A floating-point
 * technique for extending the available precision", 1971. Each factor is split into halves of 26 bits. */
static pair multiply(double a, double b) {
    const double split = 0x1p27 + 1.0;
    const double a_split = split * a, a_high = a_split - (a_split - a), a_low = a - a_high;
    const double b_split = split * b, b_high = b_split - (b_split - b), b_low = b - b_high;
    const double product = a * b;
    return (pair){product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

/* cos(a) and sin(a) for |a| <= pi / 4 by their series; `low` enters by its first power. */
static void small_turn(pair a, double *cosine, double *sine) {
    static const double even[] = {
        1.0 / 24,        -1.0 / 720,           1.0 / 40320,           -1.0 / 3628800,
        1.0 / 479001600, -1.0 / 87178291200.0, 1.0 / 20922789888000.0};
    static const double odd[] = {-1.0 / 6,        1.0 / 120,          -1.0 / 5040,           1.0 / 362880,
                                 -1.0 / 39916800, 1.0 / 6227020800.0, -1.0 / 1307674368000.0};
    const double square = a.high * a.high, half = 0.5 * square;
    /* 1 - half is rounded; what that loses is known exactly. */
    const double leading = 1.0 - half, lost = (1.0 - leading) - half;
    *cosine = leading + (lost + (square * square * series(even, COUNT(even), square) - a.high * a.low));
    *sine = a.high + (a.high * square * series(odd, COUNT(odd), square) + a.low * (1.0 - half));
}

void dt_elementary_turn(double turns, double *cosine, double *sine) {
    DT_ASSERT(fabs(turns) <= 0x1p48);
    const pair two_pi = {0x1.921fb54442d18p2, 0x1.1a62633145c07p-52};
    /* Quarters are taken off exactly; an eighth of a turn at most is left. */
    const double quarters = (4.0 * turns + SHIFT) - SHIFT, rest = turns - 0.25 * quarters;
    const pair product = multiply(rest, two_pi.high);
    double c, s;
    small_turn(normalise(product.high, product.low + rest * two_pi.low), &c, &s);
    const unsigned quarter = (unsigned)((int64_t)quarters & 3);
    *cosine = quarter == 0 ? c : quarter == 1 ? -s : quarter == 2 ? -c : s;
    *sine = quarter == 0 ? s : quarter == 1 ? c : quarter == 2 ? -s : -c;
}

/* a b to about 104 bits. */
static pair multiply_pairs(pair a, pair b) {
    const pair product = multiply(a.high, b.high);
    return normalise(product.high, product.low + (a.high * b.low + a.low * b.high));
}

double dt_elementary_power(double x, int64_t n) {
    DT_ASSERT(x >= 0.0 && x <= 1.0 && n >= 0);
    pair result = {1.0, 0.0}, square = {x, 0.0};
    for (; n > 0; n /= 2) {
        if (n % 2 == 1)
            result = multiply_pairs(result, square);
        square = multiply_pairs(square, square);
    }
    return result.high;
}
