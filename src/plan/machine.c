/* Names and numbers of the host from comm/topology and comm/placement, measured ones from probe and
 * comm/link. */
#include "plan/machine.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/version.h"
#include "comm/agree.h"
#include "train/opening.h"
#include "train/products.h"

dt_status dt_machine_look(dt_machine *machine, const dt_world *world, const dt_config *config, int threads) {
    *machine = (dt_machine){.placement = dt_placement_look(world, threads),
                            .ranks = world->size,
                            .threads = threads,
                            .host_cores = world->cpus.cores,
                            .host_ranks = world->host_ranks,
                            .version = dt_version(),
                            .commit = dt_version_commit(),
                            .kernels = dt_products_kernels(config)->name};
    snprintf(machine->processor, sizeof machine->processor, "%s", dt_topology_processor(dt_topology_here()));
    dt_clock_stamp(machine->stamp, sizeof machine->stamp);
    return dt_opening_hosts(world, &machine->hosts);
}

void dt_machine_free(dt_machine *machine) {
    json_decref(machine->hosts);
    machine->hosts = NULL;
}

double dt_machine_threads_per_core(const dt_machine *machine, int host_ranks) {
    const double threads_per_core = (double)host_ranks * machine->threads / machine->host_cores;
    return threads_per_core > 1.0 ? threads_per_core : 1.0;
}

static int ring_size(const dt_world *world) {
    const int cores = world->cpus.cores, fitting = cores > 2 ? cores : 2;
    return world->hosts > 1 || world->size < fitting ? world->size : fitting;
}

static dt_status measure_link(const dt_world *world, dt_plan_machine *measured) {
    int ranks = ring_size(world);
    dt_world subset;
    dt_status status = DT_OK;
    DT_TRY(dt_world_broadcast(world, &ranks, (int64_t)sizeof ranks)); /* hosts may differ in cores */
    DT_TRY(dt_world_split(world, ranks, &subset));
    if (subset.mpi)
        status = dt_link_measure(&subset, &measured->link);
    DT_TRY(dt_world_rejoin(world, &subset));
    return dt_agree(world, status);
}

/* Between the ranks of rank 0's host, which are the first where hosts are filled one after another. */
static dt_status measure_inside(const dt_world *world, dt_plan_machine *measured) {
    int ranks = world->host_ranks;
    dt_world subset;
    dt_status status = DT_OK;
    DT_TRY(dt_world_broadcast(world, &ranks, (int64_t)sizeof ranks));
    measured->host_ranks = ranks;
    if (ranks == 1)
        return DT_OK;
    DT_TRY(dt_world_split(world, ranks, &subset));
    if (subset.mpi)
        status = dt_link_measure(&subset, &measured->inside);
    DT_TRY(dt_world_rejoin(world, &subset));
    return dt_agree(world, status);
}

dt_status dt_machine_measure_links(const dt_world *world, const dt_link *link, dt_plan_machine *measured) {
    *measured = (dt_plan_machine){
        .link = link ? *link : dt_plan_assumed_link(), .inside = dt_plan_assumed_inside(), .host_ranks = 1};
    if (link || world->size == 1)
        return DT_OK;
    measured->link_measured = true;
    measured->same_host = world->hosts == 1;
    DT_TRY(measure_link(world, measured));
    if (!measured->same_host)
        return measure_inside(world, measured);
    measured->inside = measured->link;
    return DT_OK;
}

dt_status dt_machine_measure(const dt_world *world, const dt_config *config, int threads,
                             double threads_per_core, const dt_link *link, dt_plan_machine *measured) {
    DT_TRY(dt_machine_measure_links(world, link, measured));
    return dt_probe_run(&measured->probe, world, config, threads, threads_per_core);
}
