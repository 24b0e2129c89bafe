/*
 * The thread that writes checkpoints: what it writes is the state at the moment it was asked, however
 * training goes on; and what it cannot write is told, once, and by the rules of checkpoint_on_error.
 *
 * fsync goes through a gate (see tests/CMakeLists.txt), so that a write can be held up at will, and what
 * makes a state through another, so that the saver's copy is known.
 */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "support/checkpoint.h"
#include "support/sentence.h"
#include "optim/fingerprint.h"
#include "train/saver.h"
#include "train/stop.h"

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: a write does not end */

static dt_state *copy;   /* of the saver that was made last */
static float *to_damage; /* in it, by the first write after */
static int damaged_bit;

dt_status __real_dt_state_create(dt_state *state, const dt_layout *layout);
dt_status __wrap_dt_state_create(dt_state *state, const dt_layout *layout);

dt_status __wrap_dt_state_create(dt_state *state, const dt_layout *layout) {
    copy = state;
    return __real_dt_state_create(state, layout);
}

static void turn_bit(float *number) {
    uint32_t bits;
    memcpy(&bits, number, sizeof bits);
    bits ^= UINT32_C(1) << damaged_bit;
    memcpy(number, &bits, sizeof bits);
}

int __real_fsync(int descriptor);
int __wrap_fsync(int descriptor);

/* The first file that a save syncs is metrics.jsonl: the copy is made then, and nothing of it is written. */
int __wrap_fsync(int descriptor) {
    if (to_damage != NULL)
        turn_bit(to_damage);
    to_damage = NULL;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return __real_fsync(descriptor);
}

/* A tiny run as far as a saver knows it. */
typedef struct bench {
    tiny *t;
    dt_metrics metrics;
    dt_saver *saver;
    char *metrics_path;
    dt_lock *lock; /* of the folder of checkpoints, or NULL */
} bench;

static bench make(dt_on_error on_error) {
    bench b = {.t = tiny_make()};
    b.t->about.config.checkpoint_on_error = on_error;
    b.metrics_path = dt_file_join(b.t->scratch, "metrics.jsonl");
    assert_done(dt_metrics_open(&b.metrics, b.metrics_path, NULL));
    return b;
}

/* The saver counts the state it begins with as saved, so the first step to save is another. */
static void start(bench *b) {
    const dt_saver_inputs inputs = {.checkpoints_folder = b->t->folder,
                                    .about = &b->t->about,
                                    .state = &b->t->state,
                                    .metrics = &b->metrics,
                                    .lock = b->lock};
    assert_done(dt_saver_create(&b->saver, &inputs));
}

static void end(bench *b) {
    dt_saver_free(b->saver);
    assert_done(dt_metrics_close(&b->metrics));
    free(b->metrics_path);
    tiny_free(b->t);
}

/* A step of training: the state becomes another while nobody looks. */
static void advance(bench *b, int64_t step) {
    dt_state *state = &b->t->state;
    dt_state_hold(state);
    tiny_advance(b->t, step, 1);
    dt_state_release(state);
}

/* The checkpoint of `step` is that state, whatever the state is now. */
static void expect_checkpoint(bench *b, int64_t step) {
    char name[512];
    snprintf(name, sizeof name, "%s/checkpoint_step_%d", b->t->folder, (int)step);
    const int64_t now = b->t->state.step;
    advance(b, step);
    if (!tiny_equals(b->t, name))
        fail_msg("%s does not hold the state of step %d: %s", name, (int)step, dt_error());
    advance(b, now);
}

static bool has_checkpoint(const bench *b, const char *name) {
    char *path = dt_file_join(b->t->folder, name);
    const bool found = dt_file_exists(path);
    free(path);
    return found;
}

