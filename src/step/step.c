/*
 * batch -> forward -> loss -> backward -> tree reduction -> clip -> consent -> AdamW. Every line of
 * dt_step_run is one of these words; how each is done is the business of the room that does it.
 */
#include "step/step.h"

#include <inttypes.h>
#include <omp.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/plural.h"
#include "base/progress.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "model/backward.h"
#include "model/forward.h"
#include "step/gradients.h"
#include "optim/clip.h"
#include "optim/finite.h"

/* Floats of a vector that a thread adds at once: small beside a thread's share, large beside a call. */
#define ADDED_TOGETHER 4096

struct dt_step {
    dt_step_inputs in;
    int64_t micro_batches;
    dt_micro_batches schedule;
    const int32_t **window; /* [slots of this rank] */
    int32_t *ids;           /* [slots of this rank, T + 1]: what window points to */
    int64_t first_slot, end_slot;

    dt_gradients gradients;
    dt_overlap *overlap;
    float *sum; /* the gradient of the batch, once reduced: one of the buffers */

    dt_micro_batch_values values;
    dt_update update;
    const dt_weights_arrival *await; /* what this step's passes are told of new weights, or NULL */
    int64_t nonfinite_in_a_row;
    char blame[DT_CONSENT_BYTES]; /* for the last step; "" when there is none */
};

int64_t dt_step_micro_batches(int64_t B, int64_t u) {
    DT_ASSERT(B > 0 && u > 0);
    return (B + u - 1) / u;
}

void dt_step_slots(int64_t B, int64_t u, int rank, int size, int64_t *first, int64_t *end) {
    DT_ASSERT(rank >= 0 && rank < size);
    dt_tree_run(dt_step_micro_batches(B, u), rank, size, first, end);
    *first *= u;
    *end = *end * u < B ? *end * u : B;
}

dt_status dt_step_gradient_buffers(int64_t micro_batches, int rank, int size, int teams, int64_t *buffers) {
    DT_ASSERT(rank >= 0 && rank < size && teams > 0);
    int64_t first, end;
    dt_micro_batches schedule;
    dt_tree_run(micro_batches, rank, size, &first, &end);
    dt_status status = dt_micro_batches_schedule(&schedule, micro_batches, first, end, teams);
    *buffers = schedule.buffers;
    dt_micro_batches_free(&schedule);
    return status;
}

static dt_status create_batch(dt_step *s) {
    const int64_t slots = s->end_slot - s->first_slot, row = s->in.gpt->layout->shape.T + 1;
    s->window = dt_memory_alloc(slots, sizeof *s->window, "the batch");
    s->ids = dt_memory_alloc(slots * row, sizeof *s->ids, "the tokens of the batch");
    if (!s->window || !s->ids)
        return DT_FAILED;
    for (int64_t slot = 0; slot < slots; slot++)
        s->window[slot] = s->ids + slot * row;
    return DT_OK;
}

/* What a rank makes by itself. */
static dt_status create_own(dt_step *s) {
    const dt_world *world = s->in.world;
    int64_t first, end;
    s->micro_batches = dt_step_micro_batches(s->in.B, s->in.u);
    dt_tree_run(s->micro_batches, world->rank, world->size, &first, &end);
    dt_step_slots(s->in.B, s->in.u, world->rank, world->size, &s->first_slot, &s->end_slot);
    DT_TRY(dt_micro_batches_schedule(&s->schedule, s->micro_batches, first, end, s->in.workers->teams));
    DT_TRY(dt_gradients_create(&s->gradients, s->in.workers, &s->schedule, s->in.gpt->layout));
    DT_TRY(create_batch(s));
    DT_TRY(dt_hooks_expect_memory(s->in.hooks, s->micro_batches));
    DT_TRY(dt_micro_batch_values_create(&s->values, world, s->micro_batches,
                                        dt_hooks_micro_batch_values(s->in.hooks)));
    /* Hooks that change the gradient get all of it, on every rank. */
    return dt_update_create(&s->update, world, s->in.state, s->in.moments,
                            s->in.moments == NULL || dt_hooks_take_gradient(s->in.hooks), s->in.gpt,
                            s->in.weights, s->in.spans);
}

