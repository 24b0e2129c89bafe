/* Each rank measures its own ceiling; their sum is the job's. */
#include "train/utilisation.h"

#include <math.h>
#include <stdint.h>

#include "base/memory.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/placement.h"
#include "step/ceiling.h"

/* A try takes 0.1 to 2 ms, the first wakes threads and vector units; no start should be felt. */
static const dt_ceiling_effort effort = {.flop = 2e7, .tries = 50, .max_seconds = 30e-3};

/* As bench/ takes it: in bf16 the instruction for it counts where the processor has one that is quicker than
 * multiply-adds of floats, which give the same bits. */
static double measure_own(int threads, dt_dtype compute) {
    const double dots = compute == DT_DTYPE_BF16 ? dt_ceiling_measure(DT_DTYPE_BF16, threads, &effort) : 0.0;
    return fmax(dots, dt_ceiling_measure(DT_DTYPE_FP32, threads, &effort));
}

/* What of a host's hardware threads each thread of its ranks has, at most one. A try is shorter than the
 * time slice of a thread that shares its core, so it does not see the others. */
static double threads_in_use(const dt_world *world, int threads) {
    const dt_placement placement = dt_placement_look(world, threads);
    const double wanted = (double)placement.host_ranks * threads, given = placement.usable_threads;
    return given > 0.0 && given < wanted ? given / wanted : 1.0;
}

dt_status dt_utilisation_measure(dt_utilisation *utilisation, const dt_world *world, int threads,
                                 dt_dtype compute, double model_flop) {
    DT_COLLECTIVE_CALL(world);
    double *ceilings = dt_memory_alloc(world->size, sizeof *ceilings, "the ranks' ceilings");
    /* All begin at once. */
    dt_status status = dt_agree(world, ceilings ? DT_OK : DT_FAILED);
    if (status == DT_OK) {
        ceilings[world->rank] = measure_own(threads, compute) * threads_in_use(world, threads);
        status = dt_world_gather_same(world, ceilings, (int64_t)sizeof *ceilings);
    }
    *utilisation = (dt_utilisation){.model_flop = model_flop};
    for (int r = 0; status == DT_OK && r < world->size; r++)
        utilisation->ceiling_flops += ceilings[r];
    dt_memory_free(ceilings);
    return status;
}

double dt_utilisation_fraction(const dt_utilisation *utilisation, double step_seconds) {
    const double possible = utilisation->ceiling_flops * step_seconds;
    return possible > 0.0 ? utilisation->model_flop / possible : 0.0;
}
