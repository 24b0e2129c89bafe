/* Three significant digits; a prefix is taken one rounding early, so that 999.6 is 1k and not 1e+03. */
#include "base/units.h"

#include <math.h>
#include <stdio.h>

/* The smallest that three digits round up to the next prefix. */
#define NEXT_PREFIX 999.5

/* From where on seconds alone are hard to read. */
#define CLOCK_SECONDS 120.0

/* Beyond, a duration says nothing, and its hours would not fit. */
#define LONGEST_SECONDS 1e12

static dt_units scaled(double value, const char *space, const char *unit) {
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
    dt_units units;
    size_t p = 0;
    while (p + 1 < sizeof prefixes / sizeof *prefixes && fabs(value) >= NEXT_PREFIX) {
        value /= 1000.0;
        p++;
    }
    snprintf(units.text, sizeof units.text, "%.3g%s%s%s", value, space, prefixes[p], unit);
    return units;
}

dt_units dt_units_count(double count) {
    return scaled(count, "", "");
}

dt_units dt_units_rate(double rate) {
    return scaled(rate, " ", "");
}

dt_units dt_units_bytes(double bytes) {
    return scaled(bytes, " ", "B");
}

dt_units dt_units_clock(double seconds) {
    dt_units units;
    if (!(seconds >= 0.0 && seconds < LONGEST_SECONDS)) {
        snprintf(units.text, sizeof units.text, "-:--:--");
        return units;
    }
    const unsigned long long whole = (unsigned long long)(seconds + 0.5);
    snprintf(units.text, sizeof units.text, "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60, whole % 60);
    return units;
}

dt_units dt_units_seconds(double seconds) {
    static const char *const names[] = {"us", "ms", "s"};
    dt_units units;
    size_t n = 0;
    if (seconds >= CLOCK_SECONDS || !(seconds >= 0.0))
        return dt_units_clock(seconds);
    double value = 1e6 * seconds;
    while (n + 1 < sizeof names / sizeof *names && value >= NEXT_PREFIX) {
        value /= 1000.0;
        n++;
    }
    snprintf(units.text, sizeof units.text, "%.3g %s", value, names[n]);
    return units;
}
