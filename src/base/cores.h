/**
 * Cores of this host. Linux numbers hardware threads and calls them CPUs; two or more of them may be one
 * core, whose arithmetic they share.
 *
 * All functions are local. `folder` is DT_CORES_FOLDER, or a copy of it in tests:
 *
 *     online                          0-7
 *     cpu0/topology/core_cpus_list    0,4     the hardware threads of cpu0's core
 */
#ifndef DT_BASE_CORES_H
#define DT_BASE_CORES_H

#include <sched.h>

#define DT_CORES_FOLDER "/sys/devices/system/cpu"

/** The hardware threads that are switched on; all that the C library knows of where the folder does not tell.
 */
cpu_set_t dt_cores_online(const char *folder);

/** How many cores these hardware threads are. One that the folder tells nothing of counts as a core. */
int dt_cores_count(const char *folder, const cpu_set_t *threads);

#endif
