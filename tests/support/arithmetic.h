/**
 * The modes in which a processor computes, for tests of how dtrain meets one that a library has changed.
 */
#ifndef DT_TESTS_ARITHMETIC_H
#define DT_TESTS_ARITHMETIC_H

#include <stdint.h>

/** From now on this thread makes 0 of denormal numbers, or keeps them again. */
static inline void arithmetic_flush(int on) {
#if defined(__x86_64__)
    const uint32_t both = 0x8040; /* of MXCSR: flush-to-zero, denormals-are-zero */
    const uint32_t mode = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(on ? mode | both : mode & ~both);
#elif defined(__aarch64__)
    const uint64_t flush = UINT64_C(1) << 24; /* of FPCR: FZ */
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    mode = on ? mode | flush : mode & ~flush;
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
#error "say how this processor flushes denormal numbers to zero"
#endif
}

#endif
