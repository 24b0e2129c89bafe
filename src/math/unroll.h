/**
 * How the inner loops of a tile are compiled: its rows stand in registers only where every loop over them is
 * unrolled whole and every function is inlined.
 *
 * A build with sanitizers checks every access in every copy of a loop: unrolled, one file would take a
 * compiler minutes. There loops stay loops and the number of rows a variable; the results are the same.
 */
#ifndef DT_MATH_UNROLL_H
#define DT_MATH_UNROLL_H

#if defined DT_SANITIZED && defined __clang__
#define DT_UNROLL _Pragma("clang loop unroll(disable)")
#elif defined DT_SANITIZED
#define DT_UNROLL _Pragma("GCC unroll 1")
#elif defined __clang__
#define DT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define DT_UNROLL _Pragma("GCC unroll 16")
#endif

#define DT_UNROLL_INLINE static inline __attribute__((always_inline))

/** Runs CALL(rows), for rows from 1 to 6 or to 14, with a constant in place of `rows`. */
#ifdef DT_SANITIZED
#define DT_UNROLL_6(rows, CALL)  CALL(rows)
#define DT_UNROLL_14(rows, CALL) CALL(rows)
#else
/* clang-format off */
#define DT_UNROLL_CASE(n, CALL) case n: CALL(n); break;
#define DT_UNROLL_CASES_6(CALL)                                                       \
    DT_UNROLL_CASE(1, CALL) DT_UNROLL_CASE(2, CALL) DT_UNROLL_CASE(3, CALL)           \
    DT_UNROLL_CASE(4, CALL) DT_UNROLL_CASE(5, CALL) DT_UNROLL_CASE(6, CALL)
#define DT_UNROLL_CASES_14(CALL) DT_UNROLL_CASES_6(CALL)                              \
    DT_UNROLL_CASE(7, CALL) DT_UNROLL_CASE(8, CALL) DT_UNROLL_CASE(9, CALL)           \
    DT_UNROLL_CASE(10, CALL) DT_UNROLL_CASE(11, CALL) DT_UNROLL_CASE(12, CALL)        \
    DT_UNROLL_CASE(13, CALL) DT_UNROLL_CASE(14, CALL)
#define DT_UNROLL_6(rows, CALL)  do { switch (rows) { DT_UNROLL_CASES_6(CALL) } } while (0)
#define DT_UNROLL_14(rows, CALL) do { switch (rows) { DT_UNROLL_CASES_14(CALL) } } while (0)
/* clang-format on */
#endif

#endif
