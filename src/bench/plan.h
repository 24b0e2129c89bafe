/**
 * What a step would take on any number of ranks: memory, time and what of the exchange is not hidden.
 *
 * With p ranks, t threads a rank and L = ceil(B / u) leaves, the rank with the most leaves sets the pace:
 *
 *     step     = waves x (forward + backward) + tree additions + exposed + gather of losses + update
 *     waves    = ceil(ceil(L / p) / t)
 *     gather   = ceil(log2 p) x latency
 *     exchange of bucket b = travel_b + core_b
 *     travel_b = messages_b x latency + max(sent_b, received_b) of a host / bandwidth
 *     core_b   = additions_b + copies_b + packing_b + inside_b / bandwidth inside
 *
 * which is Hockney's model (comm/link.h) over the counts of comm/traffic.h. Bucket b, of those that are cut
 * from the vector's start to its end, is ready when the last wave's backward pass has come down to its first
 * element; the pass is taken to go down evenly. Buckets travel one after another:
 *
 *     ready_b  = backward x (1 - first element of b / elements)
 *     done_b   = max(ready_b, done_(b+1)) + travel_b - touch_b
 *     exposed  = done_0 - backward + sum of touch_b + core_b
 *
 * What the rank's own core does is never hidden: core_b, and touch_b, its part in sending and receiving over
 * the network. So no schedule hides more than that, and exposed is also the measure of how good one is. Where
 * s threads take turns on a core, a rank sees its own core's work once, but the step loses it s times.
 */
#ifndef DT_BENCH_PLAN_H
#define DT_BENCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "bench/probe.h"
#include "comm/link.h"
#include "comm/traffic.h"
#include "config/config.h"

/** What is known or assumed of the machine. */
typedef struct dt_plan_machine {
    dt_probe probe;
    dt_link link;       /**< between hosts: what a host's ranks share */
    dt_link inside;     /**< between ranks of a host, whose cores move the messages */
    int host_ranks;     /**< ranks on a host */
    bool same_host;     /**< all ranks share a host, however many they are */
    bool link_measured; /**< otherwise the link is given or assumed */
} dt_plan_machine;

typedef struct dt_plan_point {
    int ranks;
    int64_t batch, leaves;
    int64_t memory_bytes; /**< of the rank that needs the most, by the two tables and the exchange's room */
    dt_reduce_way way;
    int64_t sent_messages; /**< a step, of the busiest rank */
    int64_t sent_bytes;
    double compute_seconds;                   /**< forward, backward and tree additions of the own leaves */
    double exchange_seconds, exposed_seconds; /**< of the step's time */
    double seen_seconds;                      /**< exposed as a rank sees it: see train/overlap.h */
    double update_seconds;
    double step_seconds, tokens_per_second;
} dt_plan_point;

/** What one step's exchange takes. */
typedef struct dt_plan_exchange {
    double total_seconds;   /**< with nothing beside it */
    double exposed_seconds; /**< after the backward pass, or taken from it */
    double seen_seconds;    /**< the same with the rank's own share of its core alone */
} dt_plan_exchange;

/** The link between hosts that is assumed where none is measured or given: 1.5 us and 100 Gbit/s. */
dt_link dt_plan_assumed_link(void);

/** The link inside a host that is assumed where none is measured: 1 us and 4 GB/s. */
dt_link dt_plan_assumed_inside(void);

/**
 * The exchange of the `buckets` buckets of bounds[buckets + 1], whose traffic is busiest[buckets], beside a
 * backward pass of `backward_seconds`, by the formulas above, where `share` threads take turns on a core.
 * Local.
 */
dt_plan_exchange dt_plan_exchange_of(const dt_plan_machine *machine, double share, double backward_seconds,
                                     const int64_t *bounds, int64_t buckets, const dt_traffic *busiest);

/**
 * Predicts `config` with `batch` for its batch_size on `ranks` ranks. `share` is how many threads take turns
 * on a core, 1 where each has its own; it slows all that a core does, but not the network. Fails with
 * DT_USAGE with more ranks than leaves. Local.
 */
dt_status dt_plan_predict(const dt_plan_machine *machine, const dt_config *config, int64_t batch, int ranks,
                          double share, dt_plan_point *point);

#endif
