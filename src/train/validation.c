/* The evaluation itself is evaluate.c's. */
#include "train/validation.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/elementary.h"
#include "base/log.h"
#include "base/plural.h"
#include "base/units.h"
#include "base/progress.h"
#include "comm/contract.h"

/* The text does not change, so its bytes are counted once. */
static dt_status count_bytes(dt_validation *v) {
    const dt_evaluator *e = v->in.evaluator;
    dt_evaluate_counts counts;
    v->bits_per_byte = DT_NULL_REAL;
    if (dt_is_null_int(v->in.config->eval_cadence) || e->tokenizer == NULL)
        return DT_OK;
    DT_TRY(dt_evaluate_count(e, &counts));
    if (counts.bytes > 0)
        v->bits_per_byte = (double)(e->windows * e->T) / (double)counts.bytes / DT_ELEMENTARY_LN2;
    return DT_OK;
}

dt_status dt_validation_open(dt_validation *v, const dt_validation_inputs *inputs) {
    DT_COLLECTIVE_CALL(inputs->world);
    *v = (dt_validation){.in = *inputs, .tried_step = -1, .step = -1, .best = dt_saver_best(inputs->saver)};
    DT_TRY(dt_world_broadcast(inputs->world, &v->best, (int64_t)sizeof v->best));
    return count_bytes(v);
}

/* Where a token is no character of ASCII and no byte, the loss alone compares with no other tokenizer's. */
static bool tells_bytes(const dt_validation *v) {
    const char *name = v->in.config->tokenizer;
    return isfinite(v->bits_per_byte) && strcmp(name, "ascii") != 0 && strcmp(name, "bytes") != 0;
}

/* Rank 0's line, and the file's. */
static void write_loss(const dt_validation *v, double loss, double seconds) {
    const int64_t step = v->in.state->step;
    char bits[48] = "";
    if (tells_bytes(v))
        snprintf(bits, sizeof bits, " (%.4f bits per byte)", loss * v->bits_per_byte);
    dt_log_line("step %" PRId64 "  val_loss %.4f%s over %" PRId64 " window%s in %s", step, loss, bits,
                v->in.evaluator->windows, dt_plural_s(v->in.evaluator->windows),
                dt_units_seconds(seconds).text);
    dt_saver_bear(v->in.saver, dt_metrics_evaluation(v->in.metrics, step, loss, loss * v->bits_per_byte));
}

/* The same for one that is let pass. */
static dt_status write_event(const dt_validation *v) {
    const int64_t step = v->in.state->step;
    dt_log_warn(
        "step %" PRId64 ": val_loss is not finite, number %" PRId64 " in a row; training goes on, "
        "since on_nonfinite is skip; where more follow, go on from an earlier checkpoint with a lower "
        "learning_rate",
        step, v->nonfinite_in_a_row);
    return dt_metrics_object(v->in.metrics,
                             json_pack("{s:s, s:I, s:s, s:I}", "event", "nonfinite", "step", (json_int_t)step,
                                       "first", "val_loss", "in_a_row", (json_int_t)v->nonfinite_in_a_row));
}

dt_status dt_validation_take(dt_validation *v, bool (*give_up)(void), double max_seconds) {
    DT_COLLECTIVE(v->in.world, DT_SAME_INT(v->in.state->step));
    const dt_validation_inputs *p = &v->in;
    const int64_t step = p->state->step;
    const double start = dt_clock_seconds();
    double loss;
    bool complete;
    dt_progress_enter(step, "evaluating");
    v->tried_step = step;
    p->evaluator->stop_requested = give_up;
    p->evaluator->until_seconds = start + max_seconds;
    DT_TRY(dt_evaluate_run(p->evaluator, p->gpt, p->weights, p->workers, &loss, &complete));
    if (!complete)
        return DT_OK;
    v->nonfinite_in_a_row = isfinite(loss) ? 0 : v->nonfinite_in_a_row + 1;
    if (v->nonfinite_in_a_row == 1)
        v->bad_weights_step = *p->weights_step;
    v->failed = v->nonfinite_in_a_row >=
                (p->config->on_nonfinite == DT_NONFINITE_SKIP ? p->config->max_nonfinite : 1);
    if (isfinite(loss)) {
        v->loss = loss;
        v->step = step;
    }
    if (p->world->rank != 0 || v->failed)
        return DT_OK;
    write_loss(v, loss, dt_clock_seconds() - start);
    if (!isfinite(loss))
        dt_saver_bear(p->saver, write_event(v));
    return DT_OK;
}

bool dt_validation_is_missing(const dt_validation *v) {
    return !dt_is_null_int(v->in.config->eval_cadence) && v->tried_step != v->in.state->step;
}

static bool is_current(const dt_validation *v) {
    return v->step == v->in.state->step;
}

bool dt_validation_is_best(const dt_validation *v) {
    return is_current(v) && v->loss < v->best;
}

double dt_validation_save(dt_validation *v) {
    if (!is_current(v))
        return DT_NULL_REAL;
    v->best = fmin(v->best, v->loss);
    return v->loss;
}
