/* Times in milliseconds, bytes in MB. */
#include "report/plan_table.h"

#include <inttypes.h>
#include <math.h>

#include "base/log.h"
#include "base/plural.h"
#include "base/units.h"
#include "report/memory_table.h"
#include "report/old_names.h"

void dt_plan_table_headings(const dt_config *c, bool weak) {
    dt_log_line("%s", "");
    dt_log_line("%s scaling: %" PRId64 " sequence%s %s", weak ? "weak" : "strong", c->batch_size,
                dt_plural_s(c->batch_size), weak ? "per rank" : "in all");
    dt_log_line("%6s %9s %9s %10s %11s %11s %10s %10s %9s %10s %9s %10s %10s", "ranks", "batch", "memory",
                "step", "compute", "exposed", "update", "sent", "messages", "tokens/s", "speed-up",
                "efficiency", "run");
    dt_log_line("%6s %9s %9s %10s %11s %11s %10s %10s %9s %10s %9s %10s %10s", "", "(seq.)", "(MB/rank)",
                "(ms)", "(ms)", "(ms)", "(ms)", "(MB/rank)", "(/rank)", "", "", "(%)", "(h:m:s)");
}

void dt_plan_table_row(const dt_plan_point *point, double speedup, double seconds) {
    dt_log_line("%6d %9" PRId64 " %9.1f %10.2f %11.2f %11.2f %10.2f %10.2f %9" PRId64
                " %10.0f %9.2f %10.1f %10s",
                point->ranks, point->batch, (double)point->memory_bytes / 1e6, 1e3 * point->step_seconds,
                1e3 * point->compute_seconds, 1e3 * point->exposed_seconds, 1e3 * point->update_seconds,
                (double)point->sent_bytes / 1e6, point->sent_messages, point->tokens_per_second, speedup,
                100.0 * speedup / point->ranks, dt_units_clock(seconds).text);
}

json_t *dt_plan_table_json(const dt_plan_point *point, bool weak, double speedup, double seconds) {
    json_t *all = json_pack(
        "{s:s, s:i, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:o}", "scaling",
        weak ? "weak" : "strong", "ranks", point->ranks, "batch", (json_int_t)point->batch, "memory_bytes",
        (json_int_t)point->memory_bytes, "step_ms", 1e3 * point->step_seconds, "compute_ms",
        1e3 * point->compute_seconds, "allreduce_ms", 1e3 * point->allreduce_seconds, "exposed_ms",
        1e3 * point->exposed_seconds, "update_ms", 1e3 * point->update_seconds, "sent_messages",
        (json_int_t)point->sent_messages, "sent_bytes", (json_int_t)point->sent_bytes, "tokens_per_s",
        point->tokens_per_second, "speedup", speedup, "efficiency", speedup / point->ranks, "run_s",
        isfinite(seconds) ? json_real(seconds) : json_null());
    dt_old_names_keep(all, "exchange_ms", "allreduce_ms");
    json_object_set_new(all, "memory", dt_memory_table_json(&point->memory));
    return all;
}
