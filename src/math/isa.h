/**
 * How one source becomes code for three kinds of processor.
 *
 * The kernel files of math/ (all but matmul.c, which is OpenBLAS's) are compiled three times, for AVX-512,
 * for AVX2 and for every x86-64 processor. Each exports one constant, a struct of functions, whose name ends
 * in the instruction set: gelu.c exports dt_gelu_avx512, dt_gelu_avx2 and dt_gelu_baseline. kernels.c picks
 * one set when the program starts. The loops are plain C, or the compilers' vector types, and become vector
 * code by themselves; one multiplication alone is named to the processor (philox_lanes.h). Nothing else
 * depends on the instruction set.
 */
#ifndef DT_MATH_ISA_H
#define DT_MATH_ISA_H

#define DT_ISA_JOIN2(name, isa) name##_##isa
#define DT_ISA_JOIN(name, isa)  DT_ISA_JOIN2(name, isa)

/** The name of this compilation's variant: DT_ISA is avx512, avx2 or baseline. */
#define DT_ISA_NAME(name) DT_ISA_JOIN(name, DT_ISA)

/** Declares all three variants of a struct of kernels. */
#define DT_ISA_DECLARE(type) extern const struct type type##_avx512, type##_avx2, type##_baseline

#endif
