/**
 * Token and position embeddings, summed and dropped out: x_t = dropout(wte[token_t] + wpe[t]).
 */
#ifndef DT_MATH_EMBEDDING_H
#define DT_MATH_EMBEDDING_H

#include <stdint.h>

#include "math/dropout.h"
#include "math/range.h"

struct dt_embedding {
    /**
     * `rows` of x[T, C] for one sequence of tokens[T], the first at position `position` of wpe[.., C].
     * `factor` is scratch of DT_DROPOUT_FLOATS(C) floats. Local.
     */
    void (*forward)(float *x, const int32_t *tokens, const float *wte, const float *wpe, int64_t position,
                    dt_range rows, int64_t C, const dt_dropout *drop, float *factor);

    /**
     * For `rows` of one sequence, takes the gradient dx[T, C] back through the dropout, in its place, and
     * dwpe[T, C] += it. Local.
     */
    void (*backward_positions)(float *dwpe, float *dx, dt_range rows, int64_t C, const dt_dropout *drop,
                               float *factor);

    /**
     * For the rows `ids` of dwte[V, C] += the rows of one sequence's dx[T, C] whose token they are, in the
     * order of positions; dx is what backward_positions leaves. Local.
     */
    void (*backward_tokens)(float *dwte, const float *dx, const int32_t *tokens, int64_t T, int64_t C,
                            dt_range ids);
};
DT_ISA_DECLARE(dt_embedding);

#endif
