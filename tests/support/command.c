/* fork, exec and two temporary files: a pipe could fill up while nobody reads it. */
#include "support/command.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/signals.h"

int command_limit_seconds = 120;

static int temporary_file(void) {
    char name[] = "/tmp/dtrain-test-XXXXXX";
    int descriptor = mkstemp(name);
    assert_true(descriptor >= 0);
    unlink(name);
    return descriptor;
}

static char *take_text(int descriptor) {
    off_t length = lseek(descriptor, 0, SEEK_END);
    char *text = malloc((size_t)length + 1);
    assert_non_null(text);
    assert_int_equal(pread(descriptor, text, (size_t)length, 0), length);
    text[length] = 0;
    close(descriptor);
    return text;
}

/* Waits for the child, and ends its whole group when it takes too long. */
static int wait_for(pid_t child) {
    const struct timespec pause = {0, 5000000};
    int status = 0;
    for (int64_t turns = 0; waitpid(child, &status, WNOHANG) == 0; turns++) {
        if (turns > command_limit_seconds * 200) {
            kill(-child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

command_result command_run(const char *format, ...) {
    char line[16384];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < sizeof line);
    int out = temporary_file(), err = temporary_file();
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int nothing = open("/dev/null", O_RDONLY);
        signals_restore();
        setpgid(0, 0);
        dup2(nothing, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    command_result result = {.exit_code = wait_for(child)};
    result.out = take_text(out);
    result.err = take_text(err);
    return result;
}

void command_done(const char *line) {
    command_result result = command_run("%s", line);
    if (result.exit_code != 0)
        fail_msg("%s: exit code %d: %s", line, result.exit_code, result.err);
    command_free(&result);
}

void command_says(const command_result *result, const char *sentence) {
    if (strstr(result->out, sentence) == NULL && strstr(result->err, sentence) == NULL)
        fail_msg("expected \"%s\" in:\n%s%s", sentence, result->out, result->err);
}

void command_free(command_result *result) {
    free(result->out);
    free(result->err);
    *result = (command_result){0};
}

char *command_read_file(const char *path) {
    char *bytes;
    size_t length;
    if (dt_file_read(path, INT64_MAX, &bytes, &length) != DT_OK)
        fail_msg("%s", dt_error());
    return bytes;
}

char *command_enter_folder(void) {
    char *folder = strdup("/tmp/dtrain-test-XXXXXX");
    assert_non_null(folder);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    return folder;
}

/* To where no file can be made: what a test writes outside a folder of its own would be there for the next
 * one. */
void command_leave_folder(char *folder) {
    assert_int_equal(chdir("/proc"), 0);
    assert_int_equal(dt_file_remove_tree(folder), DT_OK);
    free(folder);
}

int command_set_up(void **state) {
    *state = command_enter_folder();
    return 0;
}

int command_tear_down(void **state) {
    command_leave_folder(*state);
    return 0;
}
