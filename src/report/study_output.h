/**
 * What becomes of a study when its points are there: tables, JSON and a page.
 */
#ifndef DT_REPORT_STUDY_OUTPUT_H
#define DT_REPORT_STUDY_OUTPUT_H

#include "base/status.h"
#include "bench/study.h"

/**
 * Derives what follows from the points, prints the tables, and writes the JSON and the page to the files
 * `json` and `report`, where these are not NULL; a report whose name ends in .svg is the figures alone.
 * Local.
 */
dt_status dt_study_output(dt_study *study, const char *json, const char *report);

/** The study as a new JSON object; NULL when out of memory. Local. */
json_t *dt_study_output_object(const dt_study *study);

#endif
