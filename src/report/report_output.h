/**
 * The files that a verb is asked to write for people: looked at before anything is measured, which takes
 * minutes, and written when all is done.
 *
 * All functions are local.
 */
#ifndef DT_REPORT_REPORT_OUTPUT_H
#define DT_REPORT_REPORT_OUTPUT_H

#include <jansson.h>

#include "base/status.h"

/** What a file holds; it takes the place of its like alone. */
typedef enum dt_report_form {
    DT_REPORT_PAGE,       /**< HTML, as dt_page_open begins it */
    DT_REPORT_PICTURE,    /**< SVG: a chart, figures, a roofline */
    DT_REPORT_RUNS,       /**< JSON of dt_runs_list_json */
    DT_REPORT_BENCHMARK,  /**< JSON of dt_table_json */
    DT_REPORT_ALGORITHMS, /**< JSON of dt_algorithms_table_json */
    DT_REPORT_STUDY,      /**< JSON of dt_study_output_object */
    DT_REPORT_PLAN        /**< JSON of `dtrain plan` */
} dt_report_form;

/** A page, or a picture where the name ends in .svg: the form of a report of figures. */
dt_report_form dt_report_output_form(const char *path);

/**
 * Refuses, with DT_USAGE, a `path`, the value of --`flag`, that cannot be written, and a file there that is
 * not empty and does not begin as one of `form` does: that would be lost. Leaves nothing behind, and what
 * stands there as it is. From then on a reader of standard output that has gone does not end the process,
 * whose file is still to come. NULL, a flag that is not given, is fine.
 */
dt_status dt_report_output_check(const char *flag, const char *path, dt_report_form form);

/** The same for the values of --json, of `form`, and of --report, a page or a picture by its name; refuses
 * one file for both too. */
dt_status dt_report_output_check_both(const char *json, dt_report_form form, const char *report);

/**
 * Makes `path` a file of `object`, whole or not at all. `flags` are jansson's, beside the indentation. Takes
 * over the object; NULL is one that could not be made.
 */
dt_status dt_report_output_json(const char *path, json_t *object, size_t flags);

#endif