/* The names in the folder of checkpoints, sorted, a space after each: hidden ones too. */
static void expect_files(const bench *b, const char *expected) {
    char **names, found[256] = "";
    size_t count;
    assert_done(dt_file_list(b->t->folder, &names, &count));
    for (size_t i = 0; i < count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s ", names[i]);
    dt_file_free_names(names, count);
    assert_string_equal(found, expected);
}

/* While the disk keeps the writer waiting, training takes three steps; the next save waits for the first. */
static void training_goes_on_while_a_save_is_written(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    start(&b);
    advance(&b, 4);
    pthread_mutex_lock(&gate);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    for (int64_t step = 5; step <= 7; step++)
        advance(&b, step);
    assert_false(has_checkpoint(&b, "checkpoint_step_4"));
    pthread_mutex_unlock(&gate);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    assert_true(has_checkpoint(&b, "checkpoint_step_4"));
    advance(&b, 8);
    assert_done(dt_saver_finish(b.saver));
    assert_non_null(strstr(dt_saver_path(b.saver), "checkpoint_step_7"));
    expect_checkpoint(&b, 4);
    expect_checkpoint(&b, 7);
    end(&b);
}

/* What had to be saved between two steps that are saved anyway goes when the later one stands, and pushes
 * none of those that stay out; the last one stays. */
static void a_makeshift_goes_when_a_later_one_stands(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    b.t->about.config.keep_last = 2;
    start(&b);
    for (int64_t step = 4; step <= 7; step++) {
        advance(&b, step);
        if (step % 2 == 0)
            dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
        else
            dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_MAKESHIFT);
        dt_saver_wait(b.saver);
        expect_files(&b, step == 4   ? "checkpoint_step_4 latest "
                         : step == 5 ? "checkpoint_step_4 checkpoint_step_5 latest "
                         : step == 6 ? "checkpoint_step_4 checkpoint_step_6 latest "
                                     : "checkpoint_step_4 checkpoint_step_6 checkpoint_step_7 latest ");
    }
    assert_done(dt_saver_finish(b.saver));
    end(&b);
}

/* Moved with its folder, a makeshift goes from there, and a stranger of its name where it was stays. */
static void a_makeshift_goes_from_where_its_folder_is_now(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    dt_lock lock = {0};
    char *moved = dt_file_join(b.t->scratch, "moved"),
         *stranger = dt_file_join(b.t->folder, "checkpoint_step_4");
    assert_done(dt_file_make_folder(b.t->folder));
    assert_done(dt_lock_take(&lock, b.t->folder, 0.0, "checkpoint_dir"));
    b.lock = &lock;
    start(&b);
    advance(&b, 4);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_MAKESHIFT);
    dt_saver_wait(b.saver);
    assert_int_equal(rename(b.t->folder, moved), 0);
    assert_done(dt_file_make_folder(b.t->folder));
    assert_done(dt_file_make_folder(stranger));
    advance(&b, 6);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    assert_done(dt_saver_finish(b.saver));
    expect_files(&b, "checkpoint_step_4 ");
    char *folder = b.t->folder;
    b.t->folder = moved;
    expect_files(&b, "checkpoint_step_6 latest run.lock ");
    b.t->folder = folder;
    dt_lock_release(&lock);
    free(moved);
    free(stranger);
    end(&b);
}

/* What is on trial gets its name, and older ones go, when it has been decided to be good; training goes on
 * meanwhile. What was bad leaves nothing. */
static void what_is_on_trial_waits_for_the_verdict(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    b.t->about.config.keep_last = 1;
    start(&b);
    for (int64_t step = 4; step <= 8; step += 2) {
        const bool good = step != 6;
        advance(&b, step);
        dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_ON_TRIAL);
        advance(&b, step + 1);
        assert_true(step == 4 || has_checkpoint(&b, "checkpoint_step_4"));
        assert_false(has_checkpoint(&b, step == 6 ? "checkpoint_step_6" : "checkpoint_step_8"));
        dt_saver_decide(b.saver, good ? DT_SAVE_GOOD : DT_SAVE_BAD, DT_SAVE_UNSEEN);
        dt_saver_wait(b.saver);
    }
    assert_done(dt_saver_finish(b.saver));
    assert_false(dt_stop_requested());
    expect_checkpoint(&b, 8);
    expect_files(&b, "checkpoint_step_8 latest ");
    end(&b);
}

/* A signal leaves no time to ask: it takes what is on trial for good, and so does not wait for the verdict.
 */
static void a_save_that_cannot_wait_ends_the_trial(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    start(&b);
    advance(&b, 4);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_ON_TRIAL);
    advance(&b, 5);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    dt_saver_wait(b.saver);
    dt_saver_decide(b.saver, DT_SAVE_BAD, DT_SAVE_UNSEEN); /* too late */
    expect_checkpoint(&b, 4);
    expect_checkpoint(&b, 5);
    end(&b);
}

/* The end of a run that never came to a verdict loses what is on trial, and does not wait for ever. */
static void free_removes_what_is_on_trial(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    start(&b);
    advance(&b, 4);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_ON_TRIAL);
    dt_saver_free(b.saver);
    b.saver = NULL;
    expect_files(&b, "");
    end(&b);
}

/* A state is saved once: not when it came from a checkpoint, and not when it is asked for again. */
static void a_step_is_saved_once(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    size_t length;
    start(&b);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    assert_done(dt_saver_finish(b.saver));
    assert_null(dt_saver_path(b.saver));
    assert_false(dt_file_exists(b.t->folder));
    advance(&b, 9);
    for (int i = 0; i < 3; i++)
        dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    assert_done(dt_saver_finish(b.saver));
    char *lines = scratch_get(b.metrics_path, &length);
    assert_int_equal(strncmp(lines, "{\"step\":9,\"save_ms\":", 20), 0);
    assert_ptr_equal(strchr(lines, '\n'), lines + length - 1);
    free(lines);
    end(&b);
}

