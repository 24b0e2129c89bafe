/*
 * The one place that knows hwloc. Of all that it can find out it is asked for processors and memory alone,
 * and not to move from one processor to the next to ask each about itself: on a host full of ranks it would
 * have to wait for its turn on each.
 */
#include "comm/topology.h"

#include <errno.h>
#include <hwloc.h>
#include <omp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dt_topology {
    hwloc_topology_t tree; /* NULL where hwloc cannot tell */
    char fault[256];
};

/* Whatever hwloc's bitmaps hold beyond a set's last thread is left out. */
static dt_topology_set from_bitmap(hwloc_const_bitmap_t bitmap) {
    dt_topology_set set = {0};
    if (bitmap)
        (void)hwloc_bitmap_to_ulongs(bitmap, sizeof set.words / sizeof *set.words, set.words);
    return set;
}

static hwloc_bitmap_t to_bitmap(const dt_topology_set *set) {
    hwloc_bitmap_t bitmap = hwloc_bitmap_alloc();
    if (bitmap && hwloc_bitmap_from_ulongs(bitmap, sizeof set->words / sizeof *set->words, set->words) == 0)
        return bitmap;
    hwloc_bitmap_free(bitmap);
    return NULL;
}

/* ---- loading ---- */

static int keep_processors(hwloc_topology_t tree) {
    return hwloc_topology_set_all_types_filter(tree, HWLOC_TYPE_FILTER_KEEP_NONE) != 0 ||
           hwloc_topology_set_type_filter(tree, HWLOC_OBJ_PACKAGE, HWLOC_TYPE_FILTER_KEEP_ALL) != 0 ||
           hwloc_topology_set_type_filter(tree, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL) != 0 ||
           /* To these belong the NUMA nodes of a package that has several. */
           hwloc_topology_set_type_filter(tree, HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_STRUCTURE) != 0 ||
           /* A cpuset hides processors from the process, not from what is said of the host. */
           hwloc_topology_set_flags(tree, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED |
                                              HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING) != 0;
}

static int take_description(hwloc_topology_t tree, const char *description) {
    if (description == NULL)
        return 0;
    return description[0] == '<'
               ? hwloc_topology_set_xmlbuffer(tree, description, (int)strlen(description) + 1)
               : hwloc_topology_set_synthetic(tree, description);
}

dt_topology *dt_topology_create(const char *description) {
    dt_topology *topology = calloc(1, sizeof *topology);
    if (topology == NULL)
        return NULL;
    errno = 0;
    if (hwloc_topology_init(&topology->tree) == 0 && keep_processors(topology->tree) == 0 &&
        take_description(topology->tree, description) == 0 && hwloc_topology_load(topology->tree) == 0)
        return topology;
    snprintf(topology->fault, sizeof topology->fault,
             "expected hwloc to tell the cores of this host, found \"%s\"; each hardware thread that the "
             "affinity mask of a rank allows counts as a core",
             strerror(errno));
    if (topology->tree)
        hwloc_topology_destroy(topology->tree);
    topology->tree = NULL;
    return topology;
}

void dt_topology_free(dt_topology *topology) {
    if (topology && topology->tree)
        hwloc_topology_destroy(topology->tree);
    free(topology);
}

const dt_topology *dt_topology_here(void) {
    static dt_topology nothing = {.fault = "out of memory for the topology of this host"};
    static dt_topology *here;
    if (here == NULL)
        here = dt_topology_create(NULL);
    if (here == NULL)
        here = &nothing;
    return here;
}

const char *dt_topology_fault(const dt_topology *topology) {
    return topology->tree ? NULL : topology->fault;
}

/* ---- sets ---- */

/* The kernel's own mask also where its numbers are not those that hwloc sees, as in some containers. */
static dt_topology_set read_mask(void) {
    dt_topology_set mask = {0};
    if (sched_getaffinity(0, sizeof mask.words, (cpu_set_t *)mask.words) != 0)
        mask.words[0] = 1;
    return mask;
}

/*
 * Where OpenMP binds threads (OMP_PROC_BIND, OMP_PLACES), libgomp has bound the first of them to its place
 * before main() began: the process runs where all of them do. Without OMP_NUM_THREADS there is but that one.
 */
static dt_topology_set read_masks(void) {
    const char *threads = getenv("OMP_NUM_THREADS");
    dt_topology_set all = {0};
    if (omp_get_proc_bind() == omp_proc_bind_false || threads == NULL || *threads == 0)
        return read_mask();
#pragma omp parallel
    {
        const dt_topology_set own = read_mask();
#pragma omp critical
        all = dt_topology_join(&all, &own);
    }
    return all;
}

