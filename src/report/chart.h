/**
 * Lines over steps, as SVG: numbers of one run or of several.
 *
 * A chart is drawn over steps; what it would say over tokens and over time is in axes that are hidden, and in
 * the data that the page's script reads (dt_chart_data), which moves lines and marks where a reader asks for
 * it. So all that decides the look of an axis is here, and none of it in the script. Series differ in colour
 * and have their names at their ends, as far as these can be told apart. Local.
 */
#ifndef DT_REPORT_CHART_H
#define DT_REPORT_CHART_H

#include <stdbool.h>
#include <stdio.h>

#include "report/chart_line.h"
#include "report/series.h"

/** What runs along the bottom. */
typedef enum dt_chart_scale {
    DT_CHART_STEPS,
    DT_CHART_TOKENS,
    DT_CHART_TIME,
    DT_CHART_SCALES
} dt_chart_scale;

/** The names of the scales in the page: "steps", "tokens", "time". */
extern const char *const dt_chart_scale_names[DT_CHART_SCALES];

/** What all charts of a page span. */
typedef struct dt_chart_domain {
    double low[DT_CHART_SCALES], high[DT_CHART_SCALES];
    double time_unit;      /**< of the time scale, in hours */
    const char *time_name; /**< its name, "hours" */
} dt_chart_domain;

/** What happened at a step. */
typedef struct dt_chart_mark {
    double step;
    char kind; /**< 'r': a resume, 's': a loss spike, 'n': a step that was skipped */
    int run;   /**< whose */
} dt_chart_mark;

typedef struct dt_chart {
    const char *id;           /**< of the chart, and its name on the command line */
    const char *title, *unit; /**< unit: of the values; plain text */
    bool from_zero;           /**< the values' axis begins at 0 */
    const dt_chart_domain *domain;
    dt_chart_line *line; /**< [lines] */
    int lines;
    const dt_chart_mark *mark; /**< [marks] */
    int marks;
} dt_chart;

/** Sizes in units of the picture; a small chart is half of a wide one and the gap between two. */
#define DT_CHART_HEIGHT 320.0
#define DT_CHART_SMALL  520.0
#define DT_CHART_WIDE   1056.0

/** How smooth lines are unless a reader asks otherwise, as a fraction of the steps' span; report.js knows it
 * as the value of its control. */
#define DT_CHART_SMOOTHING 0.01

/**
 * Adds a line of `series` in at most `columns` columns; an empty series adds none. `like` has the fields
 * above `column`. Fails when out of memory.
 */
dt_status dt_chart_add(dt_chart *chart, const dt_series *series, const dt_chart_line *like, int columns);

/** Writes the chart as an <svg> element of `width`, one of the two. */
void dt_chart_draw(const dt_chart *chart, double width, FILE *file);

/** Writes what stands in that element, for a picture of its own (dt_page_open_svg). */
void dt_chart_draw_inside(const dt_chart *chart, double width, FILE *file);

/** Writes the lines' numbers as an object of JSON. */
void dt_chart_data(const dt_chart *chart, FILE *file);

/** Frees the lines; all zero is fine. */
void dt_chart_free(dt_chart *chart);

#endif
