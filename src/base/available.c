/* Reads what Linux tells in proc/ and sys/; what is not told limits nothing. */
#include "base/available.h"

#include <stdio.h>

#include "base/cgroup.h"

/*
 * The files of a group, and the lines of memory.stat that count what the kernel gives up before it ends a
 * process: pages of files, also those that were read more than once, and its own caches, which version 1 does
 * not tell.
 */
#define RECLAIMABLE 3
typedef struct files {
    const char *limit, *usage, *reclaimable[RECLAIMABLE];
} files;

static const files files_of[DT_CGROUP_VERSIONS] = {
    [DT_CGROUP_1] = {"memory.limit_in_bytes",
                     "memory.usage_in_bytes",
                     {"total_inactive_file ", "total_active_file ", "total_slab_reclaimable "}},
    [DT_CGROUP_2] = {"memory.max", "memory.current", {"inactive_file ", "active_file ", "slab_reclaimable "}},
};

/* The smallest of what the limits of groups leave; one without a limit says "max", which is no number. */
static void look(void *context, dt_cgroup_version version, const char *folder) {
    const files *names = &files_of[version];
    int64_t *min = context;
    const int64_t limit = dt_cgroup_number(folder, names->limit, "");
    int64_t used = dt_cgroup_number(folder, names->usage, "");
    if (limit < 0 || used < 0)
        return;
    for (size_t i = 0; i < RECLAIMABLE; i++) {
        const int64_t bytes = dt_cgroup_number(folder, "memory.stat", names->reclaimable[i]);
        used -= bytes > 0 ? bytes : 0;
    }
    /* The counts are of different moments. */
    used = used > 0 ? used : 0;
    const int64_t left = used < limit ? limit - used : 0;
    *min = left < *min ? left : *min;
}

static int64_t left_by_groups(const char *root) {
    int64_t min = INT64_MAX;
    dt_cgroup_visit(root, "memory", look, &min);
    return min;
}

static int64_t left_by_host(const char *root) {
    char folder[256];
    snprintf(folder, sizeof folder, "%s/proc", root);
    const int64_t kilobytes = dt_cgroup_number(folder, "meminfo", "MemAvailable:");
    return kilobytes < 0 ? INT64_MAX : kilobytes * 1024;
}

int64_t dt_available_bytes(const char *root) {
    const int64_t groups = left_by_groups(root), host = left_by_host(root);
    return host < groups ? host : groups;
}

bool dt_available_is_limited(const char *root) {
    return left_by_groups(root) < left_by_host(root);
}
