/* Columns and units; the numbers come from bench/profile.h. */
#include "report/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/plural.h"
#include "base/units.h"
#include "base/version.h"
#include "config/describe.h"
#include "report/old_names.h"

#define CELL_BYTES 16

/* What stands in a column where a section has no such number. */
static const char *cell(char text[CELL_BYTES], double value, int digits) {
    if (value > 0.0)
        snprintf(text, CELL_BYTES, "%.*f", digits, value);
    else
        snprintf(text, CELL_BYTES, "-");
    return text;
}

static void print_head(const dt_profile *p, const dt_config *c) {
    char bf16[CELL_BYTES], sgemm[CELL_BYTES], model[DT_DESCRIBE_BYTES];
    dt_describe_model(c, model);
    dt_log_line("dtrain bench %s (%s)", dt_version(), dt_version_commit());
    dt_log_line("machine   %d rank%s x %d thread%s on %d host%s, kernels %s, OpenBLAS %s", p->ranks,
                dt_plural_s(p->ranks), p->threads, dt_plural_s(p->threads), p->hosts, dt_plural_s(p->hosts),
                p->kernels, p->core);
    dt_log_line("model     %" PRId64 " parameters: %s, dropout %g, computed in %s", p->parameters, model,
                c->dropout, dt_dtype_names[p->compute]);
    dt_log_line("step      %" PRId64 " sequence%s in micro-batches of %" PRId64 ": %" PRId64
                " tokens, %.4g model GFLOP",
                c->batch_size, dt_plural_s(c->batch_size), c->micro_batch_size, p->tokens,
                1e-9 * p->model_flop);
    dt_log_line(
        "ceilings  per rank: FMA %.1f GFLOP/s, bf16 %s GFLOP/s, sgemm %s GFLOP/s, memory copy %.1f GB/s",
        1e-9 * p->peak.fma_flops, cell(bf16, 1e-9 * p->peak.bf16_flops, 1),
        cell(sgemm, 1e-9 * p->peak.sgemm_flops, 1), 1e-9 * p->peak.copy_bytes);
    dt_log_line("times     %" PRId64 " step%s on each rank after warming up, each section timed in the step",
                p->repetitions, dt_plural_s(p->repetitions));
}

/* Which of the ceilings is the products'. */
static const char *roof_name(const dt_profile *p) {
    return dt_profile_roof(p) > p->peak.fma_flops ? "bf16" : "FMA";
}

static void print_row(const dt_profile *p, const dt_profile_row *r) {
    const double rate = r->flop / r->seconds.median;
    char flops[CELL_BYTES], fma[CELL_BYTES], sgemm[CELL_BYTES], bytes[CELL_BYTES];
    dt_log_line("%-25s %6" PRId64 " %10.3f %10.3f %10.3f %8.1f %8s %7s %6s %8s", r->name, r->calls,
                1e3 * r->seconds.median, 1e3 * r->seconds.minimum, 1e3 * r->seconds.maximum,
                1e2 * r->seconds.median / p->step.median, cell(flops, 1e-9 * rate, 1),
                cell(fma, 1e2 * rate / dt_profile_roof(p), 1),
                cell(sgemm, 1e2 * rate / p->peak.sgemm_flops, 1),
                cell(bytes, 1e-9 * r->bytes / r->seconds.median, 1));
}

/* A line below the sections, in the columns of the times and of the fraction. */
static void print_total(const dt_profile *p, const char *name, double seconds) {
    dt_log_line("%-25s %6s %10.3f %10s %10s %8.1f", name, "", 1e3 * seconds, "", "",
                1e2 * seconds / p->step.median);
}

/* Whose the products of the timed steps were, or of the others. */
static const char *whose_products(const dt_profile *p, bool of_others) {
    return (p->products == DT_PRODUCTS_BLAS) != of_others ? "OpenBLAS" : "own";
}

