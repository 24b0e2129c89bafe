/**
 * Collective functions called alike: that all ranks are in the same one, and that the arguments which must
 * agree do. Where not, the job ends with a sentence that names the function, the argument and who has what:
 *
 *     dtrain: ranks disagree on the argument "elements" of dt_allreduce_create: 96 on rank 0, 128 on ranks 1,
 *     2 at src/allreduce/allreduce.c:122 in dt_allreduce_create on rank 0
 *
 * The first line of a collective function, before it looks at anything that may differ:
 *
 *     DT_COLLECTIVE(world, DT_SAME_INT(elements), DT_SAME_BYTES(bounds, bytes));
 *     DT_COLLECTIVE_CALL(world);     where no argument need agree
 *
 * For faults of the program, like DT_ASSERT (base/assert.h), and checked in the same builds, by one message
 * of 144 bytes among all ranks; in all others there is no code, and no message. All ranks must be of one
 * build. What a step does for each bucket or micro-batch has no check: dt_allreduce_start does not wait for
 * other ranks, and is not to. The idea is that of PETSc's PetscValidLogicalCollectiveInt.
 */
#ifndef DT_COMM_CONTRACT_H
#define DT_COMM_CONTRACT_H

#include <stdint.h>

#include "base/assert.h"
#include "comm/job.h"

/** The most arguments that one call compares. */
#define DT_CONTRACT_ARGUMENTS_MAX 8

typedef enum dt_contract_kind {
    DT_CONTRACT_INT,
    DT_CONTRACT_REAL, /**< the same bits: a NaN agrees with itself */
    DT_CONTRACT_TEXT,
    DT_CONTRACT_BYTES
} dt_contract_kind;

/** One argument as this rank has it. */
typedef struct dt_contract_argument {
    const char *name;
    dt_contract_kind kind;
    int64_t number;   /**< of an INT; the length of BYTES */
    double real;      /**< of a REAL */
    const void *what; /**< the TEXT or BYTES, which may be NULL */
} dt_contract_argument;

/** An integer, a boolean or an enum. */
#define DT_SAME_INT(argument)                                                                                \
    { .name = #argument, .kind = DT_CONTRACT_INT, .number = (int64_t)(argument) }

/** A double. */
#define DT_SAME_REAL(argument)                                                                               \
    { .name = #argument, .kind = DT_CONTRACT_REAL, .real = (argument) }

/** A string, or NULL. */
#define DT_SAME_TEXT(argument)                                                                               \
    { .name = #argument, .kind = DT_CONTRACT_TEXT, .what = (argument) }

/** `bytes` bytes of an array without padding, or NULL. */
#define DT_SAME_BYTES(argument, bytes)                                                                       \
    { .name = #argument, .kind = DT_CONTRACT_BYTES, .what = (argument), .number = (int64_t)(bytes) }

/** Ends the job unless all ranks of `world` are in this function with these arguments alike. Collective. */
#define DT_COLLECTIVE(world, ...)                                                                            \
    DT_COLLECTIVE_IF_CHECKED(dt_contract_check(                                                              \
        world, __FILE__, __LINE__, __func__, (const dt_contract_argument[]){__VA_ARGS__},                    \
        (int)(sizeof((const dt_contract_argument[]){__VA_ARGS__}) / sizeof(dt_contract_argument))))

/** The same for a function whose arguments may differ. Collective. */
#define DT_COLLECTIVE_CALL(world)                                                                            \
    DT_COLLECTIVE_IF_CHECKED(dt_contract_check(world, __FILE__, __LINE__, __func__, NULL, 0))

/* Compiled always, called in builds that check contracts. */
#if DT_CONTRACTS
#define DT_COLLECTIVE_IF_CHECKED(check) ((void)(check))
#else
#define DT_COLLECTIVE_IF_CHECKED(check) ((void)(0 && (check)))
#endif

/** What DT_COLLECTIVE calls, with the file and the function that it stands in; true, or does not return.
 * Allocates nothing where ranks agree. Collective. */
bool dt_contract_check(const dt_world *world, const char *file, int line, const char *function,
                       const dt_contract_argument *arguments, int count);

#endif
