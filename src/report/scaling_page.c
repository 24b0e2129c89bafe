/* The order of the page and its words; figures are chart.c's, numbers study.c's. */
#include "report/scaling_page.h"

#include <inttypes.h>
#include <math.h>

#include "base/plural.h"
#include "config/describe.h"
#include "report/page.h"
#include "report/scaling_figure.h"
#include "report/scaling_words.h"

#define COUNT_BYTES 32
#define HOSTS_SHOWN 64

/* A count with commas between thousands; one that is too long for that in few digits. Returns `text`. */
static const char *group(char text[COUNT_BYTES], double count) {
    char digits[COUNT_BYTES];
    if (!(count < 1e15)) {
        snprintf(text, COUNT_BYTES, "%.3g", count);
        return text;
    }
    const int length = snprintf(digits, sizeof digits, "%.0f", count);
    int out = 0;
    for (int i = 0; i < length && out < COUNT_BYTES - 2; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[out++] = ',';
        text[out++] = digits[i];
    }
    text[out] = 0;
    return text;
}

static const char *name_of(bool weak) {
    return weak ? "Weak" : "Strong";
}

static bool has_kind(const dt_study *study, bool weak) {
    for (int64_t i = 0; i < study->count; i++)
        if (study->point[i].weak == weak)
            return true;
    return false;
}

/* What measured, and when. */
static void put_program(const dt_machine *m, FILE *f) {
    char text[512];
    snprintf(text, sizeof text, "dtrain %s, commit %s, %s", m->version, m->commit, m->stamp);
    dt_page_text(f, text);
}

static void put_head(const dt_study *study, FILE *f) {
    dt_page_open(f, "Scaling study of dtrain", DT_PAGE_ARTICLE, 0);
    fputs("<h1>Scaling of a training step</h1>\n<p class=\"byline\">", f);
    put_program(&study->machine, f);
    fputs("</p>\n", f);
}

/* The largest measured point of a kind, in words. */
static void put_summary_of(const dt_study *study, bool weak, FILE *f) {
    const dt_study_point *last = NULL;
    char throughput[COUNT_BYTES];
    for (int64_t i = 0; i < study->count; i++)
        if (study->point[i].weak == weak && dt_study_measured(&study->point[i]))
            last = &study->point[i];
    if (last == NULL)
        return;
    fprintf(f,
            "<li><b class=\"n\">%s</b>, %" PRId64
            " sequence%s %s: on %d rank%s a step takes %.4g&nbsp;ms (%s tokens/s), a "
            "speed-up of %.2f and an efficiency of %.0f&nbsp;%%. Predicted were %.4g&nbsp;ms and "
            "%.0f&nbsp;%%.</li>\n",
            name_of(weak), study->config->batch_size, dt_plural_s(study->config->batch_size),
            weak ? "per rank" : "in all", last->ranks, dt_plural_s(last->ranks), 1e3 * last->step.mean,
            group(throughput, last->tokens_per_second), last->speedup, 100.0 * last->efficiency,
            1e3 * last->plan.step_seconds, 100.0 * last->plan_speedup / last->ranks);
}

static void put_summary(const dt_study *study, FILE *f) {
    const dt_config *c = study->config;
    char parameters[COUNT_BYTES];
    fprintf(f,
            "<p>A GPT-2 model of %s parameters (%" PRId64 " layer%s, width %" PRId64 ", context %" PRId64
            ") takes training steps on up to %d rank%s of %d thread%s.</p>\n<ul>\n",
            group(parameters, (double)study->parameters), c->n_layers, dt_plural_s(c->n_layers), c->d_model,
            c->max_seq_len, study->machine.ranks, dt_plural_s(study->machine.ranks), study->machine.threads,
            dt_plural_s(study->machine.threads));
    put_summary_of(study, false, f);
    put_summary_of(study, true, f);
    fputs("</ul>\n", f);
    char text[512];
    for (int i = 0; dt_study_disagreement(study, i, text, sizeof text); i++) {
        fputs("<p><b class=\"n\">Doubtful:</b> ", f);
        dt_page_text(f, text);
        fputs(".</p>\n", f);
    }
}

