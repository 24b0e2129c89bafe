/* Waves of teams, as step/step.c has them; a wave is as long as its smallest team takes. */
#include "plan/passes.h"

#include <math.h>

#include "base/assert.h"
#include "base/minmax.h"
#include "plan/work_span.h"
#include "step/workers.h"
#include "train/products.h"

/* With the probe's own threads, whose teams it has measured. */
static dt_passes as_probed(const dt_probe *probe, const dt_config *c, int64_t micro_batches) {
    const double shared = (double)micro_batches / probe->teams;
    const double waves = c->products == DT_PRODUCTS_BLAS ? ceil(shared) : shared,
                 last_wave = waves - (ceil(waves) - 1.0);
    return (dt_passes){.seconds = waves * (probe->forward_seconds + probe->backward_seconds),
                       .first_forward_seconds = fmin(waves, 1.0) * probe->forward_seconds,
                       .last_backward_seconds = last_wave * probe->backward_seconds};
}

/* Seconds of a pass by one thread, and by a team. */
typedef struct wave_seconds {
    double of[DT_WORK_SPAN_PASSES];
} wave_seconds;

static dt_status count(dt_work_span *counts, const dt_config *c, const dt_shape *shape, int threads) {
    return dt_work_span_count(counts, dt_products_kernels(c), shape, c->micro_batch_size,
                              (dt_recompute)c->recompute, threads);
}

/* Bytes that are moved for a float of an addition, and of the norm and AdamW (step/spans.c). */
#define ADD_BYTES    12.0
#define UPDATE_BYTES 32.0

dt_status dt_passes_assume(dt_probe *probe, const dt_config *c, const dt_layout *layout,
                           double flop_per_second) {
    DT_ASSERT(flop_per_second > 0.0);
    const double bytes_per_second = flop_per_second / DT_WORK_SPAN_FLOP_PER_BYTE;
    dt_work_span counts;
    double flop[DT_WORK_SPAN_PASSES] = {0};
    DT_TRY(count(&counts, c, &layout->shape, 1));
    for (int pass = 0; pass < DT_WORK_SPAN_PASSES; pass++)
        for (int64_t r = 0; r < counts.rows; r++)
            flop[pass] += counts.row[pass][r].work_flop;
    *probe = (dt_probe){.threads = 1,
                        .teams = 1,
                        .forward_seconds = flop[DT_WORK_SPAN_FORWARD] / flop_per_second,
                        .backward_seconds = flop[DT_WORK_SPAN_BACKWARD] / flop_per_second,
                        .add_seconds = ADD_BYTES / bytes_per_second,
                        .add_alone_seconds = ADD_BYTES / bytes_per_second,
                        .update_seconds = (double)layout->elements * UPDATE_BYTES / bytes_per_second};
    return DT_OK;
}

/* What the probe's micro-batches would take one thread by itself. */
static dt_status find_alone(const dt_probe *probe, const dt_config *c, const dt_shape *shape,
                            wave_seconds *alone) {
    dt_work_span counts;
    alone->of[DT_WORK_SPAN_FORWARD] = probe->forward_seconds;
    alone->of[DT_WORK_SPAN_BACKWARD] = probe->backward_seconds;
    if (probe->threads == probe->teams)
        return DT_OK;
    DT_TRY(count(&counts, c, shape, probe->threads / probe->teams));
    for (int pass = 0; pass < DT_WORK_SPAN_PASSES; pass++)
        alone->of[pass] /= dt_work_span_ratio(&counts, pass);
    return DT_OK;
}

/* A wave of `micro_batches` on `threads` threads. */
static dt_status find_wave(const dt_config *c, const dt_shape *shape, const wave_seconds *alone, int threads,
                           int64_t micro_batches, wave_seconds *wave) {
    const int team = (int)(threads / micro_batches);
    dt_work_span counts;
    *wave = *alone;
    if (team == 1)
        return DT_OK;
    DT_TRY(count(&counts, c, shape, team));
    for (int pass = 0; pass < DT_WORK_SPAN_PASSES; pass++)
        wave->of[pass] = alone->of[pass] * dt_work_span_ratio(&counts, pass) +
                         (double)counts.barriers[pass] * team * DT_PASSES_BARRIER_SECONDS;
    return DT_OK;
}

dt_status dt_passes_of(dt_passes *passes, const dt_probe *probe, const dt_config *c, const dt_shape *shape,
                       int threads, int64_t team_threads, int64_t micro_batches) {
    DT_ASSERT(threads > 0 && team_threads > 0 && micro_batches > 0);
    if (threads == probe->threads) {
        *passes = as_probed(probe, c, micro_batches);
        return DT_OK;
    }
    const int64_t teams = dt_workers_teams(threads, team_threads, micro_batches),
                  full = micro_batches / teams, rest = micro_batches % teams;
    wave_seconds alone, whole, last;
    DT_TRY(find_alone(probe, c, shape, &alone));
    DT_TRY(find_wave(c, shape, &alone, threads, teams, &whole));
    last = whole;
    if (rest > 0)
        DT_TRY(find_wave(c, shape, &alone, threads, rest, &last));
    *passes = (dt_passes){.first_forward_seconds = (full > 0 ? whole : last).of[DT_WORK_SPAN_FORWARD],
                          .last_backward_seconds = last.of[DT_WORK_SPAN_BACKWARD]};
    for (int pass = 0; pass < DT_WORK_SPAN_PASSES; pass++)
        passes->seconds += (double)full * whole.of[pass] + (rest > 0 ? last.of[pass] : 0.0);
    return DT_OK;
}
