/* tensorboard: true: what a run and the run that resumes it leave is, read as TensorBoard reads it,
 * metrics.jsonl. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/event_file.h"
#include "support/training.h"

#define STEPS_MAX 32
#define MODEL                                                                                                \
    TRAINING_STEADY "--tensorboard true --eval-cadence 3 --sampling-cadence 4 --checkpoint-cadence 4 "

/* What a reader shows of one tag: a value per step, NaN for none. */
typedef struct shown {
    double value[STEPS_MAX];
    int count;
} shown;

static void drop_from(shown *s, int64_t step) {
    for (int64_t i = step; i < STEPS_MAX; i++)
        s->value[i] = NAN;
}

/* Takes one event as a reader does: a START makes it forget that step and later ones. */
static void show(shown *s, const Tensorboard__Event *event, const char *tag) {
    assert_in_range(event->step, 0, STEPS_MAX - 1);
    if (event->what_case == TENSORBOARD__EVENT__WHAT_SESSION_LOG)
        drop_from(s, event->step);
    const Tensorboard__Summary__Value *value = event_value(event, tag);
    if (value == NULL)
        return;
    /* Each step once. */
    assert_true(isnan(s->value[event->step]));
    s->value[event->step] = (double)value->simple_value;
}

static shown read_tag(const char *out_dir, const char *tag, size_t expected_files) {
    shown s = {.count = 0};
    char folder[64];
    size_t count;
    drop_from(&s, 0);
    snprintf(folder, sizeof folder, "%s/tensorboard", out_dir);
    char **paths = event_file_paths(folder, &count);
    assert_int_equal(count, expected_files);
    for (size_t i = 0; i < count; i++) {
        event_file file = event_file_read(paths[i]);
        for (int e = 0; e < file.count; e++)
            show(&s, file.events[e], tag);
        event_file_free(&file);
    }
    dt_file_free_names(paths, count);
    for (int i = 0; i < STEPS_MAX; i++)
        s.count += !isnan(s.value[i]);
    return s;
}

/* The tag shows what metrics.jsonl has under the key, step by step. */
static void expect_same(const char *out_dir, const char *tag, const char *key, size_t files) {
    const shown s = read_tag(out_dir, tag, files);
    char *metric = training_metric(out_dir, key), *rest = metric, *line;
    int lines = 0;
    while ((line = strsep(&rest, "\n")) != NULL && *line) {
        int step;
        double value;
        assert_int_equal(sscanf(line, "%d %lf", &step, &value), 2);
        assert_in_range(step, 1, STEPS_MAX - 1);
        if (s.value[step] != (double)(float)value)
            fail_msg("%s at step %d: expected %.9g, found %.9g", tag, step, value, s.value[step]);
        lines++;
    }
    assert_true(lines > 0);
    assert_int_equal(lines, s.count);
    free(metric);
}

static void expect_all_same(const char *out_dir, size_t files) {
    expect_same(out_dir, "loss/train", "loss", files);
    expect_same(out_dir, "loss/validation", "val_loss", files);
    expect_same(out_dir, "run/lr", "lr", files);
    expect_same(out_dir, "run/grad_norm", "grad_norm", files);
    expect_same(out_dir, "run/tokens_per_s", "tokens_per_s", files);
    expect_same(out_dir, "time/step_ms", "step_ms", files);
    expect_same(out_dir, "time/save_ms", "save_ms", files);
}

/* A run that goes back to step 8 and goes on, on other ranks, writes its own file. */
static void a_resumed_run_shows_each_step_once(void **state) {
    (void)state;
    training_done(2, 1, "run", MODEL "--max-steps 10");
    expect_all_same("run", 1);
    training_done(TRAINING_ALONE, 1, "run",
                  MODEL "--max-steps 14 --resume run/checkpoints/checkpoint_step_8");
    expect_all_same("run", 2);
    training_done(TRAINING_ALONE, 1, "run", MODEL "--max-steps 16 --resume latest");
    expect_all_same("run", 3);
    assert_int_equal(read_tag("run", "loss/train", 3).count, 16);
}

/* A fresh run in the folder of another starts with an empty one. */
static void a_fresh_run_keeps_anothers_events(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "run", MODEL "--max-steps 3");
    command_result r = training_run(TRAINING_ALONE, 1, "run", MODEL "--max-steps 5");
    assert_int_equal(r.exit_code, 0);
    command_says(&r, "kept what another run left: run/tensorboard is now run/tensorboard.1");
    command_free(&r);
    expect_all_same("run", 1);
    command_result ls = command_run("ls run/tensorboard.1 run/metrics.jsonl.1 run/checkpoints.1");
    assert_int_equal(ls.exit_code, 0);
    command_free(&ls);
}

/* Without the option there is no folder. */
static void nothing_is_written_unasked(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "run", TRAINING_STEADY "--max-steps 2");
    assert_false(dt_file_exists("run/tensorboard"));
}

/* Where the folder is a link, what it leads to is kept beside its own place, and the link stays. */
static void a_link_to_another_disk_stays(void **state) {
    (void)state;
    command_result r = command_run("mkdir -p disk/events run && ln -s ../disk/events run/tensorboard");
    command_free(&r);
    training_done(TRAINING_ALONE, 1, "run", MODEL "--max-steps 6");
    training_done(TRAINING_ALONE, 1, "run", MODEL "--max-steps 8");
    expect_same("run", "loss/train", "loss", 1);
    r = command_run("test -L run/tensorboard && ls disk/events.1");
    assert_int_equal(r.exit_code, 0);
    command_says(&r, "events.out.tfevents.");
    command_free(&r);
}

/* A run that lives has its events to itself, also where another's folder leads to them; and that other loses
 * nothing. */
static void a_live_runs_events_are_its_own(void **state) {
    (void)state;
    static const char endless[] =
        TRAINING_STEADY "--tensorboard true --max-steps 100000 --checkpoint-cadence null";
    training_done(TRAINING_ALONE, 1, "other", TRAINING_STEADY "--max-steps 2");
    const pid_t run = training_start(TRAINING_ALONE, "live", endless);
    training_await_step(run, "live", 2);
    command_result r = command_run("ln -s ../live/tensorboard other/tensorboard && ls live other >before");
    command_free(&r);
    static const char *const words[] = {MODEL "--max-steps 3", TRAINING_STEADY "--max-steps 3",
                                        MODEL "--max-steps 3 --resume auto"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        training_refused(TRAINING_ALONE, "other", words[i], 2,
                         "other/tensorboard is in use by another run, which writes its events there");
    r = command_run("ls live other | diff before -");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    assert_int_equal(kill(run, SIGUSR1), 0);
    assert_int_equal(training_end(run), 0);
    training_done(TRAINING_ALONE, 1, "other", MODEL "--max-steps 3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_resumed_run_shows_each_step_once, training_set_up,
                                        command_tear_down),
        cmocka_unit_test_setup_teardown(a_fresh_run_keeps_anothers_events, training_set_up,
                                        command_tear_down),
        cmocka_unit_test_setup_teardown(a_link_to_another_disk_stays, training_set_up, command_tear_down),
        cmocka_unit_test_setup_teardown(a_live_runs_events_are_its_own, training_set_up, command_tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_written_unasked, training_set_up, command_tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
