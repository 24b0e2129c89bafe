/* recompute: layer saves memory and changes no bit: on ranks and threads, in both compute dtypes, from given
 * weights, and when it is switched on or off at a resume. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"

#define STEPS 6
#define MODEL TRAINING_MODEL "--n-layers 3 --lr-schedule cosine --warmup-steps 2 --min-learning-rate 1e-3 "
#define WHOLE MODEL "--max-steps 6 "
#define AGAIN "--recompute layer "

static void ranks_and_threads_change_no_bit(void **state) {
    (void)state;
    static const int shapes[][2] = {{TRAINING_ALONE, 1}, {1, 3}, {2, 1}, {3, 2}, {5, 1}};
    training_done(TRAINING_ALONE, 1, "kept", WHOLE "--eval-cadence 3");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char out_dir[32];
        snprintf(out_dir, sizeof out_dir, "again%zu", i);
        training_done(shapes[i][0], shapes[i][1], out_dir, WHOLE AGAIN "--eval-cadence 3");
        training_same_run("kept", out_dir, STEPS);
        training_same_metric("kept", out_dir, "val_loss");
    }
}

/* In bf16 what is kept has been rounded; what is made again is rounded alike. */
static void bf16_changes_no_bit(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 2, "kept", WHOLE "--compute-dtype bf16");
    training_done(TRAINING_ALONE, 1, "again1", WHOLE AGAIN "--compute-dtype bf16");
    training_done(3, 1, "again3", WHOLE AGAIN "--compute-dtype bf16");
    training_same_run("kept", "again1", STEPS);
    training_same_run("kept", "again3", STEPS);
}

static void given_weights_change_no_bit(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "first", MODEL "--max-steps 2");
    training_done(TRAINING_ALONE, 1, "kept", WHOLE "--init-from first/checkpoints/latest");
    training_done(2, 1, "again", WHOLE AGAIN "--init-from first/checkpoints/latest");
    training_same_run("kept", "again", STEPS);
}

/* Switched on in the middle of a run, and off. */
static void a_resume_may_change_it(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "kept", WHOLE);
    training_done(2, 1, "on", WHOLE "--checkpoint-cadence 3");
    training_done(2, 1, "off", WHOLE AGAIN "--checkpoint-cadence 3");
    training_goes_on(TRAINING_ALONE,
                     "--resume on/checkpoints/checkpoint_step_3 --out-dir on_rest --recompute layer");
    training_goes_on(3, "--resume off/checkpoints/checkpoint_step_3 --out-dir off_rest --recompute none");
    training_same_weights("kept", "on_rest", STEPS);
    training_same_weights("kept", "off_rest", STEPS);
}

/* Hooks look at what every layer left, also where layers share their memory. */
static void hooks_see_the_same(void **state) {
    (void)state;
    static const char hooks[] = "--hooks '{forward: [{name: activation_stats, log_interval: 1}]}'";
    char flags[512];
    snprintf(flags, sizeof flags, "%s%s", WHOLE, hooks);
    training_done(TRAINING_ALONE, 1, "kept", flags);
    snprintf(flags, sizeof flags, "%s%s%s", WHOLE, AGAIN, hooks);
    training_done(2, 1, "again", flags);
    training_same_metric("kept", "again", "hook");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_and_threads_change_no_bit), cmocka_unit_test(bf16_changes_no_bit),
        cmocka_unit_test(given_weights_change_no_bit), cmocka_unit_test(a_resume_may_change_it),
        cmocka_unit_test(hooks_see_the_same)};
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
