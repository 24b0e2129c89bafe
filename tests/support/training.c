/* Command lines and text files; nothing here knows how a run works inside. */
#include "support/training.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/job.h"
#include "support/signals.h"
#include "support/text.h"

#define LINE_BYTES 4096
#define PATH_BYTES 512

/* How long anything that is waited for may take. */
#define LIMIT_SECONDS 60

int training_set_up(void **state) {
    *state = command_enter_folder();
    text_write("text.txt", 30000, 1);
    return 0;
}

static void make_line(char line[LINE_BYTES], int ranks, int threads, const char *out_dir, const char *flags) {
    char launcher[PATH_BYTES] = "";
    if (ranks != TRAINING_ALONE)
        snprintf(launcher, sizeof launcher, "%s -np %d --oversubscribe --bind-to none ", DTRAIN_MPIRUN,
                 ranks);
    const int length = snprintf(line, LINE_BYTES, "OMP_NUM_THREADS=%d exec %s%s train --out-dir %s %s",
                                threads, launcher, DTRAIN, out_dir, flags);
    assert_in_range(length, 1, LINE_BYTES - 1);
}

command_result training_run(int ranks, int threads, const char *out_dir, const char *flags) {
    char line[LINE_BYTES];
    make_line(line, ranks, threads, out_dir, flags);
    return command_run("%s", line);
}

void training_done(int ranks, int threads, const char *out_dir, const char *flags) {
    command_result r = training_run(ranks, threads, out_dir, flags);
    if (r.exit_code != 0)
        fail_msg("%s on %d ranks ended with exit code %d: %s", flags, ranks, r.exit_code, r.err);
    command_free(&r);
}

int training_set_up_saved(void **state) {
    training_set_up(state);
    training_done(TRAINING_ALONE, 1, "saved", TRAINING_STEADY "--max-steps 2");
    return 0;
}

void training_refused(int ranks, const char *out_dir, const char *flags, int exit_code,
                      const char *sentence) {
    command_result r = training_run(ranks, 1, out_dir, flags);
    const char *found = strstr(r.err, sentence);
    if (r.exit_code != exit_code || found == NULL || strstr(found + 1, sentence) != NULL)
        fail_msg("%s: expected exit code %d and once \"%s\", found %d and \"%s\"", flags, exit_code, sentence,
                 r.exit_code, r.err);
    command_free(&r);
}

command_result training_goes_on(int ranks, const char *words) {
    command_result r = ranks == TRAINING_ALONE ? command_run("%s %s", DTRAIN_PROGRAM, words)
                                               : command_run("%s --oversubscribe -np %d %s %s", DTRAIN_MPIRUN,
                                                             ranks, DTRAIN_PROGRAM, words);
    if (r.exit_code != 0)
        fail_msg("%s: exit code %d: %s", words, r.exit_code, r.err);
    return r;
}

pid_t training_start(int ranks, const char *out_dir, const char *flags) {
    char line[LINE_BYTES], out[PATH_BYTES], err[PATH_BYTES];
    make_line(line, ranks, 1, out_dir, flags);
    snprintf(out, sizeof out, "%s.out", out_dir);
    snprintf(err, sizeof err, "%s.err", out_dir);
    fflush(NULL);
    pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no run behind */
        signals_restore();
        if (freopen("/dev/null", "r", stdin) && freopen(out, "w", stdout) && freopen(err, "w", stderr))
            execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    return process;
}

static void pause_shortly(void) {
    const struct timespec pause = {0, 5000000};
    nanosleep(&pause, NULL);
}

int training_end(pid_t process) {
    int status = 0;
    for (int turns = 0; waitpid(process, &status, WNOHANG) == 0; turns++) {
        if (turns > LIMIT_SECONDS * 200) {
            kill(process, SIGKILL);
            waitpid(process, &status, 0);
            fail_msg("the run did not end within %d seconds", LIMIT_SECONDS);
        }
        pause_shortly();
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void training_await_step(pid_t process, const char *out_dir, int64_t step) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/metrics.jsonl", out_dir);
    for (int turns = 0; turns < LIMIT_SECONDS * 200; turns++) {
        int64_t last = -1;
        if (access(path, R_OK) == 0) {
            char *text = training_metric(out_dir, "loss"), *line = strrchr(text, '\n');
            while (line != NULL && line > text && line[-1] != '\n')
                line--;
            if (line != NULL)
                last = strtoll(line, NULL, 10);
            free(text);
        }
        if (last >= step)
            return;
        if (waitpid(process, NULL, WNOHANG) != 0)
            fail_msg("the run in %s ended before step %" PRId64, out_dir, step);
        pause_shortly();
    }
    kill(process, SIGKILL);
    fail_msg("the run in %s did not reach step %" PRId64 " within %d seconds", out_dir, step, LIMIT_SECONDS);
}

/* The parent of `process`, from the fourth word of its stat line; names with blanks stand in parentheses. */
static pid_t parent_of(pid_t process) {
    char path[64], line[512] = "";
    int parent = -1;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    if (fgets(line, sizeof line, file) != NULL && strrchr(line, ')') != NULL)
        (void)sscanf(strrchr(line, ')') + 1, " %*c %d", &parent);
    fclose(file);
    return parent;
}

pid_t training_rank_process(pid_t process, int rank) {
    char wanted[64];
    pid_t found = -1;
    snprintf(wanted, sizeof wanted, "OMPI_COMM_WORLD_RANK=%d", rank);
    DIR *folder = opendir("/proc");
    assert_non_null(folder);
    for (struct dirent *entry; found < 0 && (entry = readdir(folder)) != NULL;) {
        const pid_t candidate = (pid_t)strtol(entry->d_name, NULL, 10);
        if (candidate > 0 && parent_of(candidate) == process && job_has_variable(candidate, wanted))
            found = candidate;
    }
    closedir(folder);
    if (found < 0)
        fail_msg("there is no process of rank %d below mpirun %d", rank, (int)process);
    return found;
}

int64_t training_latest_step(const char *out_dir) {
    char path[PATH_BYTES], target[PATH_BYTES];
    snprintf(path, sizeof path, "%s/checkpoints/latest", out_dir);
    const ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return -1;
    target[length] = 0;
    assert_int_equal(strncmp(target, "checkpoint_step_", 16), 0);
    return strtoll(target + 16, NULL, 10);
}

/* The text after "key": in the line, up to the comma or brace that ends a number; NULL when there is none. */
static const char *find_value(const char *line, const char *key, int *length) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(line, quoted);
    if (at == NULL)
        return NULL;
    at += strlen(quoted);
    *length = (int)strcspn(at, ",}");
    return at;
}

