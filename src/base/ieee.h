/**
 * Whether the processor computes as IEEE 754 says, which all results rest on.
 *
 * A library that was linked with -ffast-math switches flush-to-zero on for the thread that loads it: denormal
 * numbers become 0, and every result may be another. Others change the direction of rounding.
 */
#ifndef DT_BASE_IEEE_H
#define DT_BASE_IEEE_H

/** What is wrong with this thread's arithmetic, "denormal numbers become 0 (flush-to-zero)" for example; NULL
 * when it rounds to nearest and keeps denormal numbers. Threads inherit the mode of the one that starts them.
 * Local. */
const char *dt_ieee_find_fault(void);

#endif
