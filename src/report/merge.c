/* JSON back to points by reader.c's rules; what follows from points is study.c's. */
#include "report/merge.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/plural.h"
#include "report/report_output.h"
#include "report/study_output.h"
#include "report/reader.h"
#include "bench/study.h"
#include "config/json.h"

/* More than a study of as many points and hosts as there can be. */
#define FILE_BYTES_MAX ((int64_t)16 << 20)

/* Studies while they are read: the points of all, and which file each came from. What is known of the machine
 * is the largest one's, whose JSON holds the texts. */
typedef struct merger {
    dt_study study;
    dt_config config;
    json_t *largest;
    json_t *hosts; /* of all, as keys */
    const char *first_file, *largest_file, *origin[DT_STUDY_POINTS];
} merger;

/* What a file says beside its points, as in dt_study. */
typedef struct heading {
    dt_config config;
    const json_t *other_hosts;
    int64_t parameters, repetitions, warmups;
    dt_machine machine;
    dt_plan_machine measured;
} heading;

static bool read_weak(dt_reader *r) {
    const char *kind = dt_reader_text(r, "scaling", sizeof "strong");
    if (strcmp(kind, "strong") != 0 && strcmp(kind, "weak") != 0)
        dt_reader_refuse(r, "scaling", "\"strong\" or \"weak\"");
    return strcmp(kind, "weak") == 0;
}

static double read_seconds(dt_reader *r, const char *key_ms) {
    return 1e-3 * dt_reader_number(r, key_ms);
}

/* The inverse of what study.c writes of a point. */
static dt_study_point read_point(dt_reader *r, const dt_study *study, int job_ranks) {
    dt_study_point p = {.weak = read_weak(r),
                        .ranks = (int)dt_reader_count(r, "ranks", 1, job_ranks),
                        .threads_per_core = 1.0};
    p.batch = study->config->batch_size * (p.weak ? p.ranks : 1);
    dt_reader_count(r, "batch", p.batch, p.batch);
    if (json_object_get(r->object, "not_measured")) {
        snprintf(p.reason, sizeof p.reason, "%s", dt_reader_text(r, "not_measured", sizeof p.reason));
        return p;
    }
    p.threads_per_core = dt_reader_positive(r, "threads_per_core");
    p.step = (dt_statistics){.count = study->repetitions,
                             .mean = 1e-3 * dt_reader_positive(r, "step_ms"),
                             .median = read_seconds(r, "step_ms_median"),
                             .minimum = read_seconds(r, "step_ms_minimum"),
                             .maximum = read_seconds(r, "step_ms_maximum"),
                             .half_width = read_seconds(r, "step_ms_half_width")};
    p.allreduce_seconds = read_seconds(r, "comm_ms");
    p.exposed_seconds = read_seconds(r, "exposed_ms");
    p.plan.step_seconds = 1e-3 * dt_reader_positive(r, "predicted_step_ms");
    p.plan.exposed_seconds = read_seconds(r, "predicted_exposed_ms");
    p.plan.tokens_per_second = (double)p.batch * (double)study->config->max_seq_len / p.plan.step_seconds;
    return p;
}

/* Names, each of which a host can have. */
static const json_t *read_hosts(dt_reader *r, const char *key) {
    const json_t *hosts = dt_reader_list(r, key, DT_RANKS_LARGEST);
    for (size_t i = 0; i < json_array_size(hosts); i++) {
        const size_t length = json_string_length(json_array_get(hosts, i));
        if (length == 0 || length >= DT_HOST_BYTES)
            dt_reader_refuse(r, key, "a list of names");
    }
    return hosts;
}

/* The machine's texts and hosts are borrowed from the JSON. */
static void read_machine(dt_reader *r, dt_machine *m) {
    m->ranks = (int)dt_reader_count(r, "ranks", 1, DT_RANKS_LARGEST);
    m->threads = (int)dt_reader_count(r, "threads", 1, INT_MAX);
    m->host_ranks = (int)dt_reader_count(r, "host_ranks", 1, m->ranks);
    m->host_cores = (int)dt_reader_count(r, "cores", 1, INT_MAX);
    m->version = dt_reader_text(r, "version", sizeof m->processor);
    m->commit = dt_reader_text(r, "git_commit", sizeof m->processor);
    m->kernels = dt_reader_text(r, "kernels", sizeof m->processor);
    snprintf(m->processor, sizeof m->processor, "%s", dt_reader_text(r, "processor", sizeof m->processor));
    snprintf(m->stamp, sizeof m->stamp, "%s", dt_reader_text(r, "time", sizeof m->stamp));
    m->hosts = (json_t *)read_hosts(r, "hosts");
    if (json_array_size(m->hosts) > (size_t)m->ranks)
        dt_reader_refuse(r, "hosts", "no more hosts than ranks");
}

