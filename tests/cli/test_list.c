/* dtrain runs: which runs there are below a folder, how far each is, and in what they differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/training.h"

/* Two runs of a sweep, one deep below it, beside a link that leads up again; one that was killed, whose last
 * line is torn. */
static int set_up(void **state) {
    training_set_up(state);
    training_done(TRAINING_ALONE, 1, "sweep/a", TRAINING_MODEL "--max-steps 2 --eval-cadence 1");
    training_done(TRAINING_ALONE, 1, "sweep/deep/er/b",
                  TRAINING_MODEL "--max-steps 3 --eval-cadence 1 --learning-rate 1e-4");
    return system(
        "ln -s .. sweep/deep/again && mkdir -p sweep/torn && head -n 2 sweep/a/metrics.jsonl >sweep/torn/metrics.jsonl && "
        "printf '{\"step\":2,\"lo' >>sweep/torn/metrics.jsonl && "
        "mkdir -p sweep/empty/checkpoints && touch sweep/empty/metrics.jsonl");
}

static json_t *find(const json_t *list, const char *path) {
    size_t i;
    json_t *run;
    json_array_foreach(list, i, run) {
        if (strcmp(json_string_value(json_object_get(run, "path")), path) == 0)
            return run;
    }
    fail_msg("no run %s in the list", path);
    return NULL;
}

static const char *text_of(const json_t *run, const char *key) {
    return json_string_value(json_object_get(run, key));
}

static void each_run_has_a_line(void **state) {
    (void)state;
    command_result r = command_run("%s runs sweep", DTRAIN);
    assert_int_equal(r.exit_code, 0);
    command_says(&r, "run ");
    command_says(&r, "sweep/a ");
    command_says(&r, "sweep/deep/er/b ");
    command_says(&r, "finished");
    command_says(&r, "  2/2  ");
    command_says(&r, "  3/3  ");
    command_says(&r, "sweep/torn ");
    command_says(&r, "  1/2  ");
    command_says(&r, "ended without a word");
    command_says(&r, "  max_steps 3");
    command_says(&r, "  learning_rate 0.0001");
    command_says(&r, " s ago");
    command_free(&r);
}

