/**
 * The heaviest of many tokens, in order, as many as are asked for: a draw rarely needs more than the first
 * few of a large vocabulary, and to sort all of it takes longer than a small model.
 */
#ifndef DT_INFER_RANKING_H
#define DT_INFER_RANKING_H

#include <stdint.h>

typedef struct dt_ranking_item {
    double weight; /**< a number */
    int32_t token;
} dt_ranking_item;

/** Items of which the first `ranked` are the heaviest, in order. */
typedef struct dt_ranking {
    dt_ranking_item *items; /**< [count], the caller's; they change places */
    int64_t count, ranked;
} dt_ranking;

/**
 * Moves the k heaviest of `count` items to the front, the lightest of them to place k - 1; 1 <= k <= count.
 * Of equal weights the smaller token counts as the heavier; no token may be there twice. About 3 count
 * comparisons. Local.
 */
void dt_ranking_select(dt_ranking_item *items, int64_t count, int64_t k);

/** The item at `position`, 0 <= position < count, in the order of falling weight, of equal ones the smaller
 * token first. What comes before it is ranked too. The pointer holds until the next call. Local. */
const dt_ranking_item *dt_ranking_at(dt_ranking *ranking, int64_t position);

#endif
