/* The forward pass and its loss against the whole model in double. */
#include "model/forward.h"
#include "model/head.h"
#include "support/reference_gpt.h"
#include "support/small_gpt.h"

/* Within one attention tile, and beyond it; no size fills whole vectors. */
static const dt_shape tiny = {.n_layers = 2, .C = 12, .H = 3, .F = 20, .T = 7, .V = 11};
static const dt_shape longer = {.n_layers = 2, .C = 12, .H = 2, .F = 36, .T = 70, .V = 19};

/* Logits of size 1 after some ten sums of tens of terms, each right to a few eps: 64 eps of the largest. */
#define TOLERANCE (64.0 * (double)FLT_EPSILON)

/* The logits of a micro-batch, without the padding of their rows. */
static float *logits_of(const small_gpt *small, const dt_micro_batch *micro_batch, dt_activations *a) {
    const int64_t n = micro_batch->sequences * small->layout.shape.T, V = small->layout.shape.V;
    float *dense = numbers_poisoned(n * V);
    dt_forward_run(&small->gpt, &small->weights, micro_batch, a, &small->team);
    dt_head_logits(&small->gpt, &small->weights, dt_range_all(n), a, &small->team);
    for (int64_t i = 0; i < n; i++)
        memcpy(dense + i * V, a->logits + i * a->logits_stride, (size_t)V * sizeof *dense);
    return dense;
}

/* Logits and loss of `sequences` sequences in a set of activations that has room for all windows. */
static void check(small_gpt *small, const dt_kernels *k, int64_t sequences, int64_t step) {
    const int64_t count = sequences * small->layout.shape.T * small->layout.shape.V;
    const dt_micro_batch micro_batch = small_gpt_micro_batch(small, sequences, step);
    dt_activations a = small_gpt_activations(small, SMALL_GPT_WINDOWS);
    double *parameters = numbers_widen(small->parameters, small->layout.elements),
           *expected = numbers_wide(count);
    small_gpt_use(small, k);
    const double loss = reference_gpt_loss(&small->gpt, parameters, &micro_batch, expected);
    float *logits = logits_of(small, &micro_batch, &a);
    assert_close(k->name, "logits", logits, expected, count, TOLERANCE);
    const int64_t rows = sequences * small->layout.shape.T;
    assert_near(k->name, "loss", dt_head_loss(&small->gpt, &small->weights, rows, &a, &small->team), loss,
                TOLERANCE);
    free(logits);
    free(parameters);
    free(expected);
    dt_activations_free(&a);
}

static void check_shape(dt_shape shape) {
    for (int dropping = 0; dropping < 2; dropping++) {
        small_gpt *small = small_gpt_make(shape, dropping ? 0.25 : 0.0);
        for_each_kernels(k) for (int64_t sequences = 1; sequences <= SMALL_GPT_WINDOWS; sequences++) {
            check(small, k, sequences, 4);
            check(small, k, sequences, 0);
        }
        small_gpt_free(small);
    }
}

/* One to three sequences, with and without dropout, trained and evaluated, from activations full of NaN. */
static void logits_and_loss_are_the_formula(void **state) {
    (void)state;
    check_shape(tiny);
    check_shape(longer);
}

/* Evaluation (step 0) is the model without dropout, bit for bit, and training is not. */
static void evaluation_drops_nothing(void **state) {
    (void)state;
    small_gpt *dropping = small_gpt_make(tiny, 0.25), *whole = small_gpt_make(tiny, 0.0);
    const int64_t count = 2 * tiny.T * tiny.V;
    dt_activations a = small_gpt_activations(dropping, 2);
    for_each_kernels(k) {
        const dt_micro_batch evaluation = small_gpt_micro_batch(dropping, 2, 0),
                             training = small_gpt_micro_batch(dropping, 2, 1);
        small_gpt_use(dropping, k);
        small_gpt_use(whole, k);
        float *without = logits_of(whole, &training, &a), *evaluated = logits_of(dropping, &evaluation, &a);
        float *trained = logits_of(dropping, &training, &a);
        assert_same_bits(k->name, "logits", evaluated, without, count);
        assert_memory_not_equal(trained, without, (size_t)count * sizeof *trained);
        free(without);
        free(evaluated);
        free(trained);
    }
    dt_activations_free(&a);
    small_gpt_free(dropping);
    small_gpt_free(whole);
}

/* A sequence's masks belong to its slot: in a micro-batch of its own it has the logits that it has in a
 * larger one.
 */
static void masks_belong_to_slots(void **state) {
    (void)state;
    small_gpt *small = small_gpt_make(tiny, 0.25);
    const int64_t count = tiny.T * tiny.V;
    dt_activations a = small_gpt_activations(small, SMALL_GPT_WINDOWS);
    for_each_kernels(k) {
        small_gpt_use(small, k);
        const dt_micro_batch all = small_gpt_micro_batch(small, SMALL_GPT_WINDOWS, 4);
        float *together = logits_of(small, &all, &a);
        for (int64_t s = 0; s < SMALL_GPT_WINDOWS; s++) {
            const dt_micro_batch one = {
                .sequences = 1, .windows = &small->windows[s], .first_slot = 6 + s, .step = 4};
            double *expected = numbers_widen(together + s * count, count);
            float *alone = logits_of(small, &one, &a);
            assert_close(k->name, "logits of a sequence alone", alone, expected, count, TOLERANCE);
            free(expected);
            free(alone);
        }
        free(together);
    }
    dt_activations_free(&a);
    small_gpt_free(small);
}

/* The last token of a window is a target only, and no position sees a later one. */
static void the_future_is_not_seen(void **state) {
    (void)state;
    small_gpt *small = small_gpt_make(longer, 0.0);
    dt_activations a = small_gpt_activations(small, 1);
    const dt_micro_batch micro_batch = small_gpt_micro_batch(small, 1, 0);
    for_each_kernels(k) {
        small_gpt_use(small, k);
        const int64_t changed[] = {longer.T, longer.T - 1, 64, 1};
        for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
            float *before = logits_of(small, &micro_batch, &a);
            small->tokens[changed[i]] = (int32_t)((small->tokens[changed[i]] + 1) % longer.V);
            float *after = logits_of(small, &micro_batch, &a);
            assert_same_bits(k->name, "logits before the change", after, before, changed[i] * longer.V);
            if (changed[i] < longer.T)
                assert_memory_not_equal(after + changed[i] * longer.V, before + changed[i] * longer.V,
                                        (size_t)longer.V * sizeof *after);
            free(before);
            free(after);
        }
    }
    dt_activations_free(&a);
    small_gpt_free(small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_and_loss_are_the_formula),
        cmocka_unit_test(evaluation_drops_nothing),
        cmocka_unit_test(masks_belong_to_slots),
        cmocka_unit_test(the_future_is_not_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