/* Freeing waits for what was asked for: the end of a run that fails loses no save. */
static void free_waits_for_the_write(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    start(&b);
    advance(&b, 4);
    dt_saver_begin(b.saver, 2.5, dt_clock_seconds(), DT_SAVE_NOW);
    dt_saver_free(b.saver);
    b.saver = NULL;
    expect_checkpoint(&b, 4);
    end(&b);
}

/* The ranks that write nothing have no saver, and call it all the same. */
static void no_saver_is_fine(void **state) {
    (void)state;
    dt_saver_begin(NULL, 1.0, dt_clock_seconds(), DT_SAVE_NOW);
    dt_saver_wait(NULL);
    dt_saver_bear(NULL, DT_OK);
    dt_saver_decide(NULL, DT_SAVE_GOOD, DT_SAVE_UNSEEN);
    assert_done(dt_saver_finish(NULL));
    assert_null(dt_saver_path(NULL));
    dt_saver_free(NULL);
}

/* A file in the place of the folder of checkpoints: no save can succeed. */
static void block(const bench *b) {
    scratch_put(b->t->folder, "", 0);
}

/* Told as a warning only, and the next save is tried. */
static void a_failure_may_be_a_warning(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_WARN);
    block(&b);
    start(&b);
    advance(&b, 4);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    dt_saver_wait(b.saver);
    assert_int_equal(unlink(b.t->folder), 0);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(),
                   DT_SAVE_NOW); /* the same step, since it is not saved */
    assert_done(dt_saver_finish(b.saver));
    assert_false(dt_stop_requested());
    expect_checkpoint(&b, 4);
    end(&b);
}

/* A state that has gone wrong is not put beside those that are right. */
static void what_is_not_finite_is_not_saved(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_WARN);
    start(&b);
    advance(&b, 4);
    b.t->state.exp_avg[b.t->layout.tensor[3].offset] = NAN;
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    dt_saver_wait(b.saver);
    assert_false(dt_file_exists(b.t->folder));
    end(&b);
}

/* As it was, the copy would be a whole and valid checkpoint. The lowest bit of one number of each vector; the
 * next save, of an undamaged copy, succeeds. */
static void a_copy_that_is_damaged_is_refused(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    start(&b);
    const dt_tensor *tensor = dt_layout_find(&b.t->layout, "h.0.attn.c_attn.weight");
    float *const vectors[] = {copy->parameters, copy->exp_avg, copy->exp_avg_sq};
    for (int v = 0; v < 3; v++) {
        advance(&b, 4 + v);
        to_damage = vectors[v] + tensor->offset + tensor->count - 1;
        dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
        dt_saver_wait(b.saver);
        assert_null(to_damage);
        expect_files(&b, "");
        /* Only the first failure is kept. */
        assert_int_equal(dt_saver_finish(b.saver), DT_FAILED);
        if (strstr(dt_error(),
                   "model.safetensors: the copy of tensor h.0.attn.c_attn.weight that was to be written "
                   "has XXH3-64 ") == NULL)
            fail_msg("%s", dt_error());
    }
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    dt_saver_wait(b.saver);
    expect_checkpoint(&b, 6);
    end(&b);
}

/* Of 1.0 one bit makes infinity: the memory is at fault, not the learning rate. */
static void a_copy_that_becomes_infinite_is_not_blamed_on_the_run(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    start(&b);
    const dt_tensor *tensor = dt_layout_find(&b.t->layout, "ln_f.weight");
    advance(&b, 4);
    b.t->state.parameters[tensor->offset] = 1.0f;
    damaged_bit = 30;
    to_damage = copy->parameters + tensor->offset;
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    assert_int_equal(dt_saver_finish(b.saver), DT_FAILED);
    damaged_bit = 0;
    if (strstr(dt_error(),
               "cannot save step 4: tensor ln_f.weight has changed since it was copied to be written; a "
               "bit has flipped") == NULL)
        fail_msg("%s", dt_error());
    assert_false(dt_file_exists(b.t->folder));
    end(&b);
}

