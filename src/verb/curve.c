/* `dtrain curve RUN ..`: the losses of runs, drawn in the terminal, for those who sit on a login node. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "report/curve.h"
#include "report/run_names.h"
#include "verb/verb.h"

#define COLUMNS     80
#define ROWS        22
#define SIZE_LIMIT  1000
#define ROWS_BESIDE 2 /* of a terminal: the command that was typed, and the prompt that follows */

/* By the environment, as the C library chooses the set of characters. */
static bool has_unicode(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *locale = getenv(names[i]);
        if (locale != NULL && *locale != 0)
            return strcasestr(locale, "utf-8") != NULL || strcasestr(locale, "utf8") != NULL;
    }
    return false;
}

/* Of the terminal, where it says so and has enough. */
static dt_status choose_size(const dt_verb_flags *flags, dt_curve_options *options) {
    struct winsize size;
    int64_t width, height;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        if (size.ws_col >= DT_CURVE_COLUMNS)
            options->columns = size.ws_col < SIZE_LIMIT ? size.ws_col : SIZE_LIMIT;
        if (size.ws_row >= DT_CURVE_ROWS + ROWS_BESIDE && size.ws_row < ROWS + ROWS_BESIDE)
            options->rows = size.ws_row - ROWS_BESIDE;
    }
    if (flags->width) {
        DT_TRY(dt_verb_count_within(DT_CURVE_COLUMNS, SIZE_LIMIT, "width", flags->width, &width));
        options->columns = (int)width;
    }
    if (flags->height) {
        DT_TRY(dt_verb_count_within(DT_CURVE_ROWS, SIZE_LIMIT, "height", flags->height, &height));
        options->rows = (int)height;
    }
    return DT_OK;
}

/* Reads the runs; of several, those that have no loss yet are left out. `*read` is how many there are to
 * free. */
static dt_status read_runs(const dt_run_names *names, dt_run_metrics *runs, int *read) {
    for (int r = 0; r < names->count; r++) {
        DT_TRY(dt_run_metrics_read(&runs[(*read)++], names->name[r]));
        const dt_status status = dt_run_metrics_expect_losses(&runs[*read - 1]);
        if (status != DT_OK && (names->count == 1 || (r + 1 == names->count && *read == 1)))
            return status;
        if (status != DT_OK)
            dt_run_metrics_free(&runs[--*read]);
    }
    return DT_OK;
}

static dt_status draw(const dt_run_names *names, const dt_curve_options *options) {
    dt_run_metrics runs[DT_CURVE_RUNS] = {{0}};
    char *text = NULL;
    size_t length;
    int count = 0;
    dt_status status = read_runs(names, runs, &count);
    FILE *memory = status == DT_OK ? open_memstream(&text, &length) : NULL;
    if (status == DT_OK && memory == NULL)
        status = dt_fail("out of memory for the curve");
    if (status == DT_OK)
        status = dt_curve_draw(runs, count, options, memory);
    if (memory != NULL && fclose(memory) != 0 && status == DT_OK)
        status = dt_fail("out of memory for the curve");
    if (status == DT_OK) {
        text[length - 1] = 0; /* the block brings its last newline along */
        dt_log_block(text);
        status = dt_verb_printed("the curve");
    }
    free(text);
    for (int r = 0; r < count; r++)
        dt_run_metrics_free(&runs[r]);
    return status;
}

dt_status dt_verb_curve(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    dt_curve_options options = {COLUMNS, ROWS, has_unicode()};
    dt_run_names names = {0};
    const char **words;
    int count;
    dt_log_open(true, false);
    dt_status status = dt_verb_words(verb, argc, argv, &flags, &words, &count);
    if (status == DT_OK && count < 1)
        status =
            dt_usage("curve: expected 1 to %d runs, found none; name a run's folder, its metrics.jsonl or a "
                     "folder of runs",
                     DT_CURVE_RUNS);
    if (status == DT_OK)
        status = choose_size(&flags, &options);
    options.unicode = options.unicode && flags.ascii == NULL;
    if (status == DT_OK)
        status = dt_run_names_find(&names, words, count, DT_CURVE_RUNS);
    dt_run_names_tell(&names);
    if (status == DT_OK)
        status = draw(&names, &options);
    dt_run_names_free(&names);
    free(words);
    return status;
}
