/**
 * What stands along the axes of every chart: lines of its grid and ticks, with their numbers.
 */
#ifndef DT_REPORT_AXIS_MARKS_H
#define DT_REPORT_AXIS_MARKS_H

#include <stdio.h>

/** Writes a line of the grid from `left` to `right` at height `y`, and `text`, from elsewhere or not, before
 * it. Local. */
void dt_axis_marks_value(FILE *file, double left, double right, double y, const char *text);

/** Writes a tick below the axis at (x, bottom), and `text`, cut where it is long, below it. Local. */
void dt_axis_marks_tick(FILE *file, double x, double bottom, const char *text);

/** Writes the axis itself. Local. */
void dt_axis_marks_line(FILE *file, double left, double right, double bottom);

#endif
