/**
 * The locale of the process, which stays C's.
 *
 * printf() and strtod() write and read numbers as the locale says, with a comma in many of them, and then no
 * reader understands what a run writes, nor does the run what it reads. A library that a plug-in brings may
 * set the locale of the environment, as those of windows and of languages do when they begin. So setlocale()
 * is answered here in the place of the C library's, for all that is loaded: every locale but C's own counts
 * as not installed. A thread can have a locale of its own beside that one: who runs foreign code restores it.
 */
#ifndef DT_BASE_LOCALE_H
#define DT_BASE_LOCALE_H

#include <locale.h>

/** The locale of the calling thread, for dt_locale_restore. */
locale_t dt_locale_save(void);

/** Gives the calling thread the locale back that it had. */
void dt_locale_restore(locale_t saved);

#endif
