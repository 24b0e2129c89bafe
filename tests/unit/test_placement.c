/* Which launches are refused and which placements are warned of, and that the sentence holds the corrected
 * numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "comm/placement.h"

typedef struct row {
    dt_placement placement;
    const char *expected; /* what the first warning holds, or NULL for none */
} row;

/* Ranks on a host of `all` cores with a hardware thread each, of which they may use `usable` together, and
 * one of them `own_cores`. */
#define ON(usable, own_cores, ranks, per_rank, of_hosts, why, all)                                           \
    {                                                                                                        \
        .usable_cores = (usable), .usable_threads = (usable), .own.cores = (own_cores),                      \
        .host_ranks = (ranks), .threads = (per_rank), .hosts = (of_hosts), .limit = (why),                   \
        .host.cores = (all)                                                                                  \
    }

static void warnings_fit_the_placement(void **state) {
    (void)state;
    const row rows[] = {
        {ON(8, 1, 8, 1, 1, DT_CPUS_ALL, 8), NULL},
        {ON(8, 4, 2, 4, 1, DT_CPUS_ALL, 8), NULL},
        {ON(8, 8, 1, 8, 1, DT_CPUS_ALL, 8), NULL},
        {ON(2, 2, 8, 1, 1, DT_CPUS_ALL, 2),
         "8 ranks share 2 cores on this host and slow each other down; use mpirun -np 2, or srun -n 2 "
         "--ntasks-per-node=2, on it"},
        {ON(2, 2, 8, 1, 4, DT_CPUS_ALL, 2),
         "use mpirun -np 8, or srun -n 8 --ntasks-per-node=2, on these hosts"},
        {ON(8, 8, 4, 4, 1, DT_CPUS_ALL, 8), "4 ranks of 4 threads share 8 cores"},
        {ON(8, 8, 4, 4, 1, DT_CPUS_ALL, 8), "OMP_NUM_THREADS=2"},
        {ON(2, 2, 1, 4, 1, DT_CPUS_ALL, 2),
         "4 threads of 1 rank share 2 cores on this host and slow each other down; set OMP_NUM_THREADS=2"},
        {ON(2, 2, 4, 4, 1, DT_CPUS_ALL, 2), "OMP_NUM_THREADS=1"},
        {ON(8, 1, 2, 4, 1, DT_CPUS_ALL, 8), "a rank with 4 threads is bound to 1 core,"},
        {ON(8, 1, 2, 4, 1, DT_CPUS_ALL, 8), "--map-by slot:PE=4"},
        {ON(1, 1, 2, 1, 1, DT_CPUS_MASK, 8),
         "2 ranks share 1 core on this host, where an affinity mask leaves them 1 of 8, and slow each other down; "
         "use mpirun -np 1, or srun -n 1 --ntasks-per-node=1, on it, or widen the mask"},
        {ON(2, 8, 2, 2, 1, DT_CPUS_QUOTA, 8),
         "2 ranks of 2 threads share 2 cores on this host, where a CPU quota leaves them 2 of 8, and slow each other "
         "down; set OMP_NUM_THREADS=1, or raise the quota"},
        {ON(4, 8, 4, 1, 1, DT_CPUS_QUOTA, 8), NULL},
        {ON(2, 2, 4, 1, 1, DT_CPUS_CPUSET, 8),
         "4 ranks share 2 cores on this host, where a cpuset leaves them 2 of 8, and slow each other down; use "
         "mpirun -np 2, or srun -n 2 --ntasks-per-node=2, on it, or widen the cpuset"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        const bool warned = dt_placement_warning(&rows[i].placement, 0, text, sizeof text);
        assert_int_equal(warned, rows[i].expected != NULL);
        if (warned && strstr(text, rows[i].expected) == NULL)
            fail_msg("row %zu: expected \"%s\" in \"%s\"", i, rows[i].expected, text);
    }
}

static void expect_first(const dt_placement *placement, const char *expected) {
    char text[DT_PLACEMENT_BYTES];
    const bool warned = dt_placement_warning(placement, 0, text, sizeof text);
    assert_int_equal(warned, expected != NULL);
    if (warned)
        assert_string_equal(text, expected);
}

#define WORTH                                                                                                \
    "what a second one of a core is worth dtrain bench --scaling strong measures here; for a core each "

/* Of two ranks on a core with two hardware threads it is said who measures whether that helps, not that it is
 * bad; of a third, that they take turns. */
static void second_hardware_threads_are_left_to_bench(void **state) {
    (void)state;
    dt_placement p = ON(4, 4, 8, 1, 1, DT_CPUS_ALL, 4);
    p.usable_threads = 8;
    expect_first(&p, "8 ranks share the 8 hardware threads of 4 cores on this host; " WORTH
                     "use mpirun -np 4, or srun -n 4 --ntasks-per-node=4, on it");
    p.host.cores = 16;
    p.limit = DT_CPUS_CPUSET;
    expect_first(
        &p,
        "8 ranks share the 8 hardware threads of 4 cores on this host, where a cpuset leaves them 4 of 16; " WORTH
        "use mpirun -np 4, or srun -n 4 --ntasks-per-node=4, on it, or widen the cpuset");
    p.host_ranks = 9;
    expect_first(
        &p,
        "9 ranks share 4 cores on this host, where a cpuset leaves them 4 of 16, and slow each other down; "
        "use mpirun -np 4, or srun -n 4 --ntasks-per-node=4, on it, or widen the cpuset");
    p.limit = DT_CPUS_ALL;
    p.host_ranks = 2;
    p.threads = 4;
    expect_first(&p, "2 ranks of 4 threads share the 8 hardware threads of 4 cores on this host; " WORTH
                     "set OMP_NUM_THREADS=2");
}

/* The same of the threads of a rank that is bound to some cores of many. */
static void so_are_those_of_a_rank(void **state) {
    (void)state;
    dt_placement p = ON(8, 2, 1, 4, 1, DT_CPUS_ALL, 8);
    p.own.threads = 4;
    expect_first(&p, "a rank with 4 threads is bound to the 4 hardware threads of 2 cores; " WORTH
                     "launch with mpirun --map-by slot:PE=4 --bind-to core, or srun --cpus-per-task=4");
    p.own.threads = 3;
    expect_first(
        &p, "a rank with 4 threads is bound to 2 cores, on which its threads take turns; launch with mpirun "
            "--map-by slot:PE=4 --bind-to core, or srun --cpus-per-task=4");
}

/* Of a host that is too small and a binding that is too tight, one is said: what has to change first. */
static void cores_are_warned_of_once(void **state) {
    (void)state;
    static const struct {
        dt_placement placement;
        const char *expected;
    } rows[] = {
        {ON(2, 1, 1, 4, 1, DT_CPUS_ALL, 2),
         "a rank with 4 threads is bound to 1 core, on which its threads take turns; set OMP_NUM_THREADS=2 and "
         "launch with mpirun --map-by slot:PE=2 --bind-to core, or srun --cpus-per-task=2"},
        {ON(2, 1, 2, 2, 1, DT_CPUS_ALL, 2),
         "2 ranks of 2 threads share 2 cores on this host and slow each other down; set OMP_NUM_THREADS=1"},
        {ON(8, 1, 4, 4, 1, DT_CPUS_ALL, 8),
         "a rank with 4 threads is bound to 1 core, on which its threads take turns; set OMP_NUM_THREADS=2 and "
         "launch with mpirun --map-by slot:PE=2 --bind-to core, or srun --cpus-per-task=2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char second[DT_PLACEMENT_BYTES];
        expect_first(&rows[i].placement, rows[i].expected);
        assert_false(dt_placement_warning(&rows[i].placement, 1, second, sizeof second));
    }
}

/* A rank that would fit into one NUMA node is told how to get there; others are left in peace. */
static void threads_over_several_nodes_are_warned_of(void **state) {
    (void)state;
    dt_placement p = ON(8, 8, 2, 4, 1, DT_CPUS_ALL, 8);
    p.host.node_cores = 4;
    p.own.numa_nodes = 2;
    expect_first(
        &p, "a rank with 4 threads may run on 2 NUMA nodes, where its threads reach the memory of another "
            "one; launch with mpirun --map-by numa:PE=4 --bind-to core, or srun --cpus-per-task=4 "
            "--cpu-bind=cores");
    p.own.numa_nodes = 1;
    expect_first(&p, NULL);
    p.own.numa_nodes = 2;
    p.host.node_cores = 2; /* more threads than a node has cores */
    expect_first(&p, NULL);
    p.host.node_cores = 4;
    p.threads = 1;
    expect_first(&p, NULL);
}

static void a_host_that_hwloc_does_not_tell_of_is_warned_of(void **state) {
    (void)state;
    dt_placement p = ON(8, 8, 1, 1, 1, DT_CPUS_ALL, 8);
    p.fault = "nobody knows";
    expect_first(&p, "nobody knows");
}

/* What the opening says. */
static void placements_are_described(void **state) {
    (void)state;
    static const struct {
        dt_placement placement;
        const char *expected;
    } rows[] = {
        {{.usable_cores = 1, .host = {1, 1, 1, 1, 1}, .own = {1, 1, 1, 1, 1}, .host_ranks = 1},
         "1 core in 1 package and 1 NUMA node; rank 3 is not bound"},
        {{.usable_cores = 16, .host = {32, 16, 2, 4, 4}, .own = {8, 4, 1, 1, 4}, .host_ranks = 4},
         "16 cores with 32 hardware threads in 2 packages and 4 NUMA nodes; rank 3 is bound to 4 cores in 1 NUMA "
         "node"},
        {{.usable_cores = 2,
          .host = {8, 8, 1, 2, 4},
          .own = {2, 2, 1, 2, 1},
          .host_ranks = 1,
          .limit = DT_CPUS_CPUSET},
         "8 cores in 1 package and 2 NUMA nodes; a cpuset leaves 2 cores to 1 rank; rank 3 is bound to 2 cores in 2 NUMA "
         "nodes"},
        {{.usable_cores = 1,
          .host = {8, 8, 1, 1, 8},
          .own = {8, 8, 1, 1, 8},
          .host_ranks = 4,
          .limit = DT_CPUS_SLURM},
         "8 cores in 1 package and 1 NUMA node; the share that Slurm gave leaves 1 core to 4 ranks; rank 3 is not bound"},
        {{.usable_cores = 4,
          .host = {4, 4, 1, 1, 4},
          .own = {4, 4, 1, 1, 4},
          .host_ranks = 1,
          .fault = "a fault"},
         "4 hardware threads, of cores unknown; rank 3 is not bound"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[DT_PLACEMENT_BYTES];
        dt_placement_describe(&rows[i].placement, 3, text);
        assert_string_equal(text, rows[i].expected);
    }
    assert_string_equal(dt_placement_limit_name(DT_CPUS_ALL), "none");
    assert_string_equal(dt_placement_limit_name(DT_CPUS_QUOTA), "quota");
}

/* Every warning is given once, and then no more. */
static void all_warnings_are_listed(void **state) {
    (void)state;
    dt_placement bad = ON(8, 1, 4, 4, 1, DT_CPUS_ALL, 8);
    char text[512], first[512];
    bad.fault = "nobody knows";
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
    bool before, after, silent;
} launch;

static void put(const char *variable, const char *value) {
    if (value[0])
        setenv(variable, value, 1);
    else
        unsetenv(variable);
}

static void expect_launch(bool refused, int ranks, bool silent) {
    const dt_status status = dt_placement_check_launch(ranks);
    assert_int_equal(status, refused ? DT_USAGE : DT_OK);
    if (!refused)
        return;
    if (silent)
        assert_string_equal(dt_error(), "");
    else
        assert_non_null(strstr(dt_error(), "launch with srun --mpi=pmix -n 4, or with mpirun -np 4"));
}

/* Several tasks without a way to meet are refused, and nothing else is: not one task, not a job of several
 * ranks, not a rank that mpirun started from a task of its own. */
static void tasks_that_cannot_meet_are_refused(void **state) {
    (void)state;
    const launch launches[] = {
        {"", "", "", "", "", false, false, false},    {"1", "0", "", "", "", false, false, false},
        {"4", "0", "", "", "", true, true, false},    {"4", "3", "", "", "", true, true, true},
        {"4", "0", "4", "", "", false, true, false},  {"4", "0", "", "0", "", false, true, false},
        {"4", "0", "", "0", "1", false, false, false}};
    char self[32];
    snprintf(self, sizeof self, "%d", (int)getpid());
    put("SLURM_TASK_PID", self);
    for (size_t i = 0; i < sizeof launches / sizeof *launches; i++) {
        const launch *l = &launches[i];
        put("SLURM_STEP_NUM_TASKS", l->tasks);
        put("SLURM_PROCID", l->task);
        put("PMI_SIZE", l->pmi);
        put("PMIX_RANK", l->pmix);
        put("OMPI_COMM_WORLD_SIZE", l->mpirun);
        expect_launch(l->before, 0, l->silent);
        expect_launch(l->after, 1, l->silent);
        expect_launch(false, 4, l->silent);
    }
    /* In a shell that has kept the variables of a task no other will say it. */
    put("SLURM_STEP_NUM_TASKS", "4");
    put("SLURM_PROCID", "3");
    put("SLURM_TASK_PID", "1");
    unsetenv("PMIX_RANK");
    unsetenv("OMPI_COMM_WORLD_SIZE");
    expect_launch(true, 0, false);
    static const char *const all[] = {
        "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_TASK_PID", "PMI_SIZE", "PMIX_RANK",
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

/* Between hosts that have no other addresses IPv6 is needed, and in a job of one host it only makes Open MPI
 * 5.0 print lines. */
static void one_host_leaves_ipv6_alone(void **state) {
    (void)state;
    static const char family[] = "OMPI_MCA_btl_tcp_disable_family";
    unsetenv(family);
    dt_placement_prepare();
    assert_null(getenv(family));
    setenv("OMPI_COMM_WORLD_SIZE", "4", 1);
    setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "2", 1);
    dt_placement_prepare();
    assert_null(getenv(family));
    setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "4", 1);
    dt_placement_prepare();
    assert_string_equal(getenv(family), "6");
    setenv(family, "0", 1);
    dt_placement_prepare();
    assert_string_equal(getenv(family), "0");
    unsetenv("OMPI_COMM_WORLD_SIZE");
    unsetenv("OMPI_COMM_WORLD_LOCAL_SIZE");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warnings_fit_the_placement),
        cmocka_unit_test(second_hardware_threads_are_left_to_bench),
        cmocka_unit_test(so_are_those_of_a_rank),
        cmocka_unit_test(cores_are_warned_of_once),
        cmocka_unit_test(threads_over_several_nodes_are_warned_of),
        cmocka_unit_test(a_host_that_hwloc_does_not_tell_of_is_warned_of),
        cmocka_unit_test(placements_are_described),
        cmocka_unit_test(all_warnings_are_listed),
        cmocka_unit_test(tasks_that_cannot_meet_are_refused),
        cmocka_unit_test(crowded_hosts_yield),
        cmocka_unit_test(one_host_leaves_ipv6_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
