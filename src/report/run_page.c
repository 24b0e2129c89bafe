/* The order of the page, and what stands at its top. */
#include "report/run_page.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/plural.h"
#include "base/units.h"
#include "base/version.h"
#include "report/option_charts.h"
#include "report/page.h"
#include "report/run_charts.h"
#include "report/run_events.h"
#include "report/run_samples.h"
#include "report/runs_table.h"
#include "report/starts_table.h"

/* What the page is made of. */
typedef struct material {
    const dt_run_set *set;
    const dt_run_charts *charts;
    const dt_chart *chart; /* of a picture alone */
    int reload_seconds;
} material;

static void put_fact(FILE *f, const char *name, const char *value, const char *more) {
    fprintf(f, "<div><dt>%s</dt><dd>%s <small>%s</small></dd></div>\n", name, value, more);
}

static void put_loss(FILE *f, const char *name, double loss, const char *more) {
    char text[32];
    snprintf(text, sizeof text, "%.4f", loss);
    if (!isnan(loss))
        put_fact(f, name, text, more);
}

static double last_of(const dt_series *series) {
    return series->count > 0 ? series->value[series->count - 1] : 0.0;
}

static void put_one_run(const dt_run_shown *run, FILE *f) {
    const dt_series *series = run->metrics.series;
    const json_t *start = dt_run_metrics_start(&run->metrics);
    const double seconds = 3600.0 * last_of(&series[DT_RUN_HOURS]), tokens = last_of(&series[DT_RUN_TOKENS]);
    char text[64];
    snprintf(text, sizeof text, "best, at step %" PRId64, run->best_step);
    put_loss(f, "Validation loss", run->validation, text);
    put_loss(f, "Training loss", run->train, "mean of the last 2 %");
    if (seconds > 0.0) {
        put_fact(f, "Tokens", dt_units_count(tokens).text, "");
        put_fact(f, "Training time", dt_units_seconds(seconds).text, "");
        put_fact(f, "Throughput", dt_units_count(tokens / seconds).text, "tokens/s");
    }
    if (json_is_integer(json_object_get(start, "parameters")))
        put_fact(f, "Parameters",
                 dt_units_count((double)json_integer_value(json_object_get(start, "parameters"))).text, "");
    if (start != NULL) {
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT " &times; %" JSON_INTEGER_FORMAT,
                 json_integer_value(json_object_get(start, "ranks")),
                 json_integer_value(json_object_get(start, "threads")));
        put_fact(f, "Ranks &times; threads", text, "");
    }
}

static void put_several_runs(const dt_run_set *set, FILE *f) {
    double tokens = 0.0, hours = 0.0;
    char text[64];
    for (int r = 0; r < set->count; r++) {
        tokens += last_of(&set->run[r].metrics.series[DT_RUN_TOKENS]);
        hours += last_of(&set->run[r].metrics.series[DT_RUN_HOURS]);
    }
    put_loss(f, "Best validation loss", set->run[0].validation, "");
    snprintf(text, sizeof text, "%d", set->count);
    put_fact(f, "Runs", text, "");
    put_fact(f, "Tokens of all", dt_units_count(tokens).text, "");
    put_fact(f, "Training time of all", dt_units_seconds(3600.0 * hours).text, "");
}

/* "running, step 1200 of 2000" */
static void put_state(const dt_run_shown *run, FILE *f) {
    static const char *const classes[] = {[DT_RUN_RUNNING] = "running",
                                          [DT_RUN_FINISHED] = "finished",
                                          [DT_RUN_STOPPED] = "stopped",
                                          [DT_RUN_FAILED] = "cut",
                                          [DT_RUN_CUT] = "cut"};
    const json_t *max_steps = json_object_get(dt_run_metrics_config(&run->metrics), "max_steps");
    char state[DT_RUN_STATE_BYTES];
    fprintf(f, "<span class=\"state %s\">", classes[run->state]);
    dt_page_text(f, dt_run_state_text(run, state));
    fprintf(f, "</span>, step %" PRId64, run->metrics.last_step);
    if (json_is_integer(max_steps))
        fprintf(f, " of %" JSON_INTEGER_FORMAT, json_integer_value(max_steps));
    fputs(" &middot; <code>", f);
    dt_page_text(f, run->metrics.path);
    fputs("</code> &middot; ", f);
}

static void put_head(const dt_run_set *set, FILE *f) {
    char stamp[32];
    int running = 0;
    for (int r = 0; r < set->count; r++)
        running += set->run[r].state == DT_RUN_RUNNING;
    fputs("<h1>", f);
    if (set->count == 1)
        dt_page_text(f, set->run[0].label);
    else
        fprintf(f, "%d runs, best: ", set->count);
    if (set->count > 1)
        dt_page_text(f, set->run[0].label);
    fputs("</h1>\n<p class=\"byline\">", f);
    if (set->count == 1)
        put_state(&set->run[0], f);
    else
        fprintf(f, "<span class=\"state %s\">%d of %d running</span> &middot; ",
                running ? "running" : "finished", running, set->count);
    dt_clock_stamp(stamp, sizeof stamp);
    fprintf(f, "dtrain %s, <span class=\"stamp\">%s</span></p>\n", dt_version(), stamp);
    if (set->count == 1 && dt_run_failure(&set->run[0])) {
        fputs("<p class=\"failure\">", f);
        dt_page_text(f, dt_run_failure(&set->run[0]));
        fputs("</p>\n", f);
    }
    fputs("<dl class=\"facts-row\">\n", f);
    if (set->count == 1)
        put_one_run(&set->run[0], f);
    else
        put_several_runs(set, f);
    fputs("</dl>\n", f);
}

