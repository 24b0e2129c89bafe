/* Verbs that join no job, started by a launcher as a task each, or in a shell that has kept a launcher's
 * variables: each does its work and ends with its own exit code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/text.h"
#include "support/training.h"

#define LATEST "/checkpoints/latest"
#define MPIRUN DTRAIN_MPIRUN " --oversubscribe -np 2"

/* Two runs, of which the second ends with a damaged checkpoint. */
static int set_up(void **state) {
    training_set_up(state);
    training_done(TRAINING_ALONE, 1, "run0", TRAINING_MODEL "--batch-size 4 --max-steps 2");
    command_result r = command_run("cp -r run0 run1");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    training_damage("run1" LATEST "/model.safetensors", -1);
    return 0;
}

static void every_task_verifies_its_own(void **state) {
    (void)state;
    command_result r = command_run(MPIRUN " sh -c '%s verify run$OMPI_COMM_WORLD_RANK" LATEST "'", DTRAIN);
    if (r.exit_code == 0 || strstr(r.err, "dtrain: error: ") == NULL || strstr(r.err, "run1") == NULL)
        fail_msg("expected a failure that names run1, found exit code %d and \"%s\"", r.exit_code, r.err);
    command_free(&r);
    r = command_run(MPIRUN " sh -c '%s progress --max-steps $((2 + OMPI_COMM_WORLD_RANK)) --out-dir run0'",
                    DTRAIN);
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "complete: step 2 of 2 in run0\n"));
    assert_non_null(strstr(r.out, "unfinished: step 2 of 3 in run0\n"));
    command_free(&r);
}

/* Of two tasks that export to one folder one does, and the other says that the folder is there. */
static void one_task_exports(void **state) {
    (void)state;
    command_result r = command_run(MPIRUN " %s export run0 --out model; code=$?; ls -A model | grep -x "
                                          "model.safetensors && ! ls -A | grep '^[.]model' && exit $code",
                                   DTRAIN);
    assert_int_equal(r.exit_code, 2);
    command_says(&r, "cannot write model: expected the name of a new folder, found a folder of that name\n");
    command_free(&r);
}

/* A merge reads and writes by rank 0, so tasks that were given other files are told. */
static void ranks_that_merge_must_agree(void **state) {
    (void)state;
    command_result r =
        command_run(MPIRUN " sh -c '%s bench --merge study$OMPI_COMM_WORLD_RANK.json'", DTRAIN);
    assert_int_not_equal(r.exit_code, 0);
    if (strstr(r.err, "expected one command line for all ranks") == NULL)
        fail_msg("expected a word on other command lines, found \"%s\"", r.err);
    command_free(&r);
}

/* Identity: with a launcher's variables and without, the same output, sentence and exit code. */
static void variables_change_nothing(void **state) {
    (void)state;
    static const char *const variables[] = {
        "PMIX_RANK=1", "OMPI_COMM_WORLD_RANK=1", "SLURM_PROCID=1",
        "PMIX_RANK=3 OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=4 PMI_RANK=3"};
    static const struct {
        const char *words;
        int exit_code;
    } lines[] = {{"verify run0" LATEST, 0},
                 {"verify run1" LATEST, 1},
                 {"progress --out-dir run0 --max-steps 3", 0},
                 {"sample run0" LATEST " --seed 1 --max-length 3", 0},
                 {"help --yaml", 0},
                 {"--help", 0},
                 {"--version", 0},
                 {"trian", 2}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        command_result alone = command_run("%s %s", DTRAIN, lines[i].words);
        assert_int_equal(alone.exit_code, lines[i].exit_code);
        assert_true(alone.out[0] != 0 || alone.err[0] != 0);
        for (size_t v = 0; v < sizeof variables / sizeof *variables; v++) {
            command_result r = command_run("env %s %s %s", variables[v], DTRAIN, lines[i].words);
            if (r.exit_code != alone.exit_code || strcmp(r.out, alone.out) != 0 ||
                strcmp(r.err, alone.err) != 0)
                fail_msg("%s dtrain %s: exit code %d, \"%s\", \"%s\"", variables[v], lines[i].words,
                         r.exit_code, r.out, r.err);
            command_free(&r);
        }
        command_free(&alone);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_verifies_its_own),
        cmocka_unit_test(one_task_exports),
        cmocka_unit_test(ranks_that_merge_must_agree),
        cmocka_unit_test(variables_change_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
