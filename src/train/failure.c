/* What a step does follows from its weights and its number: from the checkpoint of the very weights that went
 * wrong a run would only come to the same end, however it is set, so the one to go on from is older than they
 * are. */
#include "train/failure.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/quote.h"
#include "comm/agree.h"
#include "comm/contract.h"

#define ADVICE_BYTES 1024
#define REMEDY       "lower learning_rate, set grad_clip or lengthen warmup_steps, and "
#define CAUSE        "the cause is bad memory, a bad processor, or a hook that does not do the same on every rank; "

/* How to go on from before `step`; rank 0's is printed, and it alone need see the checkpoints. */
static void advise(const dt_run *run, int64_t step, char advice[ADVICE_BYTES]) {
    char *path = NULL;
    *advice = 0;
    if (run->world->rank != 0)
        return;
    const bool found =
        dt_checkpoint_find_before(dt_saver_checkpoints_folder(run->saving.saver), step, &path) == DT_OK &&
        path != NULL;
    char *word = found ? dt_quote(path) : NULL;
    if (word)
        snprintf(advice, ADVICE_BYTES,
                 "go on by the same command with --resume %s, the newest from before it", word);
    else
        snprintf(advice, ADVICE_BYTES, "start anew: there is no whole checkpoint of a step before %" PRId64,
                 step);
    free(word);
    free(path);
}

static dt_status diverged(const dt_run *run, const dt_step_result *result) {
    const char *blame = dt_step_blame(run->step);
    char in_a_row[64] = "", advice[ADVICE_BYTES];
    if (result->nonfinite_in_a_row > 1)
        snprintf(in_a_row, sizeof in_a_row, ", number %" PRId64 " in a row", result->nonfinite_in_a_row);
    /* Skipped steps have left the weights of the last that was taken. */
    advise(run, run->state.step + 1 - result->nonfinite_in_a_row, advice);
    return dt_fail(
        "step %" PRId64 ": expected a finite loss and gradient, found loss %g and grad_norm "
        "%g%s; the first that is not finite is the %s; the step was not taken, and the "
        "checkpoints before it are untouched; %s%s",
        run->state.step + 1, result->loss, result->grad_norm, in_a_row, blame,
        dt_consent_blames_some(blame) ? CAUSE "leave out that host, or fix the hook, and " : REMEDY, advice);
}

/* The state is still the same everywhere: what was made of it is not. */
static dt_status unequal(const dt_run *run) {
    char advice[ADVICE_BYTES];
    advise(run, run->state.step + 1, advice);
    return dt_fail("step %" PRId64
                   ": expected the same loss and gradient on every rank, found that %s; the step was "
                   "not taken; " CAUSE "leave out that host, or fix the hook, and %s",
                   run->state.step + 1, dt_step_blame(run->step), advice);
}

dt_status dt_failure_of_step(dt_run *run, const dt_step_result *result) {
    DT_COLLECTIVE(run->world, DT_SAME_INT(result->outcome));
    dt_log_settle();
    if (result->outcome == DT_STEP_REPLICAS_DIFFER)
        return dt_replica_check_name(&run->replica_check);
    return dt_agree(run->world, result->outcome == DT_STEP_UNEQUAL ? unequal(run) : diverged(run, result));
}

dt_status dt_failure_of_validation(dt_run *run) {
    DT_COLLECTIVE_CALL(run->world);
    char in_a_row[64] = "", advice[ADVICE_BYTES];
    const int64_t count = run->validation.nonfinite_in_a_row;
    dt_log_settle();
    if (count > 1)
        snprintf(in_a_row, sizeof in_a_row, ", number %" PRId64 " in a row", count);
    advise(run, run->validation.bad_weights_step, advice);
    return dt_agree(run->world,
                    dt_fail("step %" PRId64 ": expected a finite val_loss, found NaN or infinity%s; the "
                            "weights are finite, but too large to compute with; " REMEDY "%s",
                            run->state.step, in_a_row, advice));
}

void dt_failure_write(dt_run *run) {
    char sentence[DT_ERROR_BYTES];
    if (run->world->rank != 0 || *dt_error() == 0)
        return;
    snprintf(sentence, sizeof sentence, "%s", dt_error());
    (void)dt_metrics_object(&run->metrics, json_pack("{s:s, s:I, s:s}", "event", "failed", "step",
                                                     (json_int_t)run->state.step, "cause", sentence));
    (void)dt_fail("%s", sentence);
}
