/* Reads what Linux tells in proc/ and sys/; what is not told limits nothing. */
#include "base/available.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * The two versions of control groups: their line in /proc/self/cgroup, their folder, their files, and the
 * lines of memory.stat that count what the kernel gives up before it ends a process: pages of files, also
 * those that were read more than once, and its own caches, which version 1 does not tell.
 */
#define RECLAIMABLE 3
typedef struct version {
    const char *controllers, *folder, *limit, *usage, *reclaimable[RECLAIMABLE];
} version;

static const version versions[] = {
    {"",
     "/sys/fs/cgroup",
     "memory.max",
     "memory.current",
     {"inactive_file ", "active_file ", "slab_reclaimable "}},
    {"memory",
     "/sys/fs/cgroup/memory",
     "memory.limit_in_bytes",
     "memory.usage_in_bytes",
     {"total_inactive_file ", "total_active_file ", "total_slab_reclaimable "}},
};

/* The number after `key` at the start of a line, or of the file when `key` is ""; -1 when it is not there. */
static int64_t read_number(const char *path, const char *key) {
    char line[256];
    int64_t number = -1;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    while (number < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%" SCNd64, &number) != 1)
            number = -1;
    fclose(file);
    return number;
}

static int64_t read_file_of(const char *folder, const char *name, const char *key) {
    char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return read_number(path, key);
}

/* What the limit of one group leaves; a group without a limit says "max", which is no number. */
static int64_t left_in(const version *v, const char *folder) {
    const int64_t limit = read_file_of(folder, v->limit, ""), usage = read_file_of(folder, v->usage, "");
    if (limit < 0 || usage < 0)
        return INT64_MAX;
    int64_t used = usage;
    for (size_t i = 0; i < RECLAIMABLE; i++) {
        const int64_t bytes = read_file_of(folder, "memory.stat", v->reclaimable[i]);
        used -= bytes > 0 ? bytes : 0;
    }
    /* The counts are of different moments. */
    used = used > 0 ? used : 0;
    return used < limit ? limit - used : 0;
}

/* The least that the group at `path` and those around it leave. Inside a container the outer part of the path
 * may not be there; what is there counts. */
static int64_t left_along(const version *v, const char *root, const char *path) {
    char folder[PATH_MAX];
    int64_t least = INT64_MAX;
    const int length = snprintf(folder, sizeof folder, "%s%s%s", root, v->folder, path);
    const size_t top = strlen(root) + strlen(v->folder);
    if (length < 0 || (size_t)length >= sizeof folder)
        return least;
    for (bool more = true; more;) {
        const int64_t left = left_in(v, folder);
        least = left < least ? left : least;
        char *slash = strrchr(folder, '/');
        more = strlen(folder) > top && slash != NULL;
        if (more)
            *slash = 0;
    }
    return least;
}

/* Lines are "0::/path" for version 2 and "4:memory:/path" for version 1. */
static int64_t left_by_groups(const char *root) {
    char name[PATH_MAX], line[PATH_MAX];
    int64_t least = INT64_MAX;
    snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
    FILE *file = fopen(name, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
            if (strcmp(controllers + 1, versions[i].controllers) == 0) {
                const int64_t left = left_along(&versions[i], root, path);
                least = left < least ? left : least;
            }
    }
    if (file != NULL)
        fclose(file);
    return least;
}

int64_t dt_available_bytes(const char *root) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    const int64_t kilobytes = read_number(path, "MemAvailable:"), groups = left_by_groups(root);
    const int64_t host = kilobytes < 0 ? INT64_MAX : kilobytes * 1024;
    return host < groups ? host : groups;
}
