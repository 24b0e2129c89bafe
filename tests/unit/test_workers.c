/* How many threads a rank runs, by OMP_NUM_THREADS, and that each of them has activations of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <omp.h>

#include "support/sentence.h"
#include "step/workers.h"

static int count_with(const char *text) {
    int threads = -1;
    if (text == NULL)
        unsetenv("OMP_NUM_THREADS");
    else
        setenv("OMP_NUM_THREADS", text, 1);
    assert_done(dt_workers_count(&threads));
    return threads;
}

/* Unset and empty are 1: MPI programs run with a rank a core unless told otherwise. */
static void is_one_where_nothing_is_set(void **state) {
    (void)state;
    assert_int_equal(count_with(NULL), 1);
    assert_int_equal(count_with(""), 1);
}

/* OpenMP allows a list, a number a level of nesting: the first is the one that counts. */
static void reads_a_number_or_the_first_of_a_list(void **state) {
    (void)state;
    assert_int_equal(count_with("1"), 1);
    assert_int_equal(count_with("3"), 3);
    assert_int_equal(count_with("16"), 16);
    assert_int_equal(count_with("4096"), 4096);
    assert_int_equal(count_with("4,2"), 4);
}

static void refuses_what_is_no_count(void **state) {
    (void)state;
    static const char *const wrong[] = {"0",    "-1", "4097", "four", "4x",
                                        "2.5",  ",4", " ",    "1e3",  "99999999999999999999",
                                        "0x10", "4;", "2 2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char sentence[200];
        int threads;
        snprintf(sentence, sizeof sentence,
                 "OMP_NUM_THREADS: expected a number of threads from 1 to 4096, found \"%s\"", wrong[i]);
        setenv("OMP_NUM_THREADS", wrong[i], 1);
        assert_refused(dt_workers_count(&threads), sentence);
    }
    unsetenv("OMP_NUM_THREADS");
}

static dt_status create(dt_workers *workers, int threads, int teams, const dt_shape *shape) {
    return dt_workers_create(workers, &(dt_workers_plan){.threads = threads, .teams = teams},
                             dt_kernels_best(DT_DTYPE_FP32), shape, 2, DT_RECOMPUTE_NONE);
}

/* OpenMP regions have as many threads as were asked for, and no two work in the same activations. */
static void gives_every_thread_its_own_activations(void **state) {
    (void)state;
    const dt_shape shape = {.n_layers = 1, .C = 8, .H = 2, .F = 16, .T = 4, .V = 5};
    dt_workers workers;
    assert_done(create(&workers, 3, 3, &shape));
    assert_int_equal(workers.threads, 3);
    assert_int_equal(workers.teams, 3);
    assert_int_equal(omp_get_max_threads(), 3);
    for (int t = 0; t < 3; t++) {
        assert_int_equal(workers.activations[t].sequences, 2);
        for (int other = 0; other < t; other++)
            assert_ptr_not_equal(workers.activations[t].block, workers.activations[other].block);
    }
    dt_workers_free(&workers);
    dt_workers_free(&workers); /* all zero is fine */
}

/* What a call of dt_workers_create_by_threads found. */
typedef struct made {
    int team[3], index[3], calls[3];
    int failing; /* the thread that fails; -1: none */
} made;

static dt_status make(void *context, const dt_team *team, int own, int thread) {
    made *m = context;
    m->team[thread] = own;
    m->index[thread] = team->index;
    m->calls[thread]++;
    return thread == m->failing ? dt_fail("thread %d cannot", thread) : DT_OK;
}

/* Every thread makes its own, in its team, and what one fails of is told by the caller. */
static void every_thread_makes_its_own(void **state) {
    (void)state;
    const dt_shape shape = {.n_layers = 1, .C = 8, .H = 2, .F = 16, .T = 4, .V = 5};
    dt_workers workers;
    made m = {.failing = -1};
    assert_done(create(&workers, 3, 2, &shape));
    assert_done(dt_workers_create_by_threads(&workers, make, &m));
    static const int teams[] = {0, 0, 1}, indices[] = {0, 1, 0};
    for (int t = 0; t < 3; t++) {
        assert_int_equal(m.calls[t], 1);
        assert_int_equal(m.team[t], teams[t]);
        assert_int_equal(m.index[t], indices[t]);
        assert_non_null(workers.scratch[t].block);
    }
    m.failing = 2;
    assert_int_equal(dt_workers_create_by_threads(&workers, make, &m), DT_FAILED);
    assert_string_equal(dt_error(), "thread 2 cannot");
    dt_workers_free(&workers);
}

