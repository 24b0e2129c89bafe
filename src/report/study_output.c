/* In the order in which a person reads them. */
#include "report/study_output.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/plural.h"
#include "config/describe.h"
#include "report/report_output.h"
#include "report/scaling_figure.h"
#include "report/scaling_page.h"

static void print_machine(const dt_study *study) {
    const dt_machine *m = &study->machine;
    const dt_config *c = study->config;
    const size_t hosts = json_array_size(m->hosts);
    dt_log_line("dtrain %s (%s): scaling study, %s", m->version, m->commit, m->stamp);
    dt_log_line("machine   %d rank%s x %d thread%s on %zu host%s (%s%s): %d core%s, %s; kernels %s", m->ranks,
                dt_plural_s(m->ranks), m->threads, dt_plural_s(m->threads), hosts,
                dt_plural_s((int64_t)hosts), json_string_value(json_array_get(m->hosts, 0)),
                hosts > 1 ? ", .." : "", m->host_cores, dt_plural_s(m->host_cores), m->processor, m->kernels);
    const size_t others = json_array_size(study->other_hosts);
    if (others > 0)
        dt_log_line("          smaller jobs also on %zu other host%s (%s%s)", others,
                    dt_plural_s((int64_t)others), json_string_value(json_array_get(study->other_hosts, 0)),
                    others > 1 ? ", .." : "");
    char model[DT_DESCRIBE_BYTES];
    dt_describe_model(c, model);
    dt_log_line("model     %" PRId64 " parameters: %s; micro-batches of %" PRId64 " sequence%s",
                study->parameters, model, c->micro_batch_size, dt_plural_s(c->micro_batch_size));
    dt_log_line(
        "plan      micro-batch %.2f ms forward + %.2f ms backward, update %.2f ms; link %.3g us, %.4g Gbit/s, %s",
        1e3 * study->measured.probe.forward_seconds, 1e3 * study->measured.probe.backward_seconds,
        1e3 * study->measured.probe.update_seconds, 1e6 * study->measured.link.latency_seconds,
        8e-9 * study->measured.link.bandwidth_bytes,
        study->measured.link_measured ? "measured" : "assumed, since there is one rank");
    dt_log_line("steps     %" PRId64 " timed after %" PRId64
                " to warm up; +- is a 95 %% confidence interval of the mean",
                study->repetitions, study->warmups);
}

static void print_point(const dt_study_point *p) {
    char serial[16] = "-";
    if (!dt_study_measured(p)) {
        dt_log_line("%6d %7" PRId64 "  not measured: %s", p->ranks, p->batch, p->reason);
        return;
    }
    if (!isnan(p->serial_fraction))
        snprintf(serial, sizeof serial, "%.3f", p->serial_fraction);
    dt_log_line("%5d%c %7" PRId64 " %9.2f %7.2f %9.2f %9.0f %8.2f %9.1f %8.2f %8s | %9.2f %8.2f %9.1f",
                p->ranks, p->threads_per_core > 1.0 ? '*' : ' ', p->batch, 1e3 * p->step.mean,
                1e3 * p->step.half_width, 1e3 * p->step.median, p->tokens_per_second, p->speedup,
                100.0 * p->efficiency, 1e3 * p->exposed_seconds, serial, 1e3 * p->plan.step_seconds,
                1e3 * p->plan.exposed_seconds, 100.0 * p->plan_speedup / p->ranks);
}

static void print_kind(const dt_study *study, bool weak) {
    bool any = false, shared = false;
    for (int64_t i = 0; i < study->count; i++) {
        const dt_study_point *p = &study->point[i];
        if (p->weak != weak)
            continue;
        if (!any) {
            dt_log_line("%s", "");
            dt_log_line("%s scaling: %" PRId64 " sequence%s %s", weak ? "weak" : "strong",
                        study->config->batch_size, dt_plural_s(study->config->batch_size),
                        weak ? "per rank" : "in all");
            dt_log_line("%6s %7s %9s %7s %9s %9s %8s %9s %8s %8s | %9s %8s %9s", "ranks", "batch", "step",
                        "+-", "median", "tokens/s", "speed-up", "effic.", "exposed", "serial", "predicted",
                        "exposed", "effic.");
            dt_log_line("%6s %7s %9s %7s %9s %9s %8s %9s %8s %8s | %9s %8s %9s", "", "(seq.)", "(ms)", "(ms)",
                        "(ms)", "", "", "(%)", "(ms)", "fraction", "step (ms)", "(ms)", "(%)");
        }
        any = true;
        shared = shared || p->threads_per_core > 1.0;
        print_point(p);
    }
    if (shared)
        dt_log_line("* more threads than cores, which take turns");
}

