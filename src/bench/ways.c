/* One rig a way, and their steps in turn. */
#include "bench/ways.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/version.h"
#include "bench/machine.h"
#include "bench/output.h"
#include "bench/plan.h"
#include "bench/probe.h"
#include "bench/rig.h"
#include "bench/statistics.h"
#include "comm/agree.h"
#include "train/overlap.h"

/* Connections, caches and clock rates settle within a few steps. */
#define WARMUPS 3

#define WAYS 4

/* One way and what was measured of it. */
typedef struct way {
    const char *name;
    int64_t exchange, dtype;
    bool wanted;
    dt_rig rig;
    double *step, *exposed, *late, *alone; /* [repetitions], seconds */
    dt_plan_point plan;
} way;

typedef struct comparison {
    const dt_world *world;
    const dt_config *config;
    int threads;
    int64_t repetitions;
    double share;
    dt_machine machine;
    dt_plan_machine measured;
    dt_probing *probing;
    double *seen; /* [size]: what each rank saw of a step's exchange */
    way way[WAYS];
} comparison;

/* The config of a way; it borrows the strings. */
static dt_config config_of(const comparison *c, const way *w) {
    dt_config config = *c->config;
    config.exchange = w->exchange;
    config.gradient_dtype = w->dtype;
    return config;
}

static dt_status create_way(comparison *c, way *w) {
    const char *what = "the measured times";
    const dt_config config = config_of(c, w);
    w->step = dt_memory_alloc(c->repetitions, sizeof *w->step, what);
    w->exposed = dt_memory_alloc(c->repetitions, sizeof *w->exposed, what);
    w->late = dt_memory_alloc(c->repetitions, sizeof *w->late, what);
    w->alone = dt_memory_alloc(c->repetitions, sizeof *w->alone, what);
    DT_TRY(dt_agree(c->world, w->step && w->exposed && w->late && w->alone ? DT_OK : DT_FAILED));
    return dt_rig_create(&w->rig, c->world, &config, c->threads);
}

static dt_status create(comparison *c) {
    const bool layered = c->world->size > c->world->hosts;
    const way ways[WAYS] = {
        {.name = "flat", .exchange = DT_ALGORITHM_FLAT, .wanted = true},
        {.name = "hierarchical", .exchange = DT_ALGORITHM_HIERARCHICAL, .wanted = layered},
        {.name = "bf16", .exchange = DT_ALGORITHM_AUTO, .dtype = DT_DTYPE_BF16, .wanted = true},
        {.name = "library", .exchange = DT_ALGORITHM_LIBRARY, .wanted = true}};
    for (int i = 0; i < WAYS; i++)
        c->way[i] = ways[i];
    c->seen = dt_memory_alloc(c->world->size, sizeof *c->seen, "the ranks' times");
    DT_TRY(dt_agree(c->world, c->seen ? DT_OK : DT_FAILED));
    for (int i = 0; i < WAYS; i++) {
        way *w = &c->way[i];
        const dt_status status = w->wanted ? create_way(c, w) : DT_OK;
        if (status != DT_USAGE || w->exchange != DT_ALGORITHM_HIERARCHICAL)
            DT_TRY(status);
        else {
            dt_log_line("%s is left out: %s", w->name, dt_error());
            dt_rig_free(&w->rig);
            w->wanted = false;
        }
    }
    return DT_OK;
}

static void drop(comparison *c) {
    for (int i = 0; i < WAYS; i++) {
        way *w = &c->way[i];
        dt_memory_free(w->step);
        dt_memory_free(w->exposed);
        dt_memory_free(w->late);
        dt_memory_free(w->alone);
        dt_rig_free(&w->rig);
    }
    dt_memory_free(c->seen);
    dt_probe_free(c->probing);
    dt_machine_free(&c->machine);
}

/* A rank that cannot go on while others wait for it: its line, and the end of the job. */
static void must(const comparison *c, dt_status status) {
    if (status == DT_OK)
        return;
    dt_log_error("rank %d on %s cannot go on with the benchmark: %s", c->world->rank, c->world->host,
                 dt_error());
    dt_world_abort(c->world, DT_FAILED);
}

/*
 * What was exposed of a step's exchange, and what of that was waiting for ranks that were late. The rank that
 * came last waited for nobody: what it saw is the exchange's own, and what others saw beyond it is lateness.
 */
