/**
 * The mode of the processor in which denormal floats count as zero, for the bfloat16 tile where it is
 * computed by other instructions than its own (math/tile_bf16.h).
 *
 * Everything else is computed with gradual underflow, so whoever changes the mode restores it at once. In it
 * a denormal input is a zero of its sign, and so is a result that is tiny after rounding. That is x86-64's
 * flush-to-zero; Arm's judges results before rounding. Functions are local, and concern the calling thread.
 */
#ifndef DT_MATH_DENORMALS_H
#define DT_MATH_DENORMALS_H

#include <stdbool.h>
#include <stdint.h>

#if defined __SSE2__
#include <immintrin.h>

/** Whether this processor has the mode; elsewhere a step at a time must do (dt_tile_bf16_step). */
#define DT_DENORMALS_FLUSH 1

/* The control register MXCSR: all exceptions masked, to nearest; flush to zero, and denormals are zeros. */
#define DT_DENORMALS_PLAIN 0x1f80u
#define DT_DENORMALS_ZERO  (0x8000u | 0x0040u)
/* Its flags that say that a result was too small or too large. */
#define DT_DENORMALS_RANGE (0x0010u | 0x0008u)

/** Makes denormals zeros, rounds to nearest and clears the flags; returns what to restore. */
static inline uint32_t dt_denormals_flush(void) {
    const uint32_t before = _mm_getcsr();
    _mm_setcsr(DT_DENORMALS_PLAIN | DT_DENORMALS_ZERO);
    return before;
}

/** Restores mode and flags; returns whether a result was out of the range of normal numbers since
 * dt_denormals_flush. */
static inline bool dt_denormals_restore(uint32_t before) {
    const bool out_of_range = (_mm_getcsr() & DT_DENORMALS_RANGE) != 0;
    _mm_setcsr(before);
    return out_of_range;
}
#else
#define DT_DENORMALS_FLUSH 0
#endif

#endif
