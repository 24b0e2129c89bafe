/**
 * What `--dry-run` says beside the opening: where the run would start, and what it would write.
 */
#ifndef DT_TRAIN_REHEARSAL_H
#define DT_TRAIN_REHEARSAL_H

#include <stdint.h>

#include "config/config.h"
#include "train/run.h"

/** How many checkpoints a run makes from `start_step` to its end, and how many of them stay at most. Pure;
 * local. */
typedef struct dt_rehearsal_saves {
    int64_t made, kept;
} dt_rehearsal_saves;
dt_rehearsal_saves dt_rehearsal_count_saves(const dt_config *config, int64_t start_step);

/** Prints the lines of a run that rehearses, and warns where its disk has too little space. On rank 0. Local.
 */
void dt_rehearsal_print(const dt_run *run);

#endif
