/* `dtrain plan --ranks 1,8,64`: what a config would need and reach on machines that are not there yet. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/available.h"
#include "base/log.h"
#include "base/plural.h"
#include "base/version.h"
#include "plan/machine.h"
#include "report/old_names.h"
#include "report/report_output.h"
#include "plan/passes.h"
#include "plan/plan.h"
#include "plan/probe.h"
#include "plan/proposals.h"
#include "plan/ranks.h"
#include "report/memory_table.h"
#include "report/plan_table.h"
#include "report/work_span_table.h"
#include "comm/agree.h"
#include "infer/model_file.h"
#include "config/describe.h"
#include "config/length.h"
#include "step/step.h"
#include "step/workers.h"
#include "train/opening.h"
#include "train/products.h"
#include "verb/verb.h"

/* What all points of a plan have in common. */
typedef struct planning {
    const dt_config *config;
    dt_ranks ranks;
    dt_machine here;
    int threads;          /* of a rank here */
    int64_t rank_threads; /* and of a planned one */
    dt_plan_machine machine;
    bool link_given;
    int64_t host_ranks; /* as given; 0: as measured, or 1 */
    dt_layout layout;
    double core_gflops; /* as given; 0: probed */
    dt_ranks teams;     /* sizes to show work and span of; none: not asked for */
    dt_work_span_table work_span;
    int64_t node_bytes, here_bytes; /* of memory: what a planned host has, and what this one has */
    bool probed;                    /* the config itself fits here */
    bool fits;                      /* and the planned hosts, on all numbers of ranks */
    int proposals_ranks;            /* what the proposals are for; 0: none are needed */
    dt_proposal proposals[DT_PROPOSALS_MAX];
    int proposals_count;
} planning;

/* The most threads of a rank. */
#define LARGEST_TEAM 4096

/* More is no network, and makes numbers that JSON does not know. */
#define LARGEST 1e9

static dt_status read_positive(const char *flag, const char *text, double *value) {
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    if (errno != 0 || end == text || *end != 0 || !isfinite(*value) || *value <= 0.0 || *value > LARGEST)
        return dt_usage("--%s: expected a number above 0 and up to %g, found \"%s\"", flag, LARGEST, text);
    return DT_OK;
}

static dt_status read_flags(planning *plan, const dt_verb_flags *f, dt_link *link) {
    double microseconds = 1e6 * link->latency_seconds, gigabits = 8e-9 * link->bandwidth_bytes;
    if (f->latency_us)
        DT_TRY(read_positive("latency-us", f->latency_us, &microseconds));
    if (f->ranks_per_host)
        DT_TRY(dt_verb_count_within(1, DT_RANKS_LARGEST, "ranks-per-host", f->ranks_per_host,
                                    &plan->host_ranks));
    if (f->threads_per_rank)
        DT_TRY(dt_verb_count_within(1, LARGEST_TEAM, "threads-per-rank", f->threads_per_rank,
                                    &plan->rank_threads));
    if (f->core_gflops)
        DT_TRY(read_positive("core-gflops", f->core_gflops, &plan->core_gflops));
    if (f->teams)
        DT_TRY(dt_ranks_parse(&plan->teams, f->teams, LARGEST_TEAM, "the most threads of a rank"));
    if (f->bandwidth_gbps)
        DT_TRY(read_positive("bandwidth-gbps", f->bandwidth_gbps, &gigabits));
    if (f->memory_gb) {
        double gigabytes;
        DT_TRY(read_positive("memory-gb", f->memory_gb, &gigabytes));
        plan->node_bytes = (int64_t)(gigabytes * 1e9);
    }
    plan->link_given = f->latency_us || f->bandwidth_gbps;
    *link = (dt_link){.latency_seconds = 1e-6 * microseconds, .bandwidth_bytes = gigabits * 1e9 / 8};
    return dt_ranks_parse(&plan->ranks, f->ranks ? f->ranks : "1,2,4,8,16,32,64", DT_RANKS_LARGEST,
                          "what a plan covers");
}

