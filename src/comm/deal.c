/* Covers and additions of all members, worked out once. Which messages follow from them is exchange.c's. */
#include "comm/deal.h"

#include <string.h>

#include "base/memory.h"

/* Where a deal's members stand among the ranks. */
typedef struct seating {
    int64_t leaves;
    int size, first_rank;
    const int *starts;
} seating;

static int cover_of(const seating *at, int member, dt_tree_node cover[DT_TREE_COVER_MAX]) {
    const int first_rank = at->first_rank + (at->starts ? at->starts[member] : member);
    const int end_rank = at->first_rank + (at->starts ? at->starts[member + 1] : member + 1);
    int64_t first, end, unused;
    dt_tree_share(at->leaves, first_rank, at->size, &first, &unused);
    dt_tree_share(at->leaves, end_rank - 1, at->size, &unused, &end);
    return dt_tree_cover(at->leaves, first, end, cover);
}

dt_status dt_deal_make(dt_deal *deal, int64_t leaves, int size, int first_rank, const int *starts,
                       int members) {
    const char *what = "the plan of the sum over ranks";
    const seating at = {leaves, size, first_rank, starts};
    dt_tree_node cover[DT_TREE_COVER_MAX];
    *deal = (dt_deal){.members = members};
    deal->node_starts = dt_memory_alloc(members + 1, sizeof *deal->node_starts, what);
    if (deal->node_starts == NULL)
        return DT_FAILED;
    for (int m = 0; m < members; m++)
        deal->node_starts[m + 1] = deal->node_starts[m] + cover_of(&at, m, cover);

    const int64_t count = dt_deal_all_nodes(deal);
    deal->nodes = dt_memory_alloc(count, sizeof *deal->nodes, what);
    deal->adds = dt_memory_alloc(count, sizeof *deal->adds, what);
    if (deal->nodes == NULL || deal->adds == NULL)
        return DT_FAILED;
    for (int m = 0; m < members; m++) {
        const int covered = cover_of(&at, m, cover);
        memcpy(deal->nodes + deal->node_starts[m], cover, (size_t)covered * sizeof *cover);
    }
    deal->add_count = dt_tree_adds(leaves, deal->nodes, count, deal->adds);
    return DT_OK;
}

void dt_deal_drop(dt_deal *deal) {
    dt_memory_free(deal->node_starts);
    dt_memory_free(deal->nodes);
    dt_memory_free(deal->adds);
    *deal = (dt_deal){0};
}

int64_t dt_deal_nodes(const dt_deal *deal, int member) {
    return deal->node_starts[member + 1] - deal->node_starts[member];
}

int64_t dt_deal_all_nodes(const dt_deal *deal) {
    return deal->node_starts[deal->members];
}

bool dt_deal_is_perfect(const dt_deal *deal) {
    const int members = deal->members;
    bool perfect = (members & (members - 1)) == 0 && dt_deal_all_nodes(deal) == members;
    for (int m = 0; perfect && m < members; m++)
        perfect = deal->nodes[m].end - deal->nodes[m].first == deal->nodes[0].end - deal->nodes[0].first;
    return perfect;
}

dt_deal_slice dt_deal_slice_of(int64_t count, int part, int parts) {
    int64_t first, end;
    dt_tree_share(count / DT_MEMORY_ALIGN_FLOATS, part, parts, &first, &end);
    return (dt_deal_slice){.first = first * DT_MEMORY_ALIGN_FLOATS,
                           .count = (end - first) * DT_MEMORY_ALIGN_FLOATS};
}
