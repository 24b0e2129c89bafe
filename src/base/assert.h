/**
 * Contracts that are checked while the program runs: what a header promises, or asks of its callers, and a
 * function can see to be broken at its top.
 *
 *     DT_ASSERT(rank >= 0 && rank < size);
 *     DT_ASSERT_ALIGNED(gradient);
 *     DT_ASSERT_APART(out, count * sizeof *out, in, count * sizeof *in);
 *
 * They are for faults of the program alone: what a user, a file or another process may cause is a dt_status.
 * Builds for debugging and with sanitizers check them (DT_CONTRACTS is 1, set by CMake); in all others they
 * are compiled for their warnings and become no code. So an argument must have no effect. What ranks must
 * agree on is checked by comm/contract.h.
 */
#ifndef DT_BASE_ASSERT_H
#define DT_BASE_ASSERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"

#ifndef DT_CONTRACTS
#define DT_CONTRACTS 0
#endif

/** Ends the process unless `expression` is true; `what` is how the sentence tells it. Local; any thread. */
#if DT_CONTRACTS
#define DT_ASSERT_THAT(expression, what)                                                                     \
    ((expression) ? (void)0 : dt_assert_fail("assertion failed: " what, __FILE__, __LINE__, __func__))
#else
#define DT_ASSERT_THAT(expression, what) ((void)(0 && (expression)))
#endif

/** The same, told by the expression itself. Local; any thread. */
#define DT_ASSERT(expression) DT_ASSERT_THAT(expression, #expression)

/** That `pointer` stands on a multiple of DT_MEMORY_ALIGN bytes, as blocks of base/memory.h do. */
#define DT_ASSERT_ALIGNED(pointer)                                                                           \
    DT_ASSERT_THAT(dt_assert_is_aligned(pointer), #pointer " is aligned to a cache line")

/** That two arrays of so many bytes have none in common. */
#define DT_ASSERT_APART(one, one_bytes, other, other_bytes)                                                  \
    DT_ASSERT_THAT(dt_assert_is_apart(one, (int64_t)(one_bytes), other, (int64_t)(other_bytes)),             \
                   #one " and " #other " do not overlap")

/** The same, but that they may be one array: a result that takes the place of what it is made from. */
#define DT_ASSERT_SAME_OR_APART(one, one_bytes, other, other_bytes)                                          \
    DT_ASSERT_THAT((const void *)(one) == (const void *)(other) ||                                           \
                       dt_assert_is_apart(one, (int64_t)(one_bytes), other, (int64_t)(other_bytes)),         \
                   #one " is " #other ", or they do not overlap")

/** Whether `pointer` is a multiple of DT_MEMORY_ALIGN; NULL is. Local. */
static inline bool dt_assert_is_aligned(const void *pointer) {
    return (uintptr_t)pointer % DT_MEMORY_ALIGN == 0;
}

/** Whether the arrays one[one_bytes] and other[other_bytes] have no byte in common; one of 0 bytes has none.
 * Local. */
static inline bool dt_assert_is_apart(const void *one, int64_t one_bytes, const void *other,
                                      int64_t other_bytes) {
    const uintptr_t a = (uintptr_t)one, b = (uintptr_t)other;
    return one_bytes <= 0 || other_bytes <= 0 ||
           (a < b ? b - a >= (uintptr_t)one_bytes : a - b >= (uintptr_t)other_bytes);
}

/** Elements from the first to the last of a matrix [rows, cols] whose rows start `stride` elements apart.
 * Local.
 */
static inline int64_t dt_assert_extent(int64_t rows, int64_t cols, int64_t stride) {
    return rows > 0 ? (rows - 1) * stride + cols : 0;
}

/** Tells which rank this process is, for sentences; MPI may not be asked when one is due. Until then none is
 * named. Local. */
void dt_assert_set_rank(int rank);

/**
 * Prints to standard error "dtrain: SENTENCE at FILE:LINE in FUNCTION on rank R", with `file` from its src/
 * on, and ends the process by SIGABRT, so that a debugger or a core file shows where. Local; any thread.
 */
_Noreturn void dt_assert_fail(const char *sentence, const char *file, int line, const char *function);

#endif
