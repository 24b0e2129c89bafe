/* Stopping and going on: the same bits as without a stop, on other numbers of ranks; and what may not change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/text.h"
#include "support/training.h"

/* The learning rate must not depend on max_steps, which differs between the parts of a run. */
#define STEADY TRAINING_MODEL "--warmup-steps 2 "
#define COSINE TRAINING_MODEL "--lr-schedule cosine --warmup-steps 2 --max-steps 10 --checkpoint-cadence 4 "

static int set_up(void **state) {
    training_set_up(state);
    training_done(TRAINING_ALONE, 1, "saved", STEADY "--max-steps 2");
    return 0;
}

/* What same_metric compares holds every step, so equal texts also mean that no step stands twice. */
static void same_course(const char *out_dir, const char *other) {
    training_same_weights(out_dir, other, 10);
    training_same_metric(out_dir, other, "loss");
    training_same_metric(out_dir, other, "lr");
    training_same_metric(out_dir, other, "grad_norm");
}

/* 4 ranks to step 4, one to 8, three to 10, against two that never stopped. */
static void parts_on_other_ranks_make_the_same_run(void **state) {
    (void)state;
    training_done(2, 1, "whole", STEADY "--max-steps 10");
    training_done(4, 1, "parts", STEADY "--max-steps 4");
    assert_int_equal(training_latest_step("parts"), 4);
    training_done(1, 2, "parts", STEADY "--max-steps 8 --resume latest");
    assert_int_equal(training_latest_step("parts"), 8);
    training_done(3, 1, "parts", STEADY "--max-steps 10 --resume auto");
    same_course("whole", "parts");
    training_no_leftovers("parts");
}

/* A run that ended at 10 goes on from its checkpoint of step 4: the lines of 5 to 10 are written once. */
static void an_earlier_checkpoint_takes_lines_back(void **state) {
    (void)state;
    training_done(2, 1, "cosine", COSINE "--eval-cadence 3");
    training_done(TRAINING_ALONE, 1, "again", COSINE "--eval-cadence 3");
    training_done(3, 2, "again", COSINE "--eval-cadence 3 --resume again/checkpoints/checkpoint_step_4");
    same_course("cosine", "again");
    training_same_metric("cosine", "again", "val_loss");
    assert_int_equal(training_latest_step("again"), 10);
}

/* The checkpoint that a run goes on from may stand in another run's folder: metrics.jsonl starts anew there.
 */
static void a_path_may_lead_to_another_run(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "first", COSINE);
    training_done(2, 1, "second", COSINE "--resume first/checkpoints/checkpoint_step_8");
    training_same_weights("first", "second", 10);
    char *steps = training_metric("second", "loss");
    assert_true(strncmp(steps, "9 ", 2) == 0);
    free(steps);
}

static void auto_starts_fresh_where_nothing_is(void **state) {
    (void)state;
    command_result r = training_run(2, 1, "fresh", STEADY "--max-steps 2 --resume auto");
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "resume: no checkpoint in fresh/checkpoints yet, starting fresh\n"));
    command_free(&r);
    training_same_weights("saved", "fresh", 2);
    /* Once there is one it is taken. */
    r = training_run(2, 1, "fresh", STEADY "--max-steps 3 --resume auto");
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "resume    from fresh/checkpoints/checkpoint_step_2, after step 2\n"));
    command_free(&r);
}

static void a_finished_run_has_nothing_to_do(void **state) {
    (void)state;
    command_result r = training_run(1, 1, "saved", STEADY "--max-steps 2 --resume latest");
    assert_int_equal(r.exit_code, 0);
    assert_non_null(
        strstr(r.out, "nothing to do: the checkpoint is at step 2 and max_steps is 2; raise --max-steps to "
                      "go on\n"));
    command_free(&r);
}

