/**
 * What one rank does to sum one bucket, written down before anything is sent.
 *
 * A schedule is a list of operations that are carried out one after another. Messages are only posted by SEND
 * and RECEIVE; WAIT waits for all that were posted since the last WAIT. HOST_BARRIER waits for the ranks of
 * the host. Since a schedule is plain data, executor.c carries it out, cost.c counts what it moves, the
 * memory that it takes is read off it, and a test plays it on thousands of ranks without a network. flat.c
 * and hierarchical.c write schedules, for generator.h.
 *
 * Private to allreduce/. All functions are local.
 */
#ifndef DT_ALLREDUCE_SCHEDULE_H
#define DT_ALLREDUCE_SCHEDULE_H

#include <stdint.h>

#include "allreduce/tree.h"

typedef enum dt_op_kind {
    DT_OP_RECEIVE,      /**< into `out`, from `peer` */
    DT_OP_SEND,         /**< `left`, to `peer` */
    DT_OP_WAIT,         /**< until all messages posted so far are complete on this rank */
    DT_OP_ADD,          /**< out = left + right; `out` may be either */
    DT_OP_COPY,         /**< out = left */
    DT_OP_HOST_BARRIER, /**< until all ranks of the host have come here; what each wrote before, all see after
                         */
    DT_OP_LIBRARY       /**< out = the sum of all ranks' `left`, by MPI_Allreduce, in whatever order */
} dt_op_kind;

/**
 * The arrays that operations work on. Offsets count floats from the bucket's first; those of the workspace
 * from its own start.
 */
enum {
    DT_ARRAY_SUM,                                      /**< the caller's vector of results */
    DT_ARRAY_WORKSPACE,                                /**< this rank's memory for what arrives */
    DT_ARRAY_RESULT,                                   /**< the host's memory for finished sums */
    DT_ARRAY_OWN,                                      /**< + i: node i of this rank's cover */
    DT_ARRAY_SHARED = DT_ARRAY_OWN + DT_TREE_COVER_MAX /**< + i: the host's memory for node i of its ranks' */
};

/** A place in an array. */
typedef struct dt_operand {
    int array;
    int64_t first;
} dt_operand;

typedef struct dt_op {
    dt_op_kind kind;
    int peer; /**< a rank of the world */
    dt_operand out, left, right;
    int64_t count; /**< floats */
} dt_op;

/** What an executor must have ready for a schedule. */
typedef struct dt_schedule_needs {
    int64_t ops;
    int64_t workspace_floats;
    int64_t messages;          /**< the most that are under way between one WAIT and the next */
    int64_t travelling_floats; /**< the most that are in them */
} dt_schedule_needs;

/** What carrying a schedule out comes to. */
typedef struct dt_schedule_work {
    int64_t messages; /**< sent */
    int64_t sent_floats, received_floats;
    int64_t crossing_sent_floats, crossing_received_floats; /**< of these, to and from other hosts */
    int64_t added_floats, copied_floats;
} dt_schedule_work;

typedef struct dt_schedule {
    dt_op *ops; /**< [capacity], the caller's */
    int64_t capacity;
    int64_t count; /**< operations; when above the capacity, what is beyond was counted and not kept */
    int host_first, host_end; /**< ranks from the first up to the second share this one's host, for `work` */
    dt_schedule_needs needs;
    dt_schedule_work work;
    int64_t posted, travelling; /**< messages and their floats since the last WAIT, while it is written */
} dt_schedule;

/** Empties the schedule; keeps its memory and its host. */
void dt_schedule_clear(dt_schedule *schedule);

/** Raises `needs` to what `schedule` takes. */
void dt_schedule_raise_needs(dt_schedule_needs *needs, const dt_schedule *schedule);

/** `operand`, `floats` further on. */
dt_operand dt_schedule_at(dt_operand operand, int64_t floats);

/* Of what follows, each appends one operation, whose operands are `count` floats long; none for 0 floats. */

/** Appends a RECEIVE: posts a message from rank `peer` into `out`, which is there after the next WAIT. */
void dt_schedule_receive(dt_schedule *schedule, int peer, dt_operand out, int64_t count);

/** Appends a SEND: posts a message to rank `peer`, of `from`, which must stay until the next WAIT. */
void dt_schedule_send(dt_schedule *schedule, int peer, dt_operand from, int64_t count);

/** Appends an ADD: out = left + right, where `out` may be either. */
void dt_schedule_add(dt_schedule *schedule, dt_operand out, dt_operand left, dt_operand right, int64_t count);

/** Appends a COPY: out = from. */
void dt_schedule_copy(dt_schedule *schedule, dt_operand out, dt_operand from, int64_t count);

/** Appends a LIBRARY: out = the sum of all ranks' `from`, by MPI_Allreduce, in whatever order. */
void dt_schedule_library(dt_schedule *schedule, dt_operand out, dt_operand from, int64_t count);

/** Appends a WAIT for all messages posted since the last one; nothing where there are none. */
void dt_schedule_wait(dt_schedule *schedule);

/** Appends a HOST_BARRIER, which all ranks of the host must have as their next. */
void dt_schedule_host_barrier(dt_schedule *schedule);

#endif
