/*
 * Signals in mid-training: the run stops whole, and what goes on from it ends with the bits of a run that was
 * never disturbed.
 *
 * A disturbed run has no end of its own, so a signal always lands in its middle, however fast the machine;
 * how far the undisturbed one goes is decided afterwards.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/text.h"
#include "support/training.h"

#define MODEL   TRAINING_MODEL "--checkpoint-cadence null --log-cadence 1000 "
#define ENDLESS MODEL "--max-steps 100000000 "

/* How many steps are taken after the stop. */
#define MORE_STEPS 3

/* Whether what the run `out_dir` printed holds `sentence`. */
static bool has_output(const char *out_dir, const char *sentence) {
    char path[80];
    snprintf(path, sizeof path, "%s.out", out_dir);
    char *text = command_read_file(path);
    const bool found = strstr(text, sentence) != NULL;
    free(text);
    return found;
}

static void check_output(const char *out_dir, const char *sentence) {
    if (!has_output(out_dir, sentence))
        fail_msg("%s: expected \"%s\" in what it printed", out_dir, sentence);
}

/* Says which signal the run was stopped by, and after which step; or that another rank had it, where `told`:
 * whose watchdog may tell rank 0 before the next step does. */
static void check_stop(const char *out_dir, int number, int64_t stopped, bool told) {
    char sentence[96];
    snprintf(sentence, sizeof sentence, "stopped by a signal to another rank after step %" PRId64 ": ",
             stopped);
    if (told && has_output(out_dir, sentence))
        return;
    snprintf(sentence, sizeof sentence, "stopped by SIG%s after step %" PRId64 ": ", sigabbrev_np(number),
             stopped);
    check_output(out_dir, sentence);
}

/* The checkpoint that the stop left is whole; the step it is of. */
static int64_t check_checkpoint(const char *out_dir) {
    const int64_t step = training_latest_step(out_dir);
    assert_true(step > 0);
    command_result r = command_run("%s verify %s/checkpoints/latest", DTRAIN, out_dir);
    if (r.exit_code != 0)
        fail_msg("%s", r.err);
    command_free(&r);
    return step;
}

