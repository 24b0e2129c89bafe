/**
 * Runs that are shown together, the best first.
 *
 * A run is as good as its lowest validation loss, in bits per byte where the runs' tokenizers differ; runs
 * without one follow, by their last training losses, and then those without losses. The first ones have
 * colours of their own.
 */
#ifndef DT_REPORT_RUN_SET_H
#define DT_REPORT_RUN_SET_H

#include <stdbool.h>

#include "base/status.h"
#include "report/chart.h"
#include "report/run_metrics.h"

typedef enum dt_run_state {
    DT_RUN_RUNNING,  /**< a process writes to it */
    DT_RUN_FINISHED, /**< it has taken all of its steps */
    DT_RUN_STOPPED,  /**< it was asked to stop */
    DT_RUN_FAILED,   /**< it ended by an error, and says which */
    DT_RUN_CUT       /**< it has no end, and nothing writes to it: it was killed */
} dt_run_state;

typedef struct dt_run_shown {
    dt_run_metrics metrics;
    char *label; /**< its folder's name, with as much of the path as tells the runs apart */
    dt_run_state state;
    int colour;        /**< for charts */
    double train;      /**< mean of the last training losses, or NaN */
    double validation; /**< best validation loss, or NaN */
    double bits;       /**< best validation loss in bits per byte, or NaN */
    int64_t best_step; /**< of the latter; -1 for none */
} dt_run_shown;

typedef struct dt_run_set {
    dt_run_shown *run; /**< [count] */
    int count;
    dt_chart_domain domain; /**< of all */
    bool by_bytes;          /**< tokenizers differ, and bits per byte compare the runs */
    bool texts_differ;      /**< not all are evaluated on one text: no loss compares them */
} dt_run_set;

/** The most runs in a set. */
#define DT_RUN_SET_MAX 1000

/** Training losses that count for dt_run_shown.train: this fraction of a run's lines, the last ones, and one
 * at least. */
#define DT_RUN_SET_LAST 0.02

/** Reads the `count` runs of these names, one at least. Where one is no run or cannot be read, the call
 * fails, or, where it `passes` over such, warns and leaves it out. The caller frees the set, after failure
 * too. Local.
 */
dt_status dt_run_set_read(dt_run_set *set, const char *const *names, int count, bool passes);

/** Fails with DT_USAGE where a run's file holds something and no line of it is a run's. Local. */
dt_status dt_run_set_expect_lines(const dt_run_set *set);

/** Whether a process writes to any of them. Local. */
bool dt_run_set_is_live(const dt_run_set *set);

/** The state in words: "running", "stopped by SIGUSR1", "failed". Returns `text`. Local. */
#define DT_RUN_STATE_BYTES 96
const char *dt_run_state_text(const dt_run_shown *run, char text[DT_RUN_STATE_BYTES]);

/** The sentence with which a run has failed; NULL of any other. The run's. Local. */
const char *dt_run_failure(const dt_run_shown *run);

/** Frees; all zero is fine. Local. */
void dt_run_set_free(dt_run_set *set);

#endif