static void put_figure(const dt_study *study, bool weak, int number, FILE *f) {
    fputs("<figure>\n", f);
    dt_scaling_figure_put(study, weak, f);
    fprintf(f,
            "<figcaption><b class=\"n\">Figure %d.</b> %s scaling: %" PRId64 " sequence%s of %" PRId64
            " tokens %s.</figcaption>\n</figure>\n",
            number, name_of(weak), study->config->batch_size, dt_plural_s(study->config->batch_size),
            study->config->max_seq_len, weak ? "per rank" : "in every step");
}

static void put_row(const dt_study_point *p, FILE *f) {
    char throughput[COUNT_BYTES];
    fprintf(f, "<tr><td>%d%s</td><td>%" PRId64 "</td>", p->ranks, p->threads_per_core > 1.0 ? "&#8201;*" : "",
            p->batch);
    if (p->reason[0] != 0) {
        fputs("<td class=\"why\" colspan=\"10\">not measured: ", f);
        dt_page_text(f, p->reason);
        fputs("</td></tr>\n", f);
        return;
    }
    fprintf(f,
            "<td>%.2f&#8201;&plusmn;&#8201;%.2f</td><td>%.2f</td><td>%s</td><td>%.2f</td><td>%.1f</td>"
            "<td>%.2f</td>",
            1e3 * p->step.mean, 1e3 * p->step.half_width, 1e3 * p->step.median,
            group(throughput, p->tokens_per_second), p->speedup, 100.0 * p->efficiency,
            1e3 * p->exposed_seconds);
    if (isnan(p->serial_fraction))
        fputs("<td>&ndash;</td>", f);
    else
        fprintf(f, "<td>%s%.3f</td>", p->serial_fraction < 0.0 ? "&minus;" : "", fabs(p->serial_fraction));
    fprintf(f, "<td class=\"predicted\">%.2f</td><td>%.2f</td><td>%.1f</td></tr>\n",
            1e3 * p->plan.step_seconds, 1e3 * p->plan.exposed_seconds, 100.0 * p->plan_speedup / p->ranks);
}

static void put_table(const dt_study *study, bool weak, int number, FILE *f) {
    bool shared = false;
    fprintf(
        f,
        "<p class=\"caption\"><b class=\"n\">Table %d.</b> %s scaling, %" PRId64
        " timed step%s per row after %" PRId64 " to warm up; step times are mean and 95&nbsp;%% confidence "
        "interval.</p>\n<div class=\"scroll\"><table class=\"study\">\n<thead><tr><th colspan=\"2\"></th><th class=\"over\" "
        "colspan=\"7\">measured</th>"
        "<th class=\"over predicted\" colspan=\"3\">predicted</th></tr>\n<tr>",
        number, name_of(weak), study->repetitions, dt_plural_s(study->repetitions), study->warmups);
    fputs("<th>ranks</th><th>batch<small>sequences</small></th><th>step<small>ms</small></th>"
          "<th>median<small>ms</small></th><th>through&shy;put<small>tokens/s</small></"
          "th><th>speed&#8209;up</th>"
          "<th>effi&shy;ciency<small>%</small></th><th>exposed<small>ms</small></"
          "th><th>serial<small>fraction</small></th>"
          "<th class=\"predicted\">step<small>ms</small></th><th>exposed<small>ms</small></th>"
          "<th>effi&shy;ciency<small>%</small></th></tr></thead>\n<tbody>\n",
          f);
    for (int64_t i = 0; i < study->count; i++)
        if (study->point[i].weak == weak) {
            put_row(&study->point[i], f);
            shared = shared || study->point[i].threads_per_core > 1.0;
        }
    fputs("</tbody>\n</table></div>\n", f);
    if (shared)
        fputs("<p><small>* More threads than cores: they take turns, and no further speed-up can be "
              "expected.</small></p>\n",
              f);
}

static void put_fact(FILE *f, const char *name, const char *value) {
    fprintf(f, "<tr><th scope=\"row\">%s</th><td>", name);
    dt_page_text(f, value);
    fputs("</td></tr>\n", f);
}

