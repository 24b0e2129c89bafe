/* Steps of 1, 2 and 5; numbers from ten thousand on have a prefix, and those below 1/1000 a power of ten. */
#include "report/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

#define PREFIXED_MIN 1e4
#define PREFIXED_MAX 1e15
#define PLAIN_MIN    1e-3
/* A tick that rounding has put just outside of the axis still stands on its end. */
#define SLACK 1e-9
/* What differs by less is the same for an axis, whose ticks would be long. */
#define SAME         1e-7
#define RANGE_MIN    1e-30
#define DECIMALS_MAX 12.0

static const struct {
    double unit;
    const char *prefix;
} prefixes[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};

double dt_axis_step(double range, int sections) {
    const double min = range / sections, power = pow(10.0, floor(log10(min)));
    return power * (min <= power ? 1.0 : min <= 2.0 * power ? 2.0 : min <= 5.0 * power ? 5.0 : 10.0);
}

#define PREFIXES (sizeof prefixes / sizeof *prefixes)

/* "3e-05" as people write it. */
static void shorten_exponent(char *text) {
    char *e = strpbrk(text, "e");
    if (e == NULL)
        return;
    char *digits = e + 1 + (e[1] == '-' || e[1] == '+'), *to = e + 1 + (e[1] == '-');
    digits += strspn(digits, "0");
    memmove(to, digits, strlen(digits) + 1);
}

/* "1.20" as "1.2", and "200" as it is. */
static void strip_zeros(char *text) {
    size_t length = strlen(text);
    if (strchr(text, '.') == NULL)
        return;
    while (text[length - 1] == '0')
        length--;
    text[length - (text[length - 1] == '.')] = 0;
}

/* Where some have prefixes all from a thousand on have one: 0, 500k, 1M. */
static void print_prefixed(double value, double step, char text[DT_AXIS_TEXT_BYTES]) {
    size_t p = 0;
    while (p + 1 < PREFIXES && fabs(value) < prefixes[p].unit * (1.0 - SLACK))
        p++;
    const double decimals = ceil(-log10(step / prefixes[p].unit) - SLACK);
    snprintf(text, DT_AXIS_TEXT_BYTES, "%.*f", (int)fmin(fmax(decimals, 0.0), DECIMALS_MAX),
             value / prefixes[p].unit);
    strip_zeros(text);
    strcat(text, prefixes[p].prefix);
}

static void print_tick(double value, double step, double largest, char text[DT_AXIS_TEXT_BYTES]) {
    if (value == 0.0)
        snprintf(text, DT_AXIS_TEXT_BYTES, "0");
    else if (largest >= PREFIXED_MIN && largest < PREFIXED_MAX)
        print_prefixed(value, step, text);
    else if (largest < PLAIN_MIN || largest >= PREFIXED_MAX) {
        const double digits = floor(log10(fabs(value)) + SLACK) - floor(log10(step) + SLACK);
        snprintf(text, DT_AXIS_TEXT_BYTES, "%.*e", (int)fmin(fmax(digits, 0.0), DECIMALS_MAX), value);
        shorten_exponent(text);
    } else {
        const double decimals = ceil(-log10(step) - SLACK);
        snprintf(text, DT_AXIS_TEXT_BYTES, "%.*f", (int)fmin(fmax(decimals, 0.0), DECIMALS_MAX), value);
    }
}

void dt_axis_choose(double low, double high, int max, bool whole, dt_axis_ticks *ticks) {
    DT_ASSERT(max >= 2 && max <= DT_AXIS_TICKS);
    const double range = high - low, largest = fmax(fabs(low), fabs(high));
    ticks->count = 0;
    /* Beyond these nothing was measured, and a step would be lost in rounding. */
    if (!(range > SAME * largest && range > RANGE_MIN) || !isfinite(range)) {
        ticks->value[0] = low;
        print_tick(low, whole ? 1.0 : fmax(1e-3 * largest, 1e-12), largest, ticks->text[0]);
        ticks->count = 1;
        return;
    }
    /* Two sections may lie between two multiples of the step; then a smaller one has a multiple there. */
    for (int sections = max - 1; ticks->count == 0; sections *= 2) {
        const double round = dt_axis_step(range, sections), step = whole ? fmax(round, 1.0) : round;
        const double first = ceil(low / step - SLACK);
        for (int i = 0; (first + i) * step <= high + SLACK * range && ticks->count < max; i++) {
            ticks->value[ticks->count] = (first + i) * step;
            print_tick((first + i) * step, step, largest, ticks->text[ticks->count++]);
        }
        if (whole && step <= 1.0)
            break;
    }
}
