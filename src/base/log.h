/**
 * What a person sees: lines, warnings, and one line that redraws itself.
 *
 * One process speaks (rank 0 of a job); on every other one these calls do nothing. Lines and the redrawn line
 * share one stream, so a line never lands in the middle of the redrawn one. Thread-safe.
 *
 * Whatever a line is made of, names of files, words of a checkpoint or of the environment, is shown as
 * base/escape.h says, here and not by those who call; a test finds what is printed past these functions.
 */
#ifndef DT_BASE_LOG_H
#define DT_BASE_LOG_H

#include <stdbool.h>

/** Sets who speaks and whether standard output ends at a terminal. Before the call nobody redraws, all speak.
 * Local. */
void dt_log_open(bool speaks, bool terminal);

/** From here on lines and warnings begin with the time of day, "09:14:27  ", where standard output ends at no
 * terminal; false ends that. Local. */
void dt_log_stamp(bool stamps);

/** How many characters a line of the terminal holds, asked anew each time as windows change; 0 where that is
 * not known, or standard output ends at no terminal. Local. */
int dt_log_columns(void);

/** Whether standard output ends at a terminal, as dt_log_open was told, that can take a line back: TERM is
 * neither unset nor "dumb". Local. */
bool dt_log_redraws(void);

/** Prints one line to standard output. Local. */
void dt_log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Prints "dtrain: warning: ..." to standard error; on a terminal that understands colours the word is
 * yellow, unless NO_COLOR is set and not empty (https://no-color.org). Local. */
void dt_log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Prints "dtrain: ..." to standard error: what is worth knowing and no fault. Local. */
void dt_log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Prints "dtrain: error: ..." to standard error, on every rank. Local. */
void dt_log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Prints a text of several lines, and a newline: its newlines and tabs stay. Local. */
void dt_log_block(const char *text);

/**
 * Prints a piece of what a verb is asked for, at once, whoever speaks: to a terminal as dt_log_block does,
 * elsewhere byte for byte. Local.
 */
void dt_log_output(const char *text);

/**
 * Replaces the redrawn line on a terminal, cut to its width, since a line that the terminal breaks in two
 * could not be taken back; does nothing where dt_log_redraws() says no. Lines that are printed later stand
 * above it, until dt_log_clear() or dt_log_settle(), or an error. The text is ASCII. Local.
 */
void dt_log_redraw(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Takes the redrawn line away, if there is one. Local. */
void dt_log_clear(void);

/** Whether lines for standard output or standard error could not be written, which has not been told by this
 * function before; then which stream it was and why, in static text. Local. */
bool dt_log_take_loss(const char **stream, const char **cause);

/** Ends the redrawn line, if there is one, so that what follows starts on a line of its own, and the line
 * stays to be read. Local. */
void dt_log_settle(void);

/**
 * Whether what this process prints ends at a terminal. Under mpirun a rank's standard output is a
 * pseudo-terminal of mpirun's own whatever mpirun writes to, so there the parent's standard output is asked.
 * Local.
 */
bool dt_log_find_terminal(void);

#endif
