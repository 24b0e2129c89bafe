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

#define TOTAL_BYTES 48

void dt_meter_start(dt_meter *meter, const char *what, const char *name, int64_t total, const char *unit) {
    DT_ASSERT(total >= 0);
    const double now = dt_clock_seconds();
    *meter = (dt_meter){what, name, unit, total, now, now + PATIENCE_SECONDS, false};
}

/* Says it where `now` is the time to. */
static void say(dt_meter *meter, const char *far, double now) {
    meter->drawn = dt_log_redraws();
    if (meter->drawn)
        dt_log_redraw("%s %s: %s", meter->what, meter->name, far);
    else
        dt_log_note("%s %s: %s", meter->what, meter->name, far);
    meter->next_seconds = now + (meter->drawn ? REDRAWN_SECONDS : PRINTED_SECONDS);
}

static const char *total_text(const dt_meter *meter, char text[TOTAL_BYTES]) {
    if (meter->unit)
        snprintf(text, TOTAL_BYTES, "%" PRId64 " %s", meter->total, meter->unit);
    else
        snprintf(text, TOTAL_BYTES, "%s", dt_units_bytes((double)meter->total).text);
    return text;
}

void dt_meter_end(dt_meter *meter) {
    if (meter->drawn)
        dt_log_clear();
    meter->drawn = false;
}

void dt_meter_wait(dt_meter *meter) {
    const double now = dt_clock_seconds();
    char total[TOTAL_BYTES], far[96];
    if (now < meter->next_seconds)
        return;
    snprintf(far, sizeof far, "%s, %s so far", total_text(meter, total),
             dt_units_seconds(now - meter->start_seconds).text);
    say(meter, far, now);
}

void dt_meter_move(dt_meter *meter, int64_t done) {
    const double now = dt_clock_seconds(), fraction = (double)done / (double)meter->total;
    char total[TOTAL_BYTES], far[128];
    if (done >= meter->total)
        dt_meter_end(meter);
    if (now < meter->next_seconds || done <= 0 || done >= meter->total)
        return;
    const double left = (now - meter->start_seconds) * (1.0 - fraction) / fraction;
    snprintf(far, sizeof far, "%.0f %% of %s, %s left", 100.0 * fraction, total_text(meter, total),
             dt_units_clock(left).text);
    say(meter, far, now);
}
