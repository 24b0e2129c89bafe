/* JSON back to points; what follows from points is study.c's. */
#include "bench/merge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bench/handover.h"
#include "bench/study.h"

/* Studies while they are read: the points of all, and which file each came from. */
typedef struct merger {
    dt_study study;
    dt_config config;
    json_t *largest; /* the study of the most ranks */
    const char *first_file, *origin[DT_STUDY_POINTS];
} merger;

static double number_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static int64_t count_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "unknown";
}

/* The inverse of what study.c writes of a point. */
static dt_study_point read_point(const dt_study *study, const json_t *row) {
    dt_study_point p = {.weak = strcmp(text_of(row, "scaling"), "weak") == 0,
                        .ranks = (int)count_of(row, "ranks"),
                        .batch = count_of(row, "batch"),
                        .share = 1.0};
    if (json_object_get(row, "not_measured")) {
        snprintf(p.reason, sizeof p.reason, "%s", text_of(row, "not_measured"));
        return p;
    }
    p.share = number_of(row, "threads_per_core");
    p.step = (dt_statistics){.count = study->repetitions,
                             .mean = 1e-3 * number_of(row, "step_ms"),
                             .median = 1e-3 * number_of(row, "step_ms_median"),
                             .minimum = 1e-3 * number_of(row, "step_ms_minimum"),
                             .maximum = 1e-3 * number_of(row, "step_ms_maximum"),
                             .half_width = 1e-3 * number_of(row, "step_ms_half_width")};
    p.exchange_seconds = 1e-3 * number_of(row, "comm_ms");
    p.exposed_seconds = 1e-3 * number_of(row, "exposed_ms");
    p.plan.step_seconds = 1e-3 * number_of(row, "predicted_step_ms");
    p.plan.exposed_seconds = 1e-3 * number_of(row, "predicted_exposed_ms");
    p.plan.tokens_per_second = (double)(p.batch * study->config->max_seq_len) / p.plan.step_seconds;
    return p;
}

static bool is_sound(const dt_study_point *p) {
    return p->ranks >= 1 && p->ranks <= DT_RANKS_LARGEST && p->batch >= 1 &&
           (p->reason[0] != 0 || (p->step.mean > 0.0 && p->plan.step_seconds > 0.0));
}

