/**
 * Schedules of whole jobs, played in one process without MPI.
 *
 * Nodes are combined by a function that is neither commutative nor associative, on 64 bits, so that any other
 * order, operand or slice than the canonical tree's gives another value. One value stands for an aligned unit
 * of floats. All functions are local; those that check fail the test.
 */
#ifndef DT_TESTS_PLAY_H
#define DT_TESTS_PLAY_H

#include <stdint.h>

#include "allreduce/generator.h"

/** A hash of 64 bits, for drawing too. */
uint64_t play_mix(uint64_t x);

/** What stands for left + right. */
uint64_t play_combine(uint64_t left, uint64_t right);

/** The canonical tree's value of a node, for one unit. */
uint64_t play_value(dt_tree_node node, int64_t unit);

/**
 * Plays the sum of `units` units over `micro_batches` by the schedules of all ranks, of which host h has
 * [starts[h], starts[h + 1]), and compares every rank's result with the tree's.
 */
void play_check(dt_algorithm algorithm, int hosts, const int *starts, int64_t micro_batches, int64_t units);

/**
 * Plays the two halves of such a sum by themselves: after the reduce-scatter every rank has the tree's values
 * in its piece, the pieces of all ranks are the vector, and after the allgather of these every rank has all.
 */
void play_check_halves(dt_algorithm algorithm, int hosts, const int *starts, int64_t micro_batches,
                       int64_t units);

/** play_check, or play_check_halves, on `size` ranks, `host_ranks` on each host and maybe fewer on the last.
 */
void play_check_even(dt_algorithm algorithm, int size, int host_ranks, int64_t micro_batches, int64_t units);
void play_check_even_halves(dt_algorithm algorithm, int size, int host_ranks, int64_t micro_batches,
                            int64_t units);

#endif
