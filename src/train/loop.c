/* What happens when; how each thing is done is in the files it calls. */
#include "train/loop.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/units.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/watchdog.h"
#include "train/failure.h"
#include "train/console.h"
#include "infer/sample.h"
#include "train/settings.h"
#include "train/stop.h"

/* What ranks that have been told to end may wait for others, beside the time of their steps. A rank that has
 * not been told looks for questions once a second, and an answer counts for 0.4 of this (comm/roll_call.c).
 */
#define LEAVE_SECONDS 2.6

/* What a stop may be kept waiting for a validation loss: who asks for one a minute before a job ends need not
 * know how long an evaluation takes. */
#define STOP_EVALUATION_SECONDS 10.0

/* A second, of a disk that many share. */
#define SLOW_DISK_BYTES 50e6

/* What is left after SIGTERM: mpirun kills a second later, unless it was told otherwise; others, a
 * container's end or a batch system's, leave more. */
#define MPIRUN_GRACE_SECONDS 1.0
#define GRACE_SECONDS        5.0

/* A loop that goes on comes to its last save within two steps and this. Longer, with a rank that has died,
 * this one would not look yet whether the others are there, nor answer them that it is. */
#define COMES_SECONDS 0.2

/* How often the thread that hears signals looks whether the loop has come to its last save. */
#define LOOK_NANOSECONDS 2000000L

/* A rank that cannot go on while others wait for it: its line, and the end of the job. */
static void give_up(dt_run *run) {
    dt_log_settle();
    dt_failure_write(run);
    dt_log_error("rank %d on %s cannot go on after step %" PRId64 ": %s", run->world->rank, run->world->host,
                 run->state.step, dt_error());
    dt_world_abort(run->world, DT_FAILED);
}

/*
 * Hands the state to the writer of checkpoints, with the validation loss if this very step was evaluated.
 * What is saved must be what all ranks have, and no step must go wrong on it, since a checkpoint may make
 * older ones go: the next step compares this state beside its own work, and then decides.
 */
static void save(dt_run *run) {
    const double start = dt_clock_seconds();
    dt_progress_enter(run->state.step, "saving a checkpoint");
    const dt_save_kind kind =
        dt_replica_check_want(&run->replica_check) ? DT_SAVE_ON_TRIAL : DT_SAVE_PROVISIONAL;
    dt_saving_begin(&run->saving, dt_validation_save(&run->validation), start, kind);
}

/* The last one: no step follows that could compare. */
static dt_status save_last(dt_run *run, const dt_console *console) {
    const double start = dt_clock_seconds();
    const bool doubtful = dt_console_is_doubtful(console, run);
    dt_progress_enter(run->state.step, "saving a checkpoint");
    DT_TRY(dt_replica_check_compare_now(&run->replica_check));
    dt_saving_begin(&run->saving, dt_validation_save(&run->validation), start, DT_SAVE_ON_TRIAL);
    dt_saver_decide(run->saving.saver, doubtful ? DT_SAVE_DOUBTFUL : DT_SAVE_GOOD, run->replica_check.hash);
    return DT_OK;
}

/* Waits until no save comes from the loop any more, its last one being begun, or `seconds` are over. */
static void await_last_save(const dt_run *run, double seconds) {
    const struct timespec pause = {.tv_nsec = LOOK_NANOSECONDS};
    const double until = dt_clock_seconds() + seconds;
    while (!atomic_load(&run->saves_begun) && dt_clock_seconds() < until)
        nanosleep(&pause, NULL);
}

/*
 * Rank 0, in the signal thread, while the loop computes. The stop ends with a save of the loop's own, and one
 * checkpoint is enough. But where the steps are too long to wait for that, or it does not come when two of
 * them should be over, the last finished step is saved from here, beside whatever is being done.
 */
static void save_in_time(dt_run *run, int reason, double step_seconds) {
    const double measured = dt_saver_seconds(run->saving.saver);
    const double save_seconds =
        measured > 0.0 ? measured : (double)dt_checkpoint_bytes(&run->layout) / SLOW_DISK_BYTES;
    const double grace = reason & DT_STOP_MPIRUN ? MPIRUN_GRACE_SECONDS : GRACE_SECONDS;
    const double spare = 0.5 * grace - 2.0 * save_seconds;
    if (2.0 * step_seconds < spare)
        await_last_save(run, fmin(spare, 2.0 * step_seconds + COMES_SECONDS));
    if (save_seconds > grace)
        dt_log_note("saving takes about %s; where the job is killed before, the newest checkpoint stands",
                    dt_units_seconds(save_seconds).text);
    if (!atomic_load(&run->saves_begun))
        dt_saver_begin(run->saving.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_MAKESHIFT);
    dt_saver_wait(run->saving.saver);
}