static void print(const dt_study *study) {
    print_machine(study);
    print_kind(study, false);
    print_kind(study, true);
    char text[512];
    for (int i = 0; dt_study_disagreement(study, i, text, sizeof text); i++)
        dt_log_warn("%s", text);
}

/* JSON has no word for what is not a number. */
static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *point_json(const dt_study_point *p) {
    json_t *all = json_pack("{s:s, s:i, s:I}", "scaling", p->weak ? "weak" : "strong", "ranks", p->ranks,
                            "batch", (json_int_t)p->batch);
    if (!dt_study_measured(p)) {
        json_object_set_new(all, "not_measured", json_string(p->reason));
        return all;
    }
    const struct {
        const char *key;
        double value;
    } fields[] = {{"threads_per_core", p->threads_per_core},
                  {"step_ms", 1e3 * p->step.mean},
                  {"step_ms_half_width", 1e3 * p->step.half_width},
                  {"step_ms_median", 1e3 * p->step.median},
                  {"step_ms_minimum", 1e3 * p->step.minimum},
                  {"step_ms_maximum", 1e3 * p->step.maximum},
                  {"tokens_per_s", p->tokens_per_second},
                  {"speedup", p->speedup},
                  {"speedup_half_width", p->speedup_half_width},
                  {"efficiency", p->efficiency},
                  {"comm_ms", 1e3 * p->allreduce_seconds},
                  {"exposed_ms", 1e3 * p->exposed_seconds},
                  {"serial_fraction", p->serial_fraction},
                  {"predicted_step_ms", 1e3 * p->plan.step_seconds},
                  {"predicted_exposed_ms", 1e3 * p->plan.exposed_seconds},
                  {"predicted_speedup", p->plan_speedup}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        json_object_set_new(all, fields[i].key, number(fields[i].value));
    return all;
}

json_t *dt_study_output_object(const dt_study *study) {
    const dt_machine *m = &study->machine;
    json_t *points = json_array();
    for (int64_t i = 0; i < study->count; i++)
        json_array_append_new(points, point_json(&study->point[i]));
    const dt_plan_machine *measured = &study->measured;
    json_t *probe = json_pack("{s:o, s:o, s:o}", "forward_ms", number(1e3 * measured->probe.forward_seconds),
                              "backward_ms", number(1e3 * measured->probe.backward_seconds), "update_ms",
                              number(1e3 * measured->probe.update_seconds));
    json_t *all = json_pack(
        "{s:s, s:s, s:s, s:O, s:i, s:i, s:i, s:i, s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o}",
        "version", m->version, "git_commit", m->commit, "time", m->stamp, "hosts", m->hosts, "ranks",
        m->ranks, "threads", m->threads, "host_ranks", m->host_ranks, "cores", m->host_cores, "processor",
        m->processor, "kernels", m->kernels, "config", dt_config_to_json(study->config), "parameters",
        (json_int_t)study->parameters, "repetitions", (json_int_t)study->repetitions, "warmups",
        (json_int_t)study->warmups, "latency_us", number(1e6 * measured->link.latency_seconds),
        "bandwidth_gbps", number(8e-9 * measured->link.bandwidth_bytes), "probe", probe, "points", points);
    if (json_array_size(study->other_hosts) > 0)
        json_object_set(all, "other_hosts", study->other_hosts);
    return all;
}

dt_status dt_study_output(dt_study *study, const char *json, const char *report) {
    dt_log_settle();
    dt_study_derive(study);
    print(study);
    if (json) {
        DT_TRY(dt_report_output_json(json, dt_study_output_object(study), 0));
        dt_log_line("numbers   %s", json);
    }
    if (report) {
        DT_TRY(dt_report_output_form(report) == DT_REPORT_PICTURE ? dt_scaling_figure_write(study, report)
                                                                  : dt_scaling_page_write(study, report));
        dt_log_line("report    %s", report);
    }
    return DT_OK;
}
