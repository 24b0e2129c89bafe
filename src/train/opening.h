/**
 * What a person reads before a run's first step: the machine, the model, the corpus, and what to mind.
 *
 * Only rank 0 speaks (base/log.h). The lines of the steps and the closing are train/console.h's.
 */
#ifndef DT_TRAIN_OPENING_H
#define DT_TRAIN_OPENING_H

#include <jansson.h>

#include "base/status.h"
#include "comm/placement.h"
#include "train/run.h"

/** Warns where ranks and threads do not suit the cores of rank 0's host, or else of another rank's, and where
 * ranks have different numbers of threads. Collective. */
dt_status dt_opening_placement(const dt_world *world, int threads);

/** A placement as it stands in the "run" event and in a plan (docs/formats.md), a new JSON object; NULL when
 * out of memory. Local. */
json_t *dt_opening_placement_json(const dt_placement *placement);

/** The names of the job's hosts, each once, as a new JSON array; to be freed also on failure. Collective. */
dt_status dt_opening_hosts(const dt_world *world, json_t **hosts);

/**
 * Prints hosts, ranks, threads, placement, kernels, model, memory and corpus, and writes the "run" event to
 * metrics.jsonl, or for a run that rehearses what it would write and where it would start
 * (train/rehearsal.h). Collective, for the hosts' names.
 */
dt_status dt_opening_print(dt_run *run);

/** Says that the checkpoint a run was to go on from leaves nothing to do. Local. */
void dt_opening_idle(const dt_run *run);

#endif