dt_status dt_step_create(dt_step **created, const dt_step_inputs *inputs) {
    DT_COLLECTIVE(inputs->world, DT_SAME_INT(inputs->B), DT_SAME_INT(inputs->u),
                  DT_SAME_INT(inputs->state->step), DT_SAME_REAL(inputs->grad_clip),
                  DT_SAME_INT(inputs->max_nonfinite));
    dt_step *s = calloc(1, sizeof *s);
    dt_status status = s ? DT_OK : dt_fail("out of memory for the training step");
    *created = s;
    if (s != NULL) {
        s->in = *inputs;
        status = create_own(s);
    }
    DT_TRY(dt_agree(inputs->world, status));
    const dt_allreduce_options options =
        dt_update_sum_options(&s->update, inputs->moments, &inputs->allreduce);
    return dt_overlap_create(&s->overlap, inputs->world, &s->schedule, inputs->workers->threads,
                             s->gradients.vector, s->micro_batches, inputs->gpt->layout->elements,
                             inputs->bucket_bytes, &options, inputs->spans);
}

dt_algorithm dt_step_algorithm(const dt_step *s) {
    return dt_overlap_algorithm(s->overlap);
}

void dt_step_free(dt_step *s) {
    if (s == NULL)
        return;
    (void)dt_step_settle(s);
    dt_update_free(&s->update);
    dt_gradients_free(&s->gradients);
    dt_micro_batches_free(&s->schedule);
    dt_overlap_free(s->overlap);
    dt_micro_batch_values_free(&s->values);
    dt_memory_free(s->window);
    dt_memory_free(s->ids);
    free(s);
}

static void draw_batch(dt_step *s, int64_t step) {
    const double begun = dt_spans_begin(s->in.spans);
    const int64_t row = s->in.gpt->layout->shape.T + 1;
    for (int64_t slot = s->first_slot; slot < s->end_slot; slot++)
        dt_shard_window(s->in.shard, s->in.streams, dt_streams_window(s->in.streams, step, slot),
                        s->ids + (slot - s->first_slot) * row);
    dt_spans_end(s->in.spans, DT_SPAN_BATCH, begun, 0.0);
}

/* Of the main thread alone, once its first forward pass has used all weights that were on their way: from
 * here on others may look at the state. */
static void complete_in_pass(dt_step *s) {
    s->update.status = dt_update_complete(&s->update);
    if (s->update.status != DT_OK)
        return;
    dt_state_release(s->in.state);
    dt_replica_check_begin(s->in.replica_check);
}

/* Hooks look at what a whole team has made, and one thread of it calls them. */
static void call_hooks(dt_step *s, int64_t step, const dt_activations *a, int64_t rows, int64_t index,
                       const dt_team *team) {
    if (team->index == 0)
        dt_hooks_forward(s->in.hooks, step, a, rows, dt_micro_batch_values_hooks(&s->values, index));
    dt_team_meet(team);
}

/* The calling thread's part of forward, loss and backward of micro-batch `index` of this rank. */
static void run_micro_batch(dt_step *s, int64_t step, int64_t index, dt_activations *a, const dt_team *team,
                            const dt_backward_progress *progress) {
    const int64_t T = s->in.gpt->layout->shape.T, micro_batch_index = s->schedule.first + index;
    const int64_t first = micro_batch_index * s->in.u, left = s->in.B - first;
    const dt_micro_batch micro_batch = {.sequences = left < s->in.u ? left : s->in.u,
                                        .windows = s->window + (first - s->first_slot),
                                        .first_slot = first,
                                        .step = step,
                                        .arrival = s->await};
    const float scale = (float)(1.0 / ((double)s->in.B * (double)T));
    dt_forward_run(s->in.gpt, s->in.weights, &micro_batch, a, team);
    if (omp_get_thread_num() == 0 && dt_update_is_under_way(&s->update))
        complete_in_pass(s);
    call_hooks(s, step, a, micro_batch.sequences * T, micro_batch_index, team);
    const double loss = dt_backward_run(s->in.gpt, s->in.weights, &micro_batch, scale, a, team,
                                        &s->gradients.view[s->schedule.buffer[index]], progress);
    if (team->index == 0)
        *dt_micro_batch_values_loss(&s->values, micro_batch_index) = loss;
    dt_progress_mark();
}

/* into += from, this thread's part of it; any cut gives the same bits. */
static void add_vectors(const dt_step *s, float *into, const float *from, int64_t elements) {
    const double begun = dt_spans_begin(s->in.spans);
#pragma omp for schedule(static)
    for (int64_t first = 0; first < elements; first += ADDED_TOGETHER) {
        const int64_t count = dt_min(elements - first, ADDED_TOGETHER);
        dt_dtype_add(s->in.allreduce.dtype, into + first, into + first, from + first, count);
    }
    dt_spans_end(s->in.spans, DT_SPAN_ADDITIONS, begun, (double)elements / (double)omp_get_num_threads());
}

/* Where this thread has done its part of the wave, in which it has waited so long for the rest of its team.
 */
