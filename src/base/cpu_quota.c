/* A quota is so many microseconds of every period: "150000 100000" in cpu.max of version 2, two files in 1.
 */
#include "base/cpu_quota.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/cgroup.h"

/* cpu.max begins with "max", and cpu.cfs_quota_us is -1, where nothing is limited. */
static void read_quota(dt_cgroup_version version, const char *folder, int64_t *quota, int64_t *period) {
    if (version == DT_CGROUP_1) {
        *quota = dt_cgroup_number(folder, "cpu.cfs_quota_us", "");
        *period = dt_cgroup_number(folder, "cpu.cfs_period_us", "");
        return;
    }
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    if (fscanf(file, "%" SCNd64 " %" SCNd64, quota, period) != 2)
        *quota = -1;
    fclose(file);
}

/* A group is told by its folder's number, which differs between containers that call theirs alike. */
static void look(void *context, dt_cgroup_version version, const char *folder) {
    dt_cpu_quota *min = context;
    int64_t quota = -1, period = -1;
    struct stat info;
    read_quota(version, folder, &quota, &period);
    if (quota <= 0 || period <= 0 || quota > INT64_MAX / 1000)
        return;
    const int64_t thousandths = quota * 1000 / period;
    if (thousandths < min->thousandths)
        *min = (dt_cpu_quota){thousandths, stat(folder, &info) == 0 ? (uint64_t)info.st_ino : 0};
}

dt_cpu_quota dt_cpu_quota_find(const char *root) {
    DT_ASSERT(root != NULL);
    dt_cpu_quota min = {.thousandths = INT64_MAX};
    dt_cgroup_visit(root, "cpu", look, &min);
    return min;
}
