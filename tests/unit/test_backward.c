/* The gradient of the whole model against the slope of its loss in double, one parameter at a time. */
#include "model/backward.h"
#include "model/forward.h"
#include "model/head.h"
#include "support/reference_gpt.h"
#include "support/small_gpt.h"

static const dt_shape tiny = {.n_layers = 2, .C = 6, .H = 2, .F = 10, .T = 5, .V = 11};
static const dt_shape four_layers = {.n_layers = 4, .C = 12, .H = 2, .F = 20, .T = 7, .V = 11};
static const dt_shape longer = {.n_layers = 1, .C = 8, .H = 2, .F = 12, .T = 70, .V = 13};

/*
 * A gradient is a sum over all positions of products that each went through some twenty sums in float: 512
 * eps (6e-5) of the largest of its tensor. A wrong factor, mask or term shows at a hundredth or more.
 */
#define TOLERANCE (512.0 * (double)FLT_EPSILON)

typedef struct problem {
    const dt_gpt *gpt;
    const dt_micro_batch *micro_batch;
    const double *parameters;
    double scale;
} problem;

static double objective(void *context) {
    const problem *p = context;
    return p->scale * reference_gpt_loss(p->gpt, p->parameters, p->micro_batch, NULL);
}

/* Which elements of a tensor are looked at: all, or some twenty spread over it when `some`. */
static int64_t stride_of(const dt_tensor *tensor, bool some) {
    return some && tensor->count > 20 ? tensor->count / 20 : 1;
}

/* The slopes in those elements, at their places in a vector of the layout. */
static double *slopes_of(const small_gpt *small, const dt_micro_batch *micro_batch, double scale, bool some) {
    double *parameters = numbers_widen(small->parameters, small->layout.elements);
    double *slopes = numbers_wide(small->layout.elements);
    problem p = {&small->gpt, micro_batch, parameters, scale};
    for (int64_t t = 0; t < small->layout.tensors; t++) {
        const dt_tensor *tensor = &small->layout.tensor[t];
        for (int64_t e = 0; e < tensor->count; e += stride_of(tensor, some))
            slopes[tensor->offset + e] = reference_slope(&parameters[tensor->offset + e], objective, &p);
    }
    free(parameters);
    return slopes;
}

/* The micro-batch's gradient by the kernels, from activations and gradients full of NaN; checks the loss as
 * well. */
static float *gradient_with(small_gpt *small, const dt_kernels *k, const dt_micro_batch *micro_batch,
                            float scale, dt_recompute recompute) {
    small_gpt_use(small, k);
    dt_activations a = small_gpt_activations_with(small, SMALL_GPT_WINDOWS, recompute);
    float *gradient = numbers_poisoned(small->layout.elements);
    dt_gpt_view view;
    assert_int_equal(dt_gpt_view_create(&view, &small->layout, gradient), DT_OK);
    dt_forward_run(&small->gpt, &small->weights, micro_batch, &a, &small->team);
    const double loss = dt_head_loss(&small->gpt, &small->weights,
                                     micro_batch->sequences * small->layout.shape.T, &a, &small->team);
    assert_near(
        k->name, "loss",
        dt_backward_run(&small->gpt, &small->weights, micro_batch, scale, &a, &small->team, &view, NULL),
        loss, 1e-15);
    dt_gpt_view_free(&view);
    dt_activations_free(&a);
    return gradient;
}

static float *gradient_of(small_gpt *small, const dt_kernels *k, const dt_micro_batch *micro_batch,
                          float scale) {
    return gradient_with(small, k, micro_batch, scale, DT_RECOMPUTE_NONE);
}

/* Every tensor of the gradient against the slopes of those elements that have been looked at. */
static void compare(const small_gpt *small, const char *set, const float *gradient, const double *slopes,
                    bool some) {
    for (int64_t t = 0; t < small->layout.tensors; t++) {
        const dt_tensor *tensor = &small->layout.tensor[t];
        const int64_t stride = stride_of(tensor, some), count = (tensor->count + stride - 1) / stride;
        float *found = numbers_poisoned(count);
        double *expected = numbers_wide(count);
        for (int64_t e = 0; e < tensor->count; e++)
            if (!isfinite(gradient[tensor->offset + e]))
                fail_msg("%s: %s[%" PRId64 "] was not written", set, tensor->name, e);
        for (int64_t i = 0; i < count; i++) {
            found[i] = gradient[tensor->offset + i * stride];
            expected[i] = slopes[tensor->offset + i * stride];
        }
        assert_close(set, tensor->name, found, expected, count, TOLERANCE);
        free(found);
        free(expected);
    }
}

static void check(dt_shape shape, double dropout, int64_t sequences, bool some) {
    small_gpt *small = small_gpt_make(shape, dropout);
    const dt_micro_batch micro_batch = small_gpt_micro_batch(small, sequences, 4);
    const float scale = 1.0f / (float)(sequences * shape.T);
    double *slopes = slopes_of(small, &micro_batch, (double)scale, some);
    for_each_kernels(k) {
        float *gradient = gradient_of(small, k, &micro_batch, scale);
        compare(small, k->name, gradient, slopes, some);
        free(gradient);
    }
    free(slopes);
    small_gpt_free(small);
}