static void wait_for_threads(const dt_step *s, double waited_seconds) {
    const double begun = dt_spans_begin(s->in.spans);
#pragma omp barrier
    dt_spans_end(s->in.spans, DT_SPAN_THREADS, begun - waited_seconds, 0.0);
}

/*
 * All micro-batches of this rank, wave by wave, and after each wave the additions of the tree that it makes
 * possible. Those of the last wave are the overlap's, bucket by bucket, when there are other ranks to send
 * to.
 */
static void run_micro_batches(dt_step *s, int64_t step) {
    const dt_micro_batches *schedule = &s->schedule;
    const dt_workers *workers = s->in.workers;
    const int64_t run = schedule->end - schedule->first, elements = s->in.gpt->layout->elements;
    dt_overlap_begin(s->overlap);
#pragma omp parallel num_threads(workers->threads)
    for (int64_t wave = 0, add = 0; wave < schedule->waves; wave++) {
        const int64_t first = wave * schedule->wave_micro_batches;
        const int64_t end =
            first + schedule->wave_micro_batches < run ? first + schedule->wave_micro_batches : run;
        const bool overlapped = wave == schedule->waves - 1 && dt_overlap_wanted(s->overlap);
        dt_team team;
        double waited_seconds = 0.0;
        const int own = dt_workers_join(workers, end - first, omp_get_thread_num(), &team);
        if (s->in.spans && s->in.spans->on)
            team.waited_seconds = &waited_seconds;
        run_micro_batch(s, step, first + own, &workers->activations[own], &team,
                        overlapped ? dt_overlap_progress(s->overlap, omp_get_thread_num()) : NULL);
        wait_for_threads(s, waited_seconds);
        for (; !overlapped && add < schedule->wave_adds_end[wave]; add++)
            add_vectors(s, s->gradients.vector[schedule->add[add].into],
                        s->gradients.vector[schedule->add[add].from], elements);
    }
}

/* Every micro-batch's values on every rank, and from them the loss, whether to stop, and whether all ranks
 * started from the same state. */
static dt_status gather_micro_batches(dt_step *s, dt_step_result *result, bool *same_state) {
    const int stop = s->in.stop_reason();
    const uint64_t hash = dt_replica_check_end(s->in.replica_check);
    dt_micro_batch_findings found;
    const double begun = dt_spans_begin(s->in.spans);
    DT_TRY(dt_micro_batch_values_gather(&s->values, s->in.world, stop, hash, &found));
    dt_spans_end(s->in.spans, DT_SPAN_LOSSES, begun, 0.0);
    result->loss = found.loss / ((double)s->in.B * (double)s->in.gpt->layout->shape.T);
    result->stop = found.stop;
    *same_state = found.same_state;
    return DT_OK;
}

/*
 * Gives the state the number of the step, with new weights if it was taken, and keeps it from others. AdamW
 * corrects its moments by the number of the step also after skipped ones, so that the state stays all that a
 * resumed run must know.
 */
static dt_status update_and_hold_state(dt_step *s, int64_t step, const dt_step_result *result) {
    dt_state *state = s->in.state;
    dt_adamw adamw = s->in.adamw;
    adamw.learning_rate = result->learning_rate;
    adamw.gradient_scale = dt_clip_scale(result->grad_norm, s->in.grad_clip);
    const double look_seconds = s->in.replica_check ? s->in.replica_check->waited_seconds : 0.0;
    const double asked = dt_clock_seconds();
    dt_state_begin_update(state);
    state->waited_seconds += dt_clock_seconds() - asked + look_seconds;
    if (result->outcome != DT_STEP_TAKEN) {
        dt_state_end_update(state, step);
        return DT_OK;
    }
    return dt_update_take(&s->update, &adamw, step, s->sum);
}

/* The new weights, for the products of the next step; nothing in fp32. */
static void pack_weights(const dt_step *s) {
    const dt_weights *w = s->in.weights;
    const double begun = dt_spans_begin(s->in.spans);
    dt_workers_pack(s->in.workers, s->in.gpt, w);
    if (w->elements > 0)
        dt_spans_end(s->in.spans, DT_SPAN_PACKING, begun, (double)w->elements);
}

/* On every rank alike. */
static void decide(dt_step *s, dt_step_result *result, dt_consent consent) {
    s->nonfinite_in_a_row = consent == DT_CONSENT_NOT_FINITE ? s->nonfinite_in_a_row + 1 : 0;
    result->nonfinite_in_a_row = s->nonfinite_in_a_row;
    switch (consent) {
    case DT_CONSENT_GIVEN:
        result->outcome = DT_STEP_TAKEN;
        break;
    case DT_CONSENT_NOT_FINITE:
        result->outcome = s->nonfinite_in_a_row < s->in.max_nonfinite ? DT_STEP_SKIPPED : DT_STEP_NOT_FINITE;
        break;
    case DT_CONSENT_UNEQUAL:
        result->outcome = DT_STEP_UNEQUAL;
        break;
    case DT_CONSENT_REPLICAS_DIFFER:
        result->outcome = DT_STEP_REPLICAS_DIFFER;
        break;
    }
}

