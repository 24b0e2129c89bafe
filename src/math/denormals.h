/**
 * The mode of the processor in which denormal floats count as zero, for the bfloat16 tile where it is
 * computed by other instructions than its own (math/tile_bf16.h).
 *
 * Everything else is computed with gradual underflow, so whoever changes the mode restores it at once. In it
 * a denormal input is a zero of its sign, and so is a tiny result. x86-64 judges results after rounding, Arm
 * before it: fma(2^-80, -2^-80, 2^-126) is 2^-126 on the one and 0 on the other. Both raise a flag where they
 * flush. Functions are local, and concern the calling thread.
 */
#ifndef DT_MATH_DENORMALS_H
#define DT_MATH_DENORMALS_H

#include <stdbool.h>
#include <stdint.h>

#if defined __SSE2__
#include <immintrin.h>

/** Whether a result is flushed that is tiny after rounding, as VDPBF16PS has it. */
#define DT_DENORMALS_AFTER_ROUNDING 1

/** What to restore. */
typedef uint32_t dt_denormals_mode;

/* The control register MXCSR: all exceptions masked, to nearest; flush to zero, and denormals are zeros. */
#define DT_DENORMALS_PLAIN 0x1f80u
#define DT_DENORMALS_ZERO  (0x8000u | 0x0040u)
/* Its flags that say that a result was too small or too large. */
#define DT_DENORMALS_RANGE (0x0010u | 0x0008u)

/** Makes denormals zeros, rounds to nearest and clears the flags; returns what to restore. */
static inline dt_denormals_mode dt_denormals_flush(void) {
    const uint32_t before = _mm_getcsr();
    _mm_setcsr(DT_DENORMALS_PLAIN | DT_DENORMALS_ZERO);
    return before;
}

/** Restores mode and flags; returns whether a result was out of the range of normal numbers since
 * dt_denormals_flush. Arm is asked for results that were too small alone. */
static inline bool dt_denormals_restore(dt_denormals_mode before) {
    const bool out_of_range = (_mm_getcsr() & DT_DENORMALS_RANGE) != 0;
    _mm_setcsr(before);
    return out_of_range;
}
#else
#define DT_DENORMALS_AFTER_ROUNDING 0

typedef uint64_t dt_denormals_mode;

/* Of the control register FPCR, flush to zero, of inputs too; of the flags in FPSR, underflow, which is
 * raised when a result is flushed (Arm Architecture Reference Manual for A-profile, "FPCR" and "FPSR"). All
 * other bits of FPCR are zero: to nearest, and no exception traps. */
#define DT_DENORMALS_ZERO           ((uint64_t)1 << 24)
#define DT_DENORMALS_UNDERFLOW      ((uint64_t)1 << 3)

/** As above: makes denormals zeros, and returns what to restore. */
static inline dt_denormals_mode dt_denormals_flush(void) {
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr\n\tmsr fpcr, %1\n\tmsr fpsr, xzr"
                     : "=&r"(before)
                     : "r"(DT_DENORMALS_ZERO)
                     : "memory");
    return before;
}

/** As above: restores mode and flags; returns whether a result was flushed since dt_denormals_flush. */
static inline bool dt_denormals_restore(dt_denormals_mode before) {
    uint64_t flags;
    __asm__ volatile("mrs %0, fpsr\n\tmsr fpcr, %1" : "=&r"(flags) : "r"(before) : "memory");
    return (flags & DT_DENORMALS_UNDERFLOW) != 0;
}
#endif

#endif
