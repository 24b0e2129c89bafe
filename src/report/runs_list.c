/* Each column is as wide as its longest word; on a terminal options that find no place in a row stand below
 * it. */
#include "report/runs_list.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "base/units.h"
#include "report/option_keys.h"

#define COLUMNS    6
#define CELL_BYTES 128

/* Of options below a row: what they begin with, and how many lines of a terminal they may take. */
#define INDENT      4
#define LINES_BELOW 2

/* A row of words; the differing options follow behind or below. */
typedef struct row {
    char cell[COLUMNS][CELL_BYTES];
} row;

static const row headings = {{"run", "state", "step", "val_loss", "loss", "changed"}};

static double value_or_nan(const json_t *value) {
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static double max_steps(const dt_run_shown *run) {
    return value_or_nan(json_object_get(dt_run_metrics_config(&run->metrics), "max_steps"));
}

static void put_loss(char cell[CELL_BYTES], double loss) {
    if (isfinite(loss))
        snprintf(cell, CELL_BYTES, "%.4f", loss);
    else
        snprintf(cell, CELL_BYTES, "-");
}

/* When the run wrote last; 0 where that is not told. */
static time_t changed(const dt_run_shown *run) {
    struct stat info;
    return stat(run->metrics.path, &info) == 0 ? info.st_mtime : 0;
}

/* "3 min ago", in the largest unit that gives at least 2. */
static void put_age(char cell[CELL_BYTES], double seconds) {
    static const struct {
        double seconds;
        const char *name;
    } units[] = {{86400.0, "d"}, {3600.0, "h"}, {60.0, "min"}, {1.0, "s"}};
    size_t u = 0;
    while (u + 1 < sizeof units / sizeof *units && seconds < 2.0 * units[u].seconds)
        u++;
    snprintf(cell, CELL_BYTES, "%.0f %s ago", fmax(0.0, floor(seconds / units[u].seconds)), units[u].name);
}

static void fill(row *r, const dt_run_shown *run) {
    char state[DT_RUN_STATE_BYTES];
    const double max = max_steps(run);
    snprintf(r->cell[0], CELL_BYTES, "%s", run->metrics.name);
    snprintf(r->cell[1], CELL_BYTES, "%s", dt_run_state_text(run, state));
    if (isfinite(max))
        snprintf(r->cell[2], CELL_BYTES, "%" PRId64 "/%.0f", run->metrics.last_step, max);
    else
        snprintf(r->cell[2], CELL_BYTES, "%" PRId64, run->metrics.last_step);
    put_loss(r->cell[3], run->validation);
    put_loss(r->cell[4], run->train);
    put_age(r->cell[5], difftime(time(NULL), changed(run)));
}

/* The options that are not as in most runs first would need a look at each; they come in the table's order.
 * Below a row, where `columns` is not 0, in lines of so many, the last of which says how many are left out.
 */
static char *options_text(const dt_run_shown *run, const char *const *keys, int count, int columns) {
    char *text = NULL;
    size_t length;
    int used = columns, lines = 0;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL)
        return NULL;
    for (int k = 0; k < count; k++) {
        char *value = dt_option_keys_value(run, keys[k]), more[32] = "";
        const int wide = (int)(strlen(keys[k]) + 3 + (value ? strlen(value) : 1));
        if (lines == LINES_BELOW && k + 1 < count)
            snprintf(more, sizeof more, "  +%d", count - k);
        const bool breaks = columns > 0 && used + wide + (int)strlen(more) > columns;
        if (breaks && lines == LINES_BELOW) {
            fprintf(memory, "  +%d", count - k);
            free(value);
            break;
        }
        if (breaks)
            fprintf(memory, "%s%*s", lines++ > 0 ? "\n" : "", INDENT - 2, "");
        used = wide + (breaks ? INDENT - 2 : used);
        fprintf(memory, "  %s %s", keys[k], value ? value : "-");
        free(value);
    }
    if (fclose(memory) == 0)
        return text;
    free(text);
    return NULL;
}

static void print_row(const row *r, const int width[COLUMNS], const char *behind) {
    dt_log_line("%-*s  %-*s  %*s  %*s  %*s  %*s%s", width[0], r->cell[0], width[1], r->cell[1], width[2],
                r->cell[2], width[3], r->cell[3], width[4], r->cell[4], width[5], r->cell[5],
                behind ? behind : "");
}

