/* Sentences and units; the numbers come from elsewhere. The lines that follow are console.c's. */
#include "train/opening.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/plural.h"
#include "base/units.h"
#include "base/version.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/mismatch.h"
#include "comm/placement.h"
#include "config/describe.h"
#include "config/json.h"
#include "config/remark.h"
#include "train/rehearsal.h"
#include "train/settings.h"
#include "train/stop.h"

/* Every step waits for the slowest rank, and variables reach other hosts only where the launcher passes them.
 */
static dt_status warn_of_threads(const dt_world *world, int threads) {
    char mine[32], found[DT_MISMATCH_BYTES];
    snprintf(mine, sizeof mine, "%d thread%s", threads, dt_plural_s(threads));
    DT_TRY(dt_mismatch_find(world, mine, found));
    if (*found)
        dt_log_warn("%s; a step takes as long as on the slowest; give all the same OMP_NUM_THREADS, by "
                    "mpirun -x OMP_NUM_THREADS, or srun --export=ALL",
                    found);
    return DT_OK;
}

/* What rank 0 does not find on its own host: the ranks that are warned, and the sentence of the lowest. */
static dt_status warn_of_others(const dt_world *world, const char warning[DT_PLACEMENT_BYTES]) {
    char found[DT_MISMATCH_BYTES], first[DT_PLACEMENT_BYTES];
    int count, beyond; /* the lowest rank that is warned, and one */
    DT_TRY(dt_mismatch_list(world, *warning != 0, found, &count));
    DT_TRY(dt_agree_min(world, *warning ? world->rank + 1 : 0, &beyond));
    if (beyond <= 1)
        return DT_OK;
    int64_t *counts = dt_memory_alloc(world->size, sizeof *counts, "what ranks are warned of");
    DT_TRY(dt_agree(world, counts ? DT_OK : DT_FAILED));
    for (int r = 0; r < world->size; r++)
        counts[r] = r + 1 == beyond;
    memcpy(first, warning, sizeof first);
    const dt_status status = dt_world_gather_all(world, first, sizeof first, counts);
    dt_memory_free(counts);
    if (status == DT_OK)
        dt_log_warn("%s: %s", found, first);
    return status;
}

dt_status dt_opening_placement(const dt_world *world, int threads) {
    DT_COLLECTIVE_CALL(world);
    const dt_placement placement = dt_placement_look(world, threads);
    char first[DT_PLACEMENT_BYTES] = "", text[DT_PLACEMENT_BYTES];
    for (int i = 0; dt_placement_warning(&placement, i, text, sizeof text); i++) {
        if (i == 0)
            memcpy(first, text, sizeof first);
        dt_log_warn("%s", text);
    }
    DT_TRY(warn_of_others(world, first));
    return warn_of_threads(world, threads);
}

dt_status dt_opening_hosts(const dt_world *world, json_t **hosts) {
    DT_COLLECTIVE_CALL(world);
    char(*names)[DT_HOST_BYTES];
    dt_status status = dt_world_host_names(world, &names);
    *hosts = json_array();
    for (int r = 0; status == DT_OK && r < world->size; r++) {
        const char *name = names[r];
        bool known = false;
        for (size_t i = 0; i < json_array_size(*hosts); i++)
            known |= strcmp(name, json_string_value(json_array_get(*hosts, i))) == 0;
        if (!known && json_array_append_new(*hosts, json_string(name)) != 0)
            status = dt_fail("cannot list host %s: expected a name in UTF-8 and memory for it", name);
    }
    dt_memory_free(names);
    return status;
}

static const char *algorithm_name(const dt_run *run) {
    return dt_choices_algorithm[dt_step_algorithm(run->step)];
}

static void print_placement(const dt_run *run) {
    const dt_placement placement = dt_placement_look(run->world, run->workers.threads);
    char text[DT_PLACEMENT_BYTES];
    dt_placement_describe(&placement, run->world->rank, text);
    dt_log_line("placement %s", text);
}

/* What may make the run worth less than it seems. */
static void print_warnings(const dt_run *run) {
    char unused[512];
    dt_corpus_warn(&run->corpus);
    if (run->validation_corpus.sources > 0)
        dt_corpus_warn(&run->validation_corpus);
    if (dt_streams_warning(&run->streams, unused, sizeof unused))
        dt_log_warn("%s", unused);
    char remark[512];
    for (int i = 0; dt_config_remark(&run->about.config, i, remark, sizeof remark); i++)
        dt_log_warn("%s", remark);
    if (dt_step_algorithm(run->step) == DT_ALGORITHM_LIBRARY)
        dt_log_warn(
            "allreduce: library is for comparisons: the bits of this run depend on the number of ranks; "
            "use allreduce: auto");
}

/* What a fresh run was made of, where that is not its seed alone. */
static void print_start(const dt_run *run) {
    const char *path = run->init.path;
    if (run->init.found && run->init.step >= 0)
        dt_log_line("weights   from %s, those of run %s after step %" PRId64, path, run->init.run_id,
                    run->init.step);
    else if (run->init.found)
        dt_log_line("weights   from %s, a model folder", path);
}

