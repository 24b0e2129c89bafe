/**
 * Token and position embeddings, summed and dropped out: x_t = dropout(wte[token_t] + wpe[t]).
 */
#ifndef DT_MATH_EMBEDDING_H
#define DT_MATH_EMBEDDING_H

#include <stdint.h>

#include "math/dropout.h"

struct dt_embedding {
    /**
     * x[T, C] for one sequence of tokens[T], the first at position `position` of wpe[.., C]. `factor` is
     * scratch of DT_DROPOUT_ROOM(C) floats. Local.
     */
    void (*forward)(float *x, const uint8_t *tokens, const float *wte, const float *wpe, int64_t position,
                    int64_t T, int64_t C, const dt_dropout *drop, float *factor);

    /**
     * dwte[V, C] += and dwpe[T, C] += the gradients of one sequence: dx[T, C] through the dropout. Adds in
     * the order of positions. Local.
     */
    void (*backward)(float *dwte, float *dwpe, const float *dx, const uint8_t *tokens, int64_t T, int64_t C,
                     const dt_dropout *drop, float *factor);
};
DT_ISA_DECLARE(dt_embedding);

#endif