/* The longest row with its options behind it. */
static int longest_row(const dt_run_set *set, const int width[COLUMNS], const char *const *keys, int count) {
    size_t longest = 0;
    for (int r = 0; r < set->count; r++) {
        char *options = options_text(&set->run[r], keys, count, 0);
        const size_t length = options ? strlen(options) : 0;
        longest = length > longest ? length : longest;
        free(options);
    }
    int columns = 2 * (COLUMNS - 1);
    for (int c = 0; c < COLUMNS; c++)
        columns += width[c];
    return columns + (int)longest;
}

void dt_runs_list_print(const dt_run_set *set) {
    const char *keys[DT_OPTION_KEYS_MAX];
    const int count = dt_option_keys_find(set, keys);
    int width[COLUMNS];
    row *rows = calloc((size_t)set->count, sizeof *rows);
    if (rows == NULL)
        return;
    for (int c = 0; c < COLUMNS; c++)
        width[c] = (int)strlen(headings.cell[c]);
    for (int r = 0; r < set->count; r++) {
        fill(&rows[r], &set->run[r]);
        for (int c = 0; c < COLUMNS; c++)
            width[c] = (int)fmax(width[c], (double)strlen(rows[r].cell[c]));
    }
    const int columns = dt_log_columns();
    const bool below = columns > 0 && count > 0 && longest_row(set, width, keys, count) > columns;
    print_row(&headings, width, count == 0 ? "" : below ? "" : "  differing options");
    for (int r = 0; r < set->count; r++) {
        char *options = options_text(&set->run[r], keys, count, below ? columns : 0);
        print_row(&rows[r], width, below ? "" : options);
        if (below && options)
            dt_log_block(options);
        free(options);
    }
    if (set->texts_differ)
        dt_log_note(
            "these runs are not all evaluated on one text (data, validation_data, train_ratio, or the "
            "text's length): losses on one say nothing beside those on another");
    for (int r = 0; r < set->count; r++)
        if (dt_run_failure(&set->run[r]))
            dt_log_line("%s failed: %s", rows[r].cell[0], dt_run_failure(&set->run[r]));
    free(rows);
}

static json_t *number_or_null(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *run_json(const dt_run_shown *run, const char *const *keys, int count) {
    static const char *const states[] = {[DT_RUN_RUNNING] = "running",
                                         [DT_RUN_FINISHED] = "finished",
                                         [DT_RUN_STOPPED] = "stopped",
                                         [DT_RUN_FAILED] = "failed",
                                         [DT_RUN_CUT] = "unfinished"};
    const json_t *config = dt_run_metrics_config(&run->metrics);
    const json_t *cause = json_object_get(dt_run_metrics_end(&run->metrics), "cause");
    const double max = max_steps(run);
    const time_t when = changed(run);
    struct tm utc;
    char stamp[32] = "";
    json_t *options = json_object();
    if (gmtime_r(&when, &utc) != NULL)
        (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    for (int k = 0; k < count; k++)
        if (json_object_get(config, keys[k]) != NULL)
            (void)json_object_set(options, keys[k], json_object_get(config, keys[k]));
    return json_pack("{s:s, s:s, s:O?, s:I, s:o, s:o, s:o, s:o, s:s, s:o}", "path", run->metrics.name,
                     "state", states[run->state], "cause",
                     run->state == DT_RUN_STOPPED || run->state == DT_RUN_FAILED ? (json_t *)cause : NULL,
                     "step", (json_int_t)run->metrics.last_step, "max_steps",
                     isfinite(max) ? json_integer((json_int_t)max) : json_null(), "val_loss",
                     number_or_null(run->validation), "val_loss_step",
                     run->best_step >= 0 ? json_integer((json_int_t)run->best_step) : json_null(), "loss",
                     number_or_null(run->train), "changed", stamp, "options", options);
}

json_t *dt_runs_list_json(const dt_run_set *set) {
    const char *keys[DT_OPTION_KEYS_MAX];
    const int count = dt_option_keys_find(set, keys);
    json_t *list = json_array();
    for (int r = 0; r < set->count; r++)
        if (json_array_append_new(list, run_json(&set->run[r], keys, count)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}