/* How many checkpoints the run `out_dir` has left. */
static int count_checkpoints(const char *out_dir) {
    command_result r = command_run("ls -d %s/checkpoints/checkpoint_step_*", out_dir);
    int count = 0;
    for (const char *at = r.out; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    command_free(&r);
    return count;
}

/* Open MPI 5 kills its ranks half a second after SIGTERM or Ctrl-C, whatever they do, and prints nothing more
 * of what they say: a save may not come to its end then. */
static bool mpirun_hurries(void) {
    command_result r = command_run("%s --version", DTRAIN_MPIRUN);
    assert_non_null(strstr(r.out, "Open")); /* mpirun (Open MPI) 5.0.7, or mpirun (OpenRTE) 4.1.4 */
    const bool hurries = strstr(r.out, ") 4.") == NULL;
    command_free(&r);
    return hurries;
}

/* The step of the checkpoint that is there, which must be whole, or 0: a save that was cut off is invisible.
 */
static int64_t check_what_is_left(const char *out_dir) {
    return training_latest_step(out_dir) < 0 ? 0 : check_checkpoint(out_dir);
}

/* Goes on from the stop on `ranks` ranks and compares with a run that was never stopped. */
static void check_going_on(const char *out_dir, int ranks, int64_t stopped) {
    char flags[512], whole[64];
    snprintf(whole, sizeof whole, "%s_whole", out_dir);
    snprintf(flags, sizeof flags, MODEL "--max-steps %" PRId64, stopped + MORE_STEPS);
    training_done(TRAINING_ALONE, 1, whole, flags);
    strcat(flags, " --resume auto");
    training_done(ranks, 1, out_dir, flags);
    training_same_weights(whole, out_dir, stopped + MORE_STEPS);
    training_same_metric(whole, out_dir, "loss");
    training_no_leftovers(out_dir);
}

/* SIGUSR1 is passed on by mpirun: every rank stops after the same step, and the job ends well. */
static void usr1_to_mpirun_stops_all(void **state) {
    (void)state;
    for (int ranks = 2; ranks <= 3; ranks++) {
        char out_dir[32], sentence[128];
        snprintf(out_dir, sizeof out_dir, "usr1_%d", ranks);
        const pid_t job = training_start(ranks, out_dir, ENDLESS);
        training_await_step(job, out_dir, 3);
        kill(job, SIGUSR1);
        assert_int_equal(training_end(job), 0);
        const int64_t stopped = check_checkpoint(out_dir);
        check_stop(out_dir, SIGUSR1, stopped, true);
        snprintf(sentence, sizeof sentence,
                 "to go on: the same command with --resume %s/checkpoints/checkpoint_step_%" PRId64 "\n",
                 out_dir, stopped);
        check_output(out_dir, sentence);
        check_going_on(out_dir, 5 - ranks, stopped);
    }
}

/* One rank hears of it and the step's allreduce tells the others: none is left in a collective. */
static void usr1_to_one_rank_stops_all(void **state) {
    (void)state;
    const pid_t job = training_start(3, "one_rank", ENDLESS);
    training_await_step(job, "one_rank", 3);
    kill(training_rank_process(job, 1), SIGUSR1);
    assert_int_equal(training_end(job), 0);
    const int64_t stopped = check_checkpoint("one_rank");
    check_stop("one_rank", SIGUSR1, stopped, true);
    check_going_on("one_rank", 2, stopped);
}

/* Without mpirun nobody kills the process a second later: it says which signal it was at once, saves one
 * checkpoint and ends well. */
static void a_signal_stops_a_run_that_is_alone(void **state) {
    (void)state;
    const int signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGUSR2, SIGXCPU};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        char out_dir[32], sentence[64];
        snprintf(out_dir, sizeof out_dir, "alone_%d", signals[i]);
        const pid_t job = training_start(TRAINING_ALONE, out_dir, ENDLESS);
        training_await_step(job, out_dir, 3);
        kill(job, signals[i]);
        assert_int_equal(training_end(job), 0);
        snprintf(sentence, sizeof sentence, "  stop asked for by SIG%s: ", sigabbrev_np(signals[i]));
        check_output(out_dir, sentence);
        snprintf(sentence, sizeof sentence, "  stopped by SIG%s after step ", sigabbrev_np(signals[i]));
        check_output(out_dir, sentence);
        assert_int_equal(count_checkpoints(out_dir), 1);
        const int64_t stopped = check_checkpoint(out_dir);
        if (i % 2 == 0)
            check_going_on(out_dir, 2, stopped);
    }
}

/* mpirun kills the ranks soon after, whatever they do; what rank 0 began to save it has finished by then,
 * where mpirun leaves it a second. */
static void term_and_int_to_mpirun_leave_a_whole_checkpoint(void **state) {
    (void)state;
    const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        char out_dir[32];
        snprintf(out_dir, sizeof out_dir, "mpirun_%d", signals[i]);
        const pid_t job = training_start(2, out_dir, ENDLESS);
        training_await_step(job, out_dir, 3);
        kill(job, signals[i]);
        (void)training_end(job); /* mpirun's own code, which says nothing of the ranks */
        if (mpirun_hurries()) {
            check_going_on(out_dir, 3, check_what_is_left(out_dir));
            continue;
        }
        check_output(out_dir, "  stop asked for by mpirun (SIGTERM; Ctrl-C arrives so): ");
        if (has_output(out_dir, "  stopped by mpirun (SIGTERM; Ctrl-C arrives so) after step "))
            assert_int_equal(count_checkpoints(out_dir), 1); /* there was time to end well */
        check_going_on(out_dir, 3, check_checkpoint(out_dir));
    }
}

/* ---- every signal, to everybody, in every phase ---- */

/* `flags` keep rank 0 in the phase for as long as nobody stops it; `brief` ask for the same in little. */
static const struct {
    const char *name, *flags, *brief;
} phases[] = {{"training", "", ""},
              {"evaluation", "--eval-cadence 3 --train-ratio 0.2 --eval-on all ",
               "--eval-cadence 3 --train-ratio 0.2 --eval-max-windows 4 "},
              {"sampling", "--sampling-cadence 3 --sampling-max-length 1000000000 ",
               "--sampling-cadence 3 --sampling-max-length 9 "},
              {"saving", "--checkpoint-cadence 1 ", ""}};
