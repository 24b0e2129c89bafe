/* A group's path in /proc/self/cgroup is a folder; the folders around it are the groups around it. */
#include "base/cgroup.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int64_t dt_cgroup_number(const char *folder, const char *name, const char *key) {
    char path[2 * PATH_MAX], line[256];
    int64_t number = -1;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    while (number < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%" SCNd64, &number) != 1)
            number = -1;
    fclose(file);
    return number;
}

/* From the group at `path` outwards. Inside a container the outer part of the path may not be there; what is
 * there counts. */
static void visit_along(const char *mount, const char *path, dt_cgroup_version version, dt_cgroup_look look,
                        void *context) {
    char folder[PATH_MAX];
    const int length = snprintf(folder, sizeof folder, "%s%s", mount, path);
    if (length < 0 || (size_t)length >= sizeof folder)
        return;
    for (bool more = true; more;) {
        look(context, version, folder);
        char *slash = strrchr(folder, '/');
        more = strlen(folder) > strlen(mount) && slash != NULL;
        if (more)
            *slash = 0;
    }
}

/* Whether "cpu,cpuacct" lists "cpu". */
static bool lists(const char *controllers, const char *controller) {
    const size_t length = strlen(controller);
    for (const char *c = controllers; c != NULL; c = strchr(c, ','), c = c ? c + 1 : NULL)
        if (strncmp(c, controller, length) == 0 && (c[length] == 0 || c[length] == ','))
            return true;
    return false;
}

void dt_cgroup_visit(const char *root, const char *controller, dt_cgroup_look look, void *context) {
    char name[PATH_MAX], line[PATH_MAX], mount[PATH_MAX + PATH_MAX];
    snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
    FILE *file = fopen(name, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL)
            continue;
        controllers++;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        const bool second = *controllers == 0;
        if (!second && !lists(controllers, controller))
            continue;
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s%s", root, second ? "" : "/", controllers);
        visit_along(mount, path, second ? DT_CGROUP_2 : DT_CGROUP_1, look, context);
        if (second || strcmp(controllers, controller) == 0)
            continue;
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, controller);
        visit_along(mount, path, DT_CGROUP_1, look, context);
    }
    if (file != NULL)
        fclose(file);
}
