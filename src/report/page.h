/**
 * What all pages share: one self-contained file of HTML with one look, which needs no network, is readable
 * without script, prints, and follows the reader's choice of light or dark.
 *
 * This room is what people look at. Studies, profiles and runs enter; pages, charts and tables leave, as
 * HTML, SVG and text. chart.css is the look of charts, page.css of the rest, report.js what a pointer does.
 */
#ifndef DT_REPORT_PAGE_H
#define DT_REPORT_PAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"

/** How every page begins, and every picture: report_output.c knows them by it. */
#define DT_PAGE_START                                                                                        \
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"                                \
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"                             \
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
#define DT_PAGE_SVG_START "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 "

/** How wide a page is: all of a window for charts, or as wide as a text is read with ease. */
typedef enum dt_page_width { DT_PAGE_CHARTS, DT_PAGE_ARTICLE } dt_page_width;

/** Opens a page: head, style, and the body's beginning. `title` is plain text. Where `reload_seconds` is not
 * 0 the page loads itself anew that often. Local. */
void dt_page_open(FILE *file, const char *title, dt_page_width width, int reload_seconds);

/** Closes a page, with the script that works on its charts where `script`. Local. */
void dt_page_close(FILE *file, bool script);

/** Opens a picture that stands alone, an SVG of `width` by `height` with the charts' style and a ground.
 * `title` is plain text. Local. */
void dt_page_open_svg(FILE *file, const char *title, double width, double height);

/** Closes it. Local. */
void dt_page_close_svg(FILE *file);

/** Writes text from elsewhere: what HTML would read as its own is escaped, control characters and bytes that
 * are no UTF-8 are written out (base/escape.h); newlines and tabs stay. Local. */
void dt_page_text(FILE *file, const char *text);

/** The same for at most `length` bytes of it, cut between characters; what is cut is told by "...". Local. */
void dt_page_text_start(FILE *file, const char *text, size_t length);

/** Writes text from elsewhere as a string of JSON within <script>: nothing in it can end that. Local. */
void dt_page_json_text(FILE *file, const char *text);

/**
 * Calls `draw` with a file in memory, and makes `path` ("-" is standard output) a file of what it has
 * written, whole or not at all; `*bytes`, which may be NULL, becomes its length. Local.
 */
dt_status dt_page_write(const char *path, void (*draw)(FILE *file, const void *context), const void *context,
                        size_t *bytes);

#endif
