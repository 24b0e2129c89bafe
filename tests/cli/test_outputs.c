/* Files that verbs write for people: each takes the place of its like, and of nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"

#define TINY                                                                                                 \
    "--config s.yaml --n-layers 2 --d-model 32 --n-heads 2 --d-ff 64 --max-seq-len 32 --batch-size 4 "       \
    "--micro-batch-size 1 "
#define ALONE      DTRAIN " "
#define BENCH      ALONE "bench " TINY "--repetitions 2 "
#define ALGORITHMS DTRAIN_MPIRUN " --oversubscribe -np 2 " BENCH "--algorithms "
#define STUDY      BENCH "--scaling strong --ranks 1 "
#define PLAN       ALONE "plan " TINY "--ranks 1 "

/* A run, a config, and one file of each form, by the verb that writes it. `also` is what more the command
 * writes, whose rows follow: measuring takes long. */
static const struct {
    const char *words, *flag, *file, *name, *also;
} outputs[] = {
    {ALONE "report run", "out", "page.html", "page", ""},
    {ALONE "report run --chart loss", "out", "chart.svg", "picture", ""},
    {ALONE "runs .", "json", "runs.json", "list of runs", ""},
    {ALONE "runs none", "json", "no_runs.json", "list of runs", ""},
    {BENCH, "json", "bench.json", "benchmark", "--report roofline.svg"},
    {BENCH, "report", "roofline.svg", "picture", NULL},
    {ALGORITHMS, "json", "algorithms.json", "comparison of algorithms", ""},
    {STUDY, "json", "study.json", "study", "--report study.html"},
    {STUDY, "report", "study.html", "page", NULL},
    {STUDY, "report", "study.svg", "picture", ""},
    {PLAN, "json", "plan.json", "plan", ""},
    {ALONE "bench --merge study.json", "json", "merged.json", "study", "--report merged.html"},
    {ALONE "bench --merge study.json", "report", "merged.html", "page", NULL},
};

#define OUTPUTS (sizeof outputs / sizeof *outputs)

static int set_up(void **state) {
    training_set_up(state);
    training_done(TRAINING_ALONE, 1, "run", TRAINING_MODEL "--max-steps 2");
    command_done("mkdir none && echo 'seed: 1' >s.yaml && cp s.yaml notes.svg && cp s.yaml notes.html");
    return 0;
}

/* Runs the command of row `i`, if it has one of its own. */
static void write_output(size_t i) {
    if (outputs[i].also == NULL)
        return;
    command_result r =
        command_run("%s --%s %s %s", outputs[i].words, outputs[i].flag, outputs[i].file, outputs[i].also);
    if (r.exit_code != 0)
        fail_msg("%s --%s %s %s: %d, %s", outputs[i].words, outputs[i].flag, outputs[i].file, outputs[i].also,
                 r.exit_code, r.err);
    command_free(&r);
}

/* Fails the test unless `test` with the option finds so of every row's file. */
static void expect_files(const char *option) {
    char line[256];
    for (size_t i = 0; i < OUTPUTS; i++) {
        snprintf(line, sizeof line, "test %s %s", option, outputs[i].file);
        command_done(line);
    }
}

/* An empty file is, and an earlier one. */
static void its_like_is_replaced(void **state) {
    char line[256];
    (void)state;
    expect_files("! -e");
    for (size_t i = 0; i < OUTPUTS; i++) {
        snprintf(line, sizeof line, "touch %s", outputs[i].file);
        command_done(line);
    }
    for (size_t i = 0; i < OUTPUTS; i++)
        write_output(i);
    expect_files("-s");
    for (size_t i = 0; i < OUTPUTS; i++)
        write_output(i);
}

/* The command ends before any work with one sentence, and the file holds what it held. */
static void expect_kept(const char *words, const char *flag, const char *file, const char *name) {
    char *sentence;
    assert_true(asprintf(&sentence,
                         "dtrain: error: --%s: expected a new name or an earlier %s, found %s, which holds "
                         "something else and would be lost; give another name\n",
                         flag, name, file) > 0);
    command_result r = command_run("cp %s kept && { %s --%s %s; code=$?; cmp %s kept && exit $code; }", file,
                                   words, flag, file, file);
    if (r.exit_code != 2 || strncmp(r.err, sentence, strlen(sentence)) != 0 || r.out[0] != 0)
        fail_msg("%s --%s %s: expected %s, found %d, %s%s", words, flag, file, sentence, r.exit_code, r.out,
                 r.err);
    command_free(&r);
    free(sentence);
}

static bool is_svg(const char *file) {
    return strcmp(file + strlen(file) - 4, ".svg") == 0;
}

/* A run's metrics and weights, a config, and what another verb has written. By the ending of its name a
 * report of figures is a page or a picture, so those are tried on files that end alike. */
static void another_file_is_kept(void **state) {
    static const char *const others[][2] = {{"run/metrics.jsonl", ""},
                                            {"run/checkpoints/latest/model.safetensors", ""},
                                            {"s.yaml", ""},
                                            {"study.json", "study"},
                                            {"plan.json", "plan"},
                                            {"chart.svg", "picture"}};
    (void)state;
    for (size_t i = 0; i < OUTPUTS; i++) {
        const char *words = outputs[i].words, *flag = outputs[i].flag, *name = outputs[i].name;
        if (strcmp(flag, "report") == 0) {
            expect_kept(words, flag, is_svg(outputs[i].file) ? "notes.svg" : "notes.html", name);
            continue;
        }
        for (size_t k = 0; k < sizeof others / sizeof *others; k++)
            if (strcmp(others[k][1], name) != 0)
                expect_kept(words, flag, others[k][0], name);
    }
}

/* A link leads to what would be lost. What is printed to is no file to be replaced, whatever it holds. */
static void links_and_standard_output(void **state) {
    (void)state;
    command_done("ln -s run/metrics.jsonl link");
    expect_kept(ALONE "report run", "out", "link", "page");
    command_done("echo mine >log && " DTRAIN
                 " runs . --json /dev/stdout >>log && head -n 1 log | grep -q mine && "
                 "grep -q '\"path\"' log && " DTRAIN " report run --out - >printed.html && " DTRAIN
                 " report run --out printed.html");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(its_like_is_replaced),
                                       cmocka_unit_test(another_file_is_kept),
                                       cmocka_unit_test(links_and_standard_output)};
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