static void latest_needs_a_checkpoint(void **state) {
    (void)state;
    training_refused(
        2, "nothing", STEADY "--max-steps 2 --resume latest", 2,
        "dtrain: error: there is no latest checkpoint to resume: expected a link "
        "nothing/checkpoints/latest; give --resume a path, or auto to start afresh when there is none\n");
    training_refused(
        TRAINING_ALONE, "nothing", STEADY "--max-steps 2 --resume nowhere", 2,
        "dtrain: error: nowhere is no checkpoint: expected a folder, found nothing there; name one such as "
        "checkpoints/checkpoint_step_1000\n");
}

/* What would change the meaning of the run is refused by name, with both values. */
static void fixed_options_may_not_change(void **state) {
    (void)state;
    const struct {
        const char *flag, *key, *saved, *now;
    } changes[] = {{"--n-layers 3", "n_layers", "2", "3"},
                   {"--d-model 64", "d_model", "32", "64"},
                   {"--n-heads 4", "n_heads", "2", "4"},
                   {"--d-ff 128", "d_ff", "64", "128"},
                   {"--batch-size 8", "batch_size", "16", "8"},
                   {"--micro-batch-size 4", "micro_batch_size", "2", "4"},
                   {"--seed 8", "seed", "7", "8"},
                   {"--max-seq-len 16", "max_seq_len", "32", "16"},
                   {"--train-ratio 0.9", "train_ratio", "0.95", "0.9"},
                   {"--no-shuffle", "shuffle", "true", "false"},
                   {"--leftover-windows spread", "leftover_windows", "drop", "spread"}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char flags[512], sentence[512];
        snprintf(flags, sizeof flags, STEADY "--max-steps 4 --resume latest %s", changes[i].flag);
        snprintf(
            sentence, sizeof sentence,
            "dtrain: error: cannot resume: %s is %s in the checkpoint and %s in this run; this option may "
            "not change within a run; leave it out to take what the checkpoint has, or start a new run "
            "without --resume\n",
            changes[i].key, changes[i].saved, changes[i].now);
        /* With several ranks too, the sentence comes once. */
        training_refused(i == 0 ? 3 : TRAINING_ALONE, "saved", flags, 2, sentence);
    }
    /* All at once, so that nobody has to find them one by one. */
    training_refused(
        2, "saved", "--resume latest --max-steps 4 --n-layers 3 --seed 8 --no-shuffle --dropout 0.2", 2,
        "dtrain: error: cannot resume: n_layers is 2 in the checkpoint and 3 in this run; seed is 7 in "
        "the checkpoint and 8 in this run; shuffle is true in the checkpoint and false in this run; "
        "these options may not change within a run; leave them out to take what the checkpoint has, "
        "or start a new run without --resume\n");
}

/* Runs dtrain with nothing but `words`, on `ranks` ranks, which must end well; what it said, owned by the
 * caller.
 */
static command_result goes_on(int ranks, const char *words) {
    command_result r = ranks == TRAINING_ALONE ? command_run("%s %s", DTRAIN_PROGRAM, words)
                                               : command_run("%s --oversubscribe -np %d %s %s", DTRAIN_MPIRUN,
                                                             ranks, DTRAIN_PROGRAM, words);
    if (r.exit_code != 0)
        fail_msg("%s: exit code %d: %s", words, r.exit_code, r.err);
    return r;
}

static void says(const command_result *r, const char *sentence) {
    if (strstr(r->out, sentence) == NULL && strstr(r->err, sentence) == NULL)
        fail_msg("expected \"%s\" in:\n%s%s", sentence, r->out, r->err);
}

/* Options that are not given come from the checkpoint, the folders and the text too: the same bits as without
 * a stop, on another number of ranks, also after the run was moved, and seen from another folder. */