/* A study of one rank has a link too, an assumed one. */
static void read_measured(dt_reader *r, dt_plan_machine *measured, int ranks) {
    measured->link.latency_seconds = 1e-6 * dt_reader_number(r, "latency_us");
    measured->link.bandwidth_bytes = dt_reader_positive(r, "bandwidth_gbps") / 8e-9;
    measured->link_measured = ranks > 1;
    measured->same_host = json_array_size(json_object_get(r->object, "hosts")) == 1;
    dt_reader probe = dt_reader_enter(r, "probe");
    measured->probe.forward_seconds = read_seconds(&probe, "forward_ms");
    measured->probe.backward_seconds = read_seconds(&probe, "backward_ms");
    measured->probe.update_seconds = read_seconds(&probe, "update_ms");
    r->status = probe.status;
}

/* To be freed by dt_config_free also on failure. */
static dt_status read_heading(dt_reader *r, heading *h) {
    char where[512];
    *h = (heading){0};
    DT_TRY(dt_config_init(&h->config));
    snprintf(where, sizeof where, "--merge: %.400s: config", r->file);
    DT_TRY(dt_config_from_json(&h->config, json_object_get(r->object, "config"), where));
    h->parameters = dt_reader_count(r, "parameters", 1, INT64_MAX);
    h->repetitions = dt_reader_count(r, "repetitions", 2, DT_REPETITIONS_LARGEST);
    h->warmups = dt_reader_count(r, "warmups", 0, DT_REPETITIONS_LARGEST);
    read_machine(r, &h->machine);
    if (json_object_get(r->object, "other_hosts"))
        h->other_hosts = read_hosts(r, "other_hosts");
    read_measured(r, &h->measured, h->machine.ranks);
    return r->status;
}

/* Puts a point where it belongs in the order of ranks, or refuses what is there already. */
static dt_status add_point(merger *m, const dt_study_point *added, const char *file) {
    dt_study *s = &m->study;
    int64_t at = s->count;
    for (int64_t i = 0; i < s->count; i++)
        if (s->point[i].weak == added->weak && s->point[i].ranks == added->ranks)
            return dt_usage("--merge: %s and %s both have %s scaling on %d rank%s; leave one of them out",
                            m->origin[i], file, added->weak ? "weak" : "strong", added->ranks,
                            dt_plural_s(added->ranks));
    if (s->count == DT_STUDY_POINTS)
        return dt_usage("--merge: expected at most %d points in all, found more in %s", (int)DT_STUDY_POINTS,
                        file);
    for (; at > 0 && (s->point[at - 1].weak > added->weak ||
                      (s->point[at - 1].weak == added->weak && s->point[at - 1].ranks > added->ranks));
         at--) {
        s->point[at] = s->point[at - 1];
        m->origin[at] = m->origin[at - 1];
    }
    s->point[at] = *added;
    m->origin[at] = file;
    s->count++;
    return DT_OK;
}

/* The first study sets what all must have in common; it takes over the config. */
static dt_status check_common(merger *m, heading *h, const char *file) {
    if (m->first_file == NULL) {
        m->first_file = file;
        m->config = h->config;
        h->config = (dt_config){0};
        m->study.config = &m->config;
        m->study.parameters = h->parameters;
        m->study.repetitions = h->repetitions;
        m->study.warmups = h->warmups;
        return DT_OK;
    }
    if (dt_config_hash(&h->config) != dt_config_hash(&m->config) || h->repetitions != m->study.repetitions ||
        h->parameters != m->study.parameters || h->warmups != m->study.warmups ||
        h->machine.threads != m->study.machine.threads)
        return dt_usage(
            "--merge: expected studies of one config, with as many parameters, threads, warm-up steps and "
            "repetitions, found another in %s than in %s",
            file, m->first_file);
    return DT_OK;
}

static void add_hosts(merger *m, const json_t *hosts) {
    size_t i;
    json_t *host;
    json_array_foreach(hosts, i, host) {
        json_object_set_new(m->hosts, json_string_value(host), json_null());
    }
}

