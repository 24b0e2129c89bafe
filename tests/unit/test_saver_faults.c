/*
 * What the thread that writes checkpoints does with what has gone wrong: it is told, once and by the rules of
 * checkpoint_on_error, and none of it passes as a checkpoint.
 *
 * What makes a state, and fsync, go through wrappers (see tests/CMakeLists.txt), so that the saver's copy is
 * known and can be damaged after it was made.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/saver_bench.h"
#include "optim/fingerprint.h"

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
    return __real_fsync(descriptor);
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
    save_and_wait(&b);
    assert_int_equal(unlink(b.t->folder), 0);
    save(&b, DT_SAVE_NOW); /* the same step, since it is not saved */
    assert_done(dt_saver_finish(b.saver));
    assert_false(dt_stop_requested());
    expect_checkpoint(&b, 4);
    end(&b);
}

/* A state that has gone wrong is not put beside those that are right. */
static void what_is_not_finite_is_not_saved(void **state) {
    (void)state;
    bench b;
    make_started(&b, DT_ON_ERROR_WARN);
    advance(&b, 4);
    b.t->state.exp_avg[b.t->layout.tensor[3].offset] = NAN;
    save_and_wait(&b);
    assert_false(dt_file_exists(b.t->folder));
    end(&b);
}

/* Nor is a state saved that is another than the ranks compared, however whole its copy is. */
static void a_state_that_nobody_compared_is_refused(void **state) {
    (void)state;
    bench b;
    make_started(&b, DT_ON_ERROR_WARN);
    for (int64_t step = 4; step <= 5; step++) {
        uint64_t row[64];
        const int64_t slices = dt_state_slices(&b.t->layout);
        assert_true(slices <= 64);
        advance(&b, step);
        for (int64_t index = 0; index < slices; index++)
            row[index] = dt_fingerprint_slice(&b.t->state, index);
        row[slices - 1] ^= step == 4;
        save(&b, DT_SAVE_ON_TRIAL);
        dt_saver_decide(b.saver, DT_SAVE_GOOD, dt_fingerprint_whole(row, slices));
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
    const dt_save_kind kinds[] = {DT_SAVE_PROVISIONAL, DT_SAVE_ON_TRIAL, DT_SAVE_PROVISIONAL};
    for (int i = 0; i < 3; i++) {
        advance(&b, 4 + i);
        save(&b, kinds[i]);
        dt_saver_decide(b.saver, verdicts[i], DT_SAVE_UNSEEN);
    }
    dt_saver_wait(b.saver);
    expect_files(&b, "checkpoint_step_5 checkpoint_step_6 latest ");
    end(&b);
}

/* As it was, the copy would be a whole and valid checkpoint. The lowest bit of one number of each vector; the
 * next save, of an undamaged copy, succeeds. */
static void a_copy_that_is_damaged_is_refused(void **state) {
    (void)state;
    bench b;
    make_started(&b, DT_ON_ERROR_STOP);
    const dt_tensor *tensor = dt_layout_find(&b.t->layout, "h.0.attn.c_attn.weight");
    float *const vectors[] = {copy->parameters, copy->exp_avg, copy->exp_avg_sq};
    for (int v = 0; v < 3; v++) {
        advance(&b, 4 + v);
        to_damage = vectors[v] + tensor->offset + tensor->count - 1;
        save_and_wait(&b);
        assert_null(to_damage);
        expect_files(&b, "");
        /* Only the first failure is kept. */
        assert_int_equal(dt_saver_finish(b.saver), DT_FAILED);
        if (strstr(dt_error(),
                   "model.safetensors: the copy of tensors wte.weight to ln_f.bias that was to be written "
                   "has XXH3-64 ") == NULL)
            fail_msg("%s", dt_error());
    }
    save_and_wait(&b);
    expect_checkpoint(&b, 6);
    end(&b);
}

/* Of 1.0 one bit makes infinity: the memory is at fault, not the learning rate. */
static void a_copy_that_becomes_infinite_is_not_blamed_on_the_run(void **state) {
    (void)state;
    bench b;
    make_started(&b, DT_ON_ERROR_STOP);
    const dt_tensor *tensor = dt_layout_find(&b.t->layout, "ln_f.weight");
    advance(&b, 4);
    b.t->state.parameters[tensor->offset] = 1.0f;
    damaged_bit = 30;
    to_damage = copy->parameters + tensor->offset;
    save(&b, DT_SAVE_NOW);
    assert_int_equal(dt_saver_finish(b.saver), DT_FAILED);
    damaged_bit = 0;
    if (strstr(dt_error(),
               "cannot save step 4: tensor ln_f.weight has changed since it was copied to be written; a "
               "bit has flipped") == NULL)
        fail_msg("%s", dt_error());
    assert_false(dt_file_exists(b.t->folder));
    end(&b);
}

/* By default the run is asked to stop, tries again, and fails with the first sentence all the same. */
static void a_failure_stops_the_run(void **state) {
    (void)state;
    bench b = make(DT_ON_ERROR_STOP);
    block(&b);
    start(&b);
    advance(&b, 4);
    save_and_wait(&b);
    assert_true(dt_stop_requested());
    assert_int_equal(unlink(b.t->folder), 0);
    advance(&b, 5);
    save(&b, DT_SAVE_NOW);
    assert_int_equal(dt_saver_finish(b.saver), DT_FAILED);
    expect_checkpoint(&b, 5);
    const char *const words[] = {"cannot save step 4, a checkpoint of ", b.t->folder,
                                 "; the run stopped after step 5: ", "--resume", "checkpoint_step_5"};
    assert_int_equal(dt_saver_finish(b.saver), DT_FAILED);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(dt_error(), words[i]) == NULL)
            fail_msg("expected \"%s\" in \"%s\"", words[i], dt_error());
    end(&b);
}

int main(void) {
    /* Those that ask for a stop come last: a process does not forget that it was asked. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_may_be_a_warning),
        cmocka_unit_test(what_is_not_finite_is_not_saved),
        cmocka_unit_test(a_state_that_nobody_compared_is_refused),
        cmocka_unit_test(what_goes_wrong_costs_no_other),
        cmocka_unit_test(a_copy_that_is_damaged_is_refused),
        cmocka_unit_test(a_copy_that_becomes_infinite_is_not_blamed_on_the_run),
        cmocka_unit_test(a_failure_stops_the_run),
    };
    dt_log_open(false, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