static void print_step(const dt_profile *p) {
    const dt_statistics *s = &p->step;
    char sgemm[CELL_BYTES];
    dt_log_line("%-25s %6d %10.3f %10.3f %10.3f %8.1f %8.1f %7.1f %6s", "whole step", 1, 1e3 * s->median,
                1e3 * s->minimum, 1e3 * s->maximum, 100.0, 1e-9 * p->model_flop / p->ranks / s->median,
                1e2 * dt_profile_model_utilisation(p),
                cell(sgemm, 1e2 * p->model_flop / p->ranks / s->median / p->peak.sgemm_flops, 1));
    if (s->count > 1) {
        dt_log_line("%s", "");
        dt_log_line("step mean %.3f ms +- %.3f ms (95 %% confidence, Student's t, %" PRId64 " times)",
                    1e3 * s->mean, 1e3 * s->half_width, s->count);
    }
    dt_log_line("timers    %.3f ms for a step without them (median); with them %+.2f %%",
                1e3 * p->plain_seconds, 1e2 * (s->median / p->plain_seconds - 1.0));
    if (p->other_seconds > 0.0)
        dt_log_line("products  %s %.3f ms for a step without timers (median), %s %.3f ms",
                    whose_products(p, false), 1e3 * p->plain_seconds, whose_products(p, true),
                    1e3 * p->other_seconds);
    dt_log_line("speed     %.0f tokens/s; model FLOP %.1f %% of the %s ceiling of all ranks",
                (double)p->tokens / s->median, 1e2 * dt_profile_model_utilisation(p), roof_name(p));
    if (p->ranks > 1)
        dt_log_line("allreduce %.3f ms exposed in the step, %.3f ms hidden behind the backward pass",
                    1e3 * p->exposed_seconds, 1e3 * dt_profile_hidden(p));
    dt_log_line("memory    %s resident on the largest rank, of which the tables count %s",
                dt_units_bytes((double)p->resident_bytes).text,
                dt_units_bytes((double)p->computed_bytes).text);
    dt_log_line("check     loss %.9g, finite and the same on all ranks in every timed step: %s", p->loss,
                p->losses_hold ? "PASSED" : "FAILED");
}

void dt_table_print(const dt_profile *p, const dt_config *c) {
    print_head(p, c);
    dt_log_line("%s", "");
    char roof[CELL_BYTES];
    snprintf(roof, sizeof roof, "of %s", roof_name(p));
    dt_log_line("%-25s %6s %10s %10s %10s %8s %8s %7s %6s %8s", "section", "calls", "median", "min", "max",
                "fraction", "rate", roof, "sgemm", "moved");
    dt_log_line("%-25s %6s %10s %10s %10s %8s %8s %7s %6s %8s", "", "/step", "ms/step", "ms/step", "ms/step",
                "%", "GFLOP/s", "%", "%", "GB/s");
    for (int64_t i = 0; i < p->count; i++)
        if (p->row[i].calls > 0)
            print_row(p, &p->row[i]);
    print_total(p, "sum of sections", p->sum_seconds);
    print_total(p, "unaccounted", dt_profile_unaccounted(p));
    print_step(p);
    char text[256];
    if (dt_profile_warning(p, text, sizeof text))
        dt_log_warn("%s", text);
}

static json_t *number_or_null(double value) {
    return value > 0.0 ? json_real(value) : json_null();
}

static json_t *times_json(const dt_statistics *s) {
    return json_pack("{s:f, s:f, s:f, s:f, s:o}", "median_ms", 1e3 * s->median, "min_ms", 1e3 * s->minimum,
                     "max_ms", 1e3 * s->maximum, "mean_ms", 1e3 * s->mean, "mean_half_width_95_ms",
                     isnan(s->half_width) ? json_null() : json_real(1e3 * s->half_width));
}

