/**
 * cmocka under mpirun: every rank runs the same group of tests, and a failure on any rank fails the run.
 *
 * Rank 0 prints the progress; the others print only what fails. A rank that fails ends the whole job at once,
 * since the others would wait for it in their next collective.
 */
#ifndef DT_TESTS_CMOCKA_MPI_H
#define DT_TESTS_CMOCKA_MPI_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "comm/world.h"

/** The job that the tests run in. */
static dt_world world;

/** Opens `world`; returns false, having said why, when there is no job to run tests in. Collective. */
static inline bool cmocka_mpi_open(void) {
    setenv("CMOCKA_TEST_ABORT", "1",
           1); /* on failure cmocka prints it and calls abort(), which mpirun sees */
    if (dt_world_open(&world) != DT_OK) {
        fprintf(stderr, "%s\n", dt_error());
        return false;
    }
    if (world.rank != 0 && freopen("/dev/null", "w", stdout) == NULL)
        return false;
    return true;
}

/** Fails the test with the recorded sentence unless `call` succeeds. */
#define assert_ok(call)                                                                                      \
    do {                                                                                                     \
        if ((call) != DT_OK)                                                                                 \
            fail_msg("rank %d of %d: %s", world.rank, world.size, dt_error());                               \
    } while (0)

/** main() of a test program: runs the array `tests` on all ranks. */
#define CMOCKA_MPI_MAIN(tests)                                                                               \
    int main(void) {                                                                                         \
        if (!cmocka_mpi_open())                                                                              \
            return 1;                                                                                        \
        int failures = cmocka_run_group_tests(tests, NULL, NULL);                                            \
        dt_world_close(&world);                                                                              \
        return failures;                                                                                     \
    }

#endif
