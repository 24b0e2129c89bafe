/**
 * All processes of a job, found by an entry of their environment: whoever was started by this test and has
 * not ended, whatever has become of its parents.
 */
#ifndef DT_TESTS_JOB_H
#define DT_TESTS_JOB_H

#include <sys/types.h>

/** From now on every process that the test starts is one of its own. Open MPI's files go below the working
 * folder, where a job that is killed leaves no litter elsewhere. */
void job_mark(void);

/** How many processes of the test live beside the test itself; those that have ended but were not yet waited
 * for do not count. */
int job_count(void);

/** Sends `number` to all of them. */
void job_signal(int number);

/** Waits until none lives, at most `seconds`; how many are left. */
int job_await_end(double seconds);

#endif
