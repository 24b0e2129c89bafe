/* A library that does as one linked with -ffast-math: it changes the arithmetic of whoever loads it. */
#include "support/arithmetic.h"

static void __attribute__((constructor)) change(void) {
    arithmetic_flush(1);
}
