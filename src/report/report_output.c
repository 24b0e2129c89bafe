/* The words for a person, and JSON as text; files are base/replace's. */
#include "report/report_output.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/replace.h"
#include "base/suffix.h"
#include "report/page.h"

/* Of a file, to tell what it is. */
#define START_BYTES 2047

#define STARTS 2

/* How files of each form begin; a star stands for the rest of its line. JSON is told by its first keys. */
static const struct {
    const char *name, *start[STARTS];
} forms[] = {
    [DT_REPORT_PAGE] = {"page", {DT_PAGE_START}},
    [DT_REPORT_PICTURE] = {"picture", {DT_PAGE_SVG_START}},
    [DT_REPORT_RUNS] = {"list of runs", {"[\n  {\n    \"path\": *\n    \"state\": ", "[]\n"}},
    [DT_REPORT_BENCHMARK] = {"benchmark", {"{\n  \"benchmark\": *\n  \"version\": "}},
    [DT_REPORT_ALGORITHMS] = {"comparison of algorithms", {"{\n  \"git_commit\": *\n  \"ranks\": "}},
    [DT_REPORT_STUDY] = {"study", {"{\n  \"version\": *\n  \"git_commit\": *\n  \"time\": *\n  \"hosts\": "}},
    [DT_REPORT_PLAN] = {"plan",
                        {"{\n  \"version\": *\n  \"git_commit\": *\n  \"time\": *\n  \"processor\": "}},
};

dt_report_form dt_report_output_form(const char *path) {
    return dt_has_suffix(path, ".svg") ? DT_REPORT_PICTURE : DT_REPORT_PAGE;
}

static bool begins(const char *text, const char *start) {
    for (; *start; start++)
        if (*start == '*')
            text += strcspn(text, "\n");
        else if (*text++ != *start)
            return false;
    return true;
}

static bool has_form(const char *text, dt_report_form form) {
    for (int i = 0; i < STARTS && forms[form].start[i]; i++)
        if (begins(text, forms[form].start[i]))
            return true;
    return false;
}

dt_status dt_report_output_check(const char *flag, const char *path, dt_report_form form) {
    char text[START_BYTES + 1];
    size_t length;
    if (path == NULL)
        return DT_OK;
    if (dt_replace_check(path) != DT_OK || dt_replace_peek(path, text, START_BYTES, &length) != DT_OK)
        return dt_usage("--%s: %s; name a file in a folder that exists", flag, dt_error());
    text[length] = 0;
    if (length > 0 && !has_form(text, form))
        return dt_usage(
            "--%s: expected a new name or an earlier %s, found %s, which holds something else and would be "
            "lost; give another name",
            flag, forms[form].name, path);
    signal(SIGPIPE, SIG_IGN);
    return DT_OK;
}

dt_status dt_report_output_check_both(const char *json, dt_report_form form, const char *report) {
    if (json && report && strcmp(json, report) == 0)
        return dt_usage("--json and --report: expected two files, found %s for both", json);
    DT_TRY(dt_report_output_check("json", json, form));
    return report ? dt_report_output_check("report", report, dt_report_output_form(report)) : DT_OK;
}

dt_status dt_report_output_json(const char *path, json_t *object, size_t flags) {
    char *text = object ? json_dumps(object, JSON_INDENT(2) | flags) : NULL, *line = NULL;
    json_decref(object);
    const int length = text ? asprintf(&line, "%s\n", text) : -1;
    free(text);
    if (length < 0)
        return dt_fail("cannot write %s: out of memory, or a number of it is not finite", path);
    const dt_status status = dt_replace_write(path, line, (size_t)length);
    free(line);
    return status;
}
