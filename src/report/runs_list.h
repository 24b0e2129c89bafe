/**
 * Runs as a list for the terminal, or as JSON: how far each is, its losses, and the options in which they
 * differ.
 */
#ifndef DT_REPORT_RUNS_LIST_H
#define DT_REPORT_RUNS_LIST_H

#include <jansson.h>

#include "report/run_set.h"

/** Prints a line for each run below one of headings (base/log.h). Local. */
void dt_runs_list_print(const dt_run_set *set);

/**
 * [{"path", "state", "cause", "step", "max_steps", "val_loss", "val_loss_step", "loss", "changed",
 * "options"}]: losses in nats or null, max_steps null where the run does not tell, `cause` of what was
 * stopped or null, `changed` as in "2031-05-30T12:00:00Z", `options` an object of those that differ. A new
 * array; NULL when out of memory. Local.
 */
json_t *dt_runs_list_json(const dt_run_set *set);

#endif