/* Puts a point where it belongs in the order of ranks, or refuses what is there already. */
static dt_status add_point(merger *m, const dt_study_point *added, const char *file) {
    dt_study *s = &m->study;
    int64_t at = s->count;
    for (int64_t i = 0; i < s->count; i++)
        if (s->point[i].weak == added->weak && s->point[i].ranks == added->ranks)
            return dt_usage("--merge: %s and %s both have %s scaling on %d rank%s; leave one of them out",
                            m->origin[i], file, added->weak ? "weak" : "strong", added->ranks,
                            added->ranks == 1 ? "" : "s");
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

/* The first study sets what all must have in common. */
static dt_status check_common(merger *m, const json_t *all, const char *file) {
    dt_config config;
    dt_status status = dt_config_init(&config);
    if (status == DT_OK)
        status = dt_config_from_json(&config, json_object_get(all, "config"), file);
    if (status == DT_OK && m->first_file == NULL) {
        m->first_file = file;
        m->config = config;
        m->study.config = &m->config;
        m->study.parameters = count_of(all, "parameters");
        m->study.repetitions = count_of(all, "repetitions");
        m->study.warmups = count_of(all, "warmups");
        m->study.machine.threads = (int)count_of(all, "threads");
        return DT_OK;
    }
    if (status == DT_OK && (dt_config_hash(&config) != dt_config_hash(&m->config) ||
                            count_of(all, "repetitions") != m->study.repetitions ||
                            count_of(all, "threads") != m->study.machine.threads))
        status = dt_usage(
            "--merge: expected studies of one config, with as many threads and repetitions, found another "
            "in %s than in %s",
            file, m->first_file);
    dt_config_free(&config);
    return status;
}

static void add_hosts(merger *m, const json_t *hosts) {
    size_t i, j;
    json_t *host, *known;
    json_array_foreach(hosts, i, host) {
        bool found = false;
        json_array_foreach(m->study.machine.hosts, j, known) found = found || json_equal(known, host);
        if (!found)
            json_array_append(m->study.machine.hosts, host);
    }
}

static dt_status add_study(merger *m, json_t *all, const char *file) {
    const json_t *points = json_object_get(all, "points");
    json_t *row;
    size_t i;
    if (!json_is_array(points) || !json_is_object(json_object_get(all, "config")))
        return dt_usage(
            "--merge: expected %s to hold a study of dtrain bench --scaling, found something else", file);
    DT_TRY(check_common(m, all, file));
    json_array_foreach(points, i, row) {
        const dt_study_point point = read_point(&m->study, row);
        if (!is_sound(&point))
            return dt_usage(
                "--merge: %s: expected point %zu to have ranks, batch and times, found one without", file,
                i + 1);
        DT_TRY(add_point(m, &point, file));
    }
    add_hosts(m, json_object_get(all, "hosts"));
    if (m->largest && strcmp(text_of(m->largest, "git_commit"), text_of(all, "git_commit")) != 0)
        dt_log_warn("%s was measured with commit %s, others with %s", file, text_of(all, "git_commit"),
                    text_of(m->largest, "git_commit"));
    if (m->largest && strcmp(text_of(m->largest, "processor"), text_of(all, "processor")) != 0)
        dt_log_warn("%s was measured on %s, others on %s", file, text_of(all, "processor"),
                    text_of(m->largest, "processor"));
    if (m->largest == NULL || count_of(all, "ranks") > count_of(m->largest, "ranks")) {
        json_decref(m->largest);
        m->largest = json_incref(all);
    }
    return DT_OK;
}

static dt_status add_file(merger *m, const char *file) {
    json_error_t error;
    json_t *all = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
    if (all == NULL)
        return dt_usage("--merge: cannot read %s as JSON: %s", file, error.text);
    dt_status status = add_study(m, all, file);
    json_decref(all);
    return status;
}

/* The machine of the largest study; its strings live as long as that does. */
static void describe(merger *m) {
    dt_machine *machine = &m->study.machine;
    dt_plan_machine *measured = &m->study.measured;
    const json_t *probe = json_object_get(m->largest, "probe");
    machine->ranks = (int)count_of(m->largest, "ranks");
    machine->host_cores = (int)count_of(m->largest, "cores");
    machine->host_ranks = (int)count_of(m->largest, "host_ranks");
    machine->kernels = text_of(m->largest, "kernels");
    machine->openblas_core = text_of(m->largest, "openblas_core");
    snprintf(machine->processor, sizeof machine->processor, "%s", text_of(m->largest, "processor"));
    snprintf(machine->stamp, sizeof machine->stamp, "%s", text_of(m->largest, "time"));
    measured->link.latency_seconds = 1e-6 * number_of(m->largest, "latency_us");
    measured->link.bandwidth_bytes = number_of(m->largest, "bandwidth_gbps") / 8e-9;
    measured->link_measured = machine->ranks > 1;
    measured->same_host = json_array_size(json_object_get(m->largest, "hosts")) == 1;
    measured->probe.forward_seconds = 1e-3 * number_of(probe, "forward_ms");
    measured->probe.backward_seconds = 1e-3 * number_of(probe, "backward_ms");
    measured->probe.update_seconds = 1e-3 * number_of(probe, "update_ms");
}

dt_status dt_merge_verb(const char *const *files, int count, const char *json, const char *report) {
    merger *m = calloc(1, sizeof *m);
    dt_status status = m ? DT_OK : dt_fail("out of memory for a scaling study");
    if (status == DT_OK && count == 0)
        status = dt_usage(
            "--merge: expected the JSON files of studies, found none; for example: dtrain bench --merge "
            "scaling-*.json --report scaling.html");
    if (status == DT_OK)
        m->study.machine.hosts = json_array();
    for (int i = 0; status == DT_OK && i < count; i++)
        status = add_file(m, files[i]);
    if (status == DT_OK) {
        describe(m);
        status = dt_handover(&m->study, json, report);
    }
    if (m) {
        json_decref(m->largest);
        dt_machine_free(&m->study.machine);
        dt_config_free(&m->config);
    }
    free(m);
    return status;
}
