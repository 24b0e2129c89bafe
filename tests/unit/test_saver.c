/*
 * The thread that writes checkpoints: what it writes is the state at the moment it was asked, however
 * training goes on, and it appears when its time has come.
 *
 * fsync goes through a gate (see tests/CMakeLists.txt), so that a write can be held up at will.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/saver_bench.h"

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: a write does not end */

int __real_fsync(int descriptor);
int __wrap_fsync(int descriptor);

static int open_syncs; /* so many pass the gate when it is shut */

int __wrap_fsync(int descriptor) {
    if (open_syncs > 0) {
        open_syncs--;
        return __real_fsync(descriptor);
    }
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return __real_fsync(descriptor);
}

/* While the disk keeps the writer waiting, training takes three steps; the next save waits for the first. */
static void training_goes_on_while_a_save_is_written(void **state) {
    (void)state;
    bench b;
    make_started(&b, DT_ON_ERROR_STOP);
    advance(&b, 4);
    pthread_mutex_lock(&gate);
    save(&b, DT_SAVE_NOW);
    for (int64_t step = 5; step <= 7; step++)
        advance(&b, step);
    assert_false(has_checkpoint(&b, "checkpoint_step_4"));
    pthread_mutex_unlock(&gate);
    save(&b, DT_SAVE_NOW);
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
            save(&b, DT_SAVE_NOW);
        else
            save(&b, DT_SAVE_MAKESHIFT);
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
    save(&b, DT_SAVE_MAKESHIFT);
    dt_saver_wait(b.saver);
    assert_int_equal(rename(b.t->folder, moved), 0);
    assert_done(dt_file_make_folder(b.t->folder));
    assert_done(dt_file_make_folder(stranger));
    advance(&b, 6);
    save(&b, DT_SAVE_NOW);
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

/* Waits until the writer has begun a checkpoint in the folder. */
static void await_beginning(const bench *b) {
    char **names;
    for (size_t count = 0, i = 0;; i++) {
        assert_true(i < 1000);
        usleep(10000);
        if (dt_file_list(b->t->folder, &names, &count) != DT_OK)
            continue;
        const bool begun = count > 0 && strncmp(names[0], ".checkpoint_step_", 17) == 0;
        dt_file_free_names(names, count);
        if (begun)
            return;
    }
}

/* The folder is moved, or removed, while a save into it is under way: it is saved where the folder is then.
 */
static void a_save_follows_its_folder_in_its_middle(void **state) {
    (void)state;
    for (int removed = 0; removed < 2; removed++) {
        dt_lock lock = {0};
        bench b = make(DT_ON_ERROR_STOP);
        assert_done(dt_file_make_folder(b.t->folder));
        assert_done(dt_lock_take(&lock, b.t->folder, 0.0, "checkpoint_dir"));
        b.lock = &lock;
        start(&b);
        advance(&b, 4);
        pthread_mutex_lock(&gate);
        open_syncs = 1; /* that of the lines, before the folder is looked for */
        save(&b, DT_SAVE_NOW);
        await_beginning(&b);
        if (removed)
            assert_done(dt_file_remove_tree(b.t->folder));
        else {
            char *moved = dt_file_join(b.t->scratch, "moved");
            assert_int_equal(rename(b.t->folder, moved), 0);
            free(b.t->folder);
            b.t->folder = moved;
        }
        pthread_mutex_unlock(&gate);
        assert_done(dt_saver_finish(b.saver));
        assert_false(dt_stop_requested());
        expect_checkpoint(&b, 4);
        expect_files(&b, "checkpoint_step_4 latest run.lock ");
        dt_saver_free(b.saver);
        b.saver = NULL;
        dt_lock_release(&lock);
        end(&b);
    }
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
        save(&b, DT_SAVE_ON_TRIAL);
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
    bench b;
    make_started(&b, DT_ON_ERROR_STOP);
    advance(&b, 4);
    save(&b, DT_SAVE_ON_TRIAL);
    advance(&b, 5);
    save_and_wait(&b);
    dt_saver_decide(b.saver, DT_SAVE_BAD, DT_SAVE_UNSEEN); /* too late */
    expect_checkpoint(&b, 4);
    expect_checkpoint(&b, 5);
    end(&b);
}

/* The end of a run that never came to a verdict loses what is on trial, and does not wait for ever. */
static void free_removes_what_is_on_trial(void **state) {
    (void)state;
    bench b;
    make_started(&b, DT_ON_ERROR_STOP);
    advance(&b, 4);
    save(&b, DT_SAVE_ON_TRIAL);
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
    save(&b, DT_SAVE_NOW);
    assert_done(dt_saver_finish(b.saver));
    assert_null(dt_saver_path(b.saver));
    assert_false(dt_file_exists(b.t->folder));
    advance(&b, 9);
    for (int i = 0; i < 3; i++)
        save(&b, DT_SAVE_NOW);
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
    bench b;
    make_started(&b, DT_ON_ERROR_STOP);
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

/* Weights that are evaluated after they were saved: the checkpoint gets the loss, and may be the best. */
static void a_loss_that_comes_later_is_added(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    dt_checkpoint_about about;
    start(&b);
    advance(&b, 4);
    save_and_wait(&b);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_goes_on_while_a_save_is_written),
        cmocka_unit_test(a_makeshift_goes_when_a_later_one_stands),
        cmocka_unit_test(a_makeshift_goes_from_where_its_folder_is_now),
        cmocka_unit_test(a_save_follows_its_folder_in_its_middle),
        cmocka_unit_test(what_is_on_trial_waits_for_the_verdict),
        cmocka_unit_test(a_save_that_cannot_wait_ends_the_trial),
        cmocka_unit_test(free_removes_what_is_on_trial),
        cmocka_unit_test(a_step_is_saved_once),
        cmocka_unit_test(free_waits_for_the_write),
        cmocka_unit_test(no_saver_is_fine),
        cmocka_unit_test(a_loss_that_comes_later_is_added),
    };
    dt_log_open(false, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