/* The longest line of a text. */
static size_t longest_line(const char *text) {
    size_t longest = 0;
    for (const char *at = text; *at != 0;
         at += at[strcspn(at, "\n")] != 0 ? strcspn(at, "\n") + 1 : strlen(at)) {
        const size_t length = strcspn(at, "\r\n");
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* On a terminal the options of unlike runs stand below their rows, in lines that it has room for, and what
 * is left out is counted; in a file a run is one line. */
static void options_find_room_on_a_terminal(void **state) {
    (void)state;
    if (system("command -v script >/dev/null") != 0) {
        print_message("skipped: needs script, which is a terminal; tools/install-packages test\n");
        skip();
    }
    training_done(TRAINING_ALONE, 1, "unlike/a", TRAINING_MODEL "--max-steps 1");
    training_done(TRAINING_ALONE, 1, "unlike/b",
                  TRAINING_MODEL
                  "--max-steps 2 --eval-cadence 1 --learning-rate 1e-4 --beta1 0.8 --beta2 0.9 "
                  "--weight-decay 0.3 --grad-clip 2 --lr-schedule cosine --warmup-steps 1 "
                  "--loss-spike-threshold 3 --no-shuffle --train-ratio 0.8");
    command_result r =
        command_run("script -qec 'stty cols 100; %s runs unlike 2>/dev/null' /dev/null", DTRAIN);
    assert_int_equal(r.exit_code, 0);
    assert_in_range(longest_line(r.out), 70, 100);
    command_says(&r, "\n    train_ratio 0.8  max_steps 2  ");
    command_says(&r, "  +");
    command_free(&r);
    r = command_run("%s runs unlike", DTRAIN);
    assert_true(longest_line(r.out) > 150);
    assert_null(strstr(r.out, "  +"));
    command_free(&r);
}

/* Losses on unlike texts are no order; the same text under another name is one text. */
static void other_texts_are_told(void **state) {
    (void)state;
    const char *told = "these runs are not all evaluated on one text";
    command_result r = command_run("cp text.txt same.txt && head -c 20000 text.txt >other.txt");
    command_free(&r);
    training_done(TRAINING_ALONE, 1, "texts/a", TRAINING_MODEL "--max-steps 1 --eval-cadence 1");
    training_done(TRAINING_ALONE, 1, "texts/b",
                  TRAINING_MODEL "--max-steps 1 --eval-cadence 1 --data null --data same.txt");
    r = command_run("%s runs texts && %s report texts --out texts.html", DTRAIN, DTRAIN);
    assert_int_equal(r.exit_code, 0);
    assert_null(strstr(r.err, told));
    command_free(&r);
    r = command_run("grep -c 'not all on one text' texts.html");
    assert_string_equal(r.out, "0\n");
    command_free(&r);
    training_done(TRAINING_ALONE, 1, "texts/c",
                  TRAINING_MODEL "--max-steps 1 --eval-cadence 1 --data null --data other.txt");
    r = command_run(
        "%s runs texts && %s report texts --out texts.html && grep -c 'not all on one text' texts.html",
        DTRAIN, DTRAIN);
    assert_int_equal(r.exit_code, 0);
    command_says(&r, told);
    command_free(&r);
    training_done(TRAINING_ALONE, 1, "apart/a",
                  TRAINING_MODEL "--max-steps 1 --eval-cadence 1 --validation-data other.txt");
    training_done(TRAINING_ALONE, 1, "apart/b",
                  TRAINING_MODEL
                  "--max-steps 1 --eval-cadence 1 --data null --data other.txt --validation-data other.txt");
    r = command_run("%s runs apart", DTRAIN);
    assert_null(strstr(r.err, told));
    command_free(&r);
}

/* One that cannot be read hides no other. */
static void what_cannot_be_read_is_left_out(void **state) {
    (void)state;
    command_result r = command_run(
        "cp -r sweep odd && mkdir odd/pipe odd/long && mkfifo odd/pipe/metrics.jsonl && mkdir -p odd/f/metrics.jsonl && "
        "head -c 70000000 /dev/zero >odd/long/metrics.jsonl && %s runs odd && rm odd/long/metrics.jsonl",
        DTRAIN);
    assert_int_equal(r.exit_code, 0);
    command_says(&r, "odd/a ");
    command_says(&r, "odd/deep/er/b ");
    command_says(&r,
                 "odd/long/metrics.jsonl: expected lines of JSON of at most 64 MiB, found a longer one; move "
                 "the file away; this run is left out\n");
    command_says(
        &r, "left out: 2 folders whose metrics.jsonl is no file or may not be read; the first is odd/f\n");
    command_free(&r);
    static const char *const others[] = {"report odd --out -", "curve odd"};
    for (size_t i = 0; i < 2; i++) {
        r = command_run("rm -rf odd/long && %s %s", DTRAIN, others[i]);
        assert_int_equal(r.exit_code, 0);
        command_says(
            &r,
            "left out: 2 folders whose metrics.jsonl is no file or may not be read; the first is odd/f\n");
        command_free(&r);
    }
}

static void the_list_is_json_too(void **state) {
    (void)state;
    command_result r = command_run("%s runs sweep --json -", DTRAIN);
    json_t *list = json_loads(r.out, 0, NULL);
    assert_int_equal(json_array_size(list), 4);
    const json_t *b = find(list, "sweep/deep/er/b"), *torn = find(list, "sweep/torn");
    assert_string_equal(text_of(b, "state"), "finished");
    assert_int_equal(json_integer_value(json_object_get(b, "step")), 3);
    assert_int_equal(json_integer_value(json_object_get(b, "max_steps")), 3);
    assert_true(json_real_value(json_object_get(b, "val_loss")) > 1.0);
    assert_true(json_real_value(json_object_get(json_object_get(b, "options"), "learning_rate")) == 1e-4);
    assert_null(json_object_get(json_object_get(b, "options"), "out_dir"));
    assert_string_equal(text_of(torn, "state"), "unfinished");
    assert_int_equal(json_integer_value(json_object_get(torn, "step")), 1);
    assert_true(json_is_null(json_object_get(find(list, "sweep/empty"), "loss")));
    json_decref(list);
    command_free(&r);
}

static void a_folder_without_runs_says_so(void **state) {
    (void)state;
    command_result r = command_run("mkdir -p none && %s runs none", DTRAIN);
    assert_int_equal(r.exit_code, 0);
    command_says(&r, "no runs in none");
    command_free(&r);
    r = command_run("%s runs none --json -", DTRAIN);
    assert_string_equal(r.out, "[]\n");
    command_free(&r);
    r = command_run("%s runs nowhere", DTRAIN);
    assert_int_equal(r.exit_code, 2);
    command_says(&r, "runs: expected a folder, found nothing at nowhere");
    command_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_run_has_a_line),  cmocka_unit_test(options_find_room_on_a_terminal),
        cmocka_unit_test(other_texts_are_told), cmocka_unit_test(what_cannot_be_read_is_left_out),
        cmocka_unit_test(the_list_is_json_too), cmocka_unit_test(a_folder_without_runs_says_so),
    };
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