/*
 * In the signal thread. A launcher that ends a job tells the ranks by SIGTERM, also those that wait for one
 * which has died, and kills them much later. After two steps and two slow saves, ranks that have not met will
 * not: the watchdog names those that are missing and ends the job.
 */
static void leave_soon(void *context, int reason) {
    dt_run *run = context;
    const double save_seconds = (double)dt_checkpoint_bytes(&run->layout) / SLOW_DISK_BYTES;
    dt_state_hold(&run->state);
    const double step_seconds = run->longest_step_seconds;
    dt_state_release(&run->state);
    if (run->world->rank == 0)
        save_in_time(run, reason, step_seconds);
    dt_watchdog_limit(
        fmin(run->about.config.hang_timeout_seconds, LEAVE_SECONDS + 2.0 * (step_seconds + save_seconds)));
}

static dt_status sample(dt_run *run) {
    const dt_config *c = &run->about.config;
    char *text;
    if (run->world->rank != 0 || dt_stop_requested())
        return DT_OK;
    dt_progress_enter(run->state.step, "sampling");
    const dt_sample_options options = {
        .tokenizer = &run->tokenizer,
        .prompt = c->sampling_prompt,
        .max_length = c->sampling_max_length,
        .rule = {c->sampling_temperature, c->sampling_top_k, c->sampling_top_p},
        .seed = (uint64_t)c->sampling_seed,
        .stop_requested = dt_stop_requested};
    if (dt_sample_text(&run->decoder, &options, &text) != DT_OK) {
        if (c->on_nonfinite != DT_NONFINITE_SKIP)
            return DT_FAILED;
        dt_log_warn("step %" PRId64 " has no sample: %s", run->state.step, dt_error());
        return DT_OK;
    }
    if (dt_stop_requested()) {
        free(text);
        return DT_OK;
    }
    json_t *joined = json_sprintf("%s%s", c->sampling_prompt, text);
    free(text);
    dt_log_line("step %" PRId64 "  sample:", run->state.step);
    if (joined)
        dt_log_block(json_string_value(joined));
    json_t *line = json_pack("{s:I, s:o}", "step", (json_int_t)run->state.step, "sample", joined);
    dt_saver_bear(run->saving.saver, dt_metrics_object(&run->metrics, line));
    return DT_OK;
}

static dt_status write_spike(dt_run *run, double loss, const dt_spike_finding *spike) {
    dt_log_warn("step %" PRId64 ": a loss spike: %.4f is %.1f standard deviations above %.4f, the mean of "
                "the %" PRId64
                " steps before; where more follow, lower learning_rate, lengthen warmup_steps or set "
                "grad_clip",
                run->state.step, loss, spike->z, spike->mean, run->spike.window);
    return dt_metrics_object(&run->metrics, json_pack("{s:s, s:I, s:f, s:f, s:f}", "event", "loss_spike",
                                                      "step", (json_int_t)run->state.step, "mean",
                                                      spike->mean, "std", spike->deviation, "z", spike->z));
}

static dt_status write_skipped(dt_run *run, const dt_step_result *result) {
    const char *first = dt_step_blame(run->step);
    dt_log_warn("step %" PRId64 " was skipped, number %" PRId64 " in a row: loss %g, grad_norm %g; the "
                "first that is not finite is the %s; where more follow, lower learning_rate or set grad_clip",
                run->state.step, result->nonfinite_in_a_row, result->loss, result->grad_norm, first);
    return dt_metrics_object(&run->metrics, json_pack("{s:s, s:I, s:s, s:I}", "event", "nonfinite", "step",
                                                      (json_int_t)run->state.step, "first", first, "in_a_row",
                                                      (json_int_t)result->nonfinite_in_a_row));
}

/* Rank 0's lines for a step; `reports`, an array or NULL, is what its hooks have to say of it. A step of
 * which something is to be told, or the last one, has its numbers there whatever the cadence. */