/* Two nodes of six threads: teams of 1, 2, 3 and 6 stay on one, those of 4 do not, and neither do five teams
 * of 3, 3, 2, 2 and 2. */
static void teams_straddle_nodes_or_not(void **state) {
    (void)state;
    static const struct {
        int threads, teams, node_threads;
        bool straddle;
    } rows[] = {{12, 12, 6, false}, {12, 6, 6, false}, {12, 4, 6, false}, {12, 3, 6, true},
                {12, 2, 6, false},  {12, 1, 6, true},  {12, 5, 6, false}, {12, 1, 12, false},
                {7, 2, 4, false},   {7, 3, 4, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(dt_workers_straddle(rows[i].threads, rows[i].teams, rows[i].node_threads),
                         rows[i].straddle);
}

/* A team has as many threads as asked for or more, none is left over, and none is without a micro-batch. */
static void forms_teams(void **state) {
    (void)state;
    assert_int_equal(dt_workers_teams(8, 1, 100), 8);
    assert_int_equal(dt_workers_teams(8, 2, 100), 4);
    assert_int_equal(dt_workers_teams(8, 3, 100), 2);
    assert_int_equal(dt_workers_teams(8, 9, 100), 1);
    assert_int_equal(dt_workers_teams(8, 1, 3), 3);
    assert_int_equal(dt_workers_teams(1, 4, 1), 1);
}

/* In a wave of any size every thread has its place in one team, which are as large as can be, neighbours are
 * together, and each has scratch of its own. */
static void deals_all_threads_to_the_micro_batches_of_a_wave(void **state) {
    (void)state;
    const dt_shape shape = {.n_layers = 1, .C = 8, .H = 2, .F = 16, .T = 4, .V = 5};
    enum { THREADS = 4, TEAMS = 3 };
    dt_workers workers;
    assert_done(create(&workers, THREADS, TEAMS, &shape));
    for (int micro_batches = 1; micro_batches <= TEAMS; micro_batches++) {
        int members[TEAMS] = {0}, before = 0;
        for (int t = 0; t < THREADS; t++) {
            dt_team team;
            const int own = dt_workers_join(&workers, micro_batches, t, &team);
            assert_true(own == before || own == before + 1);
            assert_true(own < micro_batches);
            assert_int_equal(team.index, members[own]++);
            assert_true(team.size == THREADS / micro_batches || team.size == THREADS / micro_batches + 1);
            assert_ptr_equal(team.barrier, &workers.barrier[own]);
            assert_ptr_equal(team.scratch, &workers.scratch[t]);
            before = own;
        }
        for (int own = 0; own < micro_batches; own++)
            assert_true(members[own] == THREADS / micro_batches ||
                        members[own] == THREADS / micro_batches + 1);
    }
    dt_workers_free(&workers);
}

/* Where OpenMP is held to fewer threads than were asked for, those are what work is dealt out to. */
static void takes_the_threads_that_there_are(void **state) {
    (void)state;
    const dt_shape shape = {.n_layers = 1, .C = 8, .H = 2, .F = 16, .T = 4, .V = 5};
    const int levels = omp_get_max_active_levels();
    dt_workers workers;
    omp_set_max_active_levels(0); /* every region is one thread, as OMP_THREAD_LIMIT=1 makes it */
    assert_int_equal(count_with("3"), 1);
    assert_done(create(&workers, 3, 2, &shape));
    omp_set_max_active_levels(levels);
    assert_int_equal(workers.threads, 1);
    assert_int_equal(workers.teams, 1);
    dt_workers_free(&workers);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_one_where_nothing_is_set),
                                       cmocka_unit_test(reads_a_number_or_the_first_of_a_list),
                                       cmocka_unit_test(refuses_what_is_no_count),
                                       cmocka_unit_test(gives_every_thread_its_own_activations),
                                       cmocka_unit_test(every_thread_makes_its_own),
                                       cmocka_unit_test(teams_straddle_nodes_or_not),
                                       cmocka_unit_test(forms_teams),
                                       cmocka_unit_test(deals_all_threads_to_the_micro_batches_of_a_wave),
                                       cmocka_unit_test(takes_the_threads_that_there_are)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
