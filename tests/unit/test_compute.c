/* The whole model with products in bfloat16: one result in every set of kernels, and near that of fp32. */
#include "model/backward.h"
#include "model/forward.h"
#include "model/head.h"
#include "support/small_gpt.h"

/* Sizes that fill vectors and tiles, and some that do not. */
static const dt_shape shapes[] = {{.n_layers = 2, .C = 64, .H = 2, .F = 128, .T = 70, .V = 99},
                                  {.n_layers = 3, .C = 36, .H = 3, .F = 50, .T = 19, .V = 13}};
static const int shape_count = (int)(sizeof shapes / sizeof *shapes);

#define SEQUENCES 2

/* A micro-batch's loss and gradient by a set of kernels, from activations and gradients full of NaN. */
static float *gradient_of(small_gpt *small, const dt_kernels *k, double *loss) {
    const dt_micro_batch micro_batch = small_gpt_micro_batch(small, SEQUENCES, 4);
    const float scale = 1.0f / (float)(SEQUENCES * small->layout.shape.T);
    small_gpt_use(small, k);
    dt_activations a = small_gpt_activations(small, SEQUENCES);
    float *gradient = numbers_poisoned(small->layout.elements);
    dt_gpt_view view;
    assert_int_equal(dt_gpt_view_create(&view, &small->layout, gradient), DT_OK);
    dt_forward_run(&small->gpt, &small->weights, &micro_batch, &a, &small->team);
    const double forward =
        dt_head_loss(&small->gpt, &small->weights, SEQUENCES * small->layout.shape.T, &a, &small->team);
    *loss = dt_backward_run(&small->gpt, &small->weights, &micro_batch, scale, &a, &small->team, &view, NULL);
    assert_true(*loss == forward);
    dt_gpt_view_free(&view);
    dt_activations_free(&a);
    return gradient;
}

/* What is multiplied is defined by the element, so instructions of the processor and their emulations agree
 * in the loss and in every bit of the gradient. */
static void every_set_has_the_same_bits(void **state) {
    (void)state;
    for (int i = 0; i < shape_count; i++) {
        small_gpt *small = small_gpt_make(shapes[i], 0.25);
        double first_loss = 0.0, loss;
        float *first = NULL;
        for_each_kernels_of(DT_DTYPE_BF16, k) {
            float *gradient = gradient_of(small, k, &loss);
            if (first == NULL) {
                first = gradient;
                first_loss = loss;
                continue;
            }
            assert_true(loss == first_loss);
            for (int64_t t = 0; t < small->layout.tensors; t++) {
                const dt_tensor *tensor = &small->layout.tensor[t];
                assert_same_bits(k->name, tensor->name, gradient + tensor->offset, first + tensor->offset,
                                 tensor->count);
            }
            free(gradient);
        }
        assert_non_null(first);
        free(first);
        small_gpt_free(small);
    }
}

/* The length of a - b, where b may be NULL for zeros. */
static double distance(const float *a, const float *b, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        const double d = (double)a[i] - (b ? (double)b[i] : 0.0);
        sum += d * d;
    }
    return sqrt(sum);
}

/*
 * Rounding to bfloat16 moves a number by at most 2^-9 of itself. A gradient went through some ten roundings
 * on each way, which are independent: its tensors are within 2^-5 (3 %) of fp32's, as lengths. Whatever is
 * left out or taken twice moves a tensor by far more.
 */
static void gradients_are_near_those_of_fp32(void **state) {
    (void)state;
    double worst = 0.0;
    for (int i = 0; i < shape_count; i++) {
        small_gpt *small = small_gpt_make(shapes[i], 0.25);
        double loss, exact_loss;
        float *exact = gradient_of(small, dt_kernels_best(DT_DTYPE_FP32), &exact_loss);
        float *rounded = gradient_of(small, dt_kernels_best(DT_DTYPE_BF16), &loss);
        assert_near("bf16", "loss", loss, exact_loss, 1.0 / 256.0);
        assert_true(loss != exact_loss);
        for (int64_t t = 0; t < small->layout.tensors; t++) {
            const dt_tensor *tensor = &small->layout.tensor[t];
            const float *e = exact + tensor->offset, *r = rounded + tensor->offset;
            const double error = distance(r, e, tensor->count) / distance(e, NULL, tensor->count);
            worst = fmax(worst, error);
            print_message("%-32s %.2g %%\n", tensor->name, 1e2 * error);
            if (!(error <= 1.0 / 32.0))
                fail_msg("%s: the gradient in bf16 is off by %g of its length", tensor->name, error);
        }
        free(exact);
        free(rounded);
        small_gpt_free(small);
    }
    print_message("the worst tensor is off by %.2g of its length\n", worst);
}