static const int signals[] = {SIGUSR1, SIGTERM, SIGINT};

/* Who gets the signal: mpirun, or a rank. */
enum { TO_MPIRUN = -1, TO_RANK0, TO_RANK1, TARGETS_END };

/* The metrics of a stopped run are those of one that was not: what it gave up it has done when it went on. */
static void check_phase_going_on(size_t phase, const char *out_dir, int64_t stopped) {
    char flags[512], whole[64];
    snprintf(whole, sizeof whole, "%s_whole", out_dir);
    snprintf(flags, sizeof flags, MODEL "%s --max-steps %" PRId64, phases[phase].brief, stopped + MORE_STEPS);
    training_done(TRAINING_ALONE, 1, whole, flags);
    strcat(flags, " --resume auto");
    training_done(3, 1, out_dir, flags);
    training_same_weights(whole, out_dir, stopped + MORE_STEPS);
    training_same_metric(whole, out_dir, "loss");
    if (strstr(phases[phase].name, "sampling"))
        training_same_metric(whole, out_dir, "sample");
}

static void stop_in_phase(size_t phase, int number, int target) {
    char out_dir[64], flags[512];
    const struct timespec moment = {.tv_nsec = 50000000};
    snprintf(out_dir, sizeof out_dir, "%s_%d_%d", phases[phase].name, number, target);
    snprintf(flags, sizeof flags, ENDLESS "%s", phases[phase].flags);
    const pid_t job = training_start(2, out_dir, flags);
    training_await_step(job, out_dir, 3);
    nanosleep(&moment, NULL);
    kill(target == TO_MPIRUN ? job : training_rank_process(job, target), number);
    const int code = training_end(job);
    /* mpirun itself obeys SIGTERM and SIGINT; everything else lets the ranks end by themselves, all alike. */
    const bool ends_well = target != TO_MPIRUN || number == SIGUSR1;
    const bool cut_off = !ends_well && mpirun_hurries();
    const int64_t stopped = cut_off ? check_what_is_left(out_dir) : check_checkpoint(out_dir);
    if (ends_well) {
        if (code != 0)
            fail_msg("%s ended with exit code %d", out_dir, code);
        check_stop(out_dir, number, stopped, target != TO_RANK0);
    }
    if (strcmp(phases[phase].name, "sampling") == 0 && !cut_off)
        assert_int_equal(stopped, 3);
    if (target == (int)phase % 3 - 1 || getenv("DTRAIN_TEST_LONG"))
        check_phase_going_on(phase, out_dir, stopped);
}

/* One in three of the cases, with each signal, target and phase among them; all when DTRAIN_TEST_LONG is set.
 */
static void any_signal_in_any_phase_leaves_the_last_step(void **state) {
    (void)state;
    text_write("text.txt", 3000000, 1);
    for (size_t phase = 0; phase < sizeof phases / sizeof *phases; phase++)
        for (int i = 0; i < 3; i++)
            for (int target = TO_MPIRUN; target < TARGETS_END; target++)
                if (((int)phase + i + target + 1) % 3 == 0 || getenv("DTRAIN_TEST_LONG"))
                    stop_in_phase(phase, signals[i], target);
    text_write("text.txt", 30000, 1);
}

/* Whether the process has ended; it stays for training_end to wait for. */
static bool has_ended(pid_t process) {
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)process, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == process;
}

/* While a run starts there is nothing new to save, and what was saved before stays as it is. */
static void a_signal_at_the_start_damages_nothing(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "start", MODEL "--max-steps 2");
    for (int i = 0; i < 6; i++) {
        const struct timespec moment = {.tv_nsec = 60000000L * (i + 1)};
        const pid_t job = training_start(i % 2 ? 2 : TRAINING_ALONE, "start", ENDLESS "--resume auto");
        nanosleep(&moment, NULL);
        kill(job, signals[i % 3]);
        /* mpirun loses what comes before it has started the ranks. */
        while (signals[i % 3] == SIGUSR1 && !has_ended(job)) {
            nanosleep(&moment, NULL);
            kill(job, SIGUSR1);
        }
        (void)training_end(job);
        assert_true(check_checkpoint("start") >= 2);
    }
    check_going_on("start", 2, check_checkpoint("start"));
}

