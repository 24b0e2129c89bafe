/* Their look is chart.css's. */
#include "report/axis_marks.h"

#include "report/page.h"

#define TEXT_BYTES 16

void dt_axis_marks_value(FILE *file, double left, double right, double y, const char *text) {
    fprintf(file,
            "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/><text class=\"number\" x=\"%.1f\" y=\"%.1f\" "
            "text-anchor=\"end\">",
            left, y, right, left - 8.0, y + 4.0);
    dt_page_text_start(file, text, TEXT_BYTES);
    fputs("</text>\n", file);
}

void dt_axis_marks_tick(FILE *file, double x, double bottom, const char *text) {
    fprintf(file,
            "<path class=\"tick\" d=\"M%.1f %.1fv5\"/><text class=\"number\" x=\"%.1f\" y=\"%.1f\" "
            "text-anchor=\"middle\">",
            x, bottom, x, bottom + 18.0);
    dt_page_text_start(file, text, TEXT_BYTES);
    fputs("</text>\n", file);
}

void dt_axis_marks_line(FILE *file, double left, double right, double bottom) {
    fprintf(file, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n", left, bottom, right);
}