static void print_assumptions(const planning *plan) {
    const dt_config *c = plan->config;
    const dt_plan_machine *m = &plan->machine;
    dt_log_line("dtrain %s (%s): a plan, not a measurement", dt_version(), dt_version_commit());
    char model[DT_DESCRIBE_BYTES];
    dt_describe_model(c, model);
    const int64_t micro_batches = dt_step_micro_batches(c->batch_size, c->micro_batch_size);
    dt_log_line("model     %s; %" PRId64 " sequence%s in %" PRId64 " %s of %" PRId64, model, c->batch_size,
                dt_plural_s(c->batch_size), micro_batches,
                dt_plural(micro_batches, "micro-batch", "micro-batches"), c->micro_batch_size);
    char placement[DT_PLACEMENT_BYTES];
    dt_placement_describe(&plan->here.placement, 0, placement);
    dt_log_line("placement %s", placement);
    if (plan->core_gflops > 0.0)
        dt_log_line(
            "core      %g GFLOP/s in passes and %g GB/s, as given: micro-batch %.2f ms forward + %.2f ms "
            "backward, update %.2f ms, on one core",
            plan->core_gflops, plan->core_gflops / DT_WORK_SPAN_FLOP_PER_BYTE, 1e3 * m->probe.forward_seconds,
            1e3 * m->probe.backward_seconds, 1e3 * m->probe.update_seconds);
    else if (plan->probed)
        dt_log_line(
            "probe     on ranks of %d thread%s here (%s): micro-batch %.2f ms forward + %.2f ms backward, "
            "update %.2f ms, addition %.3f ns a float",
            m->probe.threads, dt_plural_s(m->probe.threads), plan->here.processor,
            1e3 * m->probe.forward_seconds, 1e3 * m->probe.backward_seconds, 1e3 * m->probe.update_seconds,
            1e9 * m->probe.add_alone_seconds);
    dt_log_line("link      %.3g us and %.4g Gbit/s per host each way, %.3g ns of a core per byte, %s",
                1e6 * m->link.latency_seconds, 8e-9 * m->link.bandwidth_bytes,
                1e9 * m->link.cpu_seconds_per_byte,
                m->link_measured   ? m->same_host ? "measured inside this host, whose cores copy the messages"
                                                  : "measured between the hosts of this job"
                : plan->link_given ? "as given"
                                   : "assumed; --latency-us and --bandwidth-gbps set it");
    if (!m->same_host)
        dt_log_line("hosts     of %d rank%s; inside, %.3g us and %.4g Gbit/s per rank", m->host_ranks,
                    dt_plural_s(m->host_ranks), 1e6 * m->inside.latency_seconds,
                    8e-9 * m->inside.bandwidth_bytes);
    if (plan->rank_threads != m->probe.threads)
        dt_log_line("threads   %" PRId64
                    " per planned rank: their teams take the part of one thread's time that "
                    "their busiest thread has",
                    plan->rank_threads);
    dt_log_line("assumed   each thread has a core like %s to itself; the network lets all hosts send at once",
                plan->core_gflops > 0.0 ? "that" : "this one's");
    dt_log_line(
        "memory    of the parts below; the text's tokens, a byte each with up to 256 of them, come on top");
}

/* How long the steps of a run take together; NAN where the config does not say how many there are. */
static double run_seconds(const dt_config *config, const dt_plan_point *point) {
    dt_config run = *config;
    run.batch_size = point->batch;
    dt_length_settle(&run, 0.0);
    return dt_is_null_int(run.max_steps) ? NAN : (double)run.max_steps * point->step_seconds;
}

/* One table, strong or weak, and its rows as JSON. A number of ranks without enough micro-batches is a row
 * that says so. */
static dt_status print_table(const planning *plan, bool weak, json_t *rows) {
    const dt_config *c = plan->config;
    dt_plan_point base, point;
    DT_TRY(dt_plan_predict(&plan->machine, c, c->batch_size, 1, 1.0, &base));
    dt_plan_table_headings(c, weak);
    for (int i = 0; i < plan->ranks.count; i++) {
        const int ranks = plan->ranks.number[i];
        const int64_t batch = weak ? c->batch_size * ranks : c->batch_size;
        const int64_t micro_batches = dt_step_micro_batches(batch, c->micro_batch_size);
        if (ranks > micro_batches) {
            dt_log_line("%6d %9" PRId64 "  more ranks than the batch's %" PRId64
                        " %s: raise batch_size or lower micro_batch_size",
                        ranks, batch, micro_batches,
                        dt_plural(micro_batches, "micro-batch", "micro-batches"));
            continue;
        }
        DT_TRY(dt_plan_predict(&plan->machine, c, batch, ranks, 1.0, &point));
        const double speedup = point.tokens_per_second / base.tokens_per_second;
        const double seconds = run_seconds(c, &point);
        dt_plan_table_row(&point, speedup, seconds);
        json_array_append_new(rows, dt_plan_table_json(&point, weak, speedup, seconds));
    }
    return DT_OK;
}

/* Whether so many ranks share the batch at all. */
static bool has_work_for(const planning *plan, int ranks) {
    return ranks <= dt_step_micro_batches(plan->config->batch_size, plan->config->micro_batch_size);
}

/* What the config takes on `ranks` ranks. */
static dt_status find_memory(const planning *plan, int ranks, dt_plan_memory *memory) {
    const int host_ranks = plan->machine.same_host ? ranks : plan->machine.host_ranks;
    return dt_plan_memory_of(&plan->layout, plan->config, plan->config->batch_size, ranks, host_ranks,
                             (int)plan->rank_threads, plan->node_bytes, memory);
}