/* A text of many gigabytes is read for minutes. A request that is there when reading begins (it waits,
 * blocked, from before the program started) ends the run then, on one rank of two as well, and nothing is
 * written. */
static void a_request_ends_the_reading_of_the_text(void **state) {
    (void)state;
    static const char *const launchers[] = {"", DTRAIN_MPIRUN " -np 2 --oversubscribe"};
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        command_result r = command_run(
            "%s env --block-signal=USR1 sh -c 'test ${OMPI_COMM_WORLD_RANK:-1} = 1 && kill -USR1 $$; "
            "exec %s train --out-dir asked --max-steps 5 %s'",
            launchers[i], DTRAIN, TRAINING_MODEL);
        if (r.exit_code != 0 || strstr(r.out, "asked to stop while text.txt was read") == NULL ||
            strstr(r.out, ": no step was taken and nothing was written\n") == NULL ||
            strstr(r.out, "the step under way") != NULL)
            fail_msg("exit code %d, \"%s\", \"%s\"", r.exit_code, r.out, r.err);
        assert_int_not_equal(access("asked/metrics.jsonl", F_OK), 0);
        assert_int_not_equal(access("asked/checkpoints", F_OK), 0);
        command_free(&r);
    }
}

/* The clock stops a run as a signal does, in time and with code 0, also when it is busy with something long.
 */
static void the_deadline_stops_in_time(void **state) {
    (void)state;
    for (size_t phase = 0; phase < 4; phase += 2) {
        bool in_training = false;
        /* On a busy host ranks may take longer to start. */
        for (int seconds = 3; !in_training && seconds < 100; seconds *= 2) {
            char flags[512];
            snprintf(flags, sizeof flags, ENDLESS "%s --stop-after-seconds %d", phases[phase].flags, seconds);
            command_result r = training_run(2, 1, phases[phase].name, flags);
            assert_int_equal(r.exit_code, 0);
            in_training = strstr(r.out, "  stopped by the deadline (stop_after_seconds) after step ") != NULL;
            command_free(&r);
            r = command_run("%s %s", in_training ? "test -d" : "rm -rf", phases[phase].name);
            assert_int_equal(r.exit_code, 0);
            command_free(&r);
        }
        check_phase_going_on(phase, phases[phase].name, check_checkpoint(phases[phase].name));
    }
    /* What is over before the first step is not begun: with a text of any length, that would be long. */
    command_result r = training_run(2, 1, "late", ENDLESS "--stop-after-seconds 1e-3");
    assert_int_equal(r.exit_code, 0);
    command_says(&r, "asked to stop while text.txt was read: no step was taken and nothing was written\n");
    assert_int_not_equal(access("late/metrics.jsonl", F_OK), 0);
    command_free(&r);
}

/* Several files are read, and one was. A deadline that is over asks before the reading. */
static void a_text_of_several_files_is_named_as_such(void **state) {
    (void)state;
    static const char *const data[] = {"--data text.txt", "--data text.txt --data text.txt",
                                       "--data text.txt --data text.txt --data text.txt"};
    static const char *const named[] = {"text.txt was", "text.txt and 1 more file were",
                                        "text.txt and 2 more files were"};
    for (size_t i = 0; i < sizeof data / sizeof *data; i++) {
        char flags[512], sentence[128];
        snprintf(flags, sizeof flags, ENDLESS "--data null %s --stop-after-seconds 1e-3", data[i]);
        snprintf(sentence, sizeof sentence, "asked to stop while %s read: no step was taken", named[i]);
        command_result r = training_run(TRAINING_ALONE, 1, "several", flags);
        assert_int_equal(r.exit_code, 0);
        command_says(&r, sentence);
        command_free(&r);
    }
}

/* Where Slurm's time limit ends the run, it says so at the start, at the stop, at the end and in
 * metrics.jsonl. */