static dt_status write_lines(dt_run *run, const dt_step_result *result, json_t *reports) {
    const dt_config *c = &run->about.config;
    const bool skipped = result->outcome != DT_STEP_TAKEN;
    const bool is_last = result->stop || run->state.step == c->max_steps;
    dt_spike_finding spike;
    const bool spiked = dt_spike_look(&run->spike, result->loss, &spike);
    if (dt_settings_due(c->metrics_cadence, run->state.step) || is_last || skipped || spiked)
        DT_TRY(dt_metrics_step(
            &run->metrics,
            &(dt_metrics_values){.step = run->state.step,
                                 .loss = result->loss,
                                 .lr = result->learning_rate,
                                 .grad_norm = result->grad_norm,
                                 .step_ms = 1e3 * result->step_seconds,
                                 .comm_ms = 1e3 * result->allreduce.total,
                                 .exposed_ms = 1e3 * result->allreduce.exposed,
                                 .tokens_per_s =
                                     (double)(c->batch_size * c->max_seq_len) / result->step_seconds,
                                 .tokens = run->state.step * c->batch_size * c->max_seq_len,
                                 .mfu = dt_utilisation_fraction(&run->utilisation, result->step_seconds)}));
    for (size_t i = 0; i < json_array_size(reports); i++)
        DT_TRY(dt_metrics_object(&run->metrics, json_incref(json_array_get(reports, i))));
    if (spiked)
        DT_TRY(write_spike(run, result->loss, &spike));
    return skipped ? write_skipped(run, result) : DT_OK;
}

/* That what a person reads comes to nobody any more is told where it can still be read: it ends no run. */
static dt_status write_loss_of_output(dt_run *run) {
    const char *stream, *cause;
    if (!dt_log_take_loss(&stream, &cause))
        return DT_OK;
    dt_log_warn("cannot write to %s: %s; going on without it", stream, cause);
    return dt_metrics_object(&run->metrics,
                             json_pack("{s:s, s:I, s:s, s:s}", "event", "output_lost", "step",
                                       (json_int_t)run->state.step, "stream", stream, "cause", cause));
}

/* Hooks report on every rank, so every rank takes the reports, if only to let them go. */
static void write_step(void *context, const dt_step_result *result) {
    DT_ASSERT(dt_state_is_held(&((const dt_run *)context)->state));
    dt_run *run = context;
    json_t *reports = dt_hooks_take_reports(run->hooks);
    if (run->world->rank == 0)
        dt_saver_bear(run->saving.saver, write_lines(run, result, reports));
    if (run->world->rank == 0)
        dt_saver_bear(run->saving.saver, write_loss_of_output(run));
    json_decref(reports);
    run->longest_step_seconds = fmax(run->longest_step_seconds, result->step_seconds);
}

/*
 * What is due after a step. Rank 0 may be long at it and gives it up when a stop is asked for; it is then
 * done when the run goes on from here, so no rank may take the next step: `*stop` is the same on all.
 */
static dt_status attend(dt_run *run, bool evaluation, bool sampling, int *stop) {
    if (evaluation)
        DT_TRY(dt_validation_take(&run->validation, dt_stop_requested, HUGE_VAL));
    if (sampling && !run->validation.failed)
        DT_TRY(sample(run));
    return evaluation || sampling ? dt_agree_min(run->world, dt_stop_reason_here(), stop) : DT_OK;
}

/* What rank 0 must know to end in time. */
static void measure(dt_run *run, const dt_step_result *result) {
    const double save_seconds = dt_saver_seconds(run->saving.saver);
    if (run->world->rank != 0)
        return;
    dt_deadline_stepped(&run->deadline, result->step_seconds);
    if (save_seconds > 0.0)
        dt_deadline_saved(&run->deadline, save_seconds);
}

/* Whether the step was done with, taken or skipped; otherwise the run ends here. */
static bool counts(const dt_step_result *result) {
    return result->outcome == DT_STEP_TAKEN || result->outcome == DT_STEP_SKIPPED;
}

/* What the step says of the state that it began with. */
static dt_save_verdict judge_saved(const dt_step_result *result) {
    return result->outcome == DT_STEP_REPLICAS_DIFFER ? DT_SAVE_BAD
           : result->nonfinite_in_a_row > 0           ? DT_SAVE_DOUBTFUL
                                                      : DT_SAVE_GOOD;
}

/* Whether something but the next step looks at the weights: the same on all ranks. */
static bool rests_here(const dt_run *run, const dt_step_result *result) {
    const dt_config *c = &run->about.config;
    const int64_t step = run->state.step;
    return result->stop || step == c->max_steps || dt_settings_due(c->eval_cadence, step) ||
           dt_settings_due(c->sampling_cadence, step) || dt_settings_due(c->checkpoint_cadence, step);
}

/* One step and what is due after it, but for checkpoints. A rank that fails here ends the job. */
static dt_status advance(dt_run *run, dt_console *console, dt_step_result *result) {
    const dt_config *c = &run->about.config;
    DT_TRY(dt_step_run(run->step, result, write_step, run));
    dt_saver_decide(run->saving.saver, judge_saved(result), run->replica_check.hash);
    if (!counts(result))
        return DT_OK;
    if (result->outcome == DT_STEP_TAKEN)
        run->weights_step = run->state.step;
    dt_console_step(console, run, result);
    measure(run, result);
    if (rests_here(run, result))
        DT_TRY(dt_step_settle(run->step));
    if (result->stop)
        return DT_OK;
    return attend(run, dt_settings_due(c->eval_cadence, run->state.step),
                  dt_settings_due(c->sampling_cadence, run->state.step), &result->stop);
}

