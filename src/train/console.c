/* Sentences and units; the numbers come from elsewhere. */
#include "train/console.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/plural.h"
#include "base/quote.h"
#include "train/stop.h"

void dt_console_step(dt_console *console, const dt_run *run, const dt_step_result *result) {
    const dt_config *c = &run->about.config;
    const double tokens = (double)(c->batch_size * c->max_seq_len);
    const int64_t step = run->state.step;
    console->steps++;
    console->step_seconds += result->step_seconds;
    console->loss = result->loss;
    console->nonfinite_in_a_row = result->nonfinite_in_a_row;
    console->skipped += result->outcome == DT_STEP_SKIPPED;
    const int64_t left = (int64_t)((dt_clock_seconds() - console->start_seconds) / (double)console->steps *
                                   (double)(c->max_steps - step));
    if (dt_log_redraws()) {
        /* Ten times a second is as often as an eye follows. */
        const double now = dt_clock_seconds();
        if (now - console->redrawn_seconds < 0.1 && step < c->max_steps)
            return;
        console->redrawn_seconds = now;
        dt_log_redraw("step %" PRId64 "/%" PRId64 "  loss %.4f  %.0f tokens/s  %" PRId64 ":%02" PRId64
                      ":%02" PRId64 " left",
                      step, c->max_steps, result->loss,
                      tokens * (double)console->steps / console->step_seconds, left / 3600, left / 60 % 60,
                      left % 60);
        return;
    }
    if (step % c->log_cadence == 0 || step == c->max_steps || result->stop)
        dt_log_line("step %" PRId64 "/%" PRId64
                    "  loss %.4f  lr %.3e  grad_norm %.3f  %.1f ms  %.0f tokens/s",
                    step, c->max_steps, result->loss, result->learning_rate, result->grad_norm,
                    1e3 * result->step_seconds, tokens / result->step_seconds);
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
        dt_log_line("checkpoint %s; to go on: the same command with --resume %s%s", saved, word,
                    stopped ? "" : " --max-steps N");
    free(word);
}

void dt_console_closing(const dt_console *console, const dt_run *run, int stopped) {
    const dt_config *c = &run->about.config;
    const double tokens = (double)console->steps * (double)(c->batch_size * c->max_seq_len);
    dt_log_settle();
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
        dt_log_line("%s after step %" PRId64 ": loss %.4f%s, %.0f tokens/s over %" PRId64
                    " step%s without evaluation, samples and saves, %.0f with them",
                    end, run->state.step, console->loss, validation, tokens / console->step_seconds,
                    console->steps, dt_plural_s(console->steps),
                    tokens / (dt_clock_seconds() - console->start_seconds));
    }
    if (console->skipped > 0)
        dt_log_warn("%" PRId64 " step%s %s skipped, since the loss or the gradient was not finite",
                    console->skipped, dt_plural_s(console->skipped),
                    dt_plural(console->skipped, "was", "were"));
    const char *saved = dt_saver_path(run->saver);
    if (saved)
        print_checkpoint(console, run, saved, stopped);
}
