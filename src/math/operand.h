/**
 * What matrix products and attention take and make: floats in a set of kernels that computes in fp32,
 * bfloat16 (base/bf16.h) in one that computes in bf16.
 *
 * The passes of model/ are one text for both: to them operands are arrays that they hand from kernel to
 * kernel. A file that is compiled once for each compute dtype sees them as `dt_element`s; DT_COMPUTE, which
 * is fp32 or bf16, decides what these are.
 */
#ifndef DT_MATH_OPERAND_H
#define DT_MATH_OPERAND_H

#include <stdint.h>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#include "base/bf16.h"
#include "math/isa.h"

/** An array of operands. */
typedef void dt_operand;

/** As what a product stores its sums; the same thing in fp32. */
typedef enum dt_result {
    DT_RESULT_OPERAND, /**< for the next product, rounded once */
    DT_RESULT_FLOAT    /**< for the residual stream, LayerNorm or the loss */
} dt_result;

#ifdef DT_COMPUTE
#define DT_OPERAND_IS_HALF_fp32 0
#define DT_OPERAND_IS_HALF_bf16 1

#if DT_ISA_JOIN(DT_OPERAND_IS_HALF, DT_COMPUTE)
typedef uint16_t dt_element;

/** The number that an element stands for. Local. */
static inline float dt_operand_get(dt_element element) {
    return dt_bf16_widen(element);
}

/** The element nearest to a number. Local. */
static inline dt_element dt_operand_make(float value) {
    return dt_bf16_round(value);
}

/** Numbers that a kernel makes at a time, to be stored as elements together, and the workspace that it has
 * for them. */
#define DT_OPERAND_BLOCK     64
#define DT_OPERAND_WORKSPACE DT_OPERAND_BLOCK

/** How many of `count` numbers stand in whole blocks; the others are at most one more call. Local. */
static inline int64_t dt_operand_in_blocks(int64_t count) {
    return count / DT_OPERAND_BLOCK * DT_OPERAND_BLOCK;
}

/** Where a kernel puts up to a block of numbers before dt_operand_store. Local. */
static inline float *dt_operand_target(dt_element *to, float workspace[DT_OPERAND_WORKSPACE]) {
    (void)to;
    return workspace;
}

/** Stores `count` numbers, at most a block, that were put where dt_operand_target says. By themselves
 * compilers do not use the instruction that rounds. Local. */
static inline void dt_operand_store(dt_element *restrict to, const float *restrict from, int64_t count) {
    int64_t i = 0;
#ifdef __AVX512BF16__
    for (; i + 16 <= count; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(to + i),
                            (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from + i)));
#endif
    for (; i < count; i++)
        to[i] = dt_operand_make(from[i]);
}
#else
typedef float dt_element;

/* A kernel makes all numbers at once where they belong. */
#define DT_OPERAND_BLOCK     INT64_MAX
#define DT_OPERAND_WORKSPACE 1

/** None of any `count`: no block is ever full, so that compilers leave its loop out. Local. */
static inline int64_t dt_operand_in_blocks(int64_t count) {
    (void)count;
    return 0;
}

/** The number that an element stands for. Local. */
static inline float dt_operand_get(dt_element element) {
    return element;
}

/** The element nearest to a number. Local. */
static inline dt_element dt_operand_make(float value) {
    return value;
}

/** Where a kernel puts its numbers before dt_operand_store: where they belong. Local. */
static inline float *dt_operand_target(dt_element *to, float workspace[DT_OPERAND_WORKSPACE]) {
    (void)workspace;
    return to;
}

/** Nothing is left to do. Local. */
static inline void dt_operand_store(dt_element *to, const float *from, int64_t count) {
    (void)to, (void)from, (void)count;
}
#endif
#endif

#endif