static void a_checkpoint_alone_goes_on(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "unbroken", COSINE "--keep-last 5");
    training_done(2, 1, "broken", COSINE "--keep-last 5");
    command_result r = command_run("cp -r broken moved && mkdir below");
    command_free(&r);
    r = goes_on(3, "--resume broken/checkpoints/checkpoint_step_8");
    says(&r, "resume: the text is text.txt, as the checkpoint says");
    assert_null(strstr(r.out, " from here on"));
    assert_null(strstr(r.err, "rises"));
    command_free(&r);
    same_course("unbroken", "broken");
    r = command_run("cd below && %s --resume ../moved/checkpoints/checkpoint_step_8 --data ../text.txt",
                    DTRAIN_PROGRAM);
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    same_course("unbroken", "moved");
    r = command_run("ls below");
    assert_string_equal(r.out, "");
    command_free(&r);
    /* A flag beats the file, the file beats the checkpoint. */
    r = command_run("printf 'learning_rate: 0.5\\nweight_decay: 0.3\\n' >later.yaml");
    command_free(&r);
    r = goes_on(TRAINING_ALONE, "--config later.yaml --weight-decay 0.2 --max-steps 12 --resume "
                                "broken/checkpoints/latest");
    says(&r, "resume: learning_rate was 0.01 and is 0.5 from here on\n");
    says(&r, "resume: weight_decay was 0.1 and is 0.2 from here on\n");
    assert_null(strstr(r.out, "dropout"));
    command_free(&r);
    assert_int_equal(training_latest_step("broken"), 12);
}

/* Hooks go on too, by name; and what does not fit together with the checkpoint's options is refused before
 * anything is said of changes. */
static void what_a_checkpoint_brings_is_told(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "hooked",
                  STEADY "--max-steps 2 --hooks '{update: [{name: gradient_stats}]}'");
    command_result r = goes_on(TRAINING_ALONE, "--resume hooked/checkpoints/latest --max-steps 3");
    says(&r, "resume: the hooks are those of the checkpoint, {\"update\":[{\"name\":\"gradient_stats\"}]}; "
             "--hooks null leaves them out\n");
    command_free(&r);
    r = command_run("%s --resume hooked/checkpoints/latest --max-steps 4 --min-learning-rate 1",
                    DTRAIN_PROGRAM);
    assert_int_equal(r.exit_code, 2);
    says(
        &r,
        "min_learning_rate must be at most learning_rate, but min_learning_rate is 1 and learning_rate is 0.01");
    assert_string_equal(r.out, "");
    command_free(&r);
}

/* A checkpoint that lies alone does not say where its run writes. */
static void a_copy_alone_asks_for_a_folder(void **state) {
    (void)state;
    command_result r = command_run("cp -r saved/checkpoints/checkpoint_step_2 lone");
    command_free(&r);
    r = command_run("%s --resume lone --max-steps 3", DTRAIN_PROGRAM);
    assert_int_equal(r.exit_code, 2);
    says(&r, "resume: cannot tell which folder to write to, since lone is not in the folder checkpoints/ "
             "of a run; name the folder with --out-dir");
    command_free(&r);
    r = goes_on(2, "--resume lone --max-steps 3 --out-dir lone_run");
    command_free(&r);
    assert_int_equal(training_latest_step("lone_run"), 3);
}

static void best_is_a_checkpoint_too(void **state) {
    (void)state;
    training_refused(
        TRAINING_ALONE, "saved", "--max-steps 4 --resume best", 2,
        "dtrain: error: there is no best checkpoint to resume: expected a link "
        "saved/checkpoints/best; a run makes it where it evaluates and saves after the same step");
    training_done(TRAINING_ALONE, 1, "best", STEADY "--max-steps 4 --eval-cadence 2");
    command_result r = goes_on(2, "--out-dir best --max-steps 6 --resume best");
    says(&r, "after step 4\n");
    command_free(&r);
    assert_int_equal(training_latest_step("best"), 6);
}

