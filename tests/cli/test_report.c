/* Pages of runs: what is on them, what cannot get on them, and how they follow a run. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/scratch.h"
#include "support/training.h"

#define EVALUATED TRAINING_STEADY "--eval-cadence 2 --sampling-cadence 3 --sampling-max-length 20 "

static int64_t count_of(const char *text, const char *words) {
    int64_t count = 0;
    for (; (text = strstr(text, words)) != NULL; text++)
        count++;
    return count;
}

/* Runs `dtrain report` with these words, which must end well, and returns the page. */
static char *report(const char *words, const char *page) {
    command_result r = command_run("%s report %s", DTRAIN, words);
    if (r.exit_code != 0)
        fail_msg("report %s: %s", words, r.err);
    command_says(&r, page);
    command_free(&r);
    return command_read_file(page);
}

/* It needs nothing from elsewhere, and no number went wrong. */
static void expect_alone(const char *page) {
    static const char *const foreign[] = {"http:", "https:", "<script src", "<link", "url(", "@import",
                                          " src=", "\"nan",  " nan",        "nan ",  "-nan", "inf "};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (strstr(page, foreign[i]) &&
            strncmp(strstr(page, foreign[i]), "http://www.w3.org/2000/svg", 26) != 0)
            fail_msg("the page has %s: %.60s", foreign[i], strstr(page, foreign[i]));
    assert_int_equal(count_of(page, "<svg"), count_of(page, "</svg>"));
}

static void a_run_that_was_resumed(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "a", EVALUATED "--max-steps 6");
    training_done(2, 1, "a", EVALUATED "--max-steps 12 --resume latest");
    char *page = report("a", "a/report.html");
    expect_alone(page);
    static const char *const words[] = {"<h1>a</h1>",           "class=\"state finished\"",
                                        "step 12 of 12",        "Gradient norm",
                                        "resumed after step 6", "after step 9</summary>",
                                        "What ran where",       "<td class=\"n\">0&ndash;6</td>",
                                        "ended by max_steps",   "validation</text>",
                                        "training</text>"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(page, words[i]) == NULL)
            fail_msg("the page lacks %s", words[i]);
    assert_null(strstr(page, "http-equiv=\"refresh\""));
    free(page);
}

/* The options in which runs differ are columns, others are not; the best run is first. */
static void a_sweep_is_sorted(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "sweep/slow", EVALUATED "--max-steps 8 --learning-rate 1e-5");
    training_done(TRAINING_ALONE, 1, "sweep/fast", EVALUATED "--max-steps 8 --learning-rate 0.02");
    char *page = report("sweep --out s.html", "s.html");
    assert_null(strstr(page, "Loss by option")); /* of two dots nothing follows */
    free(page);
    training_done(TRAINING_ALONE, 1, "sweep/middle", EVALUATED "--max-steps 8 --learning-rate 1e-3");
    page = report("sweep --out s.html", "s.html");
    assert_non_null(strstr(page, "Loss by option"));
    assert_int_equal(count_of(page, "class=\"dots spot "), 3);
    assert_non_null(strstr(page, "best validation loss, log scale"));
    expect_alone(page);
    assert_non_null(strstr(page, "3 runs, best: fast"));
    assert_non_null(strstr(page, ">learning_<wbr>rate</th>"));
    assert_null(strstr(page, ">d_<wbr>model</th>"));
    assert_null(strstr(page, ">out_<wbr>dir</th>"));
    assert_true(strstr(page, "</i>fast</td>") < strstr(page, "</i>slow</td>"));
    assert_non_null(strstr(page, "1 option in which they differ"));
    free(page);
    page = report("sweep/slow sweep/fast/metrics.jsonl --out t.html", "t.html");
    assert_non_null(strstr(page, "2 runs, best: fast"));
    free(page);
}

static void a_chart_alone(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "c", EVALUATED "--max-steps 4");
    char *chart = report("c --chart loss --out loss.svg", "loss.svg");
    assert_int_equal(strncmp(chart, "<svg xmlns=\"http://www.w3.org/2000/svg\"", 39), 0);
    assert_non_null(strstr(chart, "prefers-color-scheme: dark"));
    assert_int_equal(count_of(chart, "<svg"), 1);
    free(chart);
    chart = report("c --chart learning_rate", "c/learning_rate.svg");
    assert_non_null(strstr(chart, ">Learning rate<"));
    free(chart);
    command_result r = command_run("%s report c --chart hope", DTRAIN);
    assert_int_equal(r.exit_code, 2);
    command_says(
        &r,
        "--chart: expected one of loss, learning_rate, gradient_norm, throughput, utilisation, step_time, found hope");
    command_free(&r);
}

static void what_is_no_run(void **state) {
    static const struct {
        const char *words, *sentence;
    } cases[] = {
        {"", "report: expected a run or several, found none"},
        {"nowhere",
         "nowhere: expected a run's folder, its metrics.jsonl or a folder of runs, found no file nowhere"},
        {"bare",
         "bare: expected a run's folder, its metrics.jsonl or a folder of runs, found no metrics.jsonl in it"},
        {"words.txt", "words.txt: expected the lines of a run, found none"},
        {"ended --out nowhere/page.html", "nowhere/page.html"},
        {"ended --watch --out -", "--watch: expected a file that can be rewritten, found --out -"},
    };
    (void)state;
    scratch_put_in(".", "ended", "metrics.jsonl", "");
    scratch_put("words.txt", "batch_size: 4\n", 14);
    assert_int_equal(dt_file_make_folder("bare/below"), DT_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        command_result r = command_run("%s report %s", DTRAIN, cases[i].words);
        assert_int_equal(r.exit_code, 2);
        command_says(&r, cases[i].sentence);
        command_free(&r);
    }
}

