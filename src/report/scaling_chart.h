/**
 * One figure of a scaling study as SVG: measured points with error bars, the ideal line and the predicted
 * one.
 *
 * Ranks run along the bottom, base-2 logarithmic. Series differ in colour, stroke and mark, so that print
 * without colour and eyes without it tell them apart. Local.
 */
#ifndef DT_REPORT_SCALING_CHART_H
#define DT_REPORT_SCALING_CHART_H

#include <stdbool.h>
#include <stdio.h>

#include "plan/ranks.h"

typedef struct dt_scaling_chart_mark {
    double ranks, value;
    double half_width; /**< of the error bar; 0 or NaN for none */
} dt_scaling_chart_mark;

typedef struct dt_scaling_chart {
    const char *title, *unit; /**< above the plot, and of the values, along its left side */
    bool rising; /**< speed-up: both axes logarithmic, ideal is the diagonal; otherwise per cent, ideal 100 */
    double crowded_from; /**< from so many ranks on threads took turns on cores; 0 where none did */
    int count;
    dt_scaling_chart_mark measured[DT_RANKS_COUNT];
    double predicted[DT_RANKS_COUNT];
} dt_scaling_chart;

/** Writes the figure as one <svg> element of the size of a small chart (chart.h), styled by chart.css. */
void dt_scaling_chart_draw(const dt_scaling_chart *chart, FILE *file);

/** Writes the same as a group within a picture, its corner at (x, y). */
void dt_scaling_chart_draw_at(const dt_scaling_chart *chart, double x, double y, FILE *file);

/** Writes the key of the series, for a page. */
void dt_scaling_chart_key(FILE *file);

/** Writes the key within a picture, its corner at (x, y), in one line of text. */
void dt_scaling_chart_key_at(double x, double y, FILE *file);

#endif