/* Said where threads work together. A rank with fewer micro-batches than the others may have fewer teams. */
static void print_teams(const dt_run *run) {
    const dt_workers *w = &run->workers;
    const int64_t asked = run->about.config.threads_per_micro_batch;
    const char *why = "the rank has no more of them";
    if (w->teams == w->threads)
        return;
    if (dt_workers_teams(w->threads, run->team_threads, w->threads) == w->teams)
        why = dt_is_null_int(asked) ? "memory suffices for no more" : "threads_per_micro_batch asks for it";
    const int fewer = w->threads / w->teams, more = fewer + (w->threads % w->teams > 0);
    char threads[48];
    if (more > fewer)
        snprintf(threads, sizeof threads, "%d or %d", fewer, more);
    else
        snprintf(threads, sizeof threads, "%d", fewer);
    dt_log_line("teams     %s threads work on a micro-batch together, %d at once: %s", threads, w->teams,
                why);
}

static void print_model(const dt_run *run) {
    char model[DT_DESCRIBE_BYTES];
    const dt_need need = dt_run_need(run);
    /* Where the moments are shared out, every rank copies its own. */
    const int64_t copy_bytes =
                      need.bytes[DT_NEED_SAVER] - (run->state.sharded ? need.bytes[DT_NEED_MOMENTS] : 0),
                  more_bytes = copy_bytes + need.bytes[DT_NEED_SAMPLER];
    dt_describe_model(&run->about.config, model);
    dt_log_line("model     %s parameters: %s", dt_units_count((double)run->layout.parameters).text, model);
    dt_log_line("memory    %s per rank; rank 0 holds %s more, the copy that is saved%s",
                dt_units_bytes((double)(dt_need_total(&need) - more_bytes)).text,
                dt_units_bytes((double)more_bytes).text,
                need.bytes[DT_NEED_SAMPLER] > 0 ? " and what samples are made with" : "");
    if (run->state.sharded)
        dt_log_line("optimizer shared out: each rank has the moments of its part of the weights%s",
                    dt_hooks_take_gradient(run->hooks)
                        ? "; update hooks read the whole gradient, which takes one more gather"
                        : "");
}

static void print_corpus(const dt_run *run) {
    const dt_corpus *corpus = &run->corpus;
    const int64_t train =
        dt_streams_train_tokens(corpus->total.tokens, dt_settings_train_ratio(&run->about.config));
    const int64_t validation = run->validation_corpus.sources > 0 ? run->validation_corpus.total.tokens
                                                                  : corpus->total.tokens - train;
    dt_log_line("corpus    %s: %" PRId64 " bytes, %" PRId64 " tokens; %s to train on, %s to validate",
                corpus->path, corpus->file_bytes, corpus->total.tokens, dt_units_count((double)train).text,
                dt_units_count((double)validation).text);
}

/* How a step takes the windows, and how long the run is. With leftover_windows: spread an epoch has a step
 * more for some streams. */
static void print_batch(const dt_run *run) {
    const dt_config *c = &run->about.config;
    const dt_streams *streams = &run->streams;
    const int64_t micro_batches = dt_step_micro_batches(c->batch_size, c->micro_batch_size);
    char unused[64] = "", or_one[32] = "";
    if (streams->longer_streams > 0)
        snprintf(or_one, sizeof or_one, " or %" PRId64, streams->stream_windows + 1);
    if (streams->unused_windows > 0)
        snprintf(unused, sizeof unused, ", %" PRId64 " window%s unused", streams->unused_windows,
                 dt_plural_s(streams->unused_windows));
    dt_log_line("batch     %" PRId64 " sequence%s of %" PRId64 " tokens, in %" PRId64 " %s of %" PRId64
                "; an epoch is %" PRId64 "%s step%s%s",
                c->batch_size, dt_plural_s(c->batch_size), c->max_seq_len, micro_batches,
                dt_plural(micro_batches, "micro-batch", "micro-batches"), c->micro_batch_size,
                streams->stream_windows, or_one, dt_plural_s(streams->stream_windows + (*or_one != 0)),
                unused);
    dt_log_line("length    %" PRId64 " step%s: %s tokens, %.3g epochs", c->max_steps,
                dt_plural_s(c->max_steps),
                dt_units_count((double)(c->max_steps * c->batch_size * c->max_seq_len)).text,
                (double)c->max_steps / (double)streams->stream_windows);
}

static void print_compute(const dt_kernels *kernels) {
    char how[DT_KERNELS_HOW_BYTES];
    dt_kernels_bf16_how(kernels, how);
    dt_log_line("compute   bf16, %s", how);
}

