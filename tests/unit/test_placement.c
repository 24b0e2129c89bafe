/* Which launches are refused and which placements are warned of, and that the sentence holds the corrected
 * numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "comm/placement.h"

typedef struct row {
    dt_placement placement; /* host cores, own cores, ranks here, threads, hosts, limit, all cores */
    const char *expected;   /* what the first warning holds, or NULL for none */
} row;

static void warnings_fit_the_placement(void **state) {
    (void)state;
    const row rows[] = {
        {{8, 1, 8, 1, 1, DT_CPUS_ALL, 8}, NULL},
        {{8, 4, 2, 4, 1, DT_CPUS_ALL, 8}, NULL},
        {{8, 8, 1, 8, 1, DT_CPUS_ALL, 8}, NULL},
        {{2, 2, 8, 1, 1, DT_CPUS_ALL, 2},
         "8 ranks share 2 cores on this host and slow each other down; use mpirun -np 2, or srun -n 2 "
         "--ntasks-per-node=2, on it"},
        {{2, 2, 8, 1, 4, DT_CPUS_ALL, 2},
         "use mpirun -np 8, or srun -n 8 --ntasks-per-node=2, on these hosts"},
        {{8, 8, 4, 4, 1, DT_CPUS_ALL, 8}, "4 ranks of 4 threads share 8 cores"},
        {{8, 8, 4, 4, 1, DT_CPUS_ALL, 8}, "OMP_NUM_THREADS=2"},
        {{2, 2, 1, 4, 1, DT_CPUS_ALL, 2},
         "1 rank of 4 threads share 2 cores on this host and slow each other down; set OMP_NUM_THREADS=2"},
        {{2, 2, 4, 4, 1, DT_CPUS_ALL, 2}, "OMP_NUM_THREADS=1"},
        {{8, 1, 2, 4, 1, DT_CPUS_ALL, 8}, "a rank with 4 threads is bound to 1 core,"},
        {{8, 1, 2, 4, 1, DT_CPUS_ALL, 8}, "--map-by slot:PE=4"},
        {{1, 1, 2, 1, 1, DT_CPUS_MASK, 8},
         "2 ranks share 1 core on this host, where an affinity mask leaves them 1 of 8, and slow each other down; "
         "use mpirun -np 1, or srun -n 1 --ntasks-per-node=1, on it, or widen the mask"},
        {{2, 8, 2, 2, 1, DT_CPUS_QUOTA, 8},
         "2 ranks of 2 threads share 2 cores on this host, where a CPU quota leaves them 2 of 8, and slow each other "
         "down; set OMP_NUM_THREADS=1, or raise the quota"},
        {{4, 8, 4, 1, 1, DT_CPUS_QUOTA, 8}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        const bool warned = dt_placement_warning(&rows[i].placement, 0, text, sizeof text);
        assert_int_equal(warned, rows[i].expected != NULL);
        if (warned && strstr(text, rows[i].expected) == NULL)
            fail_msg("row %zu: expected \"%s\" in \"%s\"", i, rows[i].expected, text);
    }
}

/* Every warning is given once, and then no more. */
static void all_warnings_are_listed(void **state) {
    (void)state;
    const dt_placement bad = {8, 1, 4, 4, 1, DT_CPUS_ALL, 8};
    char text[512], first[512];
    assert_true(dt_placement_warning(&bad, 0, first, sizeof first));
    assert_true(dt_placement_warning(&bad, 1, text, sizeof text));
    assert_string_not_equal(first, text);
    assert_non_null(strstr(text, "bound"));
    assert_false(dt_placement_warning(&bad, 2, text, sizeof text));
}

/* The variables of a launch: Slurm's tasks and its number of this one, PMI's size, PMIx's rank, mpirun's
 * size; "" is unset. `before` and `after` are whether it is refused before MPI starts, and when MPI has made
 * a job of one rank. */
typedef struct launch {
    const char *tasks, *task, *pmi, *pmix, *mpirun;
    bool before, after;
} launch;

static void put(const char *variable, const char *value) {
    if (value[0])
        setenv(variable, value, 1);
    else
        unsetenv(variable);
}

static void expect_launch(bool refused, int ranks, const char *task) {
    const dt_status status = dt_placement_check_launch(ranks);
    assert_int_equal(status, refused ? DT_USAGE : DT_OK);
    if (!refused)
        return;
    if (strcmp(task, "0") != 0)
        assert_string_equal(dt_error(), "");
    else
        assert_non_null(strstr(dt_error(), "launch with srun --mpi=pmix -n 4, or with mpirun -np 4"));
}

/* Several tasks without a way to meet are refused, and nothing else is: not one task, not a job of several
 * ranks, not a rank that mpirun started from a task of its own. */
static void tasks_that_cannot_meet_are_refused(void **state) {
    (void)state;
    const launch launches[] = {{"", "", "", "", "", false, false},    {"1", "0", "", "", "", false, false},
                               {"4", "0", "", "", "", true, true},    {"4", "3", "", "", "", true, true},
                               {"4", "0", "4", "", "", false, true},  {"4", "0", "", "0", "", false, true},
                               {"4", "0", "", "0", "1", false, false}};
    for (size_t i = 0; i < sizeof launches / sizeof *launches; i++) {
        const launch *l = &launches[i];
        put("SLURM_STEP_NUM_TASKS", l->tasks);
        put("SLURM_PROCID", l->task);
        put("PMI_SIZE", l->pmi);
        put("PMIX_RANK", l->pmix);
        put("OMPI_COMM_WORLD_SIZE", l->mpirun);
        expect_launch(l->before, 0, l->task);
        expect_launch(l->after, 1, l->task);
        expect_launch(false, 4, l->task);
    }
    static const char *const all[] = {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "PMI_SIZE", "PMIX_RANK",
                                      "OMPI_COMM_WORLD_SIZE"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        unsetenv(all[i]);
}

/* Slurm's count of a crowded host switches yielding on; a choice that was made stands. */
static void crowded_hosts_yield(void **state) {
    (void)state;
    unsetenv("OMPI_MCA_mpi_yield_when_idle");
    setenv("SLURM_STEP_TASKS_PER_NODE", "1(x4)", 1);
    dt_placement_prepare();
    assert_null(getenv("OMPI_MCA_mpi_yield_when_idle"));
    setenv("SLURM_STEP_TASKS_PER_NODE", "99999(x2)", 1);
    dt_placement_prepare();
    assert_string_equal(getenv("OMPI_MCA_mpi_yield_when_idle"), "1");
    setenv("OMPI_MCA_mpi_yield_when_idle", "0", 1);
    dt_placement_prepare();
    assert_string_equal(getenv("OMPI_MCA_mpi_yield_when_idle"), "0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warnings_fit_the_placement),
        cmocka_unit_test(all_warnings_are_listed),
        cmocka_unit_test(tasks_that_cannot_meet_are_refused),
        cmocka_unit_test(crowded_hosts_yield),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
