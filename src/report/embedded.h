/**
 * Files of this room that pages carry along: the build makes texts of them (tools/embed.cmake), each ended by
 * a 0 byte.
 */
#ifndef DT_REPORT_EMBEDDED_H
#define DT_REPORT_EMBEDDED_H

extern const char dt_embedded_chart_css[], dt_embedded_page_css[], dt_embedded_report_js[];

#endif