/* Warns where two studies do not say the same of what they ran on: their times then differ for that, too. */
static void compare_machines(const merger *m, const dt_machine *added, const char *file) {
    const dt_machine *kept = &m->study.machine;
    const struct {
        const char *name, *added, *kept;
    } texts[] = {{"dtrain", added->version, kept->version},
                 {"commit", added->commit, kept->commit},
                 {"processor", added->processor, kept->processor},
                 {"kernels", added->kernels, kept->kernels}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].added, texts[i].kept) != 0)
            dt_log_warn("%s was measured with %s %s, %s with %s", file, texts[i].name, texts[i].added,
                        m->largest_file, texts[i].kept);
    if (added->host_cores != kept->host_cores)
        dt_log_warn("%s was measured on hosts of %d core%s, %s on hosts of %d", file, added->host_cores,
                    dt_plural_s(added->host_cores), m->largest_file, kept->host_cores);
}

/* Keeps what is said of the machine of the study of the most ranks. */
static void add_machine(merger *m, json_t *all, const heading *h, const char *file) {
    dt_machine *kept = &m->study.machine;
    if (m->largest)
        compare_machines(m, &h->machine, file);
    if (m->largest == NULL || h->machine.ranks > kept->ranks) {
        json_decref(m->largest);
        json_decref(kept->hosts);
        m->largest = json_incref(all);
        m->largest_file = file;
        m->study.measured = h->measured;
        *kept = h->machine;
        json_incref(kept->hosts);
    }
    add_hosts(m, h->machine.hosts);
    add_hosts(m, h->other_hosts);
}

/* Hosts that ran none but smaller jobs than the largest. */
static void list_other_hosts(merger *m) {
    const char *host;
    size_t i;
    json_t *name;
    json_array_foreach(m->study.machine.hosts, i, name) {
        json_object_del(m->hosts, json_string_value(name));
    }
    m->study.other_hosts = json_array();
    json_object_foreach(m->hosts, host, name) {
        json_array_append_new(m->study.other_hosts, json_string(host));
    }
}

static dt_status add_points(merger *m, dt_reader *r, int job_ranks) {
    const json_t *points = dt_reader_list(r, "points", DT_STUDY_POINTS);
    for (size_t i = 0; i < json_array_size(points); i++) {
        dt_reader row = {.object = json_array_get(points, i), .file = r->file};
        snprintf(row.where, sizeof row.where, "point %zu: ", i + 1);
        const dt_study_point point = read_point(&row, &m->study, job_ranks);
        DT_TRY(row.status);
        DT_TRY(add_point(m, &point, r->file));
    }
    return r->status;
}

static dt_status add_study(merger *m, json_t *all, const char *file) {
    dt_reader reader = {.object = all, .file = file};
    heading h;
    if (!json_is_array(json_object_get(all, "points")) || !json_is_object(json_object_get(all, "config")))
        return dt_usage(
            "--merge: expected %s to hold a study of dtrain bench --scaling, found something else", file);
    dt_status status = read_heading(&reader, &h);
    if (status == DT_OK)
        status = check_common(m, &h, file);
    if (status == DT_OK)
        status = add_points(m, &reader, h.machine.ranks);
    if (status == DT_OK)
        add_machine(m, all, &h, file);
    dt_config_free(&h.config);
    return status;
}

static dt_status add_file(merger *m, const char *file) {
    json_t *all;
    char *bytes = NULL;
    size_t length = 0;
    const bool input = strcmp(file, "-") == 0;
    if ((input ? dt_file_read : dt_file_read_regular)(file, FILE_BYTES_MAX, &bytes, &length) != DT_OK)
        return dt_usage("--merge: %s; name the JSON files of studies", dt_error());
    dt_status status = dt_json_parse(bytes, length, &all);
    free(bytes);
    if (status != DT_OK)
        return dt_usage("--merge: cannot use %s: %s", file, dt_error());
    status = add_study(m, all, input ? "standard input" : file);
    json_decref(all);
    return status;
}

dt_status dt_merge_verb(const char *const *files, int count, const char *json, const char *report) {
    merger *m = calloc(1, sizeof *m);
    dt_status status = m ? DT_OK : dt_fail("out of memory for a scaling study");
    if (status == DT_OK && count == 0)
        status = dt_usage(
            "--merge: expected the JSON files of studies, found none; for example: dtrain bench --merge "
            "scaling-123-*.json --report scaling.html");
    if (status == DT_OK)
        status = dt_report_output_check_both(json, DT_REPORT_STUDY, report);
    if (status == DT_OK)
        m->hosts = json_object();
    for (int i = 0; status == DT_OK && i < count; i++)
        status = add_file(m, files[i]);
    if (status == DT_OK) {
        list_other_hosts(m);
        status = dt_study_output(&m->study, json, report);
    }
    if (m) {
        json_decref(m->largest);
        json_decref(m->hosts);
        json_decref(m->study.other_hosts);
        dt_machine_free(&m->study.machine);
        dt_config_free(&m->config);
    }
    free(m);
    return status;
}
