/**
 * How far a long piece of work is: nothing of one that is short, and then a line now and again.
 *
 *     dt_meter meter;
 *     dt_meter_start(&meter, "indexing", path, bytes, NULL);
 *     for (each part)
 *         dt_meter_move(&meter, bytes_so_far);
 *
 * After two seconds it says "indexing FILE: 12 % of 34.5 GB, 0:00:42 left", or with the unit "windows" "12 %
 * of 34500 windows": on a terminal as the redrawn line, elsewhere every ten seconds to standard error, since
 * standard output may be what a program reads. Only the process that speaks (base/log.h) is heard. All
 * functions are local.
 */
#ifndef DT_BASE_METER_H
#define DT_BASE_METER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct dt_meter {
    const char *what, *name, *unit;
    int64_t total;                      /* in `unit`, or bytes where that is NULL */
    double start_seconds, next_seconds; /* of dt_clock_seconds; when to say something again */
    bool drawn;                         /* its redrawn line stands */
} dt_meter;

/** Begins `what` with the thing called `name`, `total` of it, in `unit`, or bytes where that is NULL; the
 * texts must outlive the meter. */
void dt_meter_start(dt_meter *meter, const char *what, const char *name, int64_t total, const char *unit);

/** `done` of the total are done. Says so where it is time to, and takes the redrawn line away when all is
 * done. By one thread. */
void dt_meter_move(dt_meter *meter, int64_t done);

/** The same for work of which nothing tells how far it is: "saving a checkpoint: 5.1 GB, 12.3 s so far". By
 * one thread, now and again while it waits. */
void dt_meter_wait(dt_meter *meter);

/** The work has ended, whether all was done or not: takes the redrawn line away. */
void dt_meter_end(dt_meter *meter);

#endif
