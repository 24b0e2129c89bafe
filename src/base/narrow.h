/**
 * The one place where a 64-bit count becomes the int that MPI and BLAS ask for.
 */
#ifndef DT_BASE_NARROW_H
#define DT_BASE_NARROW_H

#include <stdint.h>

/**
 * `count` as an int. Callers keep counts in range by construction (buckets and matrix sizes are bounded
 * before a run starts), so a count out of range is a fault in the program: it says so and ends the process.
 * Local.
 */
int dt_narrow(int64_t count);

#endif