char *training_metric(const char *out_dir, const char *key) {
    char path[PATH_BYTES], *found = NULL, *rest = NULL;
    size_t bytes = 0;
    snprintf(path, sizeof path, "%s/metrics.jsonl", out_dir);
    char *text = command_read_file(path);
    FILE *lines = open_memstream(&found, &bytes);
    assert_non_null(lines);
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        int step_length, length;
        const char *step = find_value(line, "step", &step_length), *value = find_value(line, key, &length);
        if (step != NULL && value != NULL && strcmp(key, "hook") == 0)
            fprintf(lines, "%s\n", line);
        else if (step != NULL && value != NULL)
            fprintf(lines, "%.*s %.*s\n", step_length, step, length, value);
    }
    assert_int_equal(fclose(lines), 0);
    free(text);
    return found;
}

void training_expect_steps(const char *out_dir, const char *key, const char *steps) {
    char *lines = training_metric(out_dir, key), found[256] = "";
    for (const char *line = lines; *line; line = strchr(line, '\n') + 1)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%d ", atoi(line));
    assert_string_equal(found, steps);
    free(lines);
}

char *training_last_metric(const char *out_dir, const char *key) {
    char *lines = training_metric(out_dir, key), *blank = strrchr(lines, ' ');
    if (blank == NULL)
        fail_msg("metrics.jsonl of %s has no %s", out_dir, key);
    char *value = strdup(blank + 1);
    assert_non_null(value);
    value[strcspn(value, "\n")] = 0;
    free(lines);
    return value;
}

void training_same_metric(const char *out_dir, const char *other, const char *key) {
    char *left = training_metric(out_dir, key), *right = training_metric(other, key);
    if (*left == 0)
        fail_msg("metrics.jsonl of %s has no %s", out_dir, key);
    if (strcmp(left, right) != 0)
        fail_msg("%s of %s and %s differ:\n%s\n%s", key, out_dir, other, left, right);
    free(left);
    free(right);
}

void training_same_run(const char *out_dir, const char *other, int64_t step) {
    training_same_weights(out_dir, other, step);
    training_same_metric(out_dir, other, "loss");
    training_same_metric(out_dir, other, "lr");
    training_same_metric(out_dir, other, "grad_norm");
}

bool training_files_differ(const char *path, const char *other) {
    char *bytes[2];
    size_t length[2];
    if (dt_file_read(path, INT64_MAX, &bytes[0], &length[0]) != DT_OK ||
        dt_file_read(other, INT64_MAX, &bytes[1], &length[1]) != DT_OK)
        fail_msg("%s", dt_error());
    const bool differ = length[0] != length[1] || memcmp(bytes[0], bytes[1], length[0]) != 0;
    free(bytes[0]);
    free(bytes[1]);
    return differ;
}

void training_same_weights(const char *out_dir, const char *other, int64_t step) {
    static const char *const files[] = {"model.safetensors", "optimizer.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        char left[PATH_BYTES], right[PATH_BYTES];
        snprintf(left, sizeof left, "%s/checkpoints/checkpoint_step_%" PRId64 "/%s", out_dir, step, files[i]);
        snprintf(right, sizeof right, "%s/checkpoints/checkpoint_step_%" PRId64 "/%s", other, step, files[i]);
        if (training_files_differ(left, right))
            fail_msg("%s and %s differ", left, right);
    }
}

void training_damage(const char *path, int64_t offset) {
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)offset, offset < 0 ? SEEK_END : SEEK_SET), 0);
    const int byte = fgetc(file);
    assert_true(byte != EOF);
    assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
    assert_int_not_equal(fputc(byte ^ 1, file), EOF);
    assert_int_equal(fclose(file), 0);
}

void training_no_leftovers(const char *out_dir) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/checkpoints", out_dir);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const char *name = entry->d_name;
        const bool expected = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
                              strcmp(name, "latest") == 0 || strcmp(name, "best") == 0 ||
                              strncmp(name, "checkpoint_step_", 16) == 0;
        if (!expected)
            fail_msg("%s/%s was left behind", path, name);
    }
    closedir(folder);
}
