/* `dtrain runs [FOLDER]`: which runs there are, and how far each is. */
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "report/report_output.h"
#include "report/run_names.h"
#include "report/runs_list.h"
#include "verb/verb.h"

/* Folders below the one that is named: RUNS/PROJECT/SWEEP/RUN. */
#define DEPTH 4

static dt_status show(const dt_run_names *names, const char *json) {
    dt_run_set set = {0};
    dt_status status = DT_OK;
    if (names->count > 0)
        status = dt_run_set_read(&set, (const char *const *)names->name, names->count, true);
    if (status == DT_OK && json)
        status = dt_report_output_json(json, dt_runs_list_json(&set), 0);
    else if (status == DT_OK) {
        dt_runs_list_print(&set);
        status = dt_verb_printed("the runs");
    }
    dt_run_set_free(&set);
    return status;
}

static dt_status list(const char *folder, const char *json) {
    dt_run_names names;
    bool cut;
    if (!dt_file_is_folder(folder))
        return dt_usage("runs: expected a folder, found %s %s; name one that holds runs",
                        dt_file_is_there(folder) ? "the file" : "nothing at", folder);
    dt_status status = dt_run_names_search(&names, folder, DEPTH, DT_RUN_SET_MAX, &cut);
    if (status == DT_OK && names.count == 0 && json == NULL)
        dt_log_note("no runs in %s and %d levels of folders below it: a run's folder holds a metrics.jsonl",
                    folder, DEPTH);
    else if (status == DT_OK)
        status = show(&names, json);
    if (status == DT_OK)
        dt_run_names_tell(&names);
    if (status == DT_OK && cut)
        dt_log_warn("there are more than %d runs; these are the first by name: name a folder below %s",
                    DT_RUN_SET_MAX, folder);
    dt_run_names_free(&names);
    return status;
}

dt_status dt_verb_runs(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    const char **words;
    int count;
    dt_log_open(true, dt_log_find_terminal());
    dt_status status = dt_verb_words(verb, argc, argv, &flags, &words, &count);
    if (status == DT_OK && count > 1)
        status = dt_usage("runs: expected one folder, found \"%s\" and \"%s\"; name the one that holds them",
                          words[0], words[1]);
    if (status == DT_OK)
        status = dt_report_output_check("json", flags.json, DT_REPORT_RUNS);
    if (status == DT_OK)
        status = list(count == 1 ? words[0] : ".", flags.json);
    free(words);
    return status;
}
