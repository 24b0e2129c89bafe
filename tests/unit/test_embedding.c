/* Embeddings against their formula in double; it is linear, so its transpose is the check of the gradient. */
#include "support/numbers.h"
#include "support/reference.h"

enum { T = 9, C = 70, V = 13, AT = 5 };

/* Tokens with repetitions, the first and the last of the vocabulary among them. */
static const int32_t tokens[T] = {3, 0, V - 1, 3, 3, 7, 0, 12, 1};

/* A sum and a product: 2 eps of the largest. Without dropout also from a position in the middle of wpe. */
static void forward_is_the_formula(void **state) {
    (void)state;
    float *wte = numbers_random(V * C, 1, 1.0), *wpe = numbers_random((AT + T) * C, 2, 1.0);
    double *wide_wte = numbers_widen(wte, V * C), *wide_wpe = numbers_widen(wpe, (AT + T) * C);
    double *expected = numbers_wide(T * C);
    const dt_dropout drop = dt_dropout_at(5, 0.4, 0, DT_DROPOUT_EMBEDDING, 2, 3);
    const reference_dropout same = reference_dropout_at(5, 0.4, 0, 0, 2, 3);
    for_each_kernels(k) {
        float *x = numbers_poisoned(T * C), *factor = numbers_poisoned(DT_DROPOUT_FLOATS(C));
        k->embedding->forward(x, tokens, wte, wpe, 0, dt_range_all(T), C, &drop, factor);
        reference_embedding(expected, tokens, wide_wte, wide_wpe, T, C, &same);
        assert_close(k->name, "x", x, expected, T * C, 2.0 * (double)FLT_EPSILON);
        numbers_poison(x, T * C);
        k->embedding->forward(x, tokens, wte, wpe, AT, dt_range_all(T), C, NULL, NULL);
        reference_embedding(expected, tokens, wide_wte, wide_wpe + AT * C, T, C, NULL);
        assert_close(k->name, "x without dropout", x, expected, T * C, (double)FLT_EPSILON);
        free(x);
        free(factor);
    }
    free(wte);
    free(wpe);
    free(wide_wte);
    free(wide_wpe);
    free(expected);
}

/* dwte[tokens[t]] and dwpe[t] grow by factor dx[t]; up to four numbers meet in one sum: 4 eps of the largest.
 */
static void check_backward(const dt_kernels *k, const dt_dropout *drop, const reference_dropout *same) {
    float *dx = numbers_random(T * C, 3, 1.0), *dwte = numbers_random(V * C, 4, 1.0);
    float *dwpe = numbers_random(T * C, 5, 1.0), *factor = numbers_poisoned(DT_DROPOUT_FLOATS(C));
    double *wte_expected = numbers_widen(dwte, V * C), *wpe_expected = numbers_widen(dwpe, T * C);
    for (int t = 0; t < T; t++)
        for (int c = 0; c < C; c++) {
            const double flow = reference_factor(same, t, c) * (double)dx[t * C + c];
            wte_expected[tokens[t] * C + c] += flow;
            wpe_expected[t * C + c] += flow;
        }
    k->embedding->backward_positions(dwpe, dx, dt_range_all(T), C, drop, drop ? factor : NULL);
    k->embedding->backward_tokens(dwte, dx, tokens, T, C, dt_range_all(V));
    assert_close(k->name, "dwte", dwte, wte_expected, V * C, 4.0 * (double)FLT_EPSILON);
    assert_close(k->name, "dwpe", dwpe, wpe_expected, T * C, 4.0 * (double)FLT_EPSILON);
    free(dx);
    free(dwte);
    free(dwpe);
    free(factor);
    free(wte_expected);
    free(wpe_expected);
}

static void backward_adds_to_both_tables(void **state) {
    (void)state;
    const dt_dropout drop = dt_dropout_at(5, 0.4, 0, DT_DROPOUT_EMBEDDING, 2, 3);
    const reference_dropout same = reference_dropout_at(5, 0.4, 0, 0, 2, 3);
    for_each_kernels(k) {
        check_backward(k, NULL, NULL);
        check_backward(k, &drop, &same);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_formula),
        cmocka_unit_test(backward_adds_to_both_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