static void part_exposed(comparison *c, double own, double *exposed, double *late) {
    double most;
    c->seen[c->world->rank] = own;
    must(c, dt_world_gather_same(c->world, c->seen, (int64_t)sizeof *c->seen));
    *exposed = most = c->seen[0];
    for (int r = 1; r < c->world->size; r++) {
        *exposed = fmin(*exposed, c->seen[r]);
        most = fmax(most, c->seen[r]);
    }
    *late = most - *exposed;
}

/* One step of a way, the exchange by itself, and a bout of the probe, so that what that says of the cores
 * holds for the time of the steps. Steps before the first, of index 0, are not kept. */
static void measure_way(comparison *c, way *w, int64_t index) {
    dt_step_result result;
    double alone, exposed, late;
    dt_world_barrier(c->world);
    must(c, dt_rig_step(&w->rig, &result));
    dt_world_barrier(c->world);
    must(c, dt_step_exchange_alone(w->rig.step, &alone));
    part_exposed(c, result.exchange.exposed, &exposed, &late);
    if (index < 0)
        return;
    must(c, dt_probe_bout(c->probing));
    w->step[index] = result.step_seconds;
    w->exposed[index] = exposed;
    w->late[index] = late;
    w->alone[index] = alone;
}

static void measure(comparison *c) {
    for (int64_t i = -WARMUPS; i < c->repetitions; i++)
        for (int k = 0; k < WAYS; k++)
            if (c->way[k].wanted)
                measure_way(c, &c->way[k], i);
    c->measured.probe = dt_probe_read(c->probing, c->share);
}

static dt_status predict(comparison *c) {
    for (int i = 0; i < WAYS; i++) {
        way *w = &c->way[i];
        dt_config config = config_of(c, w);
        if (!w->wanted)
            continue;
        /* What auto has become may be for want of memory, which a plan knows nothing of. */
        if (dt_step_algorithm(w->rig.step) == DT_ALGORITHM_FLAT)
            config.exchange = DT_ALGORITHM_FLAT;
        DT_TRY(dt_plan_predict(&c->measured, &config, config.batch_size, c->world->size, c->share, &w->plan));
    }
    return DT_OK;
}

/* Less that can hide than a millisecond, or this part of a step, or of the exchange, says nothing about how
 * well it does: the times and the plan are not that exact. */
#define LEAST_FIT_SECONDS  1e-3
#define LEAST_FIT_STEP     0.02
#define LEAST_FIT_EXCHANGE 0.1

/* What a way's times come to, in seconds, and the part that was hidden of what the plan says can be: NaN
 * where that is too little. */
typedef struct summary {
    double step, exposed, late, alone, hidden;
} summary;

static summary sum_up(const comparison *c, const way *w) {
    summary s = {.step = dt_statistics_of(w->step, c->repetitions).median,
                 .exposed = dt_statistics_of(w->exposed, c->repetitions).median,
                 .late = dt_statistics_of(w->late, c->repetitions).median,
                 .alone = dt_statistics_of(w->alone, c->repetitions).median};
    const double fits = s.alone - w->plan.seen_seconds;
    const bool tells =
        fits >= fmax(LEAST_FIT_SECONDS, fmax(LEAST_FIT_STEP * s.step, LEAST_FIT_EXCHANGE * s.alone));
    s.hidden = tells && w->exchange != DT_ALGORITHM_LIBRARY ? (s.alone - s.exposed) / fits : NAN;
    return s;
}

static void print_head(const comparison *c) {
    const dt_plan_machine *m = &c->measured;
    dt_log_line("dtrain bench --ways %s (%s)", dt_version(), dt_version_commit());
    dt_log_line("machine   %d ranks x %d thread%s on %d host%s, %.3g threads a core", c->world->size,
                c->threads, c->threads == 1 ? "" : "s", c->world->hosts, c->world->hosts == 1 ? "" : "s",
                c->share);
    dt_log_line("link      %.3g us, %.4g Gbit/s%s, %.3g ns of a core a byte", 1e6 * m->link.latency_seconds,
                8e-9 * m->link.bandwidth_bytes, m->same_host ? " inside the host" : " between hosts",
                1e9 * m->link.cpu_seconds_per_byte);
    dt_log_line("probe     leaf %.2f ms forward + %.2f ms backward, update %.2f ms",
                1e3 * m->probe.forward_seconds, 1e3 * m->probe.backward_seconds,
                1e3 * m->probe.update_seconds);
    dt_log_line("times     medians of %" PRId64 " step%s of each way, taken in turn, the probe among them",
                c->repetitions, c->repetitions == 1 ? "" : "s");
    dt_log_line("exposed   as the rank sees it that comes last; late is what the first one waited for it; "
                "hidden is of what can be");
    dt_log_line("%s", "");
    dt_log_line("%-13s %10s %10s %10s %10s %10s %10s %10s %11s", "way", "step", "alone", "exposed", "least",
                "late", "hidden", "predicted", "error");
    dt_log_line("%-13s %10s %10s %10s %10s %10s %10s %10s %11s", "", "(ms)", "(ms)", "(ms)", "(ms)", "(ms)",
                "(%)", "(ms)", "(% of step)");
}