/* As many names as a person reads, and how many there are beyond. */
static void put_hosts(const char *name, const json_t *hosts, FILE *f) {
    const size_t count = json_array_size(hosts), shown = count < HOSTS_SHOWN ? count : HOSTS_SHOWN;
    fprintf(f, "<tr><th scope=\"row\">%s</th><td>", name);
    for (size_t i = 0; i < shown; i++) {
        fputs(i > 0 ? ", " : "", f);
        dt_page_text(f, json_string_value(json_array_get(hosts, i)));
    }
    if (count > shown)
        fprintf(f, " and %zu more", count - shown);
    fputs("</td></tr>\n", f);
}

static void put_machine(const dt_study *study, int number, FILE *f) {
    const dt_machine *m = &study->machine;
    const dt_config *c = study->config;
    const dt_plan_machine *plan = &study->measured;
    char text[512], parameters[COUNT_BYTES], model[DT_DESCRIBE_BYTES];
    fprintf(
        f,
        "<h2>What ran where</h2>\n<p class=\"caption\"><b class=\"n\">Table %d.</b> Machine, program and model.</p>\n<div "
        "class=\"scroll\"><table class=\"facts\">\n<tbody>\n",
        number);
    put_hosts("Hosts", m->hosts, f);
    if (json_array_size(study->other_hosts) > 0)
        put_hosts("Of smaller jobs", study->other_hosts, f);
    snprintf(text, sizeof text,
             "%s, %d core%s on the first host of the largest job, which has %d of its ranks", m->processor,
             m->host_cores, dt_plural_s(m->host_cores), m->host_ranks);
    put_fact(f, "Processor", text);
    snprintf(text, sizeof text,
             "%d rank%s of %d thread%s; in rows of fewer ranks than their job has, the others slept",
             m->ranks, dt_plural_s(m->ranks), m->threads, dt_plural_s(m->threads));
    put_fact(f, "Largest job", text);
    snprintf(text, sizeof text, "dtrain %s, commit %s; kernels %s", m->version, m->commit, m->kernels);
    put_fact(f, "Program", text);
    dt_describe_model(c, model);
    snprintf(text, sizeof text, "%s, dropout %g: %s parameters", model, c->dropout,
             group(parameters, (double)study->parameters));
    put_fact(f, "Model", text);
    snprintf(text, sizeof text,
             "batch_size %" PRId64 " in micro-batches of %" PRId64 " sequence%s; buckets of %" PRId64
             " bytes; random tokens",
             c->batch_size, c->micro_batch_size, dt_plural_s(c->micro_batch_size), c->bucket_bytes);
    put_fact(f, "Step", text);
    snprintf(
        text, sizeof text,
        "a micro-batch takes %.2f ms forward and %.2f ms backward, the update %.2f ms; a message %.3g µs and "
        "%.4g Gbit/s "
        "(%s)",
        1e3 * plan->probe.forward_seconds, 1e3 * plan->probe.backward_seconds,
        1e3 * plan->probe.update_seconds, 1e6 * plan->link.latency_seconds, 8e-9 * plan->link.bandwidth_bytes,
        !plan->link_measured ? "assumed: one rank has no link to measure"
        : plan->same_host    ? "measured inside the host"
                             : "measured between the hosts");
    put_fact(f, "Probe", text);
    put_fact(f, "Date", m->stamp);
    fputs("</tbody>\n</table></div>\n", f);
}

static void put_page(FILE *f, const void *context) {
    const dt_study *study = context;
    int number = 1;
    put_head(study, f);
    put_summary(study, f);
    for (int weak = 0; weak <= 1; weak++) {
        if (!has_kind(study, weak))
            continue;
        fprintf(f, "<h2>%s scaling</h2>\n", name_of(weak));
        put_figure(study, weak, number, f);
        put_table(study, weak, number++, f);
    }
    put_machine(study, number, f);
    dt_scaling_words_put(f);
    dt_page_close(f, false);
}

dt_status dt_scaling_page_write(const dt_study *study, const char *path) {
    return dt_page_write(path, put_page, study, NULL);
}