/* What the schedule does from here, in numbers, where its end has passed or its length has changed. */
static void the_schedule_is_told(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "told", COSINE);
    command_result r = goes_on(2, "--resume told/checkpoints/checkpoint_step_8 --max-steps 20");
    says(&r,
         "dtrain: warning: resume: the learning rate was 0.00146447 at step 8; with lr_schedule: cosine and "
         "max_steps: 20 it is 0.0067101 at step 9 and 0 at step 20: it rises again");
    command_free(&r);
    r = command_run("rm -r told");
    command_free(&r);
    training_done(TRAINING_ALONE, 1, "told", COSINE);
    r = goes_on(TRAINING_ALONE, "--resume told/checkpoints/latest --max-steps 12");
    says(
        &r,
        "dtrain: warning: resume: the learning rate was 0 at step 10, where its schedule ended; with "
        "lr_schedule: cosine and max_steps: 12 it is 0.000244717 at step 11 and 0 at step 12: it rises again");
    command_free(&r);
    r = goes_on(TRAINING_ALONE, "--resume told/checkpoints/latest --max-steps 13 --lr-schedule constant "
                                "--learning-rate 1e-9");
    says(&r, "with lr_schedule: constant and max_steps: 13 it is 1e-09 at step 13 and 1e-09 at step 13");
    command_free(&r);
}

/* Options that have no effect beside the others, and a schedule that does not come to its end. */
static void what_has_no_effect_is_said(void **state) {
    (void)state;
    command_result r = training_run(2, 1, "idle",
                                    TRAINING_MODEL "--max-steps 2 --warmup-steps 8 --decay-steps 3 "
                                                   "--keep-every 2");
    assert_int_equal(r.exit_code, 0);
    says(&r,
         "dtrain: warning: warmup_steps is 8 and max_steps is 2: the run ends while the learning rate still "
         "rises, at 0.0025 of 0.01; lower warmup_steps or raise max_steps\n");
    says(&r,
         "dtrain: warning: decay_steps is 3, which has an effect only with lr_schedule: wsd; give that too, "
         "or leave decay_steps out\n");
    says(&r, "dtrain: warning: keep_every is 2, which has an effect only with a keep_last");
    command_free(&r);
    r = training_run(1, 1, "busy",
                     TRAINING_MODEL "--max-steps 2 --warmup-steps 1 --lr-schedule wsd --decay-steps 1 "
                                    "--keep-every 2 --keep-last 1");
    assert_null(strstr(r.err, "warning: warmup"));
    assert_null(strstr(r.err, "effect"));
    command_free(&r);
}

static void another_corpus_is_refused(void **state) {
    (void)state;
    text_write("longer.txt", 31000, 1);
    text_write("other.txt", 30000, 2);
    training_refused(
        2, "saved", STEADY "--max-steps 4 --resume latest --data longer.txt", 2,
        "dtrain: error: longer.txt is not the text that the checkpoint was trained on: expected 30000 "
        "bytes and 30000 tokens, found 31000 and 31000; give that text by --data, or start a new run in "
        "another --out-dir without --resume\n");
    training_refused(
        TRAINING_ALONE, "saved", STEADY "--max-steps 4 --resume latest --data other.txt", 2,
        "dtrain: error: other.txt is not the text that the checkpoint was trained on: it is as long, but "
        "its content hash is ");
}

/* The same text under another name is the same corpus; what may change is said once and taken. */
static void other_options_may_change_and_are_logged(void **state) {
    (void)state;
    command_result copy =
        command_run("mkdir changed && cp -r saved/checkpoints changed/ && cp text.txt moved.txt");
    assert_int_equal(copy.exit_code, 0);
    command_free(&copy);
    command_result r =
        training_run(2, 1, "changed",
                     STEADY "--max-steps 4 --resume latest --data moved.txt --learning-rate 0.005 "
                            "--eval-cadence 2 --checkpoint-cadence 1");
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "resume: learning_rate was 0.01 and is 0.005 from here on\n"));
    assert_non_null(strstr(r.out, "resume: max_steps was 2 and is 4 from here on\n"));
    assert_non_null(strstr(r.out, "resume: eval_cadence was null and is 2 from here on\n"));
    assert_non_null(strstr(r.out, "resume: checkpoint_cadence was 1000 and is 1 from here on\n"));
    assert_null(strstr(r.out, "resume: seed"));
    assert_null(strstr(r.out, "resume: data"));
    command_free(&r);
    char *rates = training_metric("changed", "lr");
    assert_string_equal(rates, "3 0.005\n4 0.005\n");
    free(rates);
}