/* Whether the state as it is gets a checkpoint before the last. */
static bool saves_here(const dt_run *run) {
    const dt_config *c = &run->about.config;
    return run->state.step < c->max_steps && (dt_settings_due(c->checkpoint_cadence, run->state.step) ||
                                              (c->save_best && dt_validation_is_best(&run->validation)));
}

/* The weights that a run leaves are evaluated too, unless `is_over` says that there is no time for it. */
static dt_status evaluate_last(dt_run *run, bool (*is_over)(void), double max_seconds) {
    if (!dt_validation_is_missing(&run->validation))
        return DT_OK;
    if (dt_validation_take(&run->validation, is_over, max_seconds) != DT_OK)
        give_up(run);
    return run->validation.failed ? dt_failure_of_validation(run) : DT_OK;
}

/* After the last save, which comes first when a stop was asked for: what has asked may not wait. */
static dt_status evaluate_stopped(dt_run *run) {
    DT_TRY(evaluate_last(run, dt_stop_hurries, STOP_EVALUATION_SECONDS));
    dt_saving_begin(&run->saving, dt_validation_save(&run->validation), dt_clock_seconds(), DT_SAVE_NOW);
    return DT_OK;
}

static dt_status train(dt_run *run, dt_console *console, int *stopped) {
    const dt_config *c = &run->about.config;
    dt_step_result result = {0};
    if (attend(run, run->missed_evaluation, run->missed_sample, &result.stop) != DT_OK ||
        dt_agree_min(run->world, dt_stop_reason_here(), &result.stop) != DT_OK)
        give_up(run);
    while (run->state.step < c->max_steps && !result.stop && !run->validation.failed) {
        if (advance(run, console, &result) != DT_OK)
            give_up(run);
        if (!counts(&result))
            return dt_failure_of_step(run, &result);
        if (saves_here(run) && !result.stop && !run->validation.failed)
            save(run);
    }
    if (run->validation.failed)
        return dt_failure_of_validation(run);
    *stopped = run->state.step < c->max_steps ? result.stop : 0;
    if (run->state.step == run->start_step)
        return DT_OK;
    /* However long it takes: until a stop is asked for, since a job that ends soon may kill it unsaved. */
    if (!result.stop)
        DT_TRY(evaluate_last(run, dt_stop_requested, HUGE_VAL));
    return save_last(run, console);
}

/* That the run has ended in order, and why: after the last of its lines. One that was killed has no such
 * line. */
static dt_status write_end(dt_run *run, int stopped) {
    char name[DT_STOP_NAME_BYTES];
    return run->world->rank != 0
               ? DT_OK
               : dt_metrics_object(&run->metrics,
                                   json_pack("{s:s, s:I, s:s}", "event", "end", "step",
                                             (json_int_t)run->state.step, "cause",
                                             stopped ? dt_stop_name(stopped, name) : "max_steps"));
}

/* Of the last lines: with checkpoint_on_error: warn they are not worth the run's exit code. */
static dt_status bear_last(const dt_run *run, dt_status status) {
    if (status == DT_OK || run->about.config.checkpoint_on_error == DT_ON_ERROR_STOP)
        return status;
    dt_log_warn("%s", dt_error());
    return DT_OK;
}

dt_status dt_loop_run(dt_run *run) {
    DT_COLLECTIVE(run->world, DT_SAME_INT(run->state.step), DT_SAME_INT(run->about.config.max_steps));
    dt_console console = {.start_seconds = dt_clock_seconds()};
    int stopped = 0;
    dt_stop_attend(leave_soon, run);
    dt_log_stamp(true);
    dt_status status = train(run, &console, &stopped);
    atomic_store(&run->saves_begun, true);
    if (status == DT_OK && run->state.step > run->start_step &&
        (stopped || dt_validation_is_missing(&run->validation)))
        status = evaluate_stopped(run);
    if (status == DT_OK)
        status = dt_agree(run->world, dt_saver_finish(run->saving.saver));
    dt_deadline_stop(&run->deadline);
    dt_stop_finish();
    if (status != DT_OK)
        dt_failure_write(run);
    DT_TRY(status);
    dt_console_closing(&console, run, stopped);
    dt_log_stamp(false);
    DT_TRY(dt_agree(run->world, bear_last(run, write_end(run, stopped))));
    if (!stopped)
        dt_tensorboard_finish(run->tensorboard);
    return dt_agree(run->world, bear_last(run, dt_metrics_close(&run->metrics)));
}
