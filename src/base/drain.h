/**
 * What was printed last, on its way to whoever reads it.
 */
#ifndef DT_BASE_DRAIN_H
#define DT_BASE_DRAIN_H

/**
 * Waits until the reader of standard output and standard error has taken all that was printed there, but no
 * longer than `max_seconds`. A launcher that is told to end a job closes its ends of these pipes, with what
 * it has not read by then. What is no pipe takes no time: a file has it already, and a terminal does not
 * tell. Any thread. Local.
 */
void dt_drain_output(double max_seconds);

#endif
