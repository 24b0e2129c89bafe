/**
 * The control groups that this process is in, of both versions, as Linux shows them in proc/ and sys/.
 *
 *     /proc/self/cgroup                    0::/slice/job           version 2
 *                                          4:cpu,cpuacct:/job/1    version 1: a hierarchy for some
 * controllers /sys/fs/cgroup/slice/job             the group's files in version 2; those around it limit it
 * too /sys/fs/cgroup/cpu,cpuacct/job/1     in version 1, also under one controller's name: cpu
 *
 * All functions are local. `root` is where proc/ and sys/ are mounted, "" for the running system.
 */
#ifndef DT_BASE_CGROUP_H
#define DT_BASE_CGROUP_H

#include <stdint.h>

typedef enum dt_cgroup_version { DT_CGROUP_1, DT_CGROUP_2, DT_CGROUP_VERSIONS } dt_cgroup_version;

/** Looks at one group, whose files are in `folder`. */
typedef void (*dt_cgroup_look)(void *context, dt_cgroup_version version, const char *folder);

/**
 * Shows `look` every group that the process is in and that has, or may have, this controller ("memory",
 * "cpu"): the innermost first. A group may be shown twice. What is not told is not shown.
 */
void dt_cgroup_visit(const char *root, const char *controller, dt_cgroup_look look, void *context);

/** The number after `key` at the start of a line of folder/name, or of the file where `key` is ""; -1 when it
 * is not there, or is no number. */
int64_t dt_cgroup_number(const char *folder, const char *name, const char *key);

#endif
