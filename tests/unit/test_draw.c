/*
 * Which token is drawn from logits: softmax at a temperature, cut to top_k and top_p, ties to the smaller.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "infer/draw.h"

#define DRAWS      20000
#define CHARACTERS 97

static dt_draw_rule rule_of(double temperature, int64_t top_k, double top_p) {
    return (dt_draw_rule){.temperature = temperature, .top_k = top_k, .top_p = top_p};
}

/* Draws one of V tokens. */
static int64_t draw(const float *logits, int64_t V, const dt_draw_rule *rule, double unit) {
    dt_ranking_item list[CHARACTERS];
    assert_true(V <= CHARACTERS);
    const int64_t token = dt_draw_token(logits, V, rule, unit, list);
    assert_true(token >= 0 && token < V);
    return token;
}

/* How often each token comes up when `unit` steps evenly through (0, 1): its probability, to 1 / DRAWS. */
static void frequencies(const float *logits, int64_t V, dt_draw_rule rule, double *frequency) {
    memset(frequency, 0, (size_t)V * sizeof *frequency);
    for (int64_t i = 0; i < DRAWS; i++) {
        const double unit = ((double)i + 0.5) / DRAWS;
        frequency[draw(logits, V, &rule, unit)] += 1.0 / DRAWS;
    }
}

/* Logits with no two alike, the likeliest in the middle. */
static void make_logits(float *logits, int64_t V) {
    for (int64_t v = 0; v < V; v++)
        logits[v] = (float)(((v * 37) % V) * 6) / (float)V - 3.0f;
}

/* frequency[v] = exp(logits[v] / temperature) / sum of the same over all tokens. */
static void draws_by_softmax(void **state) {
    (void)state;
    enum { V = 13 };
    float logits[V];
    double frequency[V];
    const double temperatures[] = {0.5, 1.0, 2.0};
    make_logits(logits, V);
    for (size_t t = 0; t < 3; t++) {
        double total = 0.0;
        frequencies(logits, V, rule_of(temperatures[t], DT_NULL_INT, DT_NULL_REAL), frequency);
        for (int v = 0; v < V; v++)
            total += exp((double)logits[v] / temperatures[t]);
        for (int v = 0; v < V; v++)
            assert_true(fabs(frequency[v] - exp((double)logits[v] / temperatures[t]) / total) <= 1.5 / DRAWS);
    }
}

/* Temperature to 0 is argmax, also where exp underflows; to infinity it is an even choice. */
static void temperature_has_its_limits(void **state) {
    (void)state;
    enum { V = 10 };
    float logits[V];
    double frequency[V];
    make_logits(logits, V);
    logits[4] = 100.0f;
    logits[7] = 99.5f;
    frequencies(logits, V, rule_of(1e-3, DT_NULL_INT, DT_NULL_REAL), frequency);
    assert_true(frequency[4] > 1.0 - 0.5 / DRAWS);
    frequencies(logits, V, rule_of(1e-300, DT_NULL_INT, DT_NULL_REAL), frequency);
    assert_true(frequency[4] > 1.0 - 0.5 / DRAWS);
    frequencies(logits, V, rule_of(1e9, DT_NULL_INT, DT_NULL_REAL), frequency);
    for (int v = 0; v < V; v++)
        assert_true(fabs(frequency[v] - 0.1) <= 1.5 / DRAWS);
}

/* Temperature 0 is the argmax itself: no number moves it, and of equal logits it is the smallest token. */
static void temperature_zero_is_greedy(void **state) {
    (void)state;
    float logits[CHARACTERS];
    make_logits(logits, CHARACTERS);
    const double units[] = {1e-16, 0.5, 0.999999};
    const dt_draw_rule rule = rule_of(0.0, 40, 0.5);
    for (int64_t best = 0; best < CHARACTERS; best++) {
        const float before = logits[best];
        logits[best] = 11.0f;
        if (best + 1 < CHARACTERS)
            logits[best + 1] = 11.0f;
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            assert_int_equal(draw(logits, CHARACTERS, &rule, units[i]), best);
        logits[best] = before;
        make_logits(logits, CHARACTERS);
    }
}

/* top_k = 1 is argmax at any temperature; of equal logits the smallest token counts as the likeliest. */
static void the_top_one_is_the_argmax(void **state) {
    (void)state;
    float logits[CHARACTERS];
    make_logits(logits, CHARACTERS);
    for (int64_t best = 0; best < CHARACTERS; best += 7) {
        const float before = logits[best];
        const dt_draw_rule rule = rule_of(5.0, 1, DT_NULL_REAL);
        logits[best] = 10.0f;
        for (int i = 0; i < 100; i++)
            assert_int_equal(draw(logits, CHARACTERS, &rule, ((double)i + 0.5) / 100), best);
        logits[best] = before;
    }
    for (int64_t v = 0; v < CHARACTERS; v++)
        logits[v] = v == 20 || v == 60 ? 1.0f : 0.0f;
    const dt_draw_rule rule = rule_of(1.0, 1, DT_NULL_REAL);
    assert_int_equal(draw(logits, CHARACTERS, &rule, 0.999), 20);
}