/* Norm and learning rate, and what follows from them, on which all ranks agree before anything changes. */
static dt_status judge_gradient(dt_step *s, int64_t step, dt_step_result *result) {
    dt_findings found = {.loss = result->loss,
                         .learning_rate = dt_lr_schedule_rate(&s->in.lr_schedule, step),
                         .step = step,
                         .stop = result->stop};
    dt_consent consent;
    DT_TRY(dt_update_norm(&s->update, s->sum, &found.grad_norm, &found.gradient_bits));
    const double asked = dt_spans_begin(s->in.spans);
    DT_TRY(dt_consent_ask(s->in.world, s->in.replica_check, s->in.state, s->sum, s->update.whole, &found,
                          &consent, s->blame));
    dt_spans_end(s->in.spans, DT_SPAN_CONSENT, asked, 0.0);
    result->loss = dt_finite_plain(found.loss);
    result->grad_norm = dt_finite_plain(found.grad_norm);
    result->learning_rate = found.learning_rate;
    decide(s, result, consent);
    return DT_OK;
}

/* Whether the step counts, and the state takes its number. */
static bool counts(const dt_step_result *result) {
    return result->outcome == DT_STEP_TAKEN || result->outcome == DT_STEP_SKIPPED;
}

dt_status dt_step_run(dt_step *s, dt_step_result *result,
                      void (*tell)(void *context, const dt_step_result *result), void *context) {
    DT_COLLECTIVE(s->in.world, DT_SAME_INT(s->in.state->step));
    const double start_seconds = dt_clock_seconds();
    const int64_t step = s->in.state->step + 1;
    bool same_state;
    *result = (dt_step_result){0};
    dt_progress_enter(step, "computing gradients");
    s->await = dt_arrival_await(s->update.arrival);
    if (s->await == NULL)
        dt_replica_check_begin(s->in.replica_check);
    draw_batch(s, step);
    run_micro_batches(s, step);
    DT_TRY(s->update.status);
    dt_progress_enter(step, "summing gradients");
    DT_TRY(dt_overlap_finish(s->overlap, &s->sum, &result->allreduce));
    dt_update_add_times(&s->update, &result->allreduce);
    dt_progress_enter(step, "exchanging losses");
    DT_TRY(gather_micro_batches(s, result, &same_state));
    if (!same_state) {
        result->outcome = DT_STEP_REPLICAS_DIFFER;
        return DT_OK;
    }
    dt_progress_enter(step, "updating the weights");
    DT_TRY(dt_hooks_collect(s->in.hooks, step, dt_micro_batch_values_hooks(&s->values, 0), s->micro_batches,
                            s->values.stride));
    DT_TRY(dt_hooks_update(s->in.hooks, step, s->sum));
    DT_TRY(judge_gradient(s, step, result));
    if (counts(result))
        DT_TRY(update_and_hold_state(s, step, result));
    /* Those that are on their way are packed by the next pass, as they come. */
    if (result->outcome == DT_STEP_TAKEN && !dt_update_is_under_way(&s->update))
        pack_weights(s);
    result->step_seconds = dt_clock_seconds() - start_seconds;
    if (!counts(result))
        return DT_OK;
    if (tell)
        tell(context, result);
    if (!dt_update_is_under_way(&s->update))
        dt_state_release(s->in.state);
    return DT_OK;
}

dt_status dt_step_settle(dt_step *s) {
    if (!dt_update_is_under_way(&s->update))
        return DT_OK;
    dt_progress_enter(s->in.state->step, "gathering the weights");
    DT_TRY(dt_update_complete(&s->update));
    pack_weights(s);
    dt_state_release(s->in.state);
    return DT_OK;
}

const dt_tensor *dt_step_tensor_at(const dt_step *s, const float *at) {
    const dt_layout *layout = s->in.gpt->layout;
    const dt_tensor *found = dt_layout_tensor_at(layout, s->in.state->parameters, at);
    for (int64_t b = 0; found == NULL && b < s->schedule.buffers; b++)
        found = dt_layout_tensor_at(layout, s->gradients.vector[b], at);
    return found;
}

const char *dt_step_blame(const dt_step *s) {
    return s->blame;
}

dt_status dt_step_allreduce_alone(dt_step *s, double *seconds) {
    return dt_overlap_alone(s->overlap, seconds);
}
