/* The shape of the canonical tree, and nothing else. Who sends which node where is flat.c's and
 * hierarchical.c's. */
#include "allreduce/tree.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/assert.h"
#include "base/plural.h"

dt_status dt_tree_expect_ranks(int size, int64_t micro_batches) {
    DT_ASSERT(size > 0);
    if (size <= micro_batches)
        return DT_OK;
    return dt_usage("%d rank%s for %" PRId64 " %s: expected at most one rank per micro-batch "
                    "(a step has ceil(batch_size / micro_batch_size) of them); use at most %" PRId64
                    " rank%s, a larger batch_size or a smaller micro_batch_size",
                    size, dt_plural_s(size), micro_batches,
                    dt_plural(micro_batches, "micro-batch", "micro-batches"), micro_batches,
                    dt_plural_s(micro_batches));
}

int64_t dt_tree_split(int64_t count) {
    DT_ASSERT(count >= 2);
    int64_t half = 1;
    while (half < count - half) /* 2 half < count, without overflow */
        half *= 2;
    return half;
}

/* floor(rank * micro_batches / size), without the product of two large numbers. */
static int64_t run_start(int64_t micro_batches, int rank, int size) {
    return rank * (micro_batches / size) + rank * (micro_batches % size) / size;
}

void dt_tree_run(int64_t micro_batches, int rank, int size, int64_t *first, int64_t *end) {
    DT_ASSERT(micro_batches >= 0 && rank >= 0 && rank < size);
    *first = run_start(micro_batches, rank, size);
    *end = run_start(micro_batches, rank + 1, size);
}

/* Appends what of [first, end) lies below `node`; `count` nodes are in `cover` already. Returns the count. */
static int cover_below(dt_tree_node node, int64_t first, int64_t end, dt_tree_node *cover, int count) {
    if (node.end <= first || end <= node.first)
        return count;
    if (first <= node.first && node.end <= end) {
        cover[count] = node;
        return count + 1;
    }
    int64_t middle = node.first + dt_tree_split(node.end - node.first);
    count = cover_below((dt_tree_node){node.first, middle}, first, end, cover, count);
    return cover_below((dt_tree_node){middle, node.end}, first, end, cover, count);
}

int dt_tree_cover(int64_t micro_batches, int64_t first, int64_t end, dt_tree_node cover[DT_TREE_COVER_MAX]) {
    DT_ASSERT(first >= 0 && first <= end && end <= micro_batches);
    return first < end ? cover_below((dt_tree_node){0, micro_batches}, first, end, cover, 0) : 0;
}

/* A walk down the tree and, from left to right, along a list of its nodes. */
typedef struct walk {
    const dt_tree_node *nodes;
    int64_t first, end; /* the micro-batches that the list holds */
    int64_t next;       /* the first node of the list that the walk has not met */
    dt_tree_add *adds;
    int64_t added;
} walk;

/* Visits `node`; returns the operand of its sum, which means nothing unless `node` lies in [first, end). */
static int64_t visit(walk *along, dt_tree_node node) {
    if (node.end <= along->first || along->end <= node.first)
        return -1;
    const dt_tree_node *next = &along->nodes[along->next];
    if (next->first == node.first && next->end == node.end)
        return along->next++;
    int64_t middle = node.first + dt_tree_split(node.end - node.first);
    int64_t left = visit(along, (dt_tree_node){node.first, middle});
    int64_t right = visit(along, (dt_tree_node){middle, node.end});
    bool complete = along->first <= node.first && node.end <= along->end;
    if (complete)
        along->adds[along->added++] = (dt_tree_add){left, right};
    return left;
}

int64_t dt_tree_adds(int64_t micro_batches, const dt_tree_node *nodes, int64_t count, dt_tree_add *adds) {
    DT_ASSERT(count >= 0);
    DT_ASSERT(count == 0 || (nodes[0].first >= 0 && nodes[count - 1].end <= micro_batches));
    if (count == 0)
        return 0;
    walk along = {.nodes = nodes, .first = nodes[0].first, .end = nodes[count - 1].end, .adds = adds};
    (void)visit(&along, (dt_tree_node){0, micro_batches});
    return along.added;
}

double dt_tree_sum(const double *values, int64_t micro_batches) {
    if (micro_batches <= 0)
        return 0;
    if (micro_batches == 1)
        return values[0];
    int64_t half = dt_tree_split(micro_batches);
    return dt_tree_sum(values, half) + dt_tree_sum(values + half, micro_batches - half);
}
