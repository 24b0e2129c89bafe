/* Hoare's quickselect ("Algorithm 65: find", 1961) finds the next items, four times as many each time, and
 * these alone are sorted. */
#include "infer/ranking.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/minmax.h"

#define FIRST  64 /* items that are ranked at once, to begin with */
#define GROWTH 3  /* .. and for each that already is */

/* Whether `a` stands before `b`. */
static bool is_before(const dt_ranking_item *a, const dt_ranking_item *b) {
    return a->weight > b->weight || (a->weight == b->weight && a->token < b->token);
}

static int in_order(const void *left, const void *right) {
    return is_before(left, right) ? -1 : is_before(right, left) ? 1 : 0;
}

static void swap(dt_ranking_item *a, dt_ranking_item *b) {
    const dt_ranking_item kept = *a;
    *a = *b;
    *b = kept;
}

/* Splits items[first..last] at one of them: returns `end` such that none of [first, end] stands behind any of
 * [end + 1, last], and first <= end < last. */
static int64_t split(dt_ranking_item *items, int64_t first, int64_t last, int64_t at) {
    swap(&items[first], &items[at]);
    const dt_ranking_item pivot = items[first];
    int64_t i = first - 1, j = last + 1;
    for (;;) {
        do
            i++;
        while (is_before(&items[i], &pivot));
        do
            j--;
        while (is_before(&pivot, &items[j]));
        if (i >= j)
            return j;
        swap(&items[i], &items[j]);
    }
}

void dt_ranking_select(dt_ranking_item *items, int64_t count, int64_t k) {
    DT_ASSERT(k >= 1 && k <= count);
    int64_t first = 0, last = count - 1;
    uint64_t random = 1; /* so that no order of logits makes all pivots bad (D. H. Lehmer's generator) */
    while (first < last) {
        random = random * 48271 % 2147483647;
        const int64_t end =
            split(items, first, last, first + (int64_t)(random % (uint64_t)(last - first + 1)));
        if (k - 1 <= end)
            last = end;
        else
            first = end + 1;
    }
}

const dt_ranking_item *dt_ranking_at(dt_ranking *ranking, int64_t position) {
    DT_ASSERT(position >= 0 && position < ranking->count);
    while (position >= ranking->ranked) {
        dt_ranking_item *rest = ranking->items + ranking->ranked;
        const int64_t left = ranking->count - ranking->ranked,
                      more = dt_min(left, FIRST + GROWTH * ranking->ranked);
        dt_ranking_select(rest, left, more);
        qsort(rest, (size_t)more, sizeof *rest, in_order);
        ranking->ranked += more;
    }
    return &ranking->items[position];
}
