/**
 * How blocks of memory, and the tensors in them, are aligned.
 */
#ifndef DT_BASE_ALIGN_H
#define DT_BASE_ALIGN_H

/** Every block starts on a cache line, which is also the widest vector register. */
#define DT_MEMORY_ALIGN 64

/** Floats in one aligned unit: offsets into arrays are rounded up to it so that every tensor is aligned. */
#define DT_MEMORY_ALIGN_FLOATS 16

#endif
