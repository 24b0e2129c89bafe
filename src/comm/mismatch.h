/**
 * What should be the same on every rank, and which rank stands out where it is not.
 *
 * The value that more than half of the ranks bring is taken for right, and the others are named with their
 * hosts. Without such a majority, as always with two ranks, all are named.
 */
#ifndef DT_COMM_MISMATCH_H
#define DT_COMM_MISMATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "comm/world.h"

/** Room for a text that ranks compare, and for what is said of a difference, with the 0 byte. */
#define DT_MISMATCH_TEXT_BYTES 256
#define DT_MISMATCH_BYTES      2048

/** The lowest rank whose value, of `value_bytes` bytes, is that of more than half of the `size` ranks; -1
 * when there is none. values[size] are in the order of ranks. Local. */
int dt_mismatch_majority(const void *values, size_t value_bytes, int size);

/**
 * Writes which ranks stand out among values[size] of `value_bytes` each, the same array on every rank:
 * "rank 2 on n1 differs from the other 3 ranks", or, when `texts` says that the values are texts, "rank 2 on
 * n1 has A; the other 3 ranks have B". "" when all are alike. Collective.
 */
dt_status dt_mismatch_describe(const dt_world *world, const void *values, size_t value_bytes, bool texts,
                               char found[DT_MISMATCH_BYTES]);

/** The same for the text that each rank brings, which is cut at DT_MISMATCH_TEXT_BYTES. `found` is the same
 * on all ranks. Collective. */
dt_status dt_mismatch_find(const dt_world *world, const char *mine, char found[DT_MISMATCH_BYTES]);

/** The same for a line of any length, of which the part is shown where it first differs. Collective. */
dt_status dt_mismatch_find_in_line(const dt_world *world, const char *line, char found[DT_MISMATCH_BYTES]);

/**
 * Writes which ranks bring true in `mine`: "rank 1 on n1, rank 3 on n2". `*count` is how many they are; ""
 * for none. The same on all ranks. Collective.
 */
dt_status dt_mismatch_list(const dt_world *world, bool mine, char found[DT_MISMATCH_BYTES], int *count);

#endif
