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
#else
typedef float dt_element;

static inline float dt_operand_get(dt_element element) {
    return element;
}

static inline dt_element dt_operand_make(float value) {
    return value;
}
#endif
#endif

#endif
