/* `dtrain report RUN ..`: runs as one page for a browser, once or for as long as they train. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/plural.h"
#include "base/units.h"
#include "report/report_output.h"
#include "report/run_names.h"
#include "report/run_page.h"
#include "verb/verb.h"

/* How often a page is written anew while its runs train. */
#define RELOAD_SECONDS 30

/* What the command line asks for. */
typedef struct order {
    const char *const *words; /* [count], runs or folders of runs */
    int count;
    const dt_verb_flags *flags;
    char *path; /* of the page or chart */
} order;

/* What a page was made of. */
typedef struct outcome {
    bool live; /* lines may still come */
    size_t bytes;
} outcome;

/* Where a page or a chart goes that is given no file: beside the metrics of its one run, or here. A new
 * string. */
static char *choose_path(const dt_run_names *names, const dt_verb_flags *flags) {
    const char *name = flags->chart ? flags->chart : "report", *ending = flags->chart ? "svg" : "html";
    char *path;
    if (flags->out != NULL)
        return strdup(flags->out);
    const bool beside = names->count == 1 && dt_file_is_folder(names->name[0]);
    if (asprintf(&path, "%s%s%s.%s", beside ? names->name[0] : "", beside ? "/" : "", name, ending) < 0)
        path = NULL;
    return path;
}

static dt_status write_runs(const order *o, const dt_run_names *names, bool reloads, outcome *made) {
    dt_run_set set;
    dt_status status = dt_run_set_read(&set, (const char *const *)names->name, names->count, false);
    if (status == DT_OK)
        status = dt_run_set_expect_lines(&set);
    made->live = status == DT_OK && dt_run_set_is_live(&set);
    if (status == DT_OK && o->flags->chart)
        status = dt_run_page_write_chart(&set, o->flags->chart, o->path, &made->bytes);
    else if (status == DT_OK)
        status = dt_run_page_write(&set, reloads && made->live ? RELOAD_SECONDS : 0, o->path, &made->bytes);
    dt_run_set_free(&set);
    return status;
}

/* One page, or one chart, of the runs that are there now: those of a sweep do not all begin at once. */
static dt_status write_page(const order *o, bool reloads, outcome *made) {
    dt_run_names names;
    dt_status status = dt_run_names_find(&names, o->words, o->count, DT_RUN_SET_MAX);
    if (status == DT_OK)
        status = write_runs(o, &names, reloads, made);
    dt_run_names_free(&names);
    return status;
}

static void tell(const order *o, const outcome *made) {
    if (strcmp(o->path, "-") != 0)
        dt_log_line("report    %s (%s)", o->path, dt_units_bytes((double)made->bytes).text);
}

/* Writes the page until no run trains any more or a signal asks for the end; the last one does not reload
 * itself.
 */
static dt_status follow(const order *o) {
    const struct timespec pause = {.tv_sec = RELOAD_SECONDS};
    outcome made;
    bool stopped = false, told = false;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    do {
        DT_TRY(write_page(o, !stopped, &made));
        if (!told && made.live)
            dt_log_line("report    %s, rewritten every %d s until the run ends; Ctrl-C ends it", o->path,
                        RELOAD_SECONDS);
        told = true;
        if (!made.live || stopped)
            break;
        stopped = sigtimedwait(&signals, NULL, &pause) > 0;
    } while (true);
    tell(o, &made);
    return DT_OK;
}

static dt_status carry_out(const order *o) {
    outcome made;
    DT_TRY(dt_report_output_check("out", o->path, o->flags->chart ? DT_REPORT_PICTURE : DT_REPORT_PAGE));
    if (o->flags->watch && strcmp(o->path, "-") == 0)
        return dt_usage("--watch: expected a file that can be rewritten, found --out -; name a file");
    if (o->flags->watch)
        return follow(o);
    DT_TRY(write_page(o, false, &made));
    tell(o, &made);
    return DT_OK;
}

static dt_status report(const char *const *words, int count, const dt_verb_flags *flags) {
    dt_run_names names;
    order o = {words, count, flags, NULL};
    dt_status status = dt_run_names_find(&names, words, count, DT_RUN_SET_MAX);
    dt_run_names_tell(&names);
    if (status == DT_OK) {
        o.path = choose_path(&names, flags);
        status = o.path ? carry_out(&o) : dt_fail("out of memory for a file's name");
    }
    dt_run_names_free(&names);
    free(o.path);
    return status;
}

dt_status dt_verb_report(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    const char **words;
    int count;
    dt_log_open(true, false);
    dt_status status = dt_verb_words(verb, argc, argv, &flags, &words, &count);
    if (status == DT_OK && count < 1)
        status = dt_usage(
            "report: expected a run or several, found none; name a run's folder, its metrics.jsonl or a folder of runs");
    if (status == DT_OK)
        status = report(words, count, &flags);
    free(words);
    return status;
}