/* Without --seed the run takes the checkpoint's, so it goes on with the same bits. */
static void the_seed_comes_from_the_checkpoint(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "drawn", STEADY "--seed null --max-steps 2");
    command_result copy = command_run("cp -r drawn drawn_copy");
    command_free(&copy);
    training_done(2, 1, "drawn", STEADY "--seed null --max-steps 4 --resume latest");
    training_done(TRAINING_ALONE, 2, "drawn_copy", STEADY "--seed null --max-steps 4 --resume latest");
    training_same_weights("drawn", "drawn_copy", 4);
}

/* One bit turned in a weight, or in a moment: refused on all ranks, with file and tensor named. */
static void a_damaged_checkpoint_is_refused(void **state) {
    (void)state;
    command_result copy = command_run("cp -r saved damaged && cp -r saved damaged2");
    command_free(&copy);
    training_damage("damaged/checkpoints/latest/model.safetensors", -5);
    training_refused(
        2, "damaged", STEADY "--max-steps 4 --resume latest", 1,
        "dtrain: error: damaged/checkpoints/checkpoint_step_2/model.safetensors is damaged: the data of "
        "tensor ln_f.bias have XXH3-64 ");
    training_damage("damaged2/checkpoints/latest/optimizer.safetensors", -5);
    training_refused(
        TRAINING_ALONE, "damaged2", STEADY "--max-steps 4 --resume damaged2/checkpoints/checkpoint_step_2", 1,
        "dtrain: error: damaged2/checkpoints/checkpoint_step_2/optimizer.safetensors is damaged: the data "
        "of tensor exp_avg_sq.ln_f.bias have XXH3-64 ");
    training_refused(
        3, "damaged2", STEADY "--max-steps 4 --resume auto", 1,
        "dtrain: error: expected a checkpoint in damaged2/checkpoints to go on from, found 1 and "
        "none of them whole");
}

/* Each kind of damage to the newest checkpoint: verify and a resume by its path refuse it with exit code 1
 * and name the file; auto says so, goes on from the one before it, and comes to the same bits. */
static void auto_goes_on_from_the_newest_whole_one(void **state) {
    (void)state;
    static const struct {
        const char *file, *damage, *why;
    } cases[] = {
        {"model.safetensors", "truncate -s -1 %s", "were saved"},
        {"optimizer.safetensors", "cp two/checkpoints/checkpoint_step_2/optimizer.safetensors %s",
         "is damaged"},
        {"metadata.json", ": > %s", "cannot use"},
        {"metadata.json", "cp two/checkpoints/checkpoint_step_2/metadata.json %s", "is that of step 2"},
        {"config.json", "rm %s && mkdir %s", "found a folder"},
        {"vocab.json", "rm %s && mkfifo %s", "expected a regular file"},
    };
    training_done(2, 1, "two", STEADY "--max-steps 4 --checkpoint-cadence 2");
    training_done(2, 1, "beyond", STEADY "--max-steps 6");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[512], file[128];
        snprintf(file, sizeof file, "mended/checkpoints/checkpoint_step_4/%s", cases[i].file);
        snprintf(line, sizeof line, "rm -rf mended && cp -r two mended && F=%s && %s", file, cases[i].damage);
        for (char *at = strstr(line, "%s"); at != NULL; at = strstr(at, "%s"))
            memcpy(at, "$F", 2);
        command_result r = command_run("%s", line);
        assert_int_equal(r.exit_code, 0);
        command_free(&r);
        r = command_run(DTRAIN_PROGRAM " verify mended/checkpoints/latest");
        assert_int_equal(r.exit_code, 1);
        if (strstr(r.err, cases[i].file) == NULL || strstr(r.err, cases[i].why) == NULL)
            fail_msg("expected \"%s\" and \"%s\" in: %s", cases[i].file, cases[i].why, r.err);
        command_free(&r);
        training_refused(TRAINING_ALONE, "mended",
                         STEADY "--max-steps 6 --resume mended/checkpoints/checkpoint_step_4", 1,
                         "dtrain: error: ");
        r = training_run(i == 0 ? 3 : TRAINING_ALONE, 1, "mended", STEADY "--max-steps 6 --resume auto");
        assert_int_equal(r.exit_code, 0);
        assert_non_null(strstr(r.err, "dtrain: warning: refused as a checkpoint to go on from: "));
        assert_non_null(strstr(r.err, cases[i].file));
        assert_non_null(strstr(r.out, "resume    from mended/checkpoints/checkpoint_step_2, after step 2\n"));
        command_free(&r);
        training_same_weights("beyond", "mended", 6);
        training_same_metric("beyond", "mended", "loss");
    }
}