/* Names, samples and options that would be markup, end the script, or are no text at all. */
static void foreign_text_stays_text(void **state) {
    static const char lines[] =
        "{\"event\":\"run\",\"start_step\":0,\"time\":\"<i>\",\"hosts\":[\"<u>h\"],\"version\":\"</td>\","
        "\"config\":{\"data\":\"</script><big>\"}}\n"
        "{\"step\":1,\"loss\":2.5,\"step_ms\":1,\"tokens_per_s\":1000}\n"
        "{\"step\":1,\"sample\":\"<script>alert(1)</script>\\u001b[31m\xff\"}\n"
        "{\"event\":\"nonfinite\",\"step\":1,\"first\":\"<s>\",\"in_a_row\":1}\n"
        "{\"event\":\"end\",\"step\":1,\"cause\":\"<em>\"}\n{\"step\":2,\"lo";
    (void)state;
    scratch_put_in(".", "x<img>", "metrics.jsonl", lines);
    scratch_put_in(".", "y", "metrics.jsonl",
                   "{\"event\":\"run\",\"start_step\":0,\"config\":{\"data\":\"</q>\"}}\n");
    static const char *const calls[][2] = {{"'x<img>' --out p.html", "p.html"},
                                           {"'x<img>' y --out q.html", "q.html"}};
    static const char *const markup[] = {"<img>", "<u>",  "<i>h", "<big>", "<s>", "<em>", "alert(1)</script>",
                                         "</q>",  "\x1b", "\xff"};
    for (int c = 0; c < 2; c++) {
        char *page = report(calls[c][0], calls[c][1]);
        expect_alone(page);
        for (size_t i = 0; i < sizeof markup / sizeof *markup; i++)
            if (strstr(page, markup[i]) != NULL)
                fail_msg("the page has %s", markup[i]);
        assert_non_null(strstr(page, "x&lt;img&gt;"));
        assert_int_equal(count_of(page, "</script>"), 2);
        free(page);
    }
}

/* A run that has said nothing yet has a page that says so. */
static void a_run_without_steps(void **state) {
    (void)state;
    scratch_put_in(".", "new", "metrics.jsonl", "");
    char *page = report("new", "new/report.html");
    expect_alone(page);
    assert_non_null(strstr(page, "There are no losses yet."));
    free(page);
}

/* A hundred thousand steps: a page of a few hundred kB, on which the one spike still is. */
static void a_long_run_is_thinned(void **state) {
    (void)state;
    assert_int_equal(dt_file_make_folder("long"), DT_OK);
    FILE *file = fopen("long/metrics.jsonl", "w");
    assert_non_null(file);
    for (int step = 1; step <= 100000; step++)
        fprintf(file,
                "{\"step\":%d,\"loss\":%.9g,\"lr\":0.001,\"grad_norm\":%.9g,\"step_ms\":10.5,\"comm_ms\":1,"
                "\"exposed_ms\":0.5,\"tokens_per_s\":%d}\n",
                step, step == 54321 ? 77.125 : 2.0 + 1.0 / step + 1e-3 * (step % 7), 1.0 + 0.1 * (step % 3),
                100000 + step % 100);
    assert_int_equal(fclose(file), 0);
    char *page = report("long", "long/report.html");
    expect_alone(page);
    assert_true(strlen(page) < 1000000);
    assert_non_null(strstr(page, "77.125"));
    free(page);
}

static pid_t start_following(const char *run) {
    const pid_t child = fork();
    if (child == 0) {
        execl(DTRAIN, DTRAIN, "report", run, "--watch", (char *)NULL);
        _exit(127);
    }
    assert_true(child > 0);
    return child;
}

static void await_page(const char *path) {
    for (int i = 0; i < 1000 && !dt_file_exists(path); i++)
        usleep(10000);
    assert_true(dt_file_exists(path));
}

/* Of a run that has ended it is written once; of one that trains it reloads itself, until a signal ends that.
 */
static void a_page_follows_its_run(void **state) {
    static const char line[] = "{\"step\":1,\"loss\":2.5,\"step_ms\":1,\"tokens_per_s\":1000}\n";
    int status;
    (void)state;
    scratch_put_in(".", "live", "metrics.jsonl", line);
    char *page = report("live --watch", "live/report.html");
    assert_null(strstr(page, "http-equiv=\"refresh\""));
    assert_non_null(strstr(page, "class=\"state cut\""));
    free(page);
    assert_int_equal(unlink("live/report.html"), 0);
    scratch_put("live/run.lock", "process 1\n", 10);
    page = report("live", "live/report.html");
    assert_non_null(
        strstr(page, "class=\"state cut\"")); /* killed: its lock file is left, and nobody holds it */
    free(page);
    assert_int_equal(unlink("live/report.html"), 0);
    const int lock = open("live/run.lock", O_RDWR);
    assert_true(lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0);
    const pid_t child = start_following("live");
    await_page("live/report.html");
    page = command_read_file("live/report.html");
    assert_non_null(strstr(page, "<meta http-equiv=\"refresh\" content=\"30\">"));
    assert_non_null(strstr(page, "class=\"state running\""));
    free(page);
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    page = command_read_file("live/report.html");
    assert_null(strstr(page, "http-equiv=\"refresh\""));
    free(page);
    close(lock);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_was_resumed),  cmocka_unit_test(a_sweep_is_sorted),
        cmocka_unit_test(a_chart_alone),           cmocka_unit_test(what_is_no_run),
        cmocka_unit_test(foreign_text_stays_text), cmocka_unit_test(a_run_without_steps),
        cmocka_unit_test(a_long_run_is_thinned),   cmocka_unit_test(a_page_follows_its_run)};
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
