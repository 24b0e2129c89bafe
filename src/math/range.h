/**
 * Which of its outputs a call of a kernel computes: [first, end).
 *
 * A kernel's outputs can be shared out among threads, each of which takes a range of them: rows, columns,
 * elements, or tiles of a matrix. An output is always computed whole, by one thread and in one order, so its
 * bits do not depend on how [0, count) is cut. What is an output of which call is said where the kernel is
 * declared; nothing outside the range is written, but for scratch.
 */
#ifndef DT_MATH_RANGE_H
#define DT_MATH_RANGE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct dt_range {
    int64_t first, end; /**< 0 <= first <= end; none where they are equal */
} dt_range;

/** Whether it is one, as said above. Local. */
static inline bool dt_range_is_proper(dt_range range) {
    return range.first >= 0 && range.first <= range.end;
}

/** The same, and that all of them are among `count` outputs, as those of an empty one are wherever it lies.
 * Local. */
static inline bool dt_range_is_within(dt_range range, int64_t count) {
    return dt_range_is_proper(range) && (range.end <= count || range.first == range.end);
}

/** All of `count` outputs. Local. */
static inline dt_range dt_range_all(int64_t count) {
    return (dt_range){0, count};
}

/** What [first, end) has in common with `range`; empty, with first == end, where that is nothing. Local. */
static inline dt_range dt_range_within(int64_t first, int64_t end, dt_range range) {
    const int64_t from = first > range.first ? first : range.first, to = end < range.end ? end : range.end;
    return (dt_range){from, to > from ? to : from};
}

#endif
