/*
 * The head and the loss in blocks of rows: against their formulas in double, and one result bit for bit
 * however the rows are cut.
 */
#include "model/forward.h"
#include "model/head.h"
#include "support/small_gpt.h"

/* A vocabulary that is a multiple of nothing, of some thousands beside a model of few channels. */
static const dt_shape wide = {.n_layers = 1, .C = 20, .H = 2, .F = 24, .T = 19, .V = 2003};

enum { ROWS = SMALL_GPT_WINDOWS * 19 };

#define SCALE 0.125f

/* What the head makes of ROWS rows. */
typedef struct results {
    double loss, losses[ROWS];
    float *dnorm, *dwte; /* [ROWS, C], [V, C] */
} results;

static void free_results(results *r) {
    free(r->dnorm);
    free(r->dwte);
}

/* All of it in blocks of `rows` rows, from logits and gradients full of NaN; the forward pass has been run.
 */
static results results_of(const small_gpt *small, dt_activations *a, int64_t rows) {
    const int64_t whole = a->logits_rows, C = wide.C;
    results r = {.dwte = numbers_poisoned(wide.V * C)};
    a->logits_rows = rows;
    numbers_poison(a->logits, ROWS * a->logits_stride);
    numbers_poison(a->dnorm, ROWS * C);
    const double loss = dt_head_loss(&small->gpt, &small->weights, ROWS, a, &small->team);
    memcpy(r.losses, a->losses, sizeof r.losses);
    numbers_poison(a->logits, ROWS * a->logits_stride);
    r.loss = dt_head_backward(&small->gpt, &small->weights, ROWS, SCALE, a, &small->team, r.dwte);
    assert_true(r.loss == loss);
    assert_memory_equal(r.losses, a->losses, sizeof r.losses);
    r.dnorm = numbers_copy(a->dnorm, ROWS * C);
    a->logits_rows = whole;
    return r;
}

/* Element i of an array of operands. */
static double operand(const dt_kernels *k, const dt_operand *array, int64_t i) {
    return k->compute == DT_DTYPE_BF16 ? (double)dt_bf16_widen(((const uint16_t *)array)[i])
                                       : (double)((const float *)array)[i];
}

/* A weight as products take it. */
static double factor(const dt_kernels *k, float weight) {
    return k->compute == DT_DTYPE_BF16 ? (double)dt_bf16_widen(dt_bf16_round(weight)) : (double)weight;
}

/* In double, from the last LayerNorm's output: the sum of the losses, dnorm and dwte. */
static double reference(const small_gpt *small, const dt_activations *a, double *dnorm, double *dwte) {
    const dt_kernels *k = small->gpt.kernels;
    const int64_t C = wide.C, V = wide.V;
    double *logits = numbers_wide(V), loss = 0.0;
    memset(dnorm, 0, (size_t)(ROWS * C) * sizeof *dnorm);
    memset(dwte, 0, (size_t)(V * C) * sizeof *dwte);
    for (int64_t i = 0; i < ROWS; i++) {
        double sum = 0.0;
        for (int64_t v = 0; v < V; v++) {
            logits[v] = 0.0;
            for (int64_t c = 0; c < C; c++)
                logits[v] += operand(k, a->ln_f, i * C + c) * factor(k, small->weights.view.wte[v * C + c]);
            sum += exp(logits[v]);
        }
        loss += log(sum) - logits[a->targets[i]];
        for (int64_t v = 0; v < V; v++) {
            const double d = (double)SCALE * (exp(logits[v]) / sum - (v == a->targets[i] ? 1.0 : 0.0));
            for (int64_t c = 0; c < C; c++) {
                dnorm[i * C + c] += d * factor(k, small->weights.view.wte[v * C + c]);
                dwte[v * C + c] += d * operand(k, a->ln_f, i * C + c);
            }
        }
    }
    free(logits);
    return loss;
}

/* In bf16 the gradient of the logits is rounded once, to 2^-9 of itself; else there are the sums' roundings.
 */
static void check_formula(const small_gpt *small, const dt_activations *a, const results *r) {
    const char *name = small->gpt.kernels->name;
    const double tolerance = small->gpt.kernels->compute == DT_DTYPE_BF16 ? 0x1p-8 : 1e-5;
    double *dnorm = numbers_wide(ROWS * wide.C), *dwte = numbers_wide(wide.V * wide.C);
    assert_near(name, "loss", r->loss, reference(small, a, dnorm, dwte), 1e-6);
    assert_close(name, "dnorm", r->dnorm, dnorm, ROWS * wide.C, tolerance);
    assert_close(name, "dwte", r->dwte, dwte, wide.V * wide.C, tolerance);
    free(dnorm);
    free(dwte);
}

