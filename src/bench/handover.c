/* In the order in which a person reads them. */
#include "bench/handover.h"

#include <string.h>

#include "base/log.h"
#include "bench/output.h"
#include "bench/page.h"

dt_status dt_handover_check(const char *json, const char *report) {
    if (json && report && strcmp(json, report) == 0)
        return dt_usage("--json and --report: expected two files, found %s for both", json);
    DT_TRY(dt_output_check("json", json));
    return dt_output_check("report", report);
}

dt_status dt_handover(dt_study *study, const char *json, const char *report) {
    dt_log_settle();
    dt_study_derive(study);
    dt_study_print(study);
    if (json) {
        DT_TRY(dt_output_json(json, dt_study_json(study), 0));
        dt_log_line("numbers   %s", json);
    }
    if (report) {
        DT_TRY(dt_page_write(study, report));
        dt_log_line("report    %s", report);
    }
    return DT_OK;
}
