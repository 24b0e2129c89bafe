/* Columns are the kinds of train/need.h, in megabytes. */
#include "report/memory_table.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/plural.h"

/* More than any host has: no number would tell. */
#define LARGEST_MB 1e9

static const char *megabytes(int64_t bytes, char text[32]) {
    const double mb = (double)bytes / 1e6;
    if (mb < LARGEST_MB)
        snprintf(text, 32, "%.1f", mb);
    else
        snprintf(text, 32, "too much");
    return text;
}

void dt_memory_table_headings(int64_t node_bytes) {
    char line[256], limit[32];
    size_t used = (size_t)snprintf(line, sizeof line, "%6s", "ranks");
    for (int k = 0; k < DT_NEED_KINDS; k++)
        used += (size_t)snprintf(line + used, sizeof line - used, " %11s", dt_need_name((dt_need_kind)k));
    dt_log_line("%s", "");
    dt_log_line(
        "memory in MB: of the rank that takes the most, rank 0 where it has a copy to save from; of other "
        "ranks; and of a host, which has %s for its ranks",
        megabytes(node_bytes, limit));
    dt_log_line("%s %11s %11s %11s %10s", line, "rank", "others", "host", "ranks/host");
}

void dt_memory_table_row(int ranks, const dt_plan_memory *memory, int64_t node_bytes) {
    char line[256], rank[32], others[32], node[32], kind[32];
    size_t used = (size_t)snprintf(line, sizeof line, "%6d", ranks);
    for (int k = 0; k < DT_NEED_KINDS; k++)
        used +=
            (size_t)snprintf(line + used, sizeof line - used, " %11s", megabytes(memory->max.bytes[k], kind));
    dt_log_line("%s %11s %11s %11s %10d%s", line, megabytes(dt_need_total(&memory->max), rank),
                memory->node_ranks > 1 ? megabytes(memory->other_bytes, others) : "",
                megabytes(memory->node_bytes, node), memory->node_ranks,
                memory->node_bytes > node_bytes ? "  does not fit" : "");
}

static const char *step_text(const dt_proposal *p, char text[48]) {
    if (p->timed)
        snprintf(text, 48, "%.2f", 1e3 * p->step_seconds);
    else
        snprintf(text, 48, "%s", p->fits ? "too large here" : "");
    return text;
}

void dt_memory_table_proposals(const dt_config *config, int ranks, const dt_proposal *proposals, int count) {
    dt_log_line("%s", "");
    dt_log_line("what takes less memory on %d rank%s", ranks, dt_plural_s(ranks));
    dt_log_line("%-60s %11s %6s %15s %s", "set", "host (MB)", "fits", "step (ms)", "bits");
    for (int i = 0; i < count; i++) {
        const dt_proposal *p = &proposals[i];
        char name[DT_PROPOSAL_BYTES], node[32], step[48];
        dt_log_line("%-60s %11s %6s %15s %s", dt_proposals_name(p, config, name),
                    megabytes(p->memory.node_bytes, node), p->fits ? "yes" : "no", step_text(p, step),
                    p->same_bits ? "the same" : "others: another run");
    }
    bool fits = false;
    for (int i = 0; i < count; i++)
        fits |= proposals[i].fits;
    if (!fits)
        dt_log_line(
            "none of these fits: take a smaller model, fewer ranks per host or fewer threads, or larger "
            "hosts");
}

json_t *dt_memory_table_json(const dt_plan_memory *memory) {
    json_t *all = json_object();
    for (int k = 0; k < DT_NEED_KINDS; k++)
        json_object_set_new(all, dt_need_name((dt_need_kind)k), json_integer(memory->max.bytes[k]));
    json_object_set_new(all, "rank_bytes", json_integer(dt_need_total(&memory->max)));
    json_object_set_new(all, "node_bytes", json_integer(memory->node_bytes));
    json_object_set_new(all, "node_ranks", json_integer(memory->node_ranks));
    json_object_set_new(all, "team_threads", json_integer(memory->team_threads));
    return all;
}

json_t *dt_memory_table_proposals_json(const dt_config *config, const dt_proposal *proposals, int count) {
    json_t *all = json_array();
    for (int i = 0; i < count; i++) {
        const dt_proposal *p = &proposals[i];
        char name[DT_PROPOSAL_BYTES];
        json_t *row =
            json_pack("{s:s, s:b, s:b, s:o}", "set", dt_proposals_name(p, config, name), "same_bits",
                      p->same_bits, "fits", p->fits, "memory", dt_memory_table_json(&p->memory));
        json_object_set_new(row, "step_ms", p->timed ? json_real(1e3 * p->step_seconds) : json_null());
        json_array_append_new(all, row);
    }
    return all;
}
