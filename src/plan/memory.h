/**
 * What memory a config takes on hosts that need not be there.
 */
#ifndef DT_PLAN_MEMORY_H
#define DT_PLAN_MEMORY_H

#include <stdint.h>

#include "base/status.h"
#include "config/config.h"
#include "model/layout.h"
#include "train/need.h"

/** The memory of the first host's ranks, among which rank 0 saves. */
typedef struct dt_plan_memory {
    dt_need max;         /**< of the rank that needs the most */
    int64_t other_bytes; /**< of the last rank of the host; 0 where it has one alone */
    int64_t node_bytes;  /**< of all ranks of the host */
    int node_ranks;
    int64_t team_threads; /**< that work on a micro-batch together */
} dt_plan_memory;

/** What `config` takes with `batch` for its batch_size on `ranks` ranks of `threads` threads, `node_ranks` to
 * a host, up to `ranks`. Where the config leaves that to memory, threads form teams as they would on hosts of
 * `limit_bytes`, 0 for as many as it takes. The tokens of the corpus are not known and not counted. Local. */
dt_status dt_plan_memory_of(const dt_layout *layout, const dt_config *config, int64_t batch, int ranks,
                            int node_ranks, int threads, int64_t limit_bytes, dt_plan_memory *memory);

#endif