/* Every element of every tensor, for micro-batches of one to three sequences; wte's sums its two uses. */
static void every_element_is_the_slope(void **state) {
    (void)state;
    for (int64_t sequences = 1; sequences <= SMALL_GPT_WINDOWS; sequences++) {
        check(tiny, 0.0, sequences, false);
        check(tiny, 0.25, sequences, false);
    }
}

/* The same for some elements of every tensor where attention has two tiles. */
static void every_tensor_is_the_slope_in_two_tiles(void **state) {
    (void)state;
    check(longer, 0.0, 1, true);
    check(longer, 0.25, 2, true);
}

/* With all dropped, nothing flows but the biases' way to the head: the gradient of every branch is exactly 0.
 */
static void all_dropped_leaves_the_head(void **state) {
    (void)state;
    small_gpt *small = small_gpt_make(tiny, 1.0);
    const dt_micro_batch micro_batch = small_gpt_micro_batch(small, 2, 4);
    for_each_kernels(k) {
        float *gradient = gradient_of(small, k, &micro_batch, 1.0f);
        for (int64_t t = 0; t < small->layout.tensors; t++) {
            const dt_tensor *tensor = &small->layout.tensor[t];
            const bool in_head =
                strcmp(tensor->name, "wte.weight") == 0 || strcmp(tensor->name, "ln_f.bias") == 0;
            double sum = 0.0;
            for (int64_t e = 0; e < tensor->count; e++)
                sum += fabs((double)gradient[tensor->offset + e]);
            if (in_head ? !(sum > 0.0) : sum != 0.0)
                fail_msg("%s: the gradient of %s sums to %g", k->name, tensor->name, sum);
        }
        free(gradient);
    }
    small_gpt_free(small);
}

/* The floats between tensors are not the backward pass's: they stay zero if they were. */
static void padding_is_not_touched(void **state) {
    (void)state;
    small_gpt *small = small_gpt_make(tiny, 0.25);
    const dt_micro_batch micro_batch = small_gpt_micro_batch(small, 1, 4);
    for_each_kernels(k) {
        float *gradient = gradient_of(small, k, &micro_batch, 1.0f);
        int64_t end = 0, padding = 0;
        for (int64_t t = 0; t <= small->layout.tensors; t++) {
            const bool last = t == small->layout.tensors;
            const int64_t next = last ? small->layout.elements : small->layout.tensor[t].offset;
            for (; end < next; end++, padding++)
                if (!isnan(gradient[end]))
                    fail_msg("%s: element %" PRId64 " between tensors became %g", k->name, end,
                             (double)gradient[end]);
            if (!last)
                end += small->layout.tensor[t].count;
        }
        assert_true(padding > 0);
        free(gradient);
    }
    small_gpt_free(small);
}

/* Layers that are run again leave the bits that were kept, in every kernels' numbers and with masks. */
static void recomputed_layers_give_the_same_bits(void **state) {
    (void)state;
    const double dropouts[] = {0.0, 0.25};
    for (size_t i = 0; i < sizeof dropouts / sizeof *dropouts; i++) {
        small_gpt *small = small_gpt_make(four_layers, dropouts[i]);
        for (int64_t sequences = 1; sequences <= SMALL_GPT_WINDOWS; sequences++) {
            const dt_micro_batch micro_batch = small_gpt_micro_batch(small, sequences, 4);
            for_every_kernels(k) {
                float *kept = gradient_with(small, k, &micro_batch, 0.125f, DT_RECOMPUTE_NONE);
                float *again = gradient_with(small, k, &micro_batch, 0.125f, DT_RECOMPUTE_LAYER);
                if (memcmp(kept, again, (size_t)small->layout.elements * sizeof *kept) != 0)
                    fail_msg("%s: recomputed layers give another gradient of %" PRId64 " sequences", k->name,
                             sequences);
                free(kept);
                free(again);
            }
        }
        small_gpt_free(small);
    }
}

/* A layer more costs its output alone, where layers are recomputed. */
static void recomputed_layers_keep_their_inputs_alone(void **state) {
    (void)state;
    const int64_t sequences = 2;
    dt_shape deeper = longer;
    deeper.n_layers++;
    for_every_kernels(k) {
        const int64_t before = dt_activations_floats(k, &longer, sequences, DT_RECOMPUTE_LAYER),
                      after = dt_activations_floats(k, &deeper, sequences, DT_RECOMPUTE_LAYER);
        assert_int_equal(after - before, sequences * longer.T * longer.C);
        assert_int_equal(before, dt_activations_floats(k, &longer, sequences, DT_RECOMPUTE_NONE));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_element_is_the_slope),
        cmocka_unit_test(every_tensor_is_the_slope_in_two_tiles),
        cmocka_unit_test(all_dropped_leaves_the_head),
        cmocka_unit_test(padding_is_not_touched),
        cmocka_unit_test(recomputed_layers_give_the_same_bits),
        cmocka_unit_test(recomputed_layers_keep_their_inputs_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