static dt_status print_memory(const planning *plan) {
    dt_memory_table_headings(plan->node_bytes);
    for (int i = 0; i < plan->ranks.count; i++) {
        const int ranks = plan->ranks.number[i];
        dt_plan_memory memory;
        if (!has_work_for(plan, ranks))
            continue;
        DT_TRY(find_memory(plan, ranks, &memory));
        dt_memory_table_row(ranks, &memory, plan->node_bytes);
    }
    if (plan->proposals_ranks > 0)
        dt_memory_table_proposals(plan->config, plan->proposals_ranks, plan->proposals,
                                  plan->proposals_count);
    return DT_OK;
}

static void print_work_span(const planning *plan) {
    char line[DT_WORK_SPAN_TABLE_BYTES];
    if (plan->teams.count == 0)
        return;
    dt_log_line("%s", "");
    dt_log_line("work of a micro-batch of %" PRId64
                " sequence%s, and how many times sooner than one thread the "
                "busiest of a team is done",
                plan->config->micro_batch_size, dt_plural_s(plan->config->micro_batch_size));
    for (int i = 0; dt_work_span_table_line(&plan->work_span, i, line); i++)
        dt_log_line("%s", line);
}

static dt_status print_plan(const planning *plan, const char *json_path) {
    const dt_plan_machine *m = &plan->machine;
    json_t *rows = json_array();
    print_assumptions(plan);
    print_work_span(plan);
    dt_status status = print_memory(plan);
    if (status == DT_OK && plan->probed)
        status = print_table(plan, false, rows);
    if (status == DT_OK && plan->probed)
        status = print_table(plan, true, rows);
    json_t *all = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:i, s:f, s:f, s:f, s:f, s:f, s:s, s:o}", "version", dt_version(),
        "git_commit", dt_version_commit(), "time", plan->here.stamp, "processor", plan->here.processor,
        "placement", dt_opening_placement_json(&plan->here.placement), "threads", m->probe.threads,
        "micro_batch_forward_ms", 1e3 * m->probe.forward_seconds, "micro_batch_backward_ms",
        1e3 * m->probe.backward_seconds, "update_ms", 1e3 * m->probe.update_seconds, "latency_us",
        1e6 * m->link.latency_seconds, "bandwidth_gbps", 8e-9 * m->link.bandwidth_bytes, "link",
        m->link_measured   ? "measured"
        : plan->link_given ? "given"
                           : "assumed",
        "points", rows);
    json_object_set_new(all, "rank_threads", json_integer(plan->rank_threads));
    if (plan->teams.count > 0)
        json_object_set_new(all, "teams", dt_work_span_table_json(&plan->work_span));
    json_object_set_new(all, "node_memory_bytes", json_integer(plan->node_bytes));
    json_object_set_new(all, "proposals",
                        dt_memory_table_proposals_json(plan->config, plan->proposals, plan->proposals_count));
    dt_old_names_keep(all, "leaf_forward_ms", "micro_batch_forward_ms");
    dt_old_names_keep(all, "leaf_backward_ms", "micro_batch_backward_ms");
    if (status == DT_OK && json_path)
        return dt_report_output_json(json_path, all, 0);
    json_decref(all);
    return status;
}

/* Hosts of as many ranks as asked for. A link that was measured inside this one host is not theirs. */
static void spread_over_hosts(planning *plan) {
    dt_plan_machine *m = &plan->machine;
    if (m->link_measured && m->same_host) {
        m->link = dt_plan_assumed_link();
        m->link_measured = false;
    }
    m->host_ranks = (int)plan->host_ranks;
    m->same_host = false;
}

/* The memory of hosts like this one, unless it is given, as rank 0 sees it; and the model's layout. */
static dt_status look_at_memory(planning *plan, const dt_world *world) {
    dt_shape shape;
    plan->here_bytes = dt_available_bytes("");
    if (plan->node_bytes == 0)
        plan->node_bytes = plan->here_bytes;
    DT_TRY(dt_world_broadcast(world, &plan->here_bytes, (int64_t)sizeof plan->here_bytes));
    DT_TRY(dt_world_broadcast(world, &plan->node_bytes, (int64_t)sizeof plan->node_bytes));
    dt_status status = dt_model_file_shape(plan->config, NULL, &shape);
    if (status == DT_OK)
        status = dt_layout_create(&plan->layout, shape);
    return dt_agree(world, status);
}

