/**
 * All processes of a job, found by an entry of their environment: whoever was started by this test and has
 * not ended, whatever has become of its parents.
 */
#ifndef DT_TESTS_JOB_H
#define DT_TESTS_JOB_H

#include <stdbool.h>
#include <sys/types.h>

/** From now on every process that the test starts is one of its own. Open MPI's files go below the working
 * folder, where a job that is killed leaves no litter elsewhere. */
void job_mark(void);

/** For cmocka, after training_set_up and job_mark: ends what the test has left running, and leaves its
 * folder. */
int job_tear_down(void **state);

/** Whether the environment that `process` was started with holds the entry `wanted`, as in NAME=VALUE. One
 * that has ended shows none. */
bool job_has_variable(pid_t process, const char *wanted);

/** How many processes of the test live beside the test itself; those that have ended but were not yet waited
 * for do not count. */
int job_count(void);

/** Sends `number` to all of them. */
void job_signal(int number);

/** Waits until none lives, at most `seconds`; how many are left. */
int job_await_end(double seconds);

#endif