/* top_k keeps the k likeliest, at their odds among each other; ties at the edge go to the smaller token. */
static void top_k_keeps_the_likeliest(void **state) {
    (void)state;
    const float logits[] = {0.0f, 2.0f, 1.0f, 2.0f, 1.0f, -1.0f};
    const double e = exp(1.0);
    double frequency[6];
    frequencies(logits, 6, rule_of(1.0, 3, DT_NULL_REAL), frequency);
    assert_true(frequency[0] == 0.0 && frequency[4] == 0.0 && frequency[5] == 0.0);
    assert_true(fabs(frequency[1] - e / (2 * e + 1)) <= 1.5 / DRAWS);
    assert_true(fabs(frequency[3] - e / (2 * e + 1)) <= 1.5 / DRAWS);
    assert_true(fabs(frequency[2] - 1 / (2 * e + 1)) <= 1.5 / DRAWS);
    frequencies(logits, 6, rule_of(1.0, 100, DT_NULL_REAL), frequency);
    assert_true(frequency[5] > 0.0);
}

/* top_p keeps the fewest likeliest tokens whose probabilities together reach p. */
static void top_p_keeps_the_fewest_that_reach_it(void **state) {
    (void)state;
    /* Probabilities 1/2, 1/4, 1/8, 1/16, 1/16, in another order. */
    const float ln_2 = 0.693147181f, logits[] = {-3 * ln_2, -4 * ln_2, -1 * ln_2, -4 * ln_2, -2 * ln_2};
    double frequency[5];
    const struct {
        double p;
        int kept;
    } cases[] = {{0.01, 1},  {0.49, 1},  {0.51, 2}, {0.74, 2}, {0.76, 3},
                 {0.874, 3}, {0.876, 4}, {0.99, 5}, {1.0, 5}};
    const int order[] = {2, 4, 0, 1, 3};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double total = 0.0;
        frequencies(logits, 5, rule_of(1.0, DT_NULL_INT, cases[c].p), frequency);
        for (int i = 0; i < cases[c].kept; i++)
            total += exp((double)logits[order[i]]);
        for (int i = 0; i < 5; i++) {
            const double expected = i < cases[c].kept ? exp((double)logits[order[i]]) / total : 0.0;
            assert_true(fabs(frequency[order[i]] - expected) <= (i < cases[c].kept ? 1.5 / DRAWS : 0.0));
        }
    }
}

/* Both cuts: p is reached among the k that are left, so it counts of their sum. */
static void top_p_counts_of_what_top_k_leaves(void **state) {
    (void)state;
    const float ln_2 = 0.693147181f, logits[] = {-1 * ln_2, -2 * ln_2, -3 * ln_2, -3 * ln_2};
    double frequency[4];
    frequencies(logits, 4, rule_of(1.0, 2, 0.7), frequency); /* of 1/2 and 1/4, the first is 2/3 */
    assert_true(frequency[1] > 0.0 && frequency[2] == 0.0 && frequency[3] == 0.0);
    frequencies(logits, 4, rule_of(1.0, 2, 0.6), frequency);
    assert_true(frequency[0] > 1.0 - 0.5 / DRAWS);
}

/* The ends of (0, 1) draw tokens of the kept set too: the likeliest at 0, the last kept one at 1. */
static void the_ends_of_the_interval_stay_in_the_kept_set(void **state) {
    (void)state;
    const float logits[] = {0.0f, 3.0f, 1.0f, 2.0f};
    const dt_draw_rule two = rule_of(1.0, 2, DT_NULL_REAL), nucleus = rule_of(1.0, DT_NULL_INT, 0.8);
    const double smallest = 0x1p-53, greatest = 1.0 - 0x1p-53;
    assert_int_equal(draw(logits, 4, &two, smallest), 1);
    assert_int_equal(draw(logits, 4, &two, greatest), 3);
    assert_int_equal(draw(logits, 4, &nucleus, smallest), 1);
    assert_int_equal(draw(logits, 4, &nucleus, greatest), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(draws_by_softmax),
                                       cmocka_unit_test(temperature_has_its_limits),
                                       cmocka_unit_test(temperature_zero_is_greedy),
                                       cmocka_unit_test(the_top_one_is_the_argmax),
                                       cmocka_unit_test(top_k_keeps_the_likeliest),
                                       cmocka_unit_test(top_p_keeps_the_fewest_that_reach_it),
                                       cmocka_unit_test(top_p_counts_of_what_top_k_leaves),
                                       cmocka_unit_test(the_ends_of_the_interval_stay_in_the_kept_set)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
