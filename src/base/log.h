/**
 * What a person sees: lines, warnings, and one line that redraws itself.
 *
 * One process speaks (rank 0 of a job); on every other one these calls do nothing. Lines and the redrawn line
 * share one stream, so a line never lands in the middle of the redrawn one. Thread-safe.
 */
#ifndef DT_BASE_LOG_H
#define DT_BASE_LOG_H

#include <stdbool.h>

/** Sets who speaks and whether standard output ends at a terminal. Before the call nobody redraws, all speak.
 * Local. */
void dt_log_open(bool speaks, bool terminal);

/** Whether standard output ends at a terminal, as dt_log_open was told. Local. */
bool dt_log_terminal(void);

/** Prints one line to standard output. Local. */
void dt_log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Prints "dtrain: warning: ..." to standard error. Local. */
void dt_log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * Replaces the redrawn line on a terminal, cut to its width, since a line that the terminal breaks in two
 * could not be taken back; does nothing elsewhere. The text is ASCII. Local.
 */
void dt_log_redraw(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Ends the redrawn line, if there is one, so that what follows starts on a line of its own. Local. */
void dt_log_settle(void);

/**
 * Whether what this process prints ends at a terminal. Under mpirun a rank's standard output is a
 * pseudo-terminal of mpirun's own whatever mpirun writes to, so there the parent's standard output is asked.
 * Local.
 */
bool dt_log_find_terminal(void);

#endif
