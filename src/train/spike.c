/* A ring of losses. Sums are made anew each time, from the oldest on: a window is short, and so a detector
 * that was filled again has the same bits as one that was never stopped. */
#include "train/spike.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "config/config.h"

/* Where losses hardly vary, a rise of less than this part of their mean is still no deviation. */
#define MIN_DEVIATION 1e-3

dt_status dt_spike_create(dt_spike *spike, int64_t window, double threshold) {
    DT_ASSERT(dt_is_null_int(window) || window > 0);
    *spike = (dt_spike){.threshold = threshold};
    if (dt_is_null_int(window))
        return DT_OK;
    spike->window = window;
    spike->loss = dt_memory_alloc(window, sizeof *spike->loss, "the last losses");
    return spike->loss ? DT_OK : DT_FAILED;
}

void dt_spike_free(dt_spike *spike) {
    dt_memory_free(spike->loss);
    *spike = (dt_spike){0};
}

/* The loss as it comes back from metrics.jsonl. */
static double as_written(double loss) {
    char text[32];
    snprintf(text, sizeof text, "%.9g", loss);
    return strtod(text, NULL);
}

static void measure(const dt_spike *spike, double loss, dt_spike_finding *found) {
    double sum = 0.0, squares = 0.0;
    for (int64_t i = 0; i < spike->window; i++)
        sum += spike->loss[(spike->seen + i) % spike->window];
    found->mean = sum / (double)spike->window;
    for (int64_t i = 0; i < spike->window; i++) {
        const double from_mean = spike->loss[(spike->seen + i) % spike->window] - found->mean;
        squares += from_mean * from_mean;
    }
    found->deviation = fmax(sqrt(squares / (double)spike->window), MIN_DEVIATION * fabs(found->mean));
    found->z = found->deviation > 0.0 ? (loss - found->mean) / found->deviation : 0.0;
}

bool dt_spike_look(dt_spike *spike, double loss, dt_spike_finding *finding) {
    if (spike->window == 0 || !isfinite(loss))
        return false;
    const double written = as_written(loss);
    *finding = (dt_spike_finding){0};
    if (spike->seen >= spike->window)
        measure(spike, written, finding);
    spike->loss[spike->seen++ % spike->window] = written;
    return finding->z > spike->threshold;
}
