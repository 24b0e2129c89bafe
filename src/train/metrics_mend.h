/**
 * Makes a metrics.jsonl that another run left fit to be gone on with: no step will stand in it twice.
 */
#ifndef DT_TRAIN_METRICS_MEND_H
#define DT_TRAIN_METRICS_MEND_H

#include <stdint.h>

#include "base/status.h"

/** Lines that were taken out. */
typedef struct dt_metrics_dropped {
    int64_t later;  /**< of steps after the one that the run goes on from */
    int64_t spoilt; /**< that are no JSON object */
} dt_metrics_dropped;

/**
 * Takes the lines of steps after `resume_step`, and what is no JSON object, out of the file `path`, if it is
 * there, and puts these `*dropped` lines into the new file `kept_path`; a torn last line goes for good. The
 * file is rewritten beside itself and renamed, and only where something is to go, or where the file has other
 * names too (hard links), which keep what is there. `path` is not a symbolic link. Local.
 */
dt_status dt_metrics_mend(const char *path, int64_t resume_step, const char *kept_path,
                          dt_metrics_dropped *dropped);

#endif
