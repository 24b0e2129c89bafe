/* Sections of one head after the other, head after head, sequence after sequence, are what a team shares out.
 */
#include "model/heads.h"

#include "base/assert.h"
#include "base/minmax.h"
#include "math/attention.h"

/* Products of a pair of a query and a key: scores and Y; in the backward pass scores and dZ, and of what
 * they give dQ for the query and dK and dV for the key. */
#define FORWARD_PRODUCTS 2.0
#define PAIR_PRODUCTS    2.0
#define QUERY_PRODUCTS   1.0
#define KEY_PRODUCTS     2.0

/* Packing a head takes about as long as a product of its tokens with so many others. */
#define PACKING_BLOCKS 0.1

/* The pairs of queries in blocks [first, end) with the keys up to themselves, in blocks times blocks. */
static double pairs_up_to(double first, double end) {
    return (end * end - first * first) / 2.0;
}

double dt_heads_cost(const dt_heads *heads, int64_t first, int64_t end) {
    const double from = (double)first, to = (double)end, all = (double)dt_attention_blocks(heads->T);
    const double packing = PACKING_BLOCKS * all;
    if (!heads->backward)
        return packing + FORWARD_PRODUCTS * pairs_up_to(from, to);
    const double inside = (to - from) * (to - from) / 2.0, later = (to - from) * (all - to);
    return packing + (PAIR_PRODUCTS + QUERY_PRODUCTS) * pairs_up_to(from, to) + KEY_PRODUCTS * inside +
           (PAIR_PRODUCTS + KEY_PRODUCTS) * later;
}

/* Where section `index` of `sections` begins, in blocks. A later query of the forward pass has more keys, so
 * that sections are shorter the later they are, by the square root that rounds best; in the backward pass it
 * has as many fewer queries to its key. */
static int64_t section_start(const dt_heads *heads, int64_t sections, int64_t index) {
    const int64_t blocks = dt_attention_blocks(heads->T);
    if (heads->backward)
        return blocks / sections * index + dt_min(index, blocks % sections);
    int64_t start = 0;
    while ((2 * start + 1) * (2 * start + 1) * sections <= 4 * blocks * blocks * index)
        start++;
    return start;
}

/* Of the thread that has the most to do. */
static double longest(const dt_heads *heads, int64_t sections, int threads) {
    const int64_t all = heads->sequences * heads->H * sections, max = (all + threads - 1) / threads,
                  whole = max / sections;
    double sum = 0.0, largest = 0.0;
    for (int64_t i = 0; i < sections; i++) {
        const double cost =
            dt_heads_cost(heads, section_start(heads, sections, i), section_start(heads, sections, i + 1));
        sum += cost;
        largest = cost > largest ? cost : largest;
    }
    /* Whole heads, and then the sections that are the most work. */
    return (double)whole * sum + (double)(max % sections) * largest;
}

int64_t dt_heads_sections(const dt_heads *heads, int threads) {
    DT_ASSERT(heads->sequences > 0 && heads->H > 0 && heads->T > 0 && threads > 0);
    int64_t best = 1;
    const int64_t max = dt_min(dt_attention_blocks(heads->T), threads);
    for (int64_t sections = 2; sections <= max; sections++)
        if (longest(heads, sections, threads) < longest(heads, best, threads))
            best = sections;
    return best;
}

/* The output at which section `index` of all sequences' sections begins. */
static int64_t output_of(const dt_heads *heads, int64_t sections, int64_t index) {
    return index / sections * dt_attention_blocks(heads->T) +
           section_start(heads, sections, index % sections);
}

dt_range dt_heads_slice(const dt_heads *heads, const dt_team *team, int64_t sequence) {
    DT_ASSERT(sequence >= 0 && sequence < heads->sequences);
    const dt_range whole = dt_attention_all(heads->T, heads->H);
    if (team->size == 1)
        return whole;
    const int64_t sections = dt_heads_sections(heads, team->size), first = sequence * whole.end;
    const dt_range own = dt_team_slice(team, heads->sequences * heads->H * sections);
    const dt_range found = dt_range_within(
        first, first + whole.end,
        (dt_range){output_of(heads, sections, own.first), output_of(heads, sections, own.end)});
    return (dt_range){found.first - first, found.end - first};
}
