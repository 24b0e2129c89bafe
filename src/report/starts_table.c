/* What the run events say, shortened to what a person compares. */
#include "report/starts_table.h"

#include <inttypes.h>
#include <string.h>

#include "base/plural.h"
#include "report/page.h"

#define HOSTS_SHOWN 4
#define ROWS_MAX    200
#define TEXT_BYTES  80

static bool is_start(const dt_run_event *event) {
    return event->kind == DT_RUN_EVENT_START || event->kind == DT_RUN_EVENT_RESUME;
}

static void put_text(const json_t *line, const char *key, FILE *file) {
    const char *text = json_string_value(json_object_get(line, key));
    if (text != NULL)
        dt_page_text_start(file, text, TEXT_BYTES);
    else
        fputs("&ndash;", file);
}

static void put_cell(const json_t *line, const char *key, FILE *file) {
    fputs("<td class=\"t\">", file);
    put_text(line, key, file);
    fputs("</td>", file);
}

static void put_hosts(const json_t *hosts, FILE *file) {
    const size_t count = json_array_size(hosts), shown = count < HOSTS_SHOWN ? count : HOSTS_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        const char *name = json_string_value(json_array_get(hosts, i));
        fputs(i ? ", " : "", file);
        dt_page_text_start(file, name ? name : "?", TEXT_BYTES);
    }
    if (count > shown)
        fprintf(file, " and %zu more", count - shown);
    if (count == 0)
        fputs("&ndash;", file);
}

/* How gradients travel; lines of version 0.1.0 have it under another name. */
static const char *algorithm_key(const json_t *line) {
    return json_object_get(line, "allreduce") ? "allreduce" : "exchange";
}

/* The step that the run has come to before its next start, or at its end. */
static int64_t last_step_of(const dt_run_metrics *metrics, int64_t start) {
    for (int64_t i = start + 1; i < metrics->events; i++)
        if (is_start(&metrics->event[i]))
            return metrics->event[i].step;
    return metrics->last_step;
}

static void put_row(const dt_run_shown *run, int64_t index, bool several, FILE *file) {
    const json_t *line = run->metrics.event[index].line;
    const json_int_t ranks = json_integer_value(json_object_get(line, "ranks"));
    const json_int_t threads = json_integer_value(json_object_get(line, "threads"));
    fputs("<tr>", file);
    if (several) {
        fputs("<td class=\"name\">", file);
        dt_page_text(file, run->label);
        fputs("</td>", file);
    }
    put_cell(line, "time", file);
    fprintf(file, "<td class=\"n\">%" PRId64 "&ndash;%" PRId64 "</td>", run->metrics.event[index].step,
            last_step_of(&run->metrics, index));
    fprintf(file,
            "<td class=\"n\">%" JSON_INTEGER_FORMAT "&thinsp;&times;&thinsp;%" JSON_INTEGER_FORMAT
            "</td><td class=\"t\">",
            ranks, threads);
    put_hosts(json_object_get(line, "hosts"), file);
    fputs("</td>", file);
    put_cell(line, algorithm_key(line), file);
    put_cell(line, "kernels", file);
    put_cell(line, "compute_dtype", file);
    put_cell(line, "products", file);
    fputs("<td>", file);
    put_text(line, "version", file);
    fputs(" <small>", file);
    put_text(line, "git_commit", file);
    fputs("</small></td></tr>\n", file);
}

static int64_t count_starts(const dt_run_set *set) {
    int64_t count = 0;
    for (int r = 0; r < set->count; r++)
        for (int64_t i = 0; i < set->run[r].metrics.events; i++)
            count += is_start(&set->run[r].metrics.event[i]);
    return count;
}

void dt_starts_table_put(const dt_run_set *set, FILE *file) {
    const int64_t count = count_starts(set);
    int64_t rows = 0;
    if (count == 0)
        return;
    fprintf(file,
            "<h2>What ran where</h2>\n<div class=\"scroll tall\"><table>\n<thead><tr>%s<th>started "
            "(UTC)</th><th class=\"n\">steps</th><th class=\"n\">ranks &times; "
            "threads</th><th>hosts</th><th>allreduce</th><th>kernels</th><th>dtype</th><th>products</"
            "th><th>dtrain</th></tr></thead>\n<tbody>\n",
            set->count > 1 ? "<th>run</th>" : "");
    for (int r = 0; r < set->count; r++)
        for (int64_t i = 0; i < set->run[r].metrics.events; i++)
            if (is_start(&set->run[r].metrics.event[i]) && rows++ < ROWS_MAX)
                put_row(&set->run[r], i, set->count > 1, file);
    fputs("</tbody></table></div>\n", file);
    if (count > ROWS_MAX)
        fprintf(file, "<p><small>The first %d of %" PRId64 " starts.</small></p>\n", ROWS_MAX, count);
}
