/* The clock is looked at for each part, which must be small enough for that and large beside it. */
#include "base/meter.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"

#define PATIENCE_SECONDS 2.0
#define REDRAWN_SECONDS  0.1
#define PRINTED_SECONDS  10.0

void dt_meter_start(dt_meter *meter, const char *what, const char *name, int64_t total, const char *unit) {
    DT_ASSERT(total >= 0);
    const double now = dt_clock_seconds();
    *meter = (dt_meter){what, name, unit, total, now, now + PATIENCE_SECONDS, false};
}

void dt_meter_move(dt_meter *meter, int64_t done) {
    const double now = dt_clock_seconds(), fraction = (double)done / (double)meter->total;
    if (meter->drawn && done >= meter->total) {
        dt_log_clear();
        meter->drawn = false;
    }
    if (now < meter->next_seconds || done <= 0 || done >= meter->total)
        return;
    const double left = (now - meter->start_seconds) * (1.0 - fraction) / fraction;
    char total[48], far[96];
    if (meter->unit)
        snprintf(total, sizeof total, "%" PRId64 " %s", meter->total, meter->unit);
    else
        snprintf(total, sizeof total, "%s", dt_units_bytes((double)meter->total).text);
    snprintf(far, sizeof far, "%.0f %% of %s, %s left", 100.0 * fraction, total, dt_units_clock(left).text);
    meter->drawn = dt_log_redraws();
    if (meter->drawn)
        dt_log_redraw("%s %s: %s", meter->what, meter->name, far);
    else
        dt_log_note("%s %s: %s", meter->what, meter->name, far);
    meter->next_seconds = now + (dt_log_redraws() ? REDRAWN_SECONDS : PRINTED_SECONDS);
}
