/* The four stages of the header. What the lanes exchange is exchange.c's. */
#include "comm/hierarchy.h"

#include "base/memory.h"
#include "comm/exchange.h"

static int find_host(int rank, const int *starts, int hosts) {
    int host = 0;
    while (host < hosts - 1 && starts[host + 1] <= rank)
        host++;
    return host;
}

/* The first of the host's nodes in shared memory that is this rank's: DT_ARRAY_SHARED + this. */
static int64_t own_node(const dt_hierarchy *h) {
    return h->inside.node_starts[h->local];
}

/* A node of the cover stands where the first of the ranks' nodes inside it was: dt_tree_adds puts it there.
 */
static void find_nodes(dt_hierarchy *h) {
    const dt_tree_node *cover = h->between.nodes + h->between.node_starts[h->host];
    const int64_t first = own_node(h), end = h->inside.node_starts[h->local + 1];
    for (int64_t c = 0, node = 0; c < dt_deal_nodes(&h->between, h->host); c++) {
        while (h->inside.nodes[node].first != cover[c].first)
            node++;
        const bool own = first <= node && node < end;
        h->nodes[c] = (dt_operand){own ? DT_ARRAY_OWN + (int)(node - first) : DT_ARRAY_SHARED + (int)node, 0};
    }
}

dt_status dt_hierarchy_make(dt_hierarchy *h, int64_t leaves, int size, int rank, const int *starts,
                            int hosts) {
    *h = (dt_hierarchy){.hosts = hosts, .host = find_host(rank, starts, hosts), .lanes = size};
    h->local = rank - starts[h->host];
    h->ranks = starts[h->host + 1] - starts[h->host];
    h->lane_ranks = dt_memory_alloc(hosts, sizeof *h->lane_ranks, "the ranks of a lane");
    if (h->lane_ranks == NULL)
        return DT_FAILED;
    for (int i = 0; i < hosts; i++) {
        const int ranks = starts[i + 1] - starts[i];
        h->lanes = ranks < h->lanes ? ranks : h->lanes;
        h->lane_ranks[i] = starts[i] + h->local;
    }
    DT_TRY(dt_deal_make(&h->inside, leaves, size, starts[h->host], NULL, h->ranks));
    DT_TRY(dt_deal_make(&h->between, leaves, size, 0, starts, hosts));
    find_nodes(h);
    return DT_OK;
}

void dt_hierarchy_drop(dt_hierarchy *h) {
    dt_memory_free(h->lane_ranks);
    dt_deal_drop(&h->inside);
    dt_deal_drop(&h->between);
    *h = (dt_hierarchy){0};
}

/* Where node `node` of the host's ranks stands for this rank's lane: its own need no copy. */
static dt_operand lane_operand(const dt_hierarchy *h, dt_deal_slice lane, int64_t node) {
    const int64_t own = node - own_node(h);
    const bool is_own = 0 <= own && own < dt_deal_nodes(&h->inside, h->local);
    return (dt_operand){is_own ? DT_ARRAY_OWN + (int)own : DT_ARRAY_SHARED + (int)node, lane.first};
}

/* All of this rank's nodes but the part that it adds up itself. */
static void hand_in(dt_program *program, const dt_hierarchy *h, dt_deal_slice lane, int64_t count) {
    const int64_t lane_end = lane.first + lane.count;
    for (int64_t i = 0; i < dt_deal_nodes(&h->inside, h->local); i++) {
        const dt_operand own = {DT_ARRAY_OWN + (int)i, 0},
                         shared = {DT_ARRAY_SHARED + (int)(own_node(h) + i), 0};
        dt_program_copy(program, shared, own, lane.first);
        dt_program_copy(program, dt_program_at(shared, lane_end), dt_program_at(own, lane_end),
                        count - lane_end);
    }
}

/* The host's additions in one lane; on a single host the last of them makes the root. */
static void add_lane(dt_program *program, const dt_hierarchy *h, dt_deal_slice lane, dt_operand result) {
    for (int64_t i = 0; i < h->inside.add_count; i++) {
        const dt_operand into = lane_operand(h, lane, h->inside.adds[i].into);
        const bool last = h->hosts == 1 && i == h->inside.add_count - 1;
        dt_program_add(program, last ? result : into, into, lane_operand(h, lane, h->inside.adds[i].from),
                       lane.count);
    }
}

static void cross(dt_program *program, const dt_hierarchy *h, dt_deal_slice lane, dt_operand result) {
    dt_operand nodes[DT_TREE_COVER_MAX];
    for (int64_t c = 0; c < dt_deal_nodes(&h->between, h->host); c++)
        nodes[c] = dt_program_at(h->nodes[c], lane.first);
    const dt_exchange exchange = {.deal = &h->between,
                                  .self = h->host,
                                  .ranks = h->lane_ranks,
                                  .nodes = nodes,
                                  .sum = result,
                                  .count = lane.count};
    dt_exchange_write(program, &exchange);
}

void dt_hierarchy_write(dt_program *program, const dt_hierarchy *h, int64_t count) {
    const bool has_lane = h->local < h->lanes;
    const dt_deal_slice lane = has_lane ? dt_deal_slice_of(count, h->local, h->lanes) : (dt_deal_slice){0, 0};
    const dt_operand result = {DT_ARRAY_RESULT, lane.first};
    hand_in(program, h, lane, count);
    dt_program_meet(program);
    if (has_lane) {
        add_lane(program, h, lane, result);
        if (h->hosts > 1)
            cross(program, h, lane, result);
    }
    dt_program_meet(program);
    dt_program_copy(program, (dt_operand){DT_ARRAY_SUM, 0}, (dt_operand){DT_ARRAY_RESULT, 0}, count);
}