/* A step that is not finite is not taken: what was saved before it stays, and a run with a sane rate goes on
 * from there. */
static void a_diverging_run_keeps_what_was_saved(void **state) {
    (void)state;
    training_done(2, 1, "diverged", TRAINING_MODEL "--max-steps 2");
    training_refused(3, "diverged", TRAINING_MODEL "--resume latest --max-steps 6 --learning-rate 1e30", 1,
                     "expected a finite loss and gradient");
    assert_int_equal(training_latest_step("diverged"), 2);
    training_done(1, 1, "diverged", TRAINING_MODEL "--resume latest --max-steps 4");
    assert_int_equal(training_latest_step("diverged"), 4);
}

/* The text need not be named again. */
static void the_text_comes_from_the_checkpoint(void **state) {
    (void)state;
    training_done(1, 1, "text", TRAINING_MODEL "--max-steps 2");
    command_result r =
        command_run(DTRAIN_PROGRAM " --n-layers 2 --d-model 32 --n-heads 2 --d-ff 64 --max-seq-len 32 "
                                   "--out-dir text --resume latest --max-steps 3");
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    assert_int_equal(training_latest_step("text"), 3);
    command_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_on_other_ranks_make_the_same_run),
                                       cmocka_unit_test(an_earlier_checkpoint_takes_lines_back),
                                       cmocka_unit_test(a_path_may_lead_to_another_run),
                                       cmocka_unit_test(auto_starts_fresh_where_nothing_is),
                                       cmocka_unit_test(a_finished_run_has_nothing_to_do),
                                       cmocka_unit_test(latest_needs_a_checkpoint),
                                       cmocka_unit_test(fixed_options_may_not_change),
                                       cmocka_unit_test(a_checkpoint_alone_goes_on),
                                       cmocka_unit_test(what_a_checkpoint_brings_is_told),
                                       cmocka_unit_test(a_copy_alone_asks_for_a_folder),
                                       cmocka_unit_test(best_is_a_checkpoint_too),
                                       cmocka_unit_test(the_schedule_is_told),
                                       cmocka_unit_test(what_has_no_effect_is_said),
                                       cmocka_unit_test(another_corpus_is_refused),
                                       cmocka_unit_test(other_options_may_change_and_are_logged),
                                       cmocka_unit_test(the_seed_comes_from_the_checkpoint),
                                       cmocka_unit_test(a_damaged_checkpoint_is_refused),
                                       cmocka_unit_test(auto_goes_on_from_the_newest_whole_one),
                                       cmocka_unit_test(a_diverging_run_keeps_what_was_saved),
                                       cmocka_unit_test(the_text_comes_from_the_checkpoint)};
    return cmocka_run_group_tests(tests, set_up, training_tear_down);
}
