/* `dtrain report RUN ..`: runs as one page for a browser, once or for as long as they train. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/plural.h"
#include "base/units.h"
#include "report/report_output.h"
#include "report/run_names.h"
#include "report/run_page.h"
#include "verb/table.h"
#include "verb/verb.h"

/* How often a page is written anew while its runs train. */
#define RELOAD_SECONDS 30

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

/* One page, or one chart; `*live` becomes whether lines may still come. */
static dt_status write_page(const dt_run_names *names, const dt_verb_flags *flags, const char *path,
                            bool reloads, bool *live, size_t *bytes) {
    dt_run_set set;
    dt_status status = dt_run_set_read(&set, (const char *const *)names->name, names->count);
    *live = status == DT_OK && dt_run_set_is_live(&set);
    if (status == DT_OK && flags->chart)
        status = dt_run_page_write_chart(&set, flags->chart, path, bytes);
    else if (status == DT_OK)
        status = dt_run_page_write(&set, reloads && *live ? RELOAD_SECONDS : 0, path, bytes);
    dt_run_set_free(&set);
    return status;
}

static void tell(const char *path, size_t bytes) {
    if (strcmp(path, "-") != 0)
        dt_log_line("report    %s (%s)", path, dt_units_bytes((double)bytes).text);
}

/* Writes the page until no run trains any more or a signal asks for the end; the last one does not reload
 * itself.
 */
static dt_status follow(const dt_run_names *names, const dt_verb_flags *flags, const char *path) {
    const struct timespec pause = {.tv_sec = RELOAD_SECONDS};
    bool live, stopped = false, told = false;
    size_t bytes;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    do {
        DT_TRY(write_page(names, flags, path, !stopped, &live, &bytes));
        if (!told && live)
            dt_log_line("report    %s, rewritten every %d s until the run ends; Ctrl-C ends it", path,
                        RELOAD_SECONDS);
        told = true;
        if (!live || stopped)
            break;
        stopped = sigtimedwait(&signals, NULL, &pause) > 0;
    } while (true);
    tell(path, bytes);
    return DT_OK;
}

static dt_status report(const dt_run_names *names, const dt_verb_flags *flags) {
    bool live;
    size_t bytes;
    char *path = choose_path(names, flags);
    dt_status status =
        path ? dt_report_output_check("out", path) : dt_fail("out of memory for a file's name");
    if (status == DT_OK && flags->watch && strcmp(path, "-") == 0)
        status = dt_usage("--watch: expected a file that can be rewritten, found --out -; name a file");
    if (status == DT_OK && flags->watch)
        status = follow(names, flags, path);
    else if (status == DT_OK) {
        status = write_page(names, flags, path, false, &live, &bytes);
        if (status == DT_OK)
            tell(path, bytes);
    }
    free(path);
    return status;
}

dt_status dt_verb_report(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    dt_run_names names = {0};
    int count = 0;
    const char **words = dt_memory_alloc(argc + 1, sizeof *words, "the words of the command line");
    if (words == NULL)
        return DT_FAILED;
    dt_log_open(true, false);
    dt_status status = dt_verb_read(verb, NULL, argc, argv, &flags, words, &count);
    if (status == DT_OK && count < 1)
        status = dt_usage(
            "report: expected a run or several, found none; name their folders, or files of metrics");
    if (status == DT_OK)
        status = dt_run_names_find(&names, words, count, DT_RUN_SET_MAX);
    if (status == DT_OK)
        status = report(&names, &flags);
    dt_run_names_free(&names);
    dt_memory_free(words);
    return status;
}