static void print_lines(const dt_run *run, const json_t *hosts, const char *unlike) {
    const dt_world *world = run->world;
    const dt_config *c = &run->about.config;
    char day[32];
    dt_clock_stamp(day, sizeof day);
    dt_log_line("dtrain %s (%s), run %s, seed %" PRId64 ", %s", dt_version(), dt_version_commit(),
                run->about.run_id, c->seed, day);
    dt_log_line("machine   %d rank%s x %d thread%s on %zu host%s (%s%s), kernels %s, at most %sFLOP/s",
                world->size, dt_plural_s(world->size), run->workers.threads,
                dt_plural_s(run->workers.threads), json_array_size(hosts),
                dt_plural_s((int64_t)json_array_size(hosts)), json_string_value(json_array_get(hosts, 0)),
                json_array_size(hosts) > 1 ? ", .." : "", run->gpt.kernels->name,
                dt_units_rate(run->utilisation.ceiling_flops).text);
    print_placement(run);
    if (*unlike)
        dt_log_line("kernels   %s; the results are the same, at the pace of the slowest", unlike);
    if (run->gpt.kernels->compute == DT_DTYPE_BF16)
        print_compute(run->gpt.kernels);
    if (c->products == DT_PRODUCTS_BLAS)
        dt_log_line("products  by %s, one thread each", run->about.products);
    print_teams(run);
    print_model(run);
    print_corpus(run);
    print_batch(run);
    if (world->size > 1)
        dt_log_line("allreduce %s, in %s", algorithm_name(run), dt_dtype_names[c->gradient_dtype]);
    print_start(run);
    if (run->resumed_from)
        dt_log_line("resume    from %s, after step %" PRId64 "%s%s", run->resumed_from, run->start_step,
                    run->begins_apart ? ", as a run of its own: that is a checkpoint of run " : "",
                    run->begins_apart ? run->about.parent_run_id : "");
    print_warnings(run);
}

json_t *dt_opening_placement_json(const dt_placement *p) {
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:s, s:i, s:i}", "cores", p->host.cores, "hardware_threads",
                     p->host.threads, "packages", p->host.packages, "numa_nodes", p->host.numa_nodes,
                     "usable_cores", p->usable_cores, "limit", dt_placement_limit_name(p->limit),
                     "bound_cores", p->own.cores, "bound_numa_nodes", p->own.numa_nodes);
}

static json_t *run_event(const dt_run *run, json_t *hosts) {
    const dt_config *c = &run->about.config;
    const dt_placement placement = dt_placement_look(run->world, run->workers.threads);
    char hash[17], stamp[32];
    snprintf(hash, sizeof hash, "%016" PRIx64, dt_config_hash(c));
    dt_clock_stamp(stamp, sizeof stamp);
    return json_pack(
        "{s:s, s:i, s:s, s:o, s:s, s:s, s:s, s:s, s:o, s:i, s:i, s:s, s:s, s:O, s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o}",
        "event", "run", "format_version", DT_METRICS_VERSION, "run_id", run->about.run_id, "parent_run_id",
        run->about.parent_run_id[0] ? json_string(run->about.parent_run_id) : json_null(), "time", stamp,
        "version", dt_version(), "git_commit", dt_version_commit(), "config_hash", hash, "seed",
        dt_json_integer(c->seed), "ranks", run->world->size, "threads", run->workers.threads, "allreduce",
        algorithm_name(run), "exchange", algorithm_name(run), /* its old name, for one version more */
        "hosts", hosts, "placement", dt_opening_placement_json(&placement), "kernels", run->gpt.kernels->name,
        "compute_dtype", dt_dtype_names[run->gpt.kernels->compute], "products", run->about.products,
        "parameters", (json_int_t)run->layout.parameters, "corpus_tokens",
        (json_int_t)run->corpus.total.tokens, "corpus_unknown", (json_int_t)run->corpus.total.unknown,
        "start_step", (json_int_t)run->start_step, "init_from",
        c->init_from ? json_string(c->init_from) : json_null(), "config", dt_config_to_json(c));
}

dt_status dt_opening_print(dt_run *run) {
    DT_COLLECTIVE_CALL(run->world);
    json_t *hosts;
    char unlike[DT_MISMATCH_BYTES];
    DT_TRY(dt_mismatch_find(run->world, run->gpt.kernels->name, unlike));
    dt_status status = dt_opening_hosts(run->world, &hosts);
    if (status == DT_OK && run->world->rank == 0) {
        print_lines(run, hosts, unlike);
        if (run->rehearses)
            dt_rehearsal_print(run);
        else
            status = dt_metrics_object(&run->metrics, run_event(run, hosts));
    }
    json_decref(hosts);
    DT_TRY(dt_agree(run->world, status));
    return dt_opening_placement(run->world, run->workers.threads);
}

void dt_opening_idle(const dt_run *run) {
    dt_log_line("nothing to do: the checkpoint is at step %" PRId64 " and training ends at step %" PRId64
                "; raise --%s to go on",
                run->start_step, run->about.config.max_steps,
                dt_settings_length_flag(&run->about.config, run->about.corpus.tokens));
}