/* Nor is a state saved that is another than the ranks compared, however whole its copy is. */
static void a_state_that_nobody_compared_is_refused(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_WARN);
    start(&b);
    for (int64_t step = 4; step <= 5; step++) {
        uint64_t row[64];
        const int64_t parts = dt_fingerprint_parts(&b.t->layout);
        assert_true(parts <= 64);
        advance(&b, step);
        for (int64_t part = 0; part < parts; part++)
            row[part] = dt_fingerprint_part(&b.t->state, part);
        row[parts - 1] ^= step == 4;
        dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_ON_TRIAL);
        dt_saver_decide(b.saver, DT_SAVE_GOOD, dt_fingerprint_whole(row, parts));
        dt_saver_wait(b.saver);
        assert_true(has_checkpoint(&b, "checkpoint_step_5") == (step == 5));
    }
    expect_files(&b, "checkpoint_step_5 latest ");
    end(&b);
}

/* A checkpoint on which the next step goes wrong stands, but the one before it does not go for it. */
static void what_goes_wrong_costs_no_other(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_WARN);
    b.t->about.config.keep_last = 1;
    start(&b);
    const dt_save_verdict verdicts[] = {DT_SAVE_GOOD, DT_SAVE_GOOD, DT_SAVE_DOUBTFUL};
    const dt_save_kind kinds[] = {DT_SAVE_WATCHED, DT_SAVE_ON_TRIAL, DT_SAVE_WATCHED};
    for (int i = 0; i < 3; i++) {
        advance(&b, 4 + i);
        dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), kinds[i]);
        dt_saver_decide(b.saver, verdicts[i], DT_SAVE_UNSEEN);
    }
    dt_saver_wait(b.saver);
    expect_files(&b, "checkpoint_step_5 checkpoint_step_6 latest ");
    end(&b);
}

/* Weights that are evaluated after they were saved: the checkpoint gets the loss, and may be the best. */
static void a_loss_that_comes_later_is_added(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    dt_checkpoint_about about;
    start(&b);
    advance(&b, 4);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    dt_saver_wait(b.saver);
    expect_files(&b, "checkpoint_step_4 latest ");
    dt_saver_begin(b.saver, 2.5, dt_clock_seconds(), DT_SAVE_NOW);
    dt_saver_wait(b.saver);
    expect_files(&b, "best checkpoint_step_4 latest ");
    expect_verified(dt_saver_path(b.saver));
    assert_done(dt_checkpoint_read_about(dt_saver_path(b.saver), &about));
    assert_true(about.val_loss == 2.5);
    dt_config_free(&about.config);
    expect_checkpoint(&b, 4);
    end(&b);
}

/* By default the run is asked to stop, tries again, and fails with the first sentence all the same. */
static void a_failure_stops_the_run(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    block(&b);
    start(&b);
    advance(&b, 4);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    dt_saver_wait(b.saver);
    assert_true(dt_stop_requested());
    assert_int_equal(unlink(b.t->folder), 0);
    advance(&b, 5);
    dt_saver_begin(b.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
    assert_int_equal(dt_saver_finish(b.saver), DT_FAILED);
    expect_checkpoint(&b, 5);
    const char *const parts[] = {"cannot save step 4, a checkpoint of 0.0 MB: cannot make folder ",
                                 b.t->folder, "; the run stopped after step 5: ", "--resume",
                                 "checkpoint_step_5"};
    assert_int_equal(dt_saver_finish(b.saver), DT_FAILED);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(dt_error(), parts[i]) == NULL)
            fail_msg("expected \"%s\" in \"%s\"", parts[i], dt_error());
    end(&b);
}

int main(void) {
    /* Those that ask for a stop come last: a process does not forget that it was asked. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_goes_on_while_a_save_is_written),
        cmocka_unit_test(a_makeshift_goes_when_a_later_one_stands),
        cmocka_unit_test(a_makeshift_goes_from_where_its_folder_is_now),
        cmocka_unit_test(what_is_on_trial_waits_for_the_verdict),
        cmocka_unit_test(a_save_that_cannot_wait_ends_the_trial),
        cmocka_unit_test(free_removes_what_is_on_trial),
        cmocka_unit_test(a_step_is_saved_once),
        cmocka_unit_test(free_waits_for_the_write),
        cmocka_unit_test(no_saver_is_fine),
        cmocka_unit_test(a_failure_may_be_a_warning),
        cmocka_unit_test(what_is_not_finite_is_not_saved),
        cmocka_unit_test(a_state_that_nobody_compared_is_refused),
        cmocka_unit_test(what_goes_wrong_costs_no_other),
        cmocka_unit_test(a_loss_that_comes_later_is_added),
        cmocka_unit_test(a_copy_that_is_damaged_is_refused),
        cmocka_unit_test(a_copy_that_becomes_infinite_is_not_blamed_on_the_run),
        cmocka_unit_test(a_failure_stops_the_run),
    };
    dt_log_open(false, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
