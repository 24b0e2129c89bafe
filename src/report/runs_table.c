/* An option has a column where two runs have other values of it. */
#include "report/runs_table.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/plural.h"
#include "base/units.h"
#include "report/option_keys.h"
#include "report/page.h"

#define VALUE_BYTES 40

/* Whether more than half of the runs have this value: then it is not what makes a run special. */
static bool is_usual(const dt_run_set *set, const char *key, const char *text) {
    int same = 0;
    for (int r = 0; r < set->count; r++) {
        char *other = dt_option_keys_value(&set->run[r], key);
        same += other != NULL && strcmp(other, text) == 0;
        free(other);
    }
    return 2 * same > set->count;
}

static void put_option(const dt_run_set *set, const dt_run_shown *run, const char *key, FILE *file) {
    char *text = dt_option_keys_value(run, key);
    fprintf(file, "<td class=\"n%s\">", text && is_usual(set, key, text) ? " same" : "");
    if (text != NULL)
        dt_page_text_start(file, text, VALUE_BYTES);
    else
        fputs("&ndash;", file);
    fputs("</td>", file);
    free(text);
}

static void put_loss(double loss, FILE *file) {
    if (isnan(loss))
        fputs("<td class=\"n\">&ndash;</td>", file);
    else
        fprintf(file, "<td class=\"n\">%.4f</td>", loss);
}

/* The last value of a series as a count; a dash where there is none. */
static void put_last(const dt_series *series, bool hours, FILE *file) {
    const double value = series->count > 0 ? series->value[series->count - 1] : NAN;
    fprintf(file, "<td class=\"n\">%s</td>",
            isnan(value) ? "&ndash;"
            : hours      ? dt_units_seconds(3600.0 * value).text
                         : dt_units_count(value).text);
}

static void put_row(const dt_run_set *set, int r, const char *const *keys, int count, FILE *file) {
    const dt_run_shown *run = &set->run[r];
    char state[DT_RUN_STATE_BYTES];
    fprintf(file,
            "<tr data-run=\"%d\"%s><td class=\"tick-box\"><input type=\"checkbox\" data-run=\"%d\" "
            "aria-label=\"show run %d\" checked></td><td class=\"n\">%d</td><td class=\"name\"><i "
            "class=\"key k%d\"></i>",
            r, r == 0 && !isnan(run->validation) ? " class=\"best\"" : "", r, r + 1, r + 1, run->colour);
    dt_page_text(file, run->label);
    fputs("</td>", file);
    if (set->by_bytes)
        put_loss(run->bits, file);
    put_loss(run->validation, file);
    if (run->best_step >= 0)
        fprintf(file, "<td class=\"n\">%" PRId64 "</td>", run->best_step);
    else
        fputs("<td class=\"n\">&ndash;</td>", file);
    const dt_series *validation = &run->metrics.series[DT_RUN_VALIDATION];
    put_loss(validation->count > 0 ? validation->value[validation->count - 1] : NAN, file);
    put_loss(run->train, file);
    for (int k = 0; k < count; k++)
        put_option(set, run, keys[k], file);
    fprintf(file, "<td class=\"n\">%" PRId64 "</td>", run->metrics.last_step);
    put_last(&run->metrics.series[DT_RUN_TOKENS], false, file);
    put_last(&run->metrics.series[DT_RUN_HOURS], true, file);
    fputs("<td", file);
    if (dt_run_failure(run)) {
        fputs(" title=\"", file);
        dt_page_text(file, dt_run_failure(run));
        fputs("\"", file);
    }
    fputs(">", file);
    dt_page_text(file, dt_run_state_text(run, state));
    fputs("</td></tr>\n", file);
}

/* A name that may be broken behind each underscore, since numbers below it are short. */
static void put_key(const char *key, FILE *file) {
    char letter[2] = {0};
    for (; *key; key++) {
        letter[0] = *key;
        dt_page_text(file, letter);
        if (*key == '_')
            fputs("<wbr>", file);
    }
}

static void put_column(FILE *file, const char *name, const char *more) {
    fprintf(file, "<th class=\"n\">%s<small>%s</small></th>", name, more);
}

static void put_columns(const dt_run_set *set, const char *const *keys, int count, FILE *file) {
    fputs("<thead><tr><th class=\"tick-box\"></th><th class=\"n\">#</th><th>run</th>", file);
    if (set->by_bytes)
        put_column(file, "bits per byte", "best");
    put_column(file, "validation loss", "best");
    put_column(file, "at step", "");
    put_column(file, "validation loss", "last");
    put_column(file, "training loss", "last");
    for (int k = 0; k < count; k++) {
        fputs("<th class=\"n\">", file);
        put_key(keys[k], file);
        fputs("</th>", file);
    }
    fputs(
        "<th class=\"n\">steps</th><th class=\"n\">tokens</th><th class=\"n\">time</th><th>state</th></tr></thead>\n",
        file);
}

void dt_runs_table_put(const dt_run_set *set, FILE *file) {
    const char *keys[DT_OPTION_KEYS_MAX];
    const int count = dt_option_keys_find(set, keys);
    fprintf(
        file,
        "<p class=\"caption\">%d runs, the best first%s%s; %s%d option%s in which they differ. Training loss: the mean "
        "of the last %.0f&nbsp;%% of a run's steps.</p>\n<div class=\"scroll tall\"><table>\n",
        set->count, set->by_bytes ? ", by bits per byte, since their tokenizers differ" : "",
        set->texts_differ
            ? " (<strong>not all on one text: losses on one say nothing beside those on another</strong>)"
            : "",
        count == DT_OPTION_KEYS_MAX ? "the first " : "", count, dt_plural_s(count), 100.0 * DT_RUN_SET_LAST);
    put_columns(set, keys, count, file);
    fputs("<tbody>\n", file);
    for (int r = 0; r < set->count; r++)
        put_row(set, r, keys, count, file);
    fputs("</tbody></table></div>\n", file);
}
