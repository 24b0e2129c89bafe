/* In the order in which a person reads them. */
#include "bench/handover.h"

#include "base/log.h"
#include "bench/page.h"

static dt_status write_json(const dt_study *study, const char *path) {
    json_t *all = dt_study_json(study);
    const bool written = all != NULL && json_dump_file(all, path, JSON_INDENT(2)) == 0;
    json_decref(all);
    return written ? DT_OK : dt_fail("cannot write the study to %s; check that there is room", path);
}

dt_status dt_handover(dt_study *study, const char *json, const char *report) {
    dt_log_settle();
    dt_study_derive(study);
    dt_study_print(study);
    if (json) {
        DT_TRY(write_json(study, json));
        dt_log_line("numbers   %s", json);
    }
    if (report) {
        DT_TRY(dt_page_write(study, report));
        dt_log_line("report    %s", report);
    }
    return DT_OK;
}
