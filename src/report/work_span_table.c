/* What a kernel does in both passes stands in one line. */
#include "report/work_span_table.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "plan/timed_kernels.h"

dt_status dt_work_span_table_count(dt_work_span_table *table, const dt_kernels *kernels,
                                   const dt_shape *shape, int64_t sequences, dt_recompute recompute,
                                   const dt_ranks *sizes) {
    if (sizes->count > DT_WORK_SPAN_TABLE_SIZES)
        return dt_usage("--teams: expected up to %d sizes of teams, found %d", DT_WORK_SPAN_TABLE_SIZES,
                        sizes->count);
    *table = (dt_work_span_table){.count = sizes->count};
    for (int i = 0; i < sizes->count; i++)
        DT_TRY(dt_work_span_count(&table->counts[i], kernels, shape, sequences, recompute, sizes->number[i]));
    return DT_OK;
}

/* Rows [first, end) of passes [pass, pass_end), added up. */
static dt_work_span_row sum_rows(const dt_work_span *s, int pass, int pass_end, int64_t first, int64_t end,
                                 double *speedup) {
    dt_work_span_row sum = {0};
    double work = 0.0, span = 0.0;
    for (; pass < pass_end; pass++)
        for (int64_t r = first; r < end; r++) {
            const dt_work_span_row *row = &s->row[pass][r];
            sum.work_flop += row->work_flop;
            sum.work_bytes += row->work_bytes;
            work += dt_work_span_cost(row->work_flop, row->work_bytes);
            span += dt_work_span_cost(row->span_flop, row->span_bytes);
        }
    *speedup = span > 0.0 ? work / span : 0.0;
    return sum;
}

/* One line of sums, whose work does not depend on the team. */
static void write_sums(const dt_work_span_table *t, const char *name, int pass, int pass_end, int64_t first,
                       int64_t end, char *text) {
    double speedup;
    const dt_work_span_row sum = sum_rows(&t->counts[0], pass, pass_end, first, end, &speedup);
    size_t used = (size_t)snprintf(text, DT_WORK_SPAN_TABLE_BYTES, "%-26s %9.2f %9.1f", name,
                                   1e-9 * sum.work_flop, 1e-6 * sum.work_bytes);
    for (int i = 0; i < t->count; i++) {
        (void)sum_rows(&t->counts[i], pass, pass_end, first, end, &speedup);
        used += (size_t)snprintf(text + used, DT_WORK_SPAN_TABLE_BYTES - used, " %6.1f", speedup);
    }
}

static void write_headings(const dt_work_span_table *t, char *text) {
    size_t used =
        (size_t)snprintf(text, DT_WORK_SPAN_TABLE_BYTES, "%-26s %9s %9s", "threads of a team", "GFLOP", "MB");
    for (int i = 0; i < t->count; i++)
        used += (size_t)snprintf(text + used, DT_WORK_SPAN_TABLE_BYTES - used, " %6d", t->counts[i].threads);
}

static void write_barriers(const dt_work_span_table *t, char *text) {
    size_t used = (size_t)snprintf(text, DT_WORK_SPAN_TABLE_BYTES, "%-46s", "barriers");
    for (int i = 0; i < t->count; i++)
        used += (size_t)snprintf(text + used, DT_WORK_SPAN_TABLE_BYTES - used, " %6" PRId64,
                                 t->counts[i].barriers[DT_WORK_SPAN_FORWARD] +
                                     t->counts[i].barriers[DT_WORK_SPAN_BACKWARD]);
}

bool dt_work_span_table_line(const dt_work_span_table *t, int index, char text[DT_WORK_SPAN_TABLE_BYTES]) {
    DT_ASSERT(index >= 0 && t->count > 0);
    static const char *const sums[] = {"forward pass", "backward pass", "both"};
    const int64_t rows = t->counts[0].rows, line = index - 1;
    if (index == 0)
        write_headings(t, text);
    else if (line < rows)
        write_sums(t, dt_timed_kernels_name(line), 0, DT_WORK_SPAN_PASSES, line, line + 1, text);
    else if (line < rows + 2)
        write_sums(t, sums[line - rows], (int)(line - rows), (int)(line - rows) + 1, 0, rows, text);
    else if (line == rows + 2)
        write_sums(t, sums[2], 0, DT_WORK_SPAN_PASSES, 0, rows, text);
    else if (line == rows + 3)
        write_barriers(t, text);
    return line <= rows + 3;
}

json_t *dt_work_span_table_json(const dt_work_span_table *t) {
    json_t *all = json_array();
    for (int i = 0; i < t->count; i++) {
        const dt_work_span *s = &t->counts[i];
        json_array_append_new(
            all,
            json_pack("{s:i, s:f, s:f, s:I}", "threads", s->threads, "forward_speedup",
                      1.0 / dt_work_span_ratio(s, DT_WORK_SPAN_FORWARD), "backward_speedup",
                      1.0 / dt_work_span_ratio(s, DT_WORK_SPAN_BACKWARD), "barriers",
                      (json_int_t)s->barriers[DT_WORK_SPAN_FORWARD] + s->barriers[DT_WORK_SPAN_BACKWARD]));
    }
    return all;
}