static json_t *rows_json(const dt_profile *p) {
    json_t *rows = json_array();
    for (int64_t i = 0; i < p->count; i++) {
        const dt_profile_row *r = &p->row[i];
        const double rate = r->flop / r->seconds.median;
        if (r->calls == 0)
            continue;
        json_t *row = json_pack(
            "{s:s, s:I, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "section", r->name, "calls",
            (json_int_t)r->calls, "fraction", r->seconds.median / p->step.median, "gflop",
            number_or_null(1e-9 * r->flop), "gbytes", number_or_null(1e-9 * r->bytes), "gflops",
            number_or_null(1e-9 * rate), "of_fma", number_or_null(rate / p->peak.fma_flops), "of_roof",
            number_or_null(rate / dt_profile_roof(p)), "of_sgemm", number_or_null(rate / p->peak.sgemm_flops),
            "gbytes_per_s", number_or_null(1e-9 * r->bytes / r->seconds.median));
        json_object_update_new(row, times_json(&r->seconds));
        dt_old_names_keep(row, "part", "section");
        dt_old_names_keep(row, "share", "fraction");
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *step_json(const dt_profile *p) {
    json_t *step = json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "sum_of_sections_ms", 1e3 * p->sum_seconds,
        "unaccounted_ms", 1e3 * dt_profile_unaccounted(p), "without_timers_ms", 1e3 * p->plain_seconds,
        "allreduce_hidden_ms", 1e3 * dt_profile_hidden(p), "allreduce_exposed_ms", 1e3 * p->exposed_seconds,
        "tokens_per_s", (double)p->tokens / p->step.median, "model_gflop", 1e-9 * p->model_flop, "of_fma",
        dt_profile_model_utilisation(p) * dt_profile_roof(p) / p->peak.fma_flops, "of_roof",
        dt_profile_model_utilisation(p));
    dt_old_names_keep(step, "sum_of_parts_ms", "sum_of_sections_ms");
    dt_old_names_keep(step, "exchange_hidden_ms", "allreduce_hidden_ms");
    dt_old_names_keep(step, "exchange_exposed_ms", "allreduce_exposed_ms");
    const bool blas = p->products == DT_PRODUCTS_BLAS;
    json_object_set_new(step, "own_products_ms",
                        number_or_null(1e3 * (blas ? p->other_seconds : p->plain_seconds)));
    json_object_set_new(step, "openblas_products_ms",
                        number_or_null(1e3 * (blas ? p->plain_seconds : p->other_seconds)));
    json_object_update_new(step, times_json(&p->step));
    return step;
}

json_t *dt_table_json(const dt_profile *p, const dt_config *c) {
    char stamp[32];
    dt_clock_stamp(stamp, sizeof stamp);
    json_t *machine = json_pack("{s:i, s:i, s:i, s:s, s:s}", "ranks", p->ranks, "threads", p->threads,
                                "hosts", p->hosts, "kernels", p->kernels, "openblas_core", p->core);
    json_t *ceilings =
        json_pack("{s:f, s:o, s:o, s:f}", "fma_gflops", 1e-9 * p->peak.fma_flops, "bf16_gflops",
                  number_or_null(1e-9 * p->peak.bf16_flops), "sgemm_gflops",
                  number_or_null(1e-9 * p->peak.sgemm_flops), "copy_gbytes_per_s", 1e-9 * p->peak.copy_bytes);
    json_t *memory = json_pack("{s:I, s:I}", "resident_bytes", (json_int_t)p->resident_bytes,
                               "computed_bytes", (json_int_t)p->computed_bytes);
    json_t *check = json_pack("{s:o, s:b}", "loss", isfinite(p->loss) ? json_real(p->loss) : json_null(),
                              "passed", p->losses_hold);
    /* What the benchmark is called stays as it was, since no second name could stand beside it. */
    json_t *all =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "benchmark", "parts",
                  "version", dt_version(), "git_commit", dt_version_commit(), "time", stamp, "parameters",
                  (json_int_t)p->parameters, "repetitions", (json_int_t)p->repetitions, "config",
                  dt_config_to_json(c), "machine", machine, "ceilings", ceilings, "sections", rows_json(p),
                  "step", step_json(p), "memory", memory, "check", check);
    dt_old_names_keep(all, "parts", "sections");
    return all;
}