static void the_end_of_a_slurm_job_is_named(void **state) {
    (void)state;
    bool in_training = false;
    setenv("SLURM_JOB_ID", "17", 1);
    for (int seconds = 5; !in_training && seconds < 100; seconds *= 2) {
        char end[32];
        snprintf(end, sizeof end, "%lld", (long long)time(NULL) + seconds);
        setenv("SLURM_JOB_END_TIME", end, 1);
        command_result r = training_run(TRAINING_ALONE, 1, "limit", ENDLESS);
        assert_int_equal(r.exit_code, 0);
        command_says(&r, " from now, by the end of the Slurm job: saves and stops before\n");
        in_training = strstr(r.out, "  stopped by the deadline (end of the Slurm job) after step ") != NULL;
        if (in_training)
            command_says(&r,
                         "  stop asked for by the deadline (end of the Slurm job): the step under way is the "
                         "last\n");
        command_free(&r);
    }
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_JOB_END_TIME");
    assert_true(in_training);
    command_result r = command_run("tail -n 1 limit/metrics.jsonl");
    command_says(&r, "\"cause\":\"the deadline (end of the Slurm job)\"}\n");
    command_free(&r);
}

/* A save that was killed leaves a temporary folder under its own name; the next start takes no harm from it.
 */
static void what_a_killed_save_left_is_cleared_away(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "killed", MODEL "--max-steps 2");
    command_result r = command_run("cp -r killed/checkpoints/checkpoint_step_2 "
                                   "killed/checkpoints/.checkpoint_step_3.12345.tmp && rm "
                                   "killed/checkpoints/.checkpoint_step_3.12345.tmp/metadata.json");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    check_going_on("killed", 2, 2);
}

/* How many lines of metrics.jsonl hold `piece`. */
static int count_lines(const char *out_dir, const char *piece) {
    char path[80];
    snprintf(path, sizeof path, "%s/metrics.jsonl", out_dir);
    char *text = command_read_file(path);
    int count = 0;
    for (const char *at = text; (at = strstr(at, piece)) != NULL; at++)
        count++;
    free(text);
    return count;
}

/* A reader that has gone, a disk that is full, a stream that was closed: training needs none of them, says so
 * on the other stream, and leaves the numbers where they belong. */
static void output_that_is_lost_ends_no_run(void **state) {
    static const struct {
        const char *out_dir, *end, *warning;
        int events;
    } cases[] = {
        {"reader", "| head -n 1", "dtrain: warning: cannot write to standard output: Broken pipe", 1},
        {"disk", "> /dev/full", "dtrain: warning: cannot write to standard output: No space left on device",
         1},
        {"closed", ">&-", "dtrain: warning: cannot write to standard output: Bad file descriptor", 1},
        {"both", "> /dev/full 2>&1", "", 2}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        command_result r = command_run("{ OMP_NUM_THREADS=1 %s " TRAINING_MODEL
                                       "--max-steps 300 --log-cadence 1 --out-dir %s; echo $? > code; } %s",
                                       DTRAIN, cases[i].out_dir, cases[i].end);
        char *code = command_read_file("code");
        assert_string_equal(code, "0\n");
        free(code);
        if (strstr(r.err, cases[i].warning) == NULL)
            fail_msg("%s: expected \"%s\", found \"%s\"", cases[i].out_dir, cases[i].warning, r.err);
        command_free(&r);
        assert_int_equal(count_lines(cases[i].out_dir, "\"loss\":"), 300);
        assert_int_equal(count_lines(cases[i].out_dir, "\"event\":\"output_lost\""), cases[i].events);
        assert_int_equal(training_latest_step(cases[i].out_dir), 300);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(usr1_to_mpirun_stops_all),
                                       cmocka_unit_test(usr1_to_one_rank_stops_all),
                                       cmocka_unit_test(a_signal_stops_a_run_that_is_alone),
                                       cmocka_unit_test(term_and_int_to_mpirun_leave_a_whole_checkpoint),
                                       cmocka_unit_test(any_signal_in_any_phase_leaves_the_last_step),
                                       cmocka_unit_test(a_signal_at_the_start_damages_nothing),
                                       cmocka_unit_test(a_request_ends_the_reading_of_the_text),
                                       cmocka_unit_test(the_deadline_stops_in_time),
                                       cmocka_unit_test(a_text_of_several_files_is_named_as_such),
                                       cmocka_unit_test(the_end_of_a_slurm_job_is_named),
                                       cmocka_unit_test(what_a_killed_save_left_is_cleared_away),
                                       cmocka_unit_test(output_that_is_lost_ends_no_run)};
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