static void put_controls(const dt_run_set *set, FILE *f) {
    fputs("<form class=\"controls\" onsubmit=\"return false\">\n<fieldset><legend>over</legend>", f);
    for (int s = 0; s < DT_CHART_SCALES; s++)
        fprintf(f, "<label><input type=\"radio\" name=\"scale\" value=\"%s\"%s>%s</label>",
                dt_chart_scale_names[s], s == 0 ? " checked" : "",
                s == DT_CHART_TIME ? set->domain.time_name : dt_chart_scale_names[s]);
    fputs("</fieldset>\n<fieldset><label>smoothing <input type=\"range\" id=\"smoothing\" min=\"0\" "
          "max=\"100\"></label></fieldset>\n",
          f);
    if (set->count > 1)
        fputs("<fieldset>runs <button type=\"button\" data-runs=\"all\">all</button><button type=\"button\" "
              "data-runs=\"none\">none</button></fieldset>\n",
              f);
    fputs("</form>\n", f);
}

/* The first chart twice, for wide and for narrow windows: style shows one of them. */
static void put_charts(const dt_run_charts *charts, FILE *f) {
    fputs("<div class=\"charts\">\n", f);
    for (int c = 0; c < charts->count; c++) {
        fprintf(f, "<div class=\"card%s\">\n", c == 0 ? " hero" : "");
        if (c == 0)
            dt_chart_draw(&charts->chart[c], DT_CHART_WIDE, f);
        dt_chart_draw(&charts->chart[c], DT_CHART_SMALL, f);
        fputs("</div>\n", f);
    }
    fputs("</div>\n", f);
}

static void put_words(const dt_run_set *set, FILE *f) {
    fprintf(
        f,
        "<h2>What the charts show</h2>\n<dl class=\"words\">\n<dt>Lines</dt><dd>%sThe smooth line is a moving "
        "average with Gaussian weights; its width is what the control changes. Marks in the first chart of a "
        "run: a dashed line where it was resumed, a triangle for a loss spike, a cross for a skipped "
        "step.</dd>\n<dt>Tokens, %s</dt><dd>Of training up to a step: the sum of the steps' tokens and times. "
        "Evaluations, saves and pauses between a stop and a resume do not count.</dd>\n<dt>Exposed</dt><dd>Of a "
        "step, communication that no computing hides, with the wait for slower ranks.</dd>\n",
        set->count == 1
            ? "The pale band reaches from the smallest to the largest value of the steps that share "
              "a pixel. "
            : "",
        set->domain.time_name);
    fputs("<dt>State</dt><dd>A run is running while a process holds its folder's lock.</dd>\n</dl>\n", f);
}

static void draw_page(FILE *f, const void *context) {
    const material *m = context;
    char title[256];
    snprintf(title, sizeof title, m->set->count == 1 ? "%s - dtrain" : "%s and others - dtrain",
             m->set->run[0].label);
    dt_page_open(f, title, DT_PAGE_CHARTS, m->reload_seconds);
    put_head(m->set, f);
    if (m->set->count > 1)
        dt_runs_table_put(m->set, f);
    if (m->charts->count > 0) {
        put_controls(m->set, f);
        put_charts(m->charts, f);
    } else
        fputs("<p>There are no losses yet.</p>\n", f);
    if (m->set->count == 1)
        dt_run_events_put(m->set, f);
    dt_option_charts_put(m->set, f);
    dt_run_samples_put(m->set, f);
    dt_starts_table_put(m->set, f);
    put_words(m->set, f);
    fputs("<script type=\"application/json\" id=\"data\">\n", f);
    dt_run_charts_data(m->charts, m->set, f);
    fputs("</script>\n", f);
    dt_page_close(f, true);
}

dt_status dt_run_page_write(const dt_run_set *set, int reload_seconds, const char *path, size_t *bytes) {
    dt_run_charts charts;
    dt_status status = dt_run_charts_create(&charts, set);
    const material m = {.set = set, .charts = &charts, .reload_seconds = reload_seconds};
    if (status == DT_OK)
        status = dt_page_write(path, draw_page, &m, bytes);
    dt_run_charts_free(&charts);
    return status;
}

static void draw_chart(FILE *f, const void *context) {
    const dt_chart *chart = ((const material *)context)->chart;
    dt_page_open_svg(f, chart->title, DT_CHART_WIDE, DT_CHART_HEIGHT);
    dt_chart_draw_inside(chart, DT_CHART_WIDE, f);
    dt_page_close_svg(f);
}

dt_status dt_run_page_write_chart(const dt_run_set *set, const char *name, const char *path, size_t *bytes) {
    dt_run_charts charts;
    dt_status status = dt_run_charts_create(&charts, set);
    material m = {.set = set, .charts = &charts};
    if (status == DT_OK) {
        m.chart = dt_run_charts_find(&charts, name);
        status = m.chart ? dt_page_write(path, draw_chart, &m, bytes) : DT_USAGE;
    }
    dt_run_charts_free(&charts);
    return status;
}
