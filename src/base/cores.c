/* A core is counted at the first of its hardware threads that is in the set. */
#include "base/cores.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Room for a list of every other of a thousand threads. */
#define LIST_BYTES 4096

/* Adds "4" or "0-3" to the set; where it ends, NULL where there is none. */
static char *read_range(char *text, cpu_set_t *set) {
    char *end;
    const long first = strtol(text, &end, 10);
    if (end == text)
        return NULL;
    const long last = *end == '-' ? strtol(end + 1, &end, 10) : first;
    for (long thread = first < 0 ? 0 : first; thread <= last && thread < CPU_SETSIZE; thread++)
        CPU_SET((size_t)thread, set);
    return end;
}

/* Reads a list like "0-3,8,10-11". False where there is none. */
static bool read_list(const char *path, cpu_set_t *set) {
    char list[LIST_BYTES];
    FILE *file = fopen(path, "re");
    CPU_ZERO(set);
    if (file == NULL)
        return false;
    char *at = fgets(list, sizeof list, file);
    fclose(file);
    bool some = false;
    while (at != NULL && (at = read_range(at, set)) != NULL) {
        some = true;
        at = *at == ',' ? at + 1 : NULL;
    }
    return some;
}

cpu_set_t dt_cores_online(const char *folder) {
    char path[256];
    cpu_set_t set;
    snprintf(path, sizeof path, "%s/online", folder);
    if (read_list(path, &set))
        return set;
    const long known = sysconf(_SC_NPROCESSORS_ONLN);
    CPU_ZERO(&set);
    for (long thread = 0; thread < (known > 0 ? known : 1) && thread < CPU_SETSIZE; thread++)
        CPU_SET((size_t)thread, &set);
    return set;
}

/* Kernels before 5.4 know the list by its older name alone. */
static bool read_core(const char *folder, int thread, cpu_set_t *core) {
    static const char *const names[] = {"core_cpus_list", "thread_siblings_list"};
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/cpu%d/topology/%s", folder, thread, names[i]);
        if (read_list(path, core))
            return true;
    }
    return false;
}

static bool is_first_of_core(const char *folder, int thread, const cpu_set_t *threads) {
    cpu_set_t core;
    if (!read_core(folder, thread, &core))
        return true;
    for (int before = 0; before < thread; before++)
        if (CPU_ISSET((size_t)before, &core) && CPU_ISSET((size_t)before, threads))
            return false;
    return true;
}

int dt_cores_count(const char *folder, const cpu_set_t *threads) {
    int cores = 0;
    for (int thread = 0; thread < CPU_SETSIZE; thread++)
        cores += CPU_ISSET((size_t)thread, threads) && is_first_of_core(folder, thread, threads);
    return cores;
}
