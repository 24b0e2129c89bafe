/* Covers, slices and additions of all ranks, worked out once. Sending them is reduce.c's. */
#include "comm/deal.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/memory.h"

/* The most floats in a slice, so that a message (one slice of one node) has a count that is an int: 8 GiB. */
#define SLICE_FLOATS_MAX (INT_MAX - DT_MEMORY_ALIGN_FLOATS)

static dt_status check_bounds(int size, int64_t elements, const int64_t *bounds, int64_t buckets) {
    if (bounds[0] != 0 || bounds[buckets] != elements)
        return dt_fail("buckets must hold the whole vector: expected bounds from 0 to %" PRId64
                       ", found %" PRId64 " to %" PRId64,
                       elements, bounds[0], bounds[buckets]);
    for (int64_t b = 0; b < buckets; b++) {
        int64_t length = bounds[b + 1] - bounds[b];
        if (length < 0 || length % DT_MEMORY_ALIGN_FLOATS != 0)
            return dt_fail("bound %" PRId64 " of the buckets is %" PRId64
                           ": expected a multiple of %d, at least %" PRId64,
                           b + 1, bounds[b + 1], DT_MEMORY_ALIGN_FLOATS, bounds[b]);
        if (length / size > SLICE_FLOATS_MAX)
            return dt_fail("bucket %" PRId64 " has %" PRId64
                           " floats: expected at most %d for each of %d ranks; "
                           "use smaller buckets",
                           b, length, SLICE_FLOATS_MAX, size);
    }
    return DT_OK;
}

static int cover_of(const dt_deal *deal, int64_t leaves, int rank, dt_tree_node cover[DT_TREE_COVER_MAX]) {
    int64_t first, end;
    dt_tree_share(leaves, rank, deal->size, &first, &end);
    return dt_tree_cover(leaves, first, end, cover);
}

dt_status dt_deal_make(dt_deal *deal, int size, int64_t leaves, int64_t elements, const int64_t *bounds,
                       int64_t buckets) {
    const char *what = "the plan of the sum over ranks";
    dt_tree_node cover[DT_TREE_COVER_MAX];
    *deal = (dt_deal){.size = size, .buckets = buckets};
    DT_TRY(check_bounds(size, elements, bounds, buckets));
    deal->bounds = dt_memory_alloc(buckets + 1, sizeof *deal->bounds, what);
    deal->node_starts = dt_memory_alloc(size + 1, sizeof *deal->node_starts, what);
    if (deal->bounds == NULL || deal->node_starts == NULL)
        return DT_FAILED;
    memcpy(deal->bounds, bounds, (size_t)(buckets + 1) * sizeof *bounds);
    for (int rank = 0; rank < size; rank++)
        deal->node_starts[rank + 1] = deal->node_starts[rank] + cover_of(deal, leaves, rank, cover);

    int64_t count = dt_deal_all_nodes(deal);
    deal->nodes = dt_memory_alloc(count, sizeof *deal->nodes, what);
    deal->adds = dt_memory_alloc(count, sizeof *deal->adds, what);
    if (deal->nodes == NULL || deal->adds == NULL)
        return DT_FAILED;
    for (int rank = 0; rank < size; rank++) {
        int covered = cover_of(deal, leaves, rank, cover);
        memcpy(deal->nodes + deal->node_starts[rank], cover, (size_t)covered * sizeof *cover);
    }
    deal->add_count = dt_tree_adds(leaves, deal->nodes, count, deal->adds);
    return DT_OK;
}

void dt_deal_drop(dt_deal *deal) {
    dt_memory_free(deal->bounds);
    dt_memory_free(deal->node_starts);
    dt_memory_free(deal->nodes);
    dt_memory_free(deal->adds);
    *deal = (dt_deal){0};
}

int64_t dt_deal_nodes(const dt_deal *deal, int rank) {
    return deal->node_starts[rank + 1] - deal->node_starts[rank];
}

int64_t dt_deal_all_nodes(const dt_deal *deal) {
    return deal->node_starts[deal->size];
}

dt_deal_slice dt_deal_slice_of(const dt_deal *deal, int64_t bucket, int rank) {
    int64_t units = (deal->bounds[bucket + 1] - deal->bounds[bucket]) / DT_MEMORY_ALIGN_FLOATS;
    int64_t first, end;
    dt_tree_share(units, rank, deal->size, &first, &end);
    return (dt_deal_slice){.first = deal->bounds[bucket] + first * DT_MEMORY_ALIGN_FLOATS,
                           .count = (end - first) * DT_MEMORY_ALIGN_FLOATS};
}
