/* Order statistics by sorting; Student's quantile from its own series. */
#include "bench/statistics.h"

#include <math.h>
#include <stdlib.h>

/* From here on the quantile is that of the normal distribution to four digits, and the series is long. */
#define LARGE_FREEDOM 5000

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double mean_of(const double *values, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

dt_statistics dt_statistics_of(double *values, int64_t count) {
    qsort(values, (size_t)count, sizeof *values, compare);
    const int64_t half = count / 2;
    dt_statistics s = {.count = count,
                       .median = count % 2 ? values[half] : 0.5 * (values[half - 1] + values[half]),
                       .minimum = values[0],
                       .maximum = values[count - 1],
                       .mean = mean_of(values, count),
                       .half_width = NAN};
    if (count < 2)
        return s;
    double squares = 0.0;
    for (int64_t i = 0; i < count; i++)
        squares += (values[i] - s.mean) * (values[i] - s.mean);
    const double deviation = sqrt(squares / (double)(count - 1));
    s.half_width = dt_statistics_student(count - 1) * deviation / sqrt((double)count);
    return s;
}

/*
 * P(|t| <= sqrt(n) tan(angle)) for n degrees of freedom, with c = cos(angle), s = sin(angle):
 *     n odd   2/pi (angle + s (c + 2/3 c^3 + .. + (2 4 .. (n-3)) / (3 5 .. (n-2)) c^(n-2)))
 *     n even  s (1 + 1/2 c^2 + (1 3)/(2 4) c^4 + .. + (1 3 .. (n-3)) / (2 4 .. (n-2)) c^(n-2))
 */
static double probability(double angle, int64_t n) {
    const double c = cos(angle), s = sin(angle);
    double term = n % 2 ? c : 1.0, sum = n > 1 ? term : 0.0;
    for (int64_t power = n % 2 ? 3 : 2; power <= n - 2; power += 2) {
        term *= c * c * (double)(power - 1) / (double)power;
        sum += term;
    }
    return n % 2 ? M_2_PI * (angle + s * sum) : s * sum;
}

double dt_statistics_student(int64_t freedom) {
    const int64_t n = freedom < LARGE_FREEDOM ? freedom : LARGE_FREEDOM;
    double low = 0.0, high = M_PI_2;
    for (int halving = 0; halving < 60; halving++) {
        const double middle = 0.5 * (low + high);
        if (probability(middle, n) < 0.95)
            low = middle;
        else
            high = middle;
    }
    return sqrt((double)n) * tan(low);
}
