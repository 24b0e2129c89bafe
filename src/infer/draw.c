/*
 * The rule is one of sorted weights and their sums, and its outcome is that of sorting them all; what cannot
 * change the outcome is not computed. Of sums over a whole vocabulary, where rounding depends on the order,
 * the bounds are enough to decide nearly always.
 */
#include "infer/draw.h"

#include <stdbool.h>

#include "base/assert.h"
#include "base/elementary.h"
#include "base/minmax.h"
#include "config/config.h"

/* The likeliest of `count` tokens, the smallest of equals. */
static int32_t argmax(const float *logits, int64_t count) {
    int32_t best = 0;
    for (int32_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/*
 * Moves the items, which have their logits in place of weights, that may be among the k of the largest
 * weights to the front; returns how many. Weights do not rise where logits fall, but for rounding: where
 * arguments of exp differ by 2^-40 the results differ by some 2^11 units of their last places, unless they
 * are denormal.
 */
static int64_t shortlist(dt_ranking_item *list, int64_t count, int64_t k, double max, double temperature) {
    int64_t kept = k;
    dt_ranking_select(list, count, k);
    const double lowest = (list[k - 1].weight - max) / temperature;
    if (!(lowest > -700.0))
        return count;
    for (int64_t i = k; i < count; i++)
        if ((list[i].weight - max) / temperature >= lowest - 0x1p-40) {
            const dt_ranking_item item = list[i];
            list[i] = list[kept];
            list[kept++] = item;
        }
    return kept;
}

/* Weights, and their sum in the order of the ranking as far as it is known. */
typedef struct weights {
    dt_ranking ranking;
    int64_t count;    /* the first `count` of the ranking have part in the draw */
    double low, high; /* their sum is neither below nor above */
} weights;

static void add_up_in_order(weights *w) {
    w->low = 0.0;
    for (int64_t i = 0; i < w->count; i++)
        w->low += dt_ranking_at(&w->ranking, i)->weight;
    w->high = w->low;
}

/* In any order. A sum of n numbers that are not negative is within n x 2^-53 of the true one, so two of them
 * are within n x 2^-52 of each other; twice that covers the rounding of the bounds themselves. */
static void add_up_roughly(weights *w) {
    const double slack = (double)w->count * 0x1p-51;
    double sum = 0.0;
    for (int64_t i = 0; i < w->count; i++)
        sum += w->ranking.items[i].weight;
    w->low = sum * (1.0 - slack);
    w->high = sum * (1.0 + slack);
}

/* Below, at or above 0 as `reached` is below, at or above fraction x the sum. */
static int compare(weights *w, double reached, double fraction) {
    if (w->low < w->high && reached >= fraction * w->low && reached <= fraction * w->high)
        add_up_in_order(w);
    return reached < fraction * w->low ? -1 : reached > fraction * w->high ? 1 : 0;
}

/* The weights of all tokens that may have part in the draw. */
static void weigh(weights *w, const float *logits, int64_t count, const dt_draw_rule *rule, double max,
                  dt_ranking_item *list) {
    const bool cut = !dt_is_null_int(rule->top_k) && rule->top_k < count;
    int64_t weighed = count;
    for (int32_t i = 0; i < count; i++)
        list[i] = (dt_ranking_item){(double)logits[i], i};
    if (cut)
        weighed = shortlist(list, count, rule->top_k, max, rule->temperature);
    for (int64_t i = 0; i < weighed; i++)
        list[i].weight = dt_elementary_exp((list[i].weight - max) / rule->temperature);
    *w = (weights){.ranking = {list, weighed, 0}, .count = cut ? rule->top_k : count};
    if (cut)
        add_up_in_order(w);
    else
        add_up_roughly(w);
}

/* Keeps the fewest that reach p. All of them reach 1. */
static void cut_to_top_p(weights *w, double p) {
    double reached = 0.0;
    int64_t kept = 0;
    if (dt_is_null_real(p) || p >= 1.0)
        return;
    while (kept == 0 || (kept < w->count && compare(w, reached, p) < 0))
        reached += dt_ranking_at(&w->ranking, kept++)->weight;
    w->count = kept;
    w->low = w->high = reached;
}

int32_t dt_draw_token(const float *logits, int64_t count, const dt_draw_rule *rule, double unit,
                      dt_ranking_item *list) {
    DT_ASSERT(count > 0 && unit > 0.0 && unit < 1.0 && !(rule->temperature < 0.0));
    const int32_t likeliest = argmax(logits, count);
    weights w;
    double reached = 0.0;
    if (rule->temperature == 0.0)
        return likeliest;
    weigh(&w, logits, count, rule, (double)logits[likeliest], list);
    cut_to_top_p(&w, rule->top_p);
    for (int64_t i = 0; i < w.count; i++) {
        reached += dt_ranking_at(&w.ranking, i)->weight;
        if (compare(&w, reached, unit) > 0)
            return dt_ranking_at(&w.ranking, i)->token;
    }
    return dt_ranking_at(&w.ranking, w.count - 1)->token; /* rounding left the sum a little short */
}
