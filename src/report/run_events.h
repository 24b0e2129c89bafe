/**
 * What happened in a run: starts and stops, spikes, skipped steps, saves and evaluations, against its steps,
 * and the rarer ones in words.
 */
#ifndef DT_REPORT_RUN_EVENTS_H
#define DT_REPORT_RUN_EVENTS_H

#include <stdio.h>

#include "report/run_set.h"

/** Writes the section of one run, with its heading. Local. */
void dt_run_events_put(const dt_run_set *set, FILE *file);

#endif