/* Blocks of two rows, of fewer and more than a tile's, with a last one that is shorter or one row longer. */
static void blocks_are_the_formula_and_one_result(void **state) {
    (void)state;
    const int64_t rows[] = {2, 8, 14, 28, 30, 56};
    small_gpt *small = small_gpt_make(wide, 0.0);
    for_every_kernels(k) {
        small_gpt_use(small, k);
        dt_activations a = small_gpt_activations(small, SMALL_GPT_WINDOWS);
        const dt_micro_batch micro_batch = small_gpt_micro_batch(small, SMALL_GPT_WINDOWS, 1);
        assert_int_equal(a.logits_rows, ROWS);
        dt_forward_run(&small->gpt, &small->weights, &micro_batch, &a, &small->team);
        results whole = results_of(small, &a, ROWS);
        check_formula(small, &a, &whole);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            results cut = results_of(small, &a, rows[i]);
            assert_memory_equal(cut.losses, whole.losses, sizeof cut.losses);
            assert_same_bits(k->name, "dnorm", cut.dnorm, whole.dnorm, ROWS * wide.C);
            assert_same_bits(k->name, "dwte", cut.dwte, whole.dwte, wide.V * wide.C);
            free_results(&cut);
        }
        free_results(&whole);
        dt_activations_free(&a);
    }
    small_gpt_free(small);
}

/* Any rows by themselves have the logits that they have among all; single ones have an order of their own. */
static void logits_are_those_of_their_rows(void **state) {
    (void)state;
    small_gpt *small = small_gpt_make(wide, 0.0);
    for_every_kernels(k) {
        small_gpt_use(small, k);
        dt_activations a = small_gpt_activations(small, SMALL_GPT_WINDOWS);
        const dt_micro_batch micro_batch = small_gpt_micro_batch(small, SMALL_GPT_WINDOWS, 1);
        dt_forward_run(&small->gpt, &small->weights, &micro_batch, &a, &small->team);
        dt_head_logits(&small->gpt, &small->weights, dt_range_all(ROWS), &a, &small->team);
        float *all = numbers_copy(a.logits, ROWS * a.logits_stride);
        const dt_range some[] = {{0, 2}, {ROWS - 3, ROWS}, {5, 24}};
        for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
            dt_head_logits(&small->gpt, &small->weights, some[i], &a, &small->team);
            for (int64_t row = some[i].first; row < some[i].end; row++)
                assert_same_bits(k->name, "logits", a.logits + (row - some[i].first) * a.logits_stride,
                                 all + row * a.logits_stride, wide.V);
        }
        free(all);
        dt_activations_free(&a);
    }
    small_gpt_free(small);
}

/* One block where there is room for it; else equal blocks of an even number of rows within 64 MB. */
static void blocks_are_equal_and_even(void **state) {
    (void)state;
    const struct {
        int64_t V, rows, expected;
    } cases[] = {{99, 512, 512},      {99, 513, 513},    {99, 1 << 20, 131072}, {50257, 1024, 256},
                 {50257, 1023, 256},  {50257, 319, 160}, {50257, 318, 318},     {50257, 317, 317},
                 {128256, 1024, 114}, {128256, 1, 1},    {INT32_MAX, 1024, 2},  {INT32_MAX, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int64_t rows = dt_activations_logits_rows(&(dt_shape){.V = cases[i].V}, cases[i].rows);
        assert_int_equal(rows, cases[i].expected);
        assert_true(rows >= cases[i].rows || rows % 2 == 0);
    }
}

/* Beside what a block takes, no activation grows with the vocabulary; and sizes of large models are counted
 * in 64 bits. */
static void activations_hold_a_block_of_logits(void **state) {
    (void)state;
    const dt_shape gpt2 = {.n_layers = 12, .C = 768, .H = 12, .F = 3072, .T = 1024, .V = 50257};
    dt_shape few = gpt2;
    few.V = 99;
    for_every_kernels(k) for (int64_t sequences = 1; sequences <= 64; sequences *= 8) {
        const int64_t with = dt_activations_floats(k, &gpt2, sequences, DT_RECOMPUTE_NONE),
                      without = dt_activations_floats(k, &few, sequences, DT_RECOMPUTE_NONE);
        assert_true(with - without < (64000000 + 16000000) / (int64_t)sizeof(float));
    }
    const dt_shape huge = {.n_layers = 96, .C = 12288, .H = 96, .F = 49152, .T = 8192, .V = 128256};
    for_every_kernels(k)
        assert_true(dt_activations_floats(k, &huge, 64, DT_RECOMPUTE_NONE) > (int64_t)8192 * 64 * 96 * 12288);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_the_formula_and_one_result),
        cmocka_unit_test(logits_are_those_of_their_rows),
        cmocka_unit_test(blocks_are_equal_and_even),
        cmocka_unit_test(activations_hold_a_block_of_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
