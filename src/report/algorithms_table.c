/* Columns in the order in which a person reads them. */
#include "report/algorithms_table.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/log.h"
#include "base/plural.h"
#include "base/version.h"
#include "report/old_names.h"

static void print_head(const dt_algorithms *a) {
    const dt_plan_machine *m = &a->measured;
    dt_log_line("dtrain bench --algorithms %s (%s)", dt_version(), dt_version_commit());
    dt_log_line("machine   %d rank%s x %d thread%s on %d host%s, %.3g %s per core", a->ranks,
                dt_plural_s(a->ranks), a->threads, dt_plural_s(a->threads), a->hosts, dt_plural_s(a->hosts),
                a->threads_per_core, dt_plural((int64_t)ceil(a->threads_per_core), "thread", "threads"));
    dt_log_line("link      %.3g us, %.4g Gbit/s%s, %.3g ns of a core per byte", 1e6 * m->link.latency_seconds,
                8e-9 * m->link.bandwidth_bytes, m->same_host ? " inside the host" : " between hosts",
                1e9 * m->link.cpu_seconds_per_byte);
    dt_log_line("probe     micro-batch %.2f ms forward + %.2f ms backward, update %.2f ms",
                1e3 * m->probe.forward_seconds, 1e3 * m->probe.backward_seconds,
                1e3 * m->probe.update_seconds);
    dt_log_line("times     medians of %" PRId64
                " step%s with each algorithm, taken in turn, the probe among them",
                a->repetitions, dt_plural_s(a->repetitions));
    dt_log_line(
        "exposed   as the rank sees it that comes last; min exposed is what the plan says no schedule can");
    dt_log_line("          hide; skew is what the first rank waited for the last; hidden is of what can be");
    dt_log_line("%s", "");
    dt_log_line("%-13s %10s %10s %10s %11s %10s %10s %10s %11s", "algorithm", "step", "alone", "exposed",
                "min exposed", "skew", "hidden", "predicted", "error");
    dt_log_line("%-13s %10s %10s %10s %11s %10s %10s %10s %11s", "", "(ms)", "(ms)", "(ms)", "(ms)", "(ms)",
                "(%)", "(ms)", "(% of step)");
}

void dt_algorithms_table_print(const dt_algorithms *a) {
    print_head(a);
    for (int i = 0; i < a->count; i++) {
        const dt_algorithms_row *r = &a->row[i];
        char hidden[16] = "-";
        if (!isnan(r->hidden))
            snprintf(hidden, sizeof hidden, "%.0f", 100.0 * r->hidden);
        dt_log_line("%-13s %10.2f %10.2f %10.2f %11.2f %10.2f %10s %10.2f %+11.1f", r->name,
                    1e3 * r->step_seconds, 1e3 * r->alone_seconds, 1e3 * r->exposed_seconds,
                    1e3 * r->plan.seen_seconds, 1e3 * r->skew_seconds, hidden, 1e3 * r->plan.step_seconds,
                    100.0 * (r->plan.step_seconds / r->step_seconds - 1.0));
    }
}

static json_t *row_json(const dt_algorithms_row *r) {
    json_t *row = json_pack(
        "{s:s, s:f, s:f, s:f, s:f, s:f, s:o, s:f, s:f, s:I, s:I}", "algorithm", r->name, "step_ms",
        1e3 * r->step_seconds, "alone_ms", 1e3 * r->alone_seconds, "exposed_ms", 1e3 * r->exposed_seconds,
        "min_exposed_ms", 1e3 * r->plan.seen_seconds, "skew_ms", 1e3 * r->skew_seconds, "hidden",
        isnan(r->hidden) ? json_null() : json_real(r->hidden), "predicted_step_ms",
        1e3 * r->plan.step_seconds, "predicted_exposed_ms", 1e3 * r->plan.exposed_seconds, "sent_messages",
        (json_int_t)r->plan.sent_messages, "sent_bytes", (json_int_t)r->plan.sent_bytes);
    dt_old_names_keep(row, "way", "algorithm");
    dt_old_names_keep(row, "late_ms", "skew_ms");
    dt_old_names_keep(row, "least_exposed_ms", "min_exposed_ms");
    return row;
}

json_t *dt_algorithms_table_json(const dt_algorithms *a) {
    const dt_link *link = &a->measured.link;
    json_t *rows = json_array();
    bool complete = rows != NULL;
    for (int i = 0; i < a->count; i++)
        complete = json_array_append_new(rows, row_json(&a->row[i])) == 0 && complete;
    json_t *all =
        json_pack("{s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:I, s:o}", "git_commit", dt_version_commit(),
                  "ranks", a->ranks, "hosts", a->hosts, "threads", a->threads, "threads_per_core",
                  a->threads_per_core, "latency_us", 1e6 * link->latency_seconds, "bandwidth_gbps",
                  8e-9 * link->bandwidth_bytes, "cpu_ns_per_byte", 1e9 * link->cpu_seconds_per_byte,
                  "bucket_bytes", (json_int_t)a->bucket_bytes, "algorithms", rows);
    dt_old_names_keep(all, "ways", "algorithms");
    dt_old_names_keep(all, "share", "threads_per_core");
    dt_old_names_keep(all, "touch_ns_a_byte", "cpu_ns_per_byte");
    if (complete)
        return all;
    json_decref(all);
    return NULL;
}
