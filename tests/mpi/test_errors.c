/*
 * What MPI refuses comes back as a status with MPI's own words, and neither ends the job nor is lost. MPI's
 * functions go through wrappers that can be told to fail (tests/CMakeLists.txt).
 */
#include <mpi.h>
#include <string.h>

#include "allreduce/allreduce.h"
#include "base/memory.h"
#include "support/cmocka_mpi.h"

static const char *failing; /* the function that is to fail, or NULL */

static bool fails(const char *function) {
    return failing != NULL && strcmp(failing, function) == 0;
}

/* A function of MPI that fails when it is told to. */
#define WRAP(function, parameters, arguments)                                                                \
    int __real_##function parameters;                                                                        \
    int __wrap_##function parameters;                                                                        \
    int __wrap_##function parameters {                                                                       \
        return fails(#function) ? MPI_ERR_OTHER : __real_##function arguments;                               \
    }

WRAP(MPI_Barrier, (MPI_Comm comm), (comm))
WRAP(MPI_Ibarrier, (MPI_Comm comm, MPI_Request *request), (comm, request))
WRAP(MPI_Bcast, (void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm),
     (buffer, count, type, root, comm))
WRAP(MPI_Allreduce,
     (const void *from, void *to, int count, MPI_Datatype type, MPI_Op operation, MPI_Comm comm),
     (from, to, count, type, operation, comm))
WRAP(MPI_Allgather,
     (const void *from, int from_count, MPI_Datatype from_type, void *to, int to_count, MPI_Datatype to_type,
      MPI_Comm comm),
     (from, from_count, from_type, to, to_count, to_type, comm))
WRAP(MPI_Comm_dup, (MPI_Comm comm, MPI_Comm *copy), (comm, copy))
WRAP(MPI_Comm_split, (MPI_Comm comm, int color, int key, MPI_Comm *subset), (comm, color, key, subset))
WRAP(MPI_Irecv,
     (void *buffer, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *request),
     (buffer, count, type, from, tag, comm, request))

/* The call fails, and the recorded sentence names the function of MPI. */
#define assert_told(function, call)                                                                          \
    do {                                                                                                     \
        failing = function;                                                                                  \
        const dt_status status = (call);                                                                     \
        failing = NULL;                                                                                      \
        assert_int_equal(status, DT_FAILED);                                                                 \
        if (world.rank == 0 && strstr(dt_error(), function " failed: ") == NULL)                             \
            fail_msg("%s", dt_error());                                                                      \
    } while (0)

static void the_world_tells(void **state) {
    (void)state;
    char bytes[4] = "abc";
    int64_t value = 1;
    dt_world subset;
    assert_told("MPI_Barrier", dt_world_barrier(&world));
    assert_told("MPI_Bcast", dt_world_broadcast(&world, bytes, 3));
    assert_told("MPI_Allreduce", dt_world_host_sum(&world, &value));
    assert_told("MPI_Comm_split", dt_world_split(&world, world.size, &subset));
    assert_ok(dt_world_split(&world, world.size, &subset));
    assert_told("MPI_Ibarrier", dt_world_rejoin(&world, &subset));
    assert_ok(dt_world_barrier(&world));
}

#define ELEMENTS (4 * DT_MEMORY_ALIGN_FLOATS)

static dt_status create(dt_allreduce **allreduce, dt_algorithm algorithm) {
    static const int64_t bounds[] = {0, ELEMENTS};
    const dt_allreduce_options options = {.algorithm = algorithm};
    return dt_allreduce_create(allreduce, &world, world.size, ELEMENTS, bounds, 1, &options);
}

static dt_allreduce *left_under_way;

static void the_allreduce_tells(void **state) {
    (void)state;
    dt_allreduce *allreduce;
    float *vector = dt_memory_alloc(ELEMENTS, sizeof *vector, "a vector");
    assert_non_null(vector);
    if (world.size > 1) {
        assert_told("MPI_Comm_dup", create(&allreduce, DT_ALGORITHM_FLAT));
        assert_told("MPI_Allgather", create(&allreduce, DT_ALGORITHM_HIERARCHICAL));
    }
    /* Of two ranks each receives before it sends. What a failure leaves under way stays until the job ends.
     */
    if (world.size == 2) {
        assert_ok(create(&left_under_way, DT_ALGORITHM_FLAT));
        assert_told("MPI_Irecv", dt_allreduce_start(left_under_way, 0, &vector, vector));
    }
    dt_memory_free(vector);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(the_world_tells),
                                          cmocka_unit_test(the_allreduce_tells)};

CMOCKA_MPI_MAIN(tests)
