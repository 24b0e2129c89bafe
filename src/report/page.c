/* The shell around what pages show, and how foreign text comes into it. */
#include "report/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/replace.h"
#include "base/utf8.h"
#include "report/embedded.h"

void dt_page_open(FILE *file, const char *title, dt_page_width width, int reload_seconds) {
    fputs(DT_PAGE_START, file);
    if (reload_seconds > 0)
        fprintf(file, "<meta http-equiv=\"refresh\" content=\"%d\">\n", reload_seconds);
    fputs("<title>", file);
    dt_page_text(file, title);
    fprintf(file, "</title>\n<style>\n%s%s</style>\n</head>\n<body>\n<main%s>\n", dt_embedded_chart_css,
            dt_embedded_page_css, width == DT_PAGE_ARTICLE ? " class=\"article\"" : "");
}

void dt_page_close(FILE *file, bool script) {
    fputs("</main>\n", file);
    if (script)
        fprintf(file, "<script>\n%s</script>\n", dt_embedded_report_js);
    fputs("</body>\n</html>\n", file);
}

void dt_page_open_svg(FILE *file, const char *title, double width, double height) {
    fprintf(file, DT_PAGE_SVG_START "%.0f %.0f\" width=\"%.0f\" height=\"%.0f\" role=\"img\">\n<title>",
            width, height, width, height);
    dt_page_text(file, title);
    fprintf(file, "</title>\n<style>\n%s</style>\n<rect class=\"ground\" width=\"%.0f\" height=\"%.0f\"/>\n",
            dt_embedded_chart_css, width, height);
}

void dt_page_close_svg(FILE *file) {
    fputs("</svg>\n", file);
}

static void put_escaped(FILE *file, const char *text) {
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", file);
            break;
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        case '"':
            fputs("&quot;", file);
            break;
        case '\'':
            fputs("&#39;", file);
            break;
        default:
            fputc(*text, file);
        }
}

void dt_page_text(FILE *file, const char *text) {
    if (!dt_escape_needed(text, DT_ESCAPE_BLOCK)) {
        put_escaped(file, text);
        return;
    }
    char *escaped = malloc(DT_ESCAPE_BYTES(strlen(text)));
    if (escaped != NULL)
        put_escaped(file, dt_escape(text, DT_ESCAPE_BLOCK, escaped));
    free(escaped);
}

void dt_page_text_start(FILE *file, const char *text, size_t length) {
    if (strlen(text) <= length) {
        dt_page_text(file, text);
        return;
    }
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
        length--; /* within a character */
    char *start = strndup(text, length);
    if (start != NULL)
        dt_page_text(file, start);
    free(start);
    fputs("...", file);
}

void dt_page_json_text(FILE *file, const char *text) {
    fputc('"', file);
    while (*text) {
        const int bytes = dt_utf8_bytes(text);
        const unsigned char c = (unsigned char)*text;
        if (bytes == 0)
            fputs("\\ufffd", file);
        else if (bytes == 1 && (c < 0x20 || strchr("\"\\<>&\x7f", c)))
            fprintf(file, "\\u%04x", c);
        else
            fwrite(text, 1, (size_t)bytes, file);
        text += bytes > 0 ? bytes : 1;
    }
    fputc('"', file);
}

dt_status dt_page_write(const char *path, void (*draw)(FILE *file, const void *context), const void *context,
                        size_t *bytes) {
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    if (file != NULL)
        draw(file, context);
    const bool complete = file != NULL && ferror(file) == 0;
    const dt_status status = (file != NULL && fclose(file) != 0) || !complete
                                 ? dt_fail("out of memory for the page %s", path)
                                 : dt_replace_write(path, text, length);
    if (bytes != NULL)
        *bytes = length;
    free(text);
    return status;
}
