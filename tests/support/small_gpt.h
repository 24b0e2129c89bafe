/**
 * A model small enough to know the slope of its loss in every single parameter, and text for it.
 *
 * Weights are larger than a new model's and no two tensors alike, so that every part of it bears on the loss.
 */
#ifndef DT_TESTS_SMALL_GPT_H
#define DT_TESTS_SMALL_GPT_H

#include "base/memory.h"
#include "base/status.h"
#include "model/activations.h"
#include "model/gpt.h"
#include "model/team.h"
#include "model/weights.h"
#include "support/numbers.h"

#define SMALL_GPT_WINDOWS 3

typedef struct small_gpt {
    dt_layout layout;
    dt_gpt gpt; /**< of the fastest kernels in fp32; small_gpt_use sets others */
    float *parameters;
    dt_weights weights;
    dt_scratch scratch; /**< for SMALL_GPT_WINDOWS sequences */
    dt_team team;       /**< a thread by itself */
    int32_t *tokens;    /* [SMALL_GPT_WINDOWS, T + 1] */
    const int32_t *windows[SMALL_GPT_WINDOWS];
} small_gpt;

/* Scratch for the model's kernels, NaN all over. */
static inline void small_gpt_alone(small_gpt *small) {
    const dt_kernels *k = small->gpt.kernels;
    const dt_shape *shape = &small->layout.shape;
    assert_int_equal(dt_scratch_create(&small->scratch, k, shape, SMALL_GPT_WINDOWS), DT_OK);
    numbers_poison(small->scratch.block, dt_scratch_floats(k, shape, SMALL_GPT_WINDOWS));
    small->team = dt_team_alone(&small->scratch);
}

/** Makes a model of `shape` that drops out with probability `dropout` in training. */
static inline small_gpt *small_gpt_make(dt_shape shape, double dropout) {
    small_gpt *small = numbers_block(1, sizeof *small);
    assert_int_equal(dt_layout_create(&small->layout, shape), DT_OK);
    small->gpt = (dt_gpt){.layout = &small->layout,
                          .kernels = dt_kernels_best(DT_DTYPE_FP32),
                          .dropout = dropout,
                          .seed = 0xfeedc0de12345678u};
    small->parameters = numbers_poisoned(small->layout.elements);
    for (int64_t t = 0; t < small->layout.tensors; t++) {
        const dt_tensor *tensor = &small->layout.tensor[t];
        const double deviation = tensor->dims == 2 ? 0.8 / sqrt((double)tensor->cols) : 0.2;
        float *chosen = numbers_random(tensor->count, (uint32_t)(100 + t), deviation);
        for (int64_t e = 0; e < tensor->count; e++)
            small->parameters[tensor->offset + e] = chosen[e] + (tensor->init == DT_INIT_ONE ? 1.0f : 0.0f);
        free(chosen);
    }
    assert_int_equal(dt_weights_create(&small->weights, &small->gpt, small->parameters), DT_OK);
    small_gpt_alone(small);
    small->tokens = numbers_tokens(SMALL_GPT_WINDOWS * (shape.T + 1), 99, shape.V);
    for (int64_t w = 0; w < SMALL_GPT_WINDOWS; w++)
        small->windows[w] = small->tokens + w * (shape.T + 1);
    return small;
}

/** Computes with `kernels` from now on, with panels of the weights in their form. */
static inline void small_gpt_use(small_gpt *small, const dt_kernels *kernels) {
    dt_weights_free(&small->weights);
    dt_scratch_free(&small->scratch);
    small->gpt.kernels = kernels;
    small_gpt_alone(small);
    assert_int_equal(dt_weights_create(&small->weights, &small->gpt, small->parameters), DT_OK);
    dt_weights_pack(&small->weights, &small->gpt, 0, small->weights.panels);
}

static inline void small_gpt_free(small_gpt *small) {
    dt_weights_free(&small->weights);
    dt_scratch_free(&small->scratch);
    dt_layout_free(&small->layout);
    free(small->parameters);
    free(small->tokens);
    free(small);
}

/** The first `sequences` windows as a micro-batch of step `step` whose first slot is 6. */
static inline dt_micro_batch small_gpt_micro_batch(const small_gpt *small, int64_t sequences, int64_t step) {
    return (dt_micro_batch){.sequences = sequences, .windows = small->windows, .first_slot = 6, .step = step};
}

/** The same, for layers that are recomputed or not. */
static inline dt_activations small_gpt_activations_with(const small_gpt *small, int64_t sequences,
                                                        dt_recompute recompute) {
    dt_activations activations;
    const dt_kernels *k = small->gpt.kernels;
    const dt_shape *shape = &small->layout.shape;
    assert_int_equal(dt_activations_create(&activations, k, shape, sequences, recompute), DT_OK);
    numbers_poison(activations.block, dt_activations_floats(k, shape, sequences, recompute));
    return activations;
}

/** A set of activations for `sequences` sequences that is NaN all over. The caller frees it. */
static inline dt_activations small_gpt_activations(const small_gpt *small, int64_t sequences) {
    return small_gpt_activations_with(small, sequences, DT_RECOMPUTE_NONE);
}

#endif
