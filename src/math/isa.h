/**
 * How one source becomes code for several kinds of processor.
 *
 * The kernel files of math/ (all but matmul.c and linear_blas.c, which are OpenBLAS's) are compiled once for
 * each set in DT_ISA_EACH: on x86-64 for AVX-512 with and without products of bfloat16, for AVX2 and for
 * every such processor, on 64-bit Arm for NEON, which each has. Each exports one constant, a struct of
 * functions, whose name ends in the instruction set: gemm.c exports dt_gemm_avx512, dt_gemm_avx2 and
 * dt_gemm_baseline. Files that take or make operands (math/operand.h) are moreover compiled for a compute
 * dtype, some for both, and their names say so: dt_gelu_bf16_avx2. kernels.c picks one set when the program
 * starts. The loops are plain C, or the compilers' vector types, and become vector code by themselves; few
 * instructions are named to the processor (philox_lanes.h, tile_bf16.c). Nothing else depends on the
 * instruction set.
 */
#ifndef DT_MATH_ISA_H
#define DT_MATH_ISA_H

#define DT_ISA_JOIN2(name, isa) name##_##isa
#define DT_ISA_JOIN(name, isa)  DT_ISA_JOIN2(name, isa)

/** The name of this compilation's variant: DT_ISA is one of the sets below. */
#define DT_ISA_NAME(name) DT_ISA_JOIN(name, DT_ISA)

/** X(isa, with) for each set of the architecture, from the fastest to the one that every processor runs. The
 * flags of each are in CMakeLists.txt. */
#if defined __x86_64__
#define DT_ISA_EACH(X, with) X(avx512_bf16, with) X(avx512, with) X(avx2, with) X(baseline, with)
#elif defined __aarch64__
#define DT_ISA_EACH(X, with) X(neon, with)
#else
#error "Kernels are compiled for x86-64 and for 64-bit Arm only."
#endif

/** Declares all variants of a struct of kernels. What follows them takes the semicolon. */
#define DT_ISA_DECLARE(type)          DT_ISA_EACH(DT_ISA_DECLARE_ONE, type) struct type
#define DT_ISA_DECLARE_ONE(isa, type) extern const struct type type##_##isa;

/** The name of a variant for one instruction set and one compute dtype: dt_gelu_bf16_avx2 (math/operand.h).
 */
#define DT_COMPUTE_NAME(name) DT_ISA_NAME(DT_ISA_JOIN(name, DT_COMPUTE))

/** Declares the variants of a struct of kernels for each instruction set and compute dtype. */
#define DT_COMPUTE_DECLARE(type)          DT_ISA_EACH(DT_COMPUTE_DECLARE_ONE, type) struct type
#define DT_COMPUTE_DECLARE_ONE(isa, type) extern const struct type type##_fp32_##isa, type##_bf16_##isa;

#endif
