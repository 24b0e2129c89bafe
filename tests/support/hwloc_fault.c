/*
 * Loaded before hwloc (LD_PRELOAD): the topology that dtrain loads fails, as on a host whose /sys cannot be
 * read. Open MPI's own, which has other flags, is loaded as ever.
 */
#include <dlfcn.h>
#include <errno.h>
#include <hwloc.h>

int hwloc_topology_load(hwloc_topology_t tree) {
    int (*next)(hwloc_topology_t);
    if (hwloc_topology_get_flags(tree) & HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING) {
        errno = EIO;
        return -1;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "hwloc_topology_load");
    return next(tree);
}