static json_t *way_json(const comparison *c, const way *w) {
    const summary s = sum_up(c, w);
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:o, s:f, s:f, s:I, s:I}", "way", w->name, "step_ms",
                     1e3 * s.step, "alone_ms", 1e3 * s.alone, "exposed_ms", 1e3 * s.exposed,
                     "least_exposed_ms", 1e3 * w->plan.seen_seconds, "late_ms", 1e3 * s.late, "hidden",
                     isnan(s.hidden) ? json_null() : json_real(s.hidden), "predicted_step_ms",
                     1e3 * w->plan.step_seconds, "predicted_exposed_ms", 1e3 * w->plan.exposed_seconds,
                     "sent_messages", (json_int_t)w->plan.sent_messages, "sent_bytes",
                     (json_int_t)w->plan.sent_bytes);
}

static dt_status print(const comparison *c, const char *json_path) {
    json_t *rows = json_array();
    bool complete = true;
    print_head(c);
    for (int i = 0; i < WAYS; i++) {
        const way *w = &c->way[i];
        if (!w->wanted)
            continue;
        const summary s = sum_up(c, w);
        char hidden[16] = "-";
        if (!isnan(s.hidden))
            snprintf(hidden, sizeof hidden, "%.0f", 100.0 * s.hidden);
        dt_log_line("%-13s %10.2f %10.2f %10.2f %10.2f %10.2f %10s %10.2f %+11.1f", w->name, 1e3 * s.step,
                    1e3 * s.alone, 1e3 * s.exposed, 1e3 * w->plan.seen_seconds, 1e3 * s.late, hidden,
                    1e3 * w->plan.step_seconds, 100.0 * (w->plan.step_seconds / s.step - 1.0));
        complete = json_array_append_new(rows, way_json(c, w)) == 0 && complete;
    }
    json_t *all = json_pack(
        "{s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:I, s:o}", "git_commit", dt_version_commit(), "ranks",
        c->world->size, "hosts", c->world->hosts, "threads", c->threads, "share", c->share, "latency_us",
        1e6 * c->measured.link.latency_seconds, "bandwidth_gbps", 8e-9 * c->measured.link.bandwidth_bytes,
        "touch_ns_a_byte", 1e9 * c->measured.link.cpu_seconds_per_byte, "bucket_bytes",
        (json_int_t)c->config->bucket_bytes, "ways", rows);
    if (json_path && complete)
        return dt_output_json(json_path, all, 0);
    json_decref(all);
    return json_path ? dt_output_json(json_path, NULL, 0) : DT_OK;
}

static dt_status compare(comparison *c, const dt_ways_options *options) {
    DT_TRY(dt_machine_look(&c->machine, c->world, c->threads));
    c->share = options->share > 0.0 ? options->share : dt_machine_share(&c->machine, c->world->host_ranks);
    DT_TRY(dt_machine_measure_links(c->world, c->threads, NULL, &c->measured));
    DT_TRY(dt_probe_create(&c->probing, c->world, c->config, c->threads));
    DT_TRY(create(c));
    measure(c);
    const bool first = c->world->rank == 0;
    DT_TRY(dt_agree(c->world, first ? predict(c) : DT_OK));
    return dt_agree(c->world, first ? print(c, options->json) : DT_OK);
}

dt_status dt_ways_run(const dt_world *world, const dt_config *config, int threads,
                      const dt_ways_options *options) {
    comparison *c = dt_memory_alloc(1, sizeof *c, "the comparison");
    dt_status status = dt_agree(world, c ? DT_OK : DT_FAILED);
    if (status == DT_OK && world->size == 1)
        status =
            dt_usage("--ways: expected two ranks or more, since one has nobody to exchange with, found 1; "
                     "launch with mpirun -np 2");
    if (status == DT_OK) {
        *c = (comparison){
            .world = world, .config = config, .threads = threads, .repetitions = options->repetitions};
        status = compare(c, options);
    }
    if (c)
        drop(c);
    dt_memory_free(c);
    return status;
}
