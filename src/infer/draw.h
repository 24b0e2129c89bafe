/**
 * Which token follows, by temperature, top-k and top-p.
 */
#ifndef DT_INFER_DRAW_H
#define DT_INFER_DRAW_H

#include <stdint.h>

#include "infer/ranking.h"

typedef struct dt_draw_rule {
    double temperature; /**< logits are divided by it; 0: always the likeliest token */
    int64_t top_k;      /**< keep the k likeliest; DT_NULL_INT: all */
    double top_p;       /**< of these, keep the likeliest that together have at least p; DT_NULL_REAL: all */
} dt_draw_rule;

/**
 * Draws one of `count` tokens by their logits[count], which are numbers, with the number `unit` in (0, 1).
 * They have weights exp((logit - largest) / temperature), in double, and stand in the order of falling
 * weight, of equal ones the smaller token first; sums over them are added up in this order. top_k keeps the
 * first k. top_p keeps the fewest first whose weights add up to at least p times the sum of what top_k has
 * left. Drawn is the first token at which the running sum of the kept weights is above unit times their sum.
 * At temperature 0 it is the first of all in that order, whatever `unit` is. `list` is room for `count` of
 * them. Local.
 */
int32_t dt_draw_token(const float *logits, int64_t count, const dt_draw_rule *rule, double unit,
                      dt_ranking_item *list);

#endif
