/**
 * Runs a command line as a person would and keeps what it printed and how it ended.
 *
 *     command_result r = command_run("%s --max-steps x", DTRAIN);
 *     assert_int_equal(r.exit_code, 2);
 *     assert_non_null(strstr(r.err, "expected"));
 *     command_free(&r);
 */
#ifndef DT_TESTS_COMMAND_H
#define DT_TESTS_COMMAND_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/** The program under test and the launcher, from the build: compile definitions of the test's target. */
#ifdef DTRAIN_PROGRAM
#define DTRAIN DTRAIN_PROGRAM
#endif

typedef struct command_result {
    int exit_code; /**< of the shell, 128 + the signal's number after a signal; -1 when it ran too long and
                      was ended */
    char *out;     /**< standard output, whole; owned by the result */
    char *err;     /**< standard error, whole */
} command_result;

/**
 * Runs the formatted line by /bin/sh, with no standard input, as a process group of its own that is ended
 * after `command_limit_seconds`. Fails the test when the command cannot be started.
 */
command_result command_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Runs a line as it is, and fails the test unless it ends with exit code 0. */
void command_done(const char *line);

/** How long a command may take; 120 at the start. */
extern int command_limit_seconds;

/** Fails the test unless the sentence is in what was printed, to either stream. */
void command_says(const command_result *result, const char *sentence);

/** Frees what a result holds. */
void command_free(command_result *result);

/** The whole text of a file, owned by the caller; fails the test when it cannot be read. */
char *command_read_file(const char *path);

/** Makes a fresh folder below the temporary one and goes into it; the caller owns its name. */
char *command_enter_folder(void);

/** Leaves the folder and removes it and all in it. Frees its name. */
void command_leave_folder(char *folder);

/** A cmocka setup: enters a fresh folder, whose name becomes the test's state. */
int command_set_up(void **state);

/** The cmocka teardown that goes with it, and with any setup that leaves such a name in the state. */
int command_tear_down(void **state);

#endif
