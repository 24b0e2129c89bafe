/**
 * The numbers of ranks that a study or a plan is about. All functions are local.
 */
#ifndef DT_PLAN_RANKS_H
#define DT_PLAN_RANKS_H

#include "base/status.h"

/** The most numbers in a list, and the largest of them. */
#define DT_RANKS_COUNT   64
#define DT_RANKS_LARGEST 65536

typedef struct dt_ranks {
    int count;
    int number[DT_RANKS_COUNT]; /**< rising */
} dt_ranks;

/**
 * Reads "1,8,64", the value of --ranks, numbers from 1 to `largest`, in any order; a number given twice
 * counts once. `why` says in messages what sets the bound.
 */
dt_status dt_ranks_parse(dt_ranks *ranks, const char *text, int largest, const char *why);

/** 1, 2, 4, .. and `size` itself. */
void dt_ranks_doubling(dt_ranks *ranks, int size);

#endif
