/* The evaluation itself is evaluate.c's. */
#include "train/validation.h"

#include <inttypes.h>
#include <math.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "train/run.h"

dt_status dt_validation_open(dt_run *run) {
    run->validation = (dt_validation){.tried_step = -1, .step = -1, .best = dt_saver_best(run->saver)};
    return dt_world_broadcast(run->world, &run->validation.best, (int64_t)sizeof run->validation.best);
}

/* Rank 0's line, and the file's. */
static void write_loss(dt_run *run, double loss, double seconds) {
    dt_log_line("step %" PRId64 "  val_loss %.4f over %" PRId64 " windows in %.1f s", run->state.step, loss,
                run->evaluator.windows, seconds);
    dt_saver_bear(run->saver, dt_metrics_evaluation(&run->metrics, run->state.step, loss));
}

/* The same for one that is let pass. */
static dt_status write_event(dt_run *run) {
    dt_log_warn("step %" PRId64 ": val_loss is not finite, number %" PRId64 " in a row; training goes on, "
                "since on_nonfinite is skip",
                run->state.step, run->validation.nonfinite_in_a_row);
    return dt_metrics_object(&run->metrics,
                             json_pack("{s:s, s:I, s:s, s:I}", "event", "nonfinite", "step",
                                       (json_int_t)run->state.step, "first", "val_loss", "in_a_row",
                                       (json_int_t)run->validation.nonfinite_in_a_row));
}

dt_status dt_validation_take(dt_run *run, bool (*give_up)(void), double most_seconds) {
    const dt_config *c = &run->about.config;
    const double start = dt_clock_seconds();
    dt_validation *v = &run->validation;
    double loss;
    bool complete;
    dt_progress_enter(run->state.step, "evaluating");
    v->tried_step = run->state.step;
    run->evaluator.stop_requested = give_up;
    run->evaluator.until_seconds = start + most_seconds;
    DT_TRY(dt_evaluate_run(&run->evaluator, &run->gpt, &run->weights, &run->workers, &loss, &complete));
    if (!complete)
        return DT_OK;
    v->nonfinite_in_a_row = isfinite(loss) ? 0 : v->nonfinite_in_a_row + 1;
    v->failed = v->nonfinite_in_a_row >= (c->on_nonfinite == DT_NONFINITE_SKIP ? c->max_nonfinite : 1);
    if (isfinite(loss)) {
        v->loss = loss;
        v->step = run->state.step;
    }
    if (run->world->rank != 0 || v->failed)
        return DT_OK;
    write_loss(run, loss, dt_clock_seconds() - start);
    if (!isfinite(loss))
        dt_saver_bear(run->saver, write_event(run));
    return DT_OK;
}

bool dt_validation_is_missing(const dt_run *run) {
    return !dt_is_null_int(run->about.config.eval_cadence) && run->validation.tried_step != run->state.step;
}

static bool is_current(const dt_run *run) {
    return run->validation.step == run->state.step;
}

bool dt_validation_is_best(const dt_run *run) {
    return is_current(run) && run->validation.loss < run->validation.best;
}

double dt_validation_save(dt_run *run) {
    if (!is_current(run))
        return DT_NULL_REAL;
    run->validation.best = fmin(run->validation.best, run->validation.loss);
    return run->validation.loss;
}
