/**
 * Who may end the process: main, and nobody else with a code that says all is well.
 *
 * A plug-in can call exit(0) in the middle of a run, and whoever started the run would take it for done. So
 * each way out that can be seen from inside (exit, quick_exit, _exit; pthread_exit, which would leave the
 * process waiting) is held against whether main has
 * allowed it: what is not main's becomes a sentence with the name of who did it, and a code other than 0. A
 * child process that a plug-in forks may end as it likes, but does not go on as a second run.
 *
 * One in a process. All functions are local.
 */
#ifndef DT_BASE_ENDING_H
#define DT_BASE_ENDING_H

/** From now on an end with code 0 is a fault, until dt_ending_allow. For main, before all else. */
void dt_ending_forbid(void);

/** main is done: the next end is its own. */
void dt_ending_allow(void);

/**
 * The calling thread begins to run foreign code: `function`, such as "update function", of `who`, such as
 * "hook clip". Both must stay until dt_ending_leave. Costs a few stores.
 */
void dt_ending_enter(const char *who, const char *function);

/** The foreign code has returned, and a locale or signals of floats' exceptions that it gave the thread end;
 * in a child process that it forked, the process ends here. */
void dt_ending_leave(void);

#endif