/* The loss with every weight moved by `step` of `direction`. */
static double loss_at(small_gpt *small, const float *from, const float *direction, double step) {
    const dt_micro_batch micro_batch = small_gpt_micro_batch(small, SEQUENCES, 4);
    for (int64_t t = 0; t < small->layout.tensors; t++) {
        const dt_tensor *tensor = &small->layout.tensor[t];
        for (int64_t e = tensor->offset; e < tensor->offset + tensor->count; e++)
            small->parameters[e] = (float)((double)from[e] + step * (double)direction[e]);
    }
    dt_weights_pack(&small->weights, &small->gpt, 0, small->weights.panels);
    dt_activations a = small_gpt_activations(small, SEQUENCES);
    dt_forward_run(&small->gpt, &small->weights, &micro_batch, &a, &small->team);
    const double loss =
        dt_head_loss(&small->gpt, &small->weights, SEQUENCES * small->layout.shape.T, &a, &small->team);
    dt_activations_free(&a);
    return loss / (double)(SEQUENCES * small->layout.shape.T);
}

/*
 * The loss in bfloat16 is a staircase in every weight, and has a slope only over a way that all weights go
 * together: along the gradient g it is |g|^2. The stairs are some 2^-12 high, and the loss changes by 2^-4 on
 * a way this long: 1/32 allows for them and for the curvature.
 */
static void the_gradient_is_the_slope_of_the_rounded_loss(void **state) {
    (void)state;
    for (int i = 0; i < shape_count; i++) {
        small_gpt *small = small_gpt_make(shapes[i], 0.25);
        double loss, square = 0.0;
        float *gradient = gradient_of(small, dt_kernels_best(DT_DTYPE_BF16), &loss);
        float *from = numbers_copy(small->parameters, small->layout.elements);
        for (int64_t t = 0; t < small->layout.tensors; t++) {
            const dt_tensor *tensor = &small->layout.tensor[t];
            const double length = distance(gradient + tensor->offset, NULL, tensor->count);
            square += length * length;
        }
        const double step = 0x1p-5 / square;
        const double slope =
            (loss_at(small, from, gradient, step) - loss_at(small, from, gradient, -step)) / (2.0 * step);
        print_message("slope %g, |g|^2 %g\n", slope, square);
        assert_near("bf16", "slope along the gradient", slope, square, 1.0 / 32.0);
        free(gradient);
        free(from);
        small_gpt_free(small);
    }
}

/* Panels may be packed in any pieces, by any threads. */
static void any_share_of_the_panels_will_do(void **state) {
    (void)state;
    small_gpt *small = small_gpt_make(shapes[1], 0.0);
    for_each_kernels_of(DT_DTYPE_BF16, k) {
        const dt_micro_batch micro_batch = small_gpt_micro_batch(small, 1, 0);
        small_gpt_use(small, k);
        dt_activations a = small_gpt_activations(small, 1);
        dt_forward_run(&small->gpt, &small->weights, &micro_batch, &a, &small->team);
        dt_head_logits(&small->gpt, &small->weights, dt_range_all(small->layout.shape.T), &a, &small->team);
        float *whole = numbers_copy(a.logits, small->layout.shape.T * a.logits_stride);
        memset(small->weights.block, 0xff, (size_t)dt_weights_panel_bytes(k, &small->layout.shape));
        for (int64_t from = small->weights.panels; from > 0; from -= 3)
            dt_weights_pack(&small->weights, &small->gpt, from > 3 ? from - 3 : 0, from);
        dt_forward_run(&small->gpt, &small->weights, &micro_batch, &a, &small->team);
        dt_head_logits(&small->gpt, &small->weights, dt_range_all(small->layout.shape.T), &a, &small->team);
        for (int64_t i = 0; i < small->layout.shape.T; i++)
            assert_same_bits(k->name, "logits", a.logits + i * a.logits_stride, whole + i * a.logits_stride,
                             small->layout.shape.V);
        free(whole);
        dt_activations_free(&a);
    }
    small_gpt_free(small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_set_has_the_same_bits),
        cmocka_unit_test(gradients_are_near_those_of_fp32),
        cmocka_unit_test(the_gradient_is_the_slope_of_the_rounded_loss),
        cmocka_unit_test(any_share_of_the_panels_will_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
