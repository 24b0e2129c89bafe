/**
 * The one scheduler of the allreduce: from a job, as plain data, to the schedule of each of its ranks.
 *
 * allreduce.c executes these schedules, cost.c predicts them, and both read the memory that they take off
 * them, so nothing is counted twice. A new algorithm is a value in config/choices.h and a line in
 * generator.c's table of writers; how a writer appends operations is in schedule.h.
 *
 * Needs no MPI and moves nothing: all functions are local.
 */
#ifndef DT_ALLREDUCE_GENERATOR_H
#define DT_ALLREDUCE_GENERATOR_H

#include <stdint.h>

#include "allreduce/form.h"
#include "allreduce/hierarchical.h"
#include "allreduce/partition.h"
#include "allreduce/schedule.h"
#include "base/dtype.h"
#include "base/status.h"
#include "config/choices.h"

/** Buckets under way at once: enough to keep the network busy while each waits for the next look at its
 * messages, which beside a backward pass is milliseconds away, several times per bucket. */
#define DT_SLOTS_MAX 8

/** A job, which there need not be. */
typedef struct dt_generator_job {
    int size;  /**< ranks */
    int hosts; /**< 0 where ranks of a host do not follow each other, or nothing is known of hosts */
    const int
        *starts; /**< [hosts + 1]: host h has the ranks [starts[h], starts[h + 1]), none of them empty */
    int64_t micro_batches; /**< of a step; at least as many as ranks */
    dt_algorithm algorithm;
    dt_form form;
} dt_generator_job;

/** What schedules are written from, for one rank at a time. */
typedef struct dt_generator {
    dt_generator_job job; /**< its algorithm is the one that was taken, never AUTO */
    int rank;
    int host_first, host_end; /**< the ranks of its host */
    dt_partition partition;   /**< of the ranks */
    dt_hierarchical hierarchical;
    dt_operand own[DT_TREE_COVER_MAX]; /**< where the nodes of the rank's cover stand */
} dt_generator;

/**
 * The algorithm that such a job takes, which is never AUTO. Fails with DT_USAGE where `hierarchical` is asked
 * for and the hosts are not known.
 */
dt_status dt_generator_choose(const dt_generator_job *job, dt_algorithm *algorithm);

/**
 * Prepares schedules for rank `rank` of `job`, whose `starts` must outlive the generator. Fails with DT_USAGE
 * with more ranks than micro-batches, and as dt_generator_choose does. The caller frees it, after a failure
 * too.
 */
dt_status dt_generator_create(dt_generator *generator, const dt_generator_job *job, int rank);

/** Goes on to another rank of the same job. */
dt_status dt_generator_set_rank(dt_generator *generator, int rank);

/** Frees what it holds; one that is all zero is fine. */
void dt_generator_free(dt_generator *generator);

/** Writes what the rank does for a bucket of `count` floats, a multiple of DT_MEMORY_ALIGN_FLOATS, into
 * `schedule`, whose memory is kept. */
void dt_generator_write(const dt_generator *generator, int64_t count, dt_schedule *schedule);

/** The rank's own part of a bucket of `count` floats; all of it in an allreduce, and with one rank. */
dt_slice dt_generator_piece(const dt_generator *generator, int64_t count);

/** Raises `needs` to what a bucket of `count` floats takes. */
void dt_generator_raise_needs(const dt_generator *generator, int64_t count, dt_schedule_needs *needs);

/** How many slots `buckets` buckets take turns in. */
int dt_generator_slots(int64_t buckets);

/** How many arrays schedules name (schedule.h). */
int64_t dt_generator_arrays(const dt_generator *generator);

/** How many nodes rank `local` of the host has in the host's memory; 0 where no memory is shared, and in an
 * allgather. */
int64_t dt_generator_shared_nodes(const dt_generator *generator, int local);

/** Floats of the host's memory that rank `local` of the host brings for one slot of buckets of at most
 * `longest` floats: its nodes, and the first rank's results behind them, which a reduce-scatter needs none
 * of; 0 where no memory is shared. */
int64_t dt_generator_shared_floats(const dt_generator *generator, int local, int64_t longest);

/** Bytes that the rank allocates for `slots` slots: for what arrives, what travels in another dtype, and its
 * part of the host's shared memory. */
int64_t dt_generator_bytes(const dt_generator *generator, const dt_schedule_needs *needs, int64_t longest,
                           int slots, dt_dtype dtype);

#endif
