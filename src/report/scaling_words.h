/**
 * What the columns of a scaling study mean.
 */
#ifndef DT_REPORT_SCALING_WORDS_H
#define DT_REPORT_SCALING_WORDS_H

#include <stdio.h>

/** Writes the section of a page, with its heading. Local. */
void dt_scaling_words_put(FILE *file);

#endif
