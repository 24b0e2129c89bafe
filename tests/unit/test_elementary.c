/* Our own logarithm, exponential, sine, cosine and power against MPFR, to 200 bits. */
#include <inttypes.h>
#include <math.h>
#include <mpfr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "base/elementary.h"
#include "base/philox.h"

#define REFERENCE_BITS 200
#define ARGUMENTS      50000

/* The errors that the header states, in units of the last place. */
#define LOG_ERROR   0.9
#define EXP_ERROR   0.9
#define TURN_ERROR  1.1
#define POWER_ERROR 0.6

static mpfr_t reference, argument, difference;

static int set_up(void **state) {
    (void)state;
    mpfr_inits2(REFERENCE_BITS, reference, argument, difference, (mpfr_ptr)0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    mpfr_clears(reference, argument, difference, (mpfr_ptr)0);
    mpfr_free_cache();
    return 0;
}

/* How far `found` is from `reference`, in units of the last place that a double of its size has. */
static double error_of(double found) {
    const double rounded = mpfr_get_d(reference, MPFR_RNDN);
    if (mpfr_zero_p(reference) || isinf(rounded))
        return found == rounded ? 0.0 : (double)INFINITY;
    int64_t exponent = mpfr_get_exp(reference) - 53;
    exponent = exponent < -1074 ? -1074 : exponent;
    mpfr_sub_d(difference, reference, found, MPFR_RNDN);
    mpfr_mul_2si(difference, difference, (long)-exponent, MPFR_RNDN);
    return fabs(mpfr_get_d(difference, MPFR_RNDN));
}

/* The worst of a function's errors, and where it was met. */
typedef struct worst {
    double error, at;
} worst;

static void meet(worst *w, double at, double found) {
    const double error = error_of(found);
    if (!(error <= w->error))
        *w = (worst){error, at};
}

static void judge(const char *name, worst w, double stated) {
    print_message("%s: at most %.3f ulp, at %.17g\n", name, w.error, w.at);
    if (!(w.error <= stated))
        fail_msg("%s(%.17g) is %.3f ulp from the truth, expected at most %g", name, w.at, w.error, stated);
}

/* Uniform in (0, 1): number `i` of stream `stream`. */
static double unit(uint32_t stream, int64_t i) {
    const dt_philox_words words = dt_philox((dt_philox_key){stream, 5}, (uint32_t)i, 0, 0, 0);
    return dt_philox_unit(words.w0, words.w1);
}

static void meet_log(worst *w, double x) {
    mpfr_set_d(argument, x, MPFR_RNDN);
    mpfr_log(reference, argument, MPFR_RNDN);
    meet(w, x, dt_elementary_log(x));
}

/* Over all exponents, denormal ones too, over (0, 1), and close to 1, where the logarithm is small. */
static void log_is_as_close_as_stated(void **state) {
    (void)state;
    worst w = {0};
    for (int64_t i = 0; i < ARGUMENTS; i++) {
        meet_log(&w, ldexp(1.0 + unit(1, i), (int)(i % 2098) - 1074));
        meet_log(&w, unit(2, i));
        meet_log(&w, 1.0 + ldexp(unit(3, i) - 0.5, -(int)(i % 53)));
    }
    judge("log", w, LOG_ERROR);
    assert_true(dt_elementary_log(1.0) == 0.0);
    assert_true(dt_elementary_log(0.0) == -(double)INFINITY && dt_elementary_log(-0.0) == -(double)INFINITY);
    assert_true(dt_elementary_log((double)INFINITY) == (double)INFINITY);
    assert_true(isnan(dt_elementary_log(-1.0)) && isnan(dt_elementary_log((double)NAN)));
    assert_true(isnan(dt_elementary_log(-(double)INFINITY)));
}

static void meet_exp(worst *w, double x) {
    mpfr_set_d(argument, x, MPFR_RNDN);
    mpfr_exp(reference, argument, MPFR_RNDN);
    meet(w, x, dt_elementary_exp(x));
}

/* Over all that is neither 0 nor infinite, denormal results too, and over what samples and losses ask for. */
static void exp_is_as_close_as_stated(void **state) {
    (void)state;
    worst w = {0};
    for (int64_t i = 0; i < ARGUMENTS; i++) {
        meet_exp(&w, -746.0 + 1455.78 * unit(4, i));
        meet_exp(&w, -40.0 * unit(5, i));
        meet_exp(&w, ldexp(unit(6, i) - 0.5, -(int)(i % 60)));
    }
    meet_exp(&w, 709.78271289338397);
    meet_exp(&w, -745.13321910194110);
    judge("exp", w, EXP_ERROR);
    assert_true(dt_elementary_exp(0.0) == 1.0 && dt_elementary_exp(-0.0) == 1.0);
    assert_true(dt_elementary_exp(709.79) == (double)INFINITY &&
                dt_elementary_exp(1e300) == (double)INFINITY);
    assert_true(dt_elementary_exp((double)INFINITY) == (double)INFINITY);
    assert_true(dt_elementary_exp(-745.14) == 0.0 && dt_elementary_exp(-1e300) == 0.0);
    assert_true(dt_elementary_exp(-(double)INFINITY) == 0.0);
    assert_true(isnan(dt_elementary_exp((double)NAN)));
}

/* The angle 2 pi x to many more bits than the result needs, close to a multiple of pi / 2 too. */
static void meet_turn(worst *cosine_worst, worst *sine_worst, double x) {
    double cosine, sine;
    dt_elementary_turn(x, &cosine, &sine);
    mpfr_cosu(reference, (mpfr_set_d(argument, x, MPFR_RNDN), argument), 1, MPFR_RNDN);
    meet(cosine_worst, x, cosine);
    mpfr_sinu(reference, argument, 1, MPFR_RNDN);
    meet(sine_worst, x, sine);
}

/* Over a turn, many turns both ways, and close to every quarter, where one of the two is small. */
static void turns_are_as_close_as_stated(void **state) {
    (void)state;
    worst cosine_worst = {0}, sine_worst = {0};
    for (int64_t i = 0; i < ARGUMENTS; i++) {
        meet_turn(&cosine_worst, &sine_worst, unit(7, i));
        meet_turn(&cosine_worst, &sine_worst, 1e6 * (unit(8, i) - 0.5));
        meet_turn(&cosine_worst, &sine_worst,
                  0.25 * (double)(i % 5) + ldexp(unit(9, i) - 0.5, -(int)(i % 50)));
    }
    judge("cos", cosine_worst, TURN_ERROR);
    judge("sin", sine_worst, TURN_ERROR);
    static const double quarter[4][2] = {{1.0, 0.0}, {0.0, 1.0}, {-1.0, 0.0}, {0.0, -1.0}};
    for (int i = -8; i <= 8; i++) {
        double cosine, sine;
        dt_elementary_turn(0.25 * i, &cosine, &sine);
        assert_true(cosine == quarter[i & 3][0] && sine == quarter[i & 3][1]);
    }
}

static void meet_power(worst *w, double x, int64_t n) {
    mpfr_set_d(argument, x, MPFR_RNDN);
    mpfr_pow_ui(reference, argument, (unsigned long)n, MPFR_RNDN);
    if (mpfr_cmp_d(reference, 0x1p-900) > 0)
        meet(w, x, dt_elementary_power(x, n));
    else
        assert_true(dt_elementary_power(x, n) < 0x1p-899);
}

/* Betas of AdamW over the steps of a long run, and random numbers; small powers need not be close. */
static void powers_are_as_close_as_stated(void **state) {
    (void)state;
    static const double betas[] = {0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999, 0.999999};
    worst w = {0};
    for (int64_t n = 0; n < 5000; n++)
        for (size_t b = 0; b < sizeof betas / sizeof *betas; b++)
            meet_power(&w, betas[b], n);
    for (int64_t i = 0; i < ARGUMENTS; i++)
        meet_power(&w, 1.0 - ldexp(unit(10, i), -(int)(i % 40)), (int64_t)ldexp(unit(11, i), (int)(i % 40)));
    judge("power", w, POWER_ERROR);
    assert_true(dt_elementary_power(0.0, 0) == 1.0 && dt_elementary_power(0.0, 3) == 0.0);
    assert_true(dt_elementary_power(1.0, INT64_MAX) == 1.0 && dt_elementary_power(0.9, INT64_MAX) == 0.0);
    assert_true(dt_elementary_power(0.5, 10) == 0x1p-10);
}

/* Identity: no compiler, level of optimisation or processor changes a bit of 250,000 results. */
static void results_are_the_same_bits_everywhere(void **state) {
    (void)state;
    dt_checksum checksum;
    char digits[DT_CHECKSUM_TEXT_BYTES];
    assert_int_equal(dt_checksum_create(&checksum, 64), 0);
    for (int64_t i = 0; i < ARGUMENTS; i++) {
        double found[5];
        found[0] = dt_elementary_log(ldexp(1.0 + unit(12, i), (int)(i % 2098) - 1074));
        found[1] = dt_elementary_exp(-746.0 + 1456.0 * unit(13, i));
        dt_elementary_turn(1e3 * (unit(14, i) - 0.5), &found[2], &found[3]);
        found[4] = dt_elementary_power(unit(15, i), i % 300);
        dt_checksum_add(&checksum, found, sizeof found);
    }
    dt_checksum_text(&checksum, digits);
    dt_checksum_free(&checksum);
    assert_string_equal(digits, "a7184e67e34e678e");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_is_as_close_as_stated),
        cmocka_unit_test(exp_is_as_close_as_stated),
        cmocka_unit_test(turns_are_as_close_as_stated),
        cmocka_unit_test(powers_are_as_close_as_stated),
        cmocka_unit_test(results_are_the_same_bits_everywhere),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
