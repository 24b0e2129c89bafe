/**
 * Every kernel as its formula reads, in double and without a thought for speed: what the kernels of math/ are
 * measured against. It shares no code with them but Philox, which has published answers of its own.
 *
 * Shapes and layouts are those of the headers in src/math. Gradients that have no formula here are taken by
 * central differences of the functions here; the one that has, attention's, is itself checked by them. All
 * functions are local, allocate what they need and abort when memory is short.
 */
#ifndef DT_TESTS_REFERENCE_H
#define DT_TESTS_REFERENCE_H

#include <stdint.h>

#include "base/philox.h"

/** The masks of one site for one sequence; NULL means no dropout. */
typedef struct reference_dropout {
    dt_philox_key key;
    uint32_t slot, step;
    double p;
} reference_dropout;

/** The masks of (layer, site) for sequence `slot` of step `step`. */
reference_dropout reference_dropout_at(uint64_t seed, double p, int64_t layer, int64_t site, int64_t slot,
                                       int64_t step);

/** What element (row, col) is multiplied by: 0 or 1 / (1 - p), or 1 without dropout. */
double reference_factor(const reference_dropout *drop, int64_t row, int64_t col);

/** x[T, C] = dropout(wte[tokens[t]] + wpe[t]). */
void reference_embedding(double *x, const int32_t *tokens, const double *wte, const double *wpe, int64_t T,
                         int64_t C, const reference_dropout *drop);

/** y[rows, C] = (x - mean) / sqrt(var + 1e-5) weight + bias. */
void reference_layernorm(double *y, const double *x, const double *weight, const double *bias, int64_t rows,
                         int64_t C);

/** y[rows, out] = x[rows, in] w[in, out] + bias[out]; no bias where that is NULL. */
void reference_linear(double *y, const double *x, const double *w, const double *bias, int64_t rows,
                      int64_t in, int64_t out);

/** y[T, C] of qkv[T, 3C], and lse[H, T] unless that is NULL. */
void reference_attention(double *y, double *lse, const double *qkv, int64_t T, int64_t C, int64_t H,
                         const reference_dropout *drop);

/** dqkv[T, 3C] of dy[T, C]: the chain rule through each score, key by key. */
void reference_attention_backward(double *dqkv, const double *dy, const double *qkv, int64_t T, int64_t C,
                                  int64_t H, const reference_dropout *drop);

/** gelu(x) in the tanh form. */
double reference_gelu(double x);

/** out[T, C] = residual + dropout(x), in place when `out` is `residual`. */
void reference_residual(double *out, const double *residual, const double *x, int64_t T, int64_t C,
                        const reference_dropout *drop);

/** The sum over rows of log(sum exp(logits)) - logits[target]; logits[rows, V]. */
double reference_loss(const double *logits, const int32_t *targets, int64_t rows, int64_t V);

/**
 * The slope of `value` in the number *x by a central difference of width 2e-4, *x put back afterwards. Its
 * error is 1.7e-9 of the third derivative and some 1e-12 of the value.
 */
double reference_slope(double *x, double (*value)(void *context), void *context);

#endif
