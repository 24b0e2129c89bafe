/**
 * How much CPU time the control groups of this process allow.
 */
#ifndef DT_BASE_CPU_QUOTA_H
#define DT_BASE_CPU_QUOTA_H

#include <stdint.h>

typedef struct dt_cpu_quota {
    int64_t thousandths; /**< of a CPU's time; INT64_MAX without a limit */
    uint64_t group;      /**< the same number for processes that share it */
} dt_cpu_quota;

/**
 * The tightest quota of the process's groups, of version 1 or 2, or of those around them. `root` is where
 * proc/ and sys/ are mounted, "" for the running system. Local.
 */
dt_cpu_quota dt_cpu_quota_find(const char *root);

#endif
