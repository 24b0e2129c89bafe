/* Sentences and units; the numbers come from elsewhere. */
#include "train/console.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/plural.h"
#include "base/quote.h"
#include "base/units.h"
#include "train/settings.h"
#include "train/stop.h"

#define LINE_BYTES 256

/* As often as an eye follows. */
#define REDRAWN_SECONDS 0.1

/* A bar takes what is left of the line, within these; with less there is none. */
#define BAR_MIN   10
#define BAR_MAX   40
#define BAR_SIDES 4 /* brackets and spaces */

/* Columns of a terminal that does not say how many it has. */
#define COLUMNS 80

/* Puts `piece` behind `line` where it fits: a terminal does not break what is of less worth. */
static void add(char line[LINE_BYTES], int columns, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(char line[LINE_BYTES], int columns, const char *format, ...) {
    char piece[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    const size_t length = strlen(line) + strlen(piece);
    if (length < LINE_BYTES && (columns == 0 || (int)length < columns))
        strcat(line, piece);
}

/* "step   40/2000", as wide at each step. */
static void add_step(char line[LINE_BYTES], int columns, int64_t step, int64_t max_steps) {
    char max[24];
    const int width = snprintf(max, sizeof max, "%" PRId64, max_steps);
    add(line, columns, "step %*" PRId64 "/%s", width, step, max);
}

/* The most telling first, since a narrow terminal has no space for the last. Times are means over the steps
 * since the line before. */
static void print_line(dt_console *console, const dt_run *run, const dt_step_result *result) {
    const dt_config *c = &run->about.config;
    const double tokens = (double)(c->batch_size * c->max_seq_len);
    const double seconds =
        (console->step_seconds - console->told_seconds) / (double)(console->steps - console->told_steps);
    const int columns = dt_log_columns();
    char line[LINE_BYTES] = "";
    add_step(line, columns, run->state.step, c->max_steps);
    add(line, columns, "  loss %.4f", result->loss);
    add(line, columns, "  lr %.2e", result->learning_rate);
    add(line, columns, "  grad_norm %.3f", result->grad_norm);
    add(line, columns, "  %s/step", dt_units_seconds(seconds).text);
    add(line, columns, "  %s tokens/s", dt_units_count(tokens / seconds).text);
    add(line, columns, "  MFU %.1f %%", 100.0 * dt_utilisation_fraction(&run->utilisation, seconds));
    add(line, columns, "  %s tokens", dt_units_count(tokens * (double)run->state.step).text);
    dt_log_line("%s", line);
    console->told_steps = console->steps;
    console->told_seconds = console->step_seconds;
}

/* How far the run is: the bar has the space that the words leave. */
static void redraw(dt_console *console, const dt_run *run, const dt_step_result *result) {
    const dt_config *c = &run->about.config;
    const int64_t step = run->state.step;
    const double now = dt_clock_seconds(), tokens = (double)(c->batch_size * c->max_seq_len);
    /* A line that was just printed has wiped it. */
    if (now - console->redrawn_seconds < REDRAWN_SECONDS && step < c->max_steps)
        return;
    console->redrawn_seconds = now;
    const double left =
        (now - console->start_seconds) / (double)console->steps * (double)(c->max_steps - step);
    const double done = (double)step / (double)c->max_steps;
    const int columns = dt_log_columns() > 0 ? dt_log_columns() : COLUMNS;
    char words[LINE_BYTES] = "", bar[BAR_MAX + 1];
    add(words, columns, "%3.0f %%  ", 100.0 * done);
    const size_t offset = strlen(words);
    add_step(words, columns, step, c->max_steps);
    add(words, columns, "  %s left", dt_units_clock(left).text);
    /* A bar says more than what the lines above say too. */
    add(words, columns - BAR_SIDES - BAR_MIN, "  loss %.4f", result->loss);
    add(words, columns - BAR_SIDES - BAR_MIN, "  %s tokens/s",
        dt_units_count(tokens * (double)console->steps / console->step_seconds).text);
    const int spare = columns - 1 - (int)strlen(words) - BAR_SIDES;
    const int bar_width = spare < BAR_MAX ? spare : BAR_MAX;
    if (bar_width < BAR_MIN) {
        dt_log_redraw("%s", words);
        return;
    }
    const int full = (int)(done * bar_width);
    memset(bar, '#', (size_t)full);
    memset(bar + full, '.', (size_t)(bar_width - full));
    bar[bar_width] = 0;
    dt_log_redraw("%.*s[%s]  %s", (int)offset, words, bar, words + offset);
}

void dt_console_step(dt_console *console, const dt_run *run, const dt_step_result *result) {
    const dt_config *c = &run->about.config;
    const int64_t step = run->state.step;
    console->steps++;
    console->step_seconds += result->step_seconds;
    console->loss = result->loss;
    console->nonfinite_in_a_row = result->nonfinite_in_a_row;
    console->skipped += result->outcome == DT_STEP_SKIPPED;
    const bool is_last = step == c->max_steps || result->stop;
    if (is_last)
        dt_log_clear();
    if (step % dt_settings_log_cadence(c) == 0 || console->steps == 1 || is_last) {
        print_line(console, run, result);
        console->redrawn_seconds = 0.0;
    }
    if (dt_log_redraws() && !is_last)
        redraw(console, run, result);
}

bool dt_console_is_doubtful(const dt_console *console, const dt_run *run) {
    return console->nonfinite_in_a_row > 0 || run->validation.nonfinite_in_a_row > 0;
}

/* Where to go on, if that is a good idea. */
static void print_checkpoint(const dt_console *console, const dt_run *run, const char *saved, bool stopped) {
    if (dt_console_is_doubtful(console, run)) {
        dt_log_warn(
            "checkpoint %s holds weights with which the last loss was not finite; go on from an earlier "
            "one",
            saved);
        return;
    }
    char *word = dt_quote(saved);
    if (word)
        dt_log_line("checkpoint %s; to go on: the same command with --resume %s%s%s%s", saved, word,
                    stopped ? "" : " --",
                    stopped ? "" : dt_settings_length_flag(&run->about.config, run->about.corpus.tokens),
                    stopped ? "" : " N");
    free(word);
}

void dt_console_closing(const dt_console *console, const dt_run *run, int stopped) {
    const dt_config *c = &run->about.config;
    const double tokens = (double)console->steps * (double)(c->batch_size * c->max_seq_len);
    dt_log_clear();
    char end[DT_STOP_NAME_BYTES + 16] = "done", name[DT_STOP_NAME_BYTES];
    if (stopped)
        snprintf(end, sizeof end, "stopped by %s", dt_stop_name(stopped, name));
    if (console->steps == 0)
        dt_log_line("%s at step %" PRId64 ", before the next one", end, run->state.step);
    else {
        char validation[64] = "";
        if (run->validation.step >= 0)
            snprintf(validation, sizeof validation, ", val_loss %.4f at step %" PRId64, run->validation.loss,
                     run->validation.step);
        dt_log_line("%s after step %" PRId64 ": loss %.4f%s; %" PRId64
                    " step%s at %s tokens/s, %s with evaluation, samples and saves",
                    end, run->state.step, console->loss, validation, console->steps,
                    dt_plural_s(console->steps), dt_units_count(tokens / console->step_seconds).text,
                    dt_units_count(tokens / (dt_clock_seconds() - console->start_seconds)).text);
    }
    if (console->skipped > 0)
        dt_log_warn(
            "%" PRId64
            " step%s %s skipped, since the loss or the gradient was not finite; a lower learning_rate or "
            "grad_clip makes that rarer",
            console->skipped, dt_plural_s(console->skipped), dt_plural(console->skipped, "was", "were"));
    const char *saved = dt_saver_path(run->saving.saver);
    if (saved)
        print_checkpoint(console, run, saved, stopped);
}