dt_topology_set dt_topology_online(const dt_topology *topology) {
    return topology->tree ? from_bitmap(hwloc_topology_get_topology_cpuset(topology->tree)) : read_masks();
}

dt_topology_set dt_topology_allowed(const dt_topology *topology) {
    return topology->tree ? from_bitmap(hwloc_topology_get_allowed_cpuset(topology->tree)) : read_masks();
}

dt_topology_set dt_topology_mask(const dt_topology *topology) {
    if (topology->tree && !hwloc_topology_is_thissystem(topology->tree))
        return dt_topology_online(topology);
    return read_masks();
}

dt_topology_set dt_topology_join(const dt_topology_set *a, const dt_topology_set *b) {
    dt_topology_set both = *a;
    for (size_t i = 0; i < sizeof both.words / sizeof *both.words; i++)
        both.words[i] |= b->words[i];
    return both;
}

/* ---- counting ---- */

/* How many objects of a type have a thread of the set. `*rest` loses those threads, unless it is NULL. */
static int count_objects(hwloc_topology_t tree, hwloc_obj_type_t type, hwloc_const_bitmap_t set,
                         hwloc_bitmap_t rest) {
    int count = 0;
    for (hwloc_obj_t object = NULL;
         (object = hwloc_get_next_obj_covering_cpuset_by_type(tree, set, type, object)) != NULL; count++)
        if (rest)
            hwloc_bitmap_andnot(rest, rest, object->cpuset);
    return count;
}

/* Threads that belong to no core of the tree are a core each. */
static int count_cores(hwloc_topology_t tree, hwloc_const_bitmap_t set) {
    hwloc_bitmap_t rest = hwloc_bitmap_dup(set);
    int cores = count_objects(tree, HWLOC_OBJ_CORE, set, rest);
    cores += rest ? hwloc_bitmap_weight(rest) : 0;
    hwloc_bitmap_free(rest);
    return cores;
}

static bool is_like_an_earlier_node(hwloc_obj_t node) {
    for (hwloc_obj_t before = node->prev_cousin; before; before = before->prev_cousin)
        if (hwloc_bitmap_isequal(before->cpuset, node->cpuset))
            return true;
    return false;
}

static void count_nodes(hwloc_topology_t tree, hwloc_const_bitmap_t set, dt_topology_counts *counts) {
    hwloc_bitmap_t here = hwloc_bitmap_alloc();
    hwloc_obj_t node = NULL;
    while ((node = hwloc_get_next_obj_covering_cpuset_by_type(tree, set, HWLOC_OBJ_NUMANODE, node)) != NULL) {
        if (here == NULL || is_like_an_earlier_node(node))
            continue;
        hwloc_bitmap_and(here, set, node->cpuset);
        const int cores = count_cores(tree, here);
        if (counts->numa_nodes++ == 0 || cores < counts->node_cores)
            counts->node_cores = cores;
    }
    hwloc_bitmap_free(here);
}

/* At least one, since a process that asks runs somewhere. */
static int one_or(int count) {
    return count > 0 ? count : 1;
}

dt_topology_counts dt_topology_count(const dt_topology *topology, const dt_topology_set *set) {
    dt_topology_counts counts = {0};
    for (size_t i = 0; i < sizeof set->words / sizeof *set->words; i++)
        counts.threads += __builtin_popcountl(set->words[i]);
    counts.cores = counts.threads;
    hwloc_bitmap_t bitmap = topology->tree ? to_bitmap(set) : NULL;
    if (bitmap) {
        counts.cores = count_cores(topology->tree, bitmap);
        counts.packages = count_objects(topology->tree, HWLOC_OBJ_PACKAGE, bitmap, NULL);
        count_nodes(topology->tree, bitmap, &counts);
    }
    hwloc_bitmap_free(bitmap);
    counts.threads = one_or(counts.threads);
    counts.cores = one_or(counts.cores);
    counts.packages = one_or(counts.packages);
    if (counts.numa_nodes == 0)
        counts.node_cores = counts.cores;
    counts.numa_nodes = one_or(counts.numa_nodes);
    return counts;
}

const char *dt_topology_processor(const dt_topology *topology) {
    const hwloc_obj_t package =
        topology->tree ? hwloc_get_obj_by_type(topology->tree, HWLOC_OBJ_PACKAGE, 0) : NULL;
    const char *name = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;
    if (name == NULL && topology->tree)
        name = hwloc_obj_get_info_by_name(hwloc_get_root_obj(topology->tree), "CPUModel");
    return name ? name : "unknown processor";
}
