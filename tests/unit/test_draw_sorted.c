/*
 * A draw that ranks no more than it needs takes the token that the rule gives when it is carried out word for
 * word, by sorting all: with ties, weights that vanish, and numbers that lie on the edge of two tokens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/elementary.h"
#include "base/philox.h"
#include "config/config.h"
#include "infer/draw.h"

#define LARGEST 50257

static int by_weight(const void *left, const void *right) {
    const dt_ranking_item *a = left, *b = right;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return a->token - b->token;
}

/* docs/reproducibility.md, "From a uniform number to a token", steps 2 to 6. */
static int32_t draw_by_sorting(const float *logits, int64_t count, const dt_draw_rule *rule, double unit,
                               dt_ranking_item *list) {
    double max = (double)logits[0], total = 0.0, reached = 0.0;
    int64_t kept = 0;
    for (int64_t i = 1; i < count; i++)
        max = (double)logits[i] > max ? (double)logits[i] : max;
    for (int32_t i = 0; i < count; i++)
        list[i] = (dt_ranking_item){dt_elementary_exp(((double)logits[i] - max) / rule->temperature), i};
    qsort(list, (size_t)count, sizeof *list, by_weight);
    if (!dt_is_null_int(rule->top_k) && rule->top_k < count)
        count = rule->top_k;
    for (int64_t i = 0; i < count; i++)
        total += list[i].weight;
    if (!dt_is_null_real(rule->top_p)) {
        for (; kept < count && reached < rule->top_p * total; kept++)
            reached += list[kept].weight;
        count = kept;
        total = reached;
    }
    reached = 0.0;
    for (int64_t i = 0; i < count; i++) {
        reached += list[i].weight;
        if (reached > unit * total)
            return list[i].token;
    }
    return list[count - 1].token;
}

static double unit_of(uint64_t kind, uint32_t i) {
    const dt_philox_words words = dt_philox(dt_philox_derive(kind, DT_PURPOSE_SAMPLE, 0), i, 0, 0, 0);
    return dt_philox_unit(words.w0, words.w1);
}

enum { ROUGHLY_NORMAL, OF_FEW_VALUES, ALL_EQUAL, PEAKED, RISING, FALLING, CLOSE, SHAPES };

static float logit(int shape, int64_t V, uint32_t i, uint64_t kind) {
    const double u = unit_of(kind, i), sum = u + unit_of(kind + 1, i) + unit_of(kind + 2, i);
    switch (shape) {
    case ROUGHLY_NORMAL:
        return (float)(8.0 * sum);
    case OF_FEW_VALUES:
        return (float)(int)(6.0 * sum);
    case ALL_EQUAL:
        return -3.25f;
    case PEAKED:
        return u < 3.0 / (double)V ? 40.0f : (float)u;
    case RISING:
        return (float)i * 1e-3f;
    case FALLING:
        return (float)i * -1e-3f;
    default: /* neighbours among floats, whose weights round to the same or the wrong way round */
        return 1.0f + (float)(int)(16.0 * u) * 0x1p-23f;
    }
}

static const double temperatures[] = {1e-300, 1e-3, 0.8, 1.0, 30.0, 1e9, 1e17};
static const int64_t top_ks[] = {DT_NULL_INT, 1, 2, 40, 64, 65, 1000};
static const double top_ps[] = {DT_NULL_REAL, 0.001, 0.25, 0.5, 0.9, 0.999999, 1.0};
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static float logits[LARGEST];
static dt_ranking_item lists[2][LARGEST];

static void compare(int64_t V, const dt_draw_rule *rule, double unit, int shape) {
    const int32_t expected = draw_by_sorting(logits, V, rule, unit, lists[0]),
                  found = dt_draw_token(logits, V, rule, unit, lists[1]);
    if (expected != found)
        fail_msg("logits of shape %d, V %d, temperature %g, top_k %lld, top_p %g, unit %.17g: expected %d, "
                 "found %d",
                 shape, (int)V, rule->temperature, (long long)rule->top_k, rule->top_p, unit, expected,
                 found);
}

static void compare_all_rules(int64_t V, int shape) {
    const double edges[] = {0x1p-53, 1.0 - 0x1p-53, 0.25, 0.5, unit_of(99, (uint32_t)V)};
    for (uint32_t i = 0; i < V; i++)
        logits[i] = logit(shape, V, i, (uint64_t)(100 + 10 * shape));
    for (int t = 0; t < COUNT(temperatures); t++)
        for (int k = 0; k < COUNT(top_ks); k++)
            for (int p = 0; p < COUNT(top_ps); p++)
                for (int e = 0; e < COUNT(edges); e++)
                    compare(V, &(dt_draw_rule){temperatures[t], top_ks[k], top_ps[p]}, edges[e], shape);
}

static void small_vocabularies(void **state) {
    (void)state;
    const int64_t sizes[] = {1, 2, 3, 4, 16, 63, 64, 65, 97, 300};
    for (int s = 0; s < COUNT(sizes); s++)
        for (int shape = 0; shape < SHAPES; shape++)
            compare_all_rules(sizes[s], shape);
}

/* Every combination would take minutes: sorting alone is some milliseconds. */
static void a_large_vocabulary(void **state) {
    (void)state;
    for (uint32_t round = 0; round < 100; round++) {
        const int shape = (int)(round % SHAPES);
        for (uint32_t i = 0; i < LARGEST; i++)
            logits[i] = logit(shape, LARGEST, (i + 4099 * round) % LARGEST, 7);
        const dt_draw_rule rule = {temperatures[(int)(unit_of(1, round) * COUNT(temperatures))],
                                   top_ks[(int)(unit_of(2, round) * COUNT(top_ks))],
                                   top_ps[(int)(unit_of(3, round) * COUNT(top_ps))]};
        compare(LARGEST, &rule, unit_of(4, round), shape);
    }
}

/* Numbers that split n equal weights exactly: the running sum must be above, not at, its share. */
static void edges_between_equal_weights(void **state) {
    (void)state;
    for (int64_t n = 2; n <= 256; n *= 2) {
        for (uint32_t i = 0; i < n; i++)
            logits[i] = 0.5f;
        for (int64_t i = 1; i < n; i++) {
            const double fraction = (double)i / (double)n;
            dt_draw_rule rule = {1.0, DT_NULL_INT, DT_NULL_REAL};
            assert_int_equal(dt_draw_token(logits, n, &rule, fraction, lists[1]), i);
            rule.top_p = fraction; /* keeps i, and the last of them is drawn */
            assert_int_equal(dt_draw_token(logits, n, &rule, 1.0 - 0x1p-53, lists[1]), i - 1);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(small_vocabularies),
                                       cmocka_unit_test(a_large_vocabulary),
                                       cmocka_unit_test(edges_between_equal_weights)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
