/**
 * What models wrote in the course of training.
 */
#ifndef DT_REPORT_RUN_SAMPLES_H
#define DT_REPORT_RUN_SAMPLES_H

#include <stdio.h>

#include "report/run_set.h"

/** Writes the section, with its heading: of one run samples through time, of several the last of each.
 * Nothing where there is none. Local. */
void dt_run_samples_put(const dt_run_set *set, FILE *file);

#endif