/* For the most ranks that the config has work for and that do not fit, if there are any. */
static dt_status propose(planning *plan, const dt_world *world) {
    for (int i = 0; i < plan->ranks.count; i++) {
        const int ranks = plan->ranks.number[i];
        dt_plan_memory memory;
        if (!has_work_for(plan, ranks))
            continue;
        DT_TRY(dt_agree(world, find_memory(plan, ranks, &memory)));
        if (memory.node_bytes > plan->node_bytes)
            plan->proposals_ranks = ranks;
    }
    plan->fits = plan->proposals_ranks == 0;
    /* What does not fit here has no time of its own; what is smaller may have. */
    if (!plan->probed && plan->proposals_ranks == 0)
        plan->proposals_ranks = plan->ranks.number[0];
    DT_TRY(dt_world_broadcast(world, &plan->proposals_ranks, (int64_t)sizeof plan->proposals_ranks));
    if (plan->proposals_ranks == 0)
        return DT_OK;
    const dt_proposals_inputs inputs = {.config = plan->config,
                                        .layout = &plan->layout,
                                        .machine = &plan->machine,
                                        .ranks = plan->proposals_ranks,
                                        .rank_threads = (int)plan->rank_threads,
                                        .threads = plan->threads,
                                        .threads_per_core =
                                            dt_machine_threads_per_core(&plan->here, world->host_ranks),
                                        .node_bytes = plan->node_bytes,
                                        .here_bytes = plan->here_bytes};
    return dt_proposals_find(world, &inputs, plan->proposals, &plan->proposals_count);
}

/* Whether the config, or a proposal for it, fits the planned hosts. */
static bool anything_fits(const planning *plan) {
    bool fits = plan->fits;
    for (int i = 0; i < plan->proposals_count; i++)
        fits |= plan->proposals[i].fits;
    return fits;
}

/* What passes take: as given, or measured here. */
static dt_status probe(planning *plan, const dt_world *world) {
    dt_probe *found = &plan->machine.probe;
    if (plan->core_gflops > 0.0)
        return dt_agree(world, dt_passes_assume(found, plan->config, &plan->layout, 1e9 * plan->core_gflops));
    return dt_probe_run(found, world, plan->config, plan->threads,
                        dt_machine_threads_per_core(&plan->here, world->host_ranks));
}

/* Links, probe and proposals. Where neither the config nor a proposal fits anywhere, fails as a run would. */
static dt_status measure(planning *plan, const dt_world *world, const dt_link *link) {
    DT_TRY(dt_machine_measure_links(world, plan->link_given ? link : NULL, &plan->machine));
    if (plan->host_ranks > 0)
        spread_over_hosts(plan);
    plan->machine.threads = (int)plan->rank_threads;
    plan->probed = plan->core_gflops > 0.0 || dt_proposals_probe_fits(world, plan->config, &plan->layout,
                                                                      plan->threads, plan->here_bytes);
    DT_TRY(dt_world_broadcast(world, &plan->probed, (int64_t)sizeof plan->probed));
    DT_TRY(propose(plan, world));
    plan->machine.probe.threads = plan->threads;
    if (plan->probed || !anything_fits(plan))
        DT_TRY(probe(plan, world));
    plan->machine.node_bytes = plan->node_bytes;
    return DT_OK;
}

static dt_status count_work_span(planning *plan) {
    if (plan->teams.count == 0)
        return DT_OK;
    return dt_work_span_table_count(&plan->work_span, dt_products_kernels(plan->config), &plan->layout.shape,
                                    plan->config->micro_batch_size, (dt_recompute)plan->config->recompute,
                                    &plan->teams);
}

static dt_status run(const dt_world *world, const dt_config *config, const dt_verb_flags *f) {
    planning plan = {.config = config};
    dt_link link = dt_plan_assumed_link();
    DT_TRY(dt_agree(world, read_flags(&plan, f, &link)));
    DT_TRY(dt_agree(world, dt_workers_count(&plan.threads)));
    if (plan.rank_threads == 0)
        plan.rank_threads = plan.threads;
    DT_TRY(
        dt_agree(world, world->rank == 0 ? dt_report_output_check("json", f->json, DT_REPORT_PLAN) : DT_OK));
    dt_status status = dt_machine_look(&plan.here, world, config, plan.threads);
    if (status == DT_OK)
        status = look_at_memory(&plan, world);
    if (status == DT_OK)
        status = dt_agree(world, world->rank == 0 ? count_work_span(&plan) : DT_OK);
    if (status == DT_OK)
        status = measure(&plan, world, &link);
    if (status == DT_OK)
        status = dt_agree(world, world->rank == 0 ? print_plan(&plan, f->json) : DT_OK);
    if (status == DT_OK)
        status = dt_agree(world, world->rank == 0 ? dt_verb_printed("the plan") : DT_OK);
    dt_layout_free(&plan.layout);
    dt_machine_free(&plan.here);
    return status;
}

dt_status dt_verb_plan(const dt_verb *verb, int argc, char **argv) {
    return dt_verb_run(verb, argc, argv, run);
}
