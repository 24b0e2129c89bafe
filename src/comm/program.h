/**
 * What one rank does to sum one bucket, written down as a short program before anything is sent.
 *
 * A program is a list of operations that are carried out one after another. Messages are only posted by SEND
 * and RECEIVE; WAIT waits for all that were posted since the last WAIT. MEET waits for the ranks of the host.
 * Since a program is plain data, what an exchange sends can be counted, and its sums be checked for hundreds
 * of ranks, without a network. runner.c carries programs out; exchange.c and hierarchy.c write them.
 *
 * Private to comm/. All functions are local.
 */
#ifndef DT_COMM_PROGRAM_H
#define DT_COMM_PROGRAM_H

#include <stdint.h>

#include "comm/tree.h"

typedef enum dt_op_kind {
    DT_OP_RECEIVE, /**< into `out`, from `peer` */
    DT_OP_SEND,    /**< `left`, to `peer` */
    DT_OP_WAIT,    /**< until all messages posted so far are complete on this rank */
    DT_OP_ADD,     /**< out = left + right; `out` may be either */
    DT_OP_COPY,    /**< out = left */
    DT_OP_MEET,    /**< until all ranks of the host have come here; what each wrote before, all see after */
    DT_OP_LIBRARY  /**< out = the sum of all ranks' `left`, by MPI_Allreduce, in whatever order */
} dt_op_kind;

/**
 * The arrays that operations work on. Offsets count floats from the bucket's first; those of the room from
 * its own start.
 */
enum {
    DT_ARRAY_SUM,                                      /**< the caller's vector of results */
    DT_ARRAY_ROOM,                                     /**< this rank's memory for what arrives */
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

/** What carrying a program out comes to. */
typedef struct dt_program_work {
    int64_t messages; /**< sent */
    int64_t sent_floats, received_floats;
    int64_t crossing_sent_floats, crossing_received_floats; /**< of these, to and from other hosts */
    int64_t added_floats, copied_floats;
} dt_program_work;

typedef struct dt_program {
    dt_op *ops; /**< [capacity], the caller's */
    int64_t capacity;
    int64_t count; /**< operations; when above the capacity, what is beyond was counted and not kept */
    int host_first, host_end; /**< ranks from the first up to the second share this one's host, for `work` */

    /* What carrying it out takes. */
    int64_t room_floats;
    int64_t posted_most, travelling_most; /**< messages, and floats in them, between one WAIT and the next */
    int64_t posted, travelling;           /**< the same since the last WAIT, while the program is written */
    dt_program_work work;
} dt_program;

/** Empties the program; keeps its memory and its host. */
void dt_program_clear(dt_program *program);

/** `operand`, `floats` further on. */
dt_operand dt_program_at(dt_operand operand, int64_t floats);

/* Of what follows, each appends one operation, whose operands are `count` floats long; none for 0 floats. */

/** Appends a RECEIVE: posts a message from rank `peer` into `out`, which is there after the next WAIT. */
void dt_program_receive(dt_program *program, int peer, dt_operand out, int64_t count);

/** Appends a SEND: posts a message to rank `peer`, of `from`, which must stay until the next WAIT. */
void dt_program_send(dt_program *program, int peer, dt_operand from, int64_t count);

/** Appends an ADD: out = left + right, where `out` may be either. */
void dt_program_add(dt_program *program, dt_operand out, dt_operand left, dt_operand right, int64_t count);

/** Appends a COPY: out = from. */
void dt_program_copy(dt_program *program, dt_operand out, dt_operand from, int64_t count);

/** Appends a LIBRARY: out = the sum of all ranks' `from`, by MPI_Allreduce, in whatever order. */
void dt_program_library(dt_program *program, dt_operand out, dt_operand from, int64_t count);

/** Appends a WAIT for all messages posted since the last one; nothing where there are none. */
void dt_program_wait(dt_program *program);

/** Appends a MEET of the ranks of the host, which all of them must have as their next. */
void dt_program_meet(dt_program *program);

#endif
