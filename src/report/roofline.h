/**
 * A profile as one picture, an SVG that needs nothing else: how far each kernel of a step is from what the
 * machine can do.
 *
 * On the left is a roofline (Williams, Waterman, Patterson, "Roofline", CACM 2009) with a mark for each
 * matrix product: its FLOP per byte along the bottom, its rate up the side, both logarithmic, under the roofs
 * that bench/peak.h has measured. On the right, for kernels that only move memory, how much they move. All in
 * the fastest of the steps, as the roofs are the fastest of some tries.
 */
#ifndef DT_REPORT_ROOFLINE_H
#define DT_REPORT_ROOFLINE_H

#include "base/status.h"
#include "bench/profile.h"

/** Makes `path` the picture of `profile`, whole or not at all. Local. */
dt_status dt_roofline_write(const dt_profile *profile, const dt_config *config, const char *path);

#endif
