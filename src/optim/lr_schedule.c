/* Each shape is one line of its formula in the header. */
#include "optim/lr_schedule.h"

#include "base/assert.h"
#include "base/elementary.h"

/* How far step `step` is on the way from `from` to max_steps. */
static double progress(const dt_lr_schedule *s, int64_t from, int64_t step) {
    return step <= from ? 0.0 : (double)(step - from) / (double)(s->max_steps - from);
}

double dt_lr_schedule_rate(const dt_lr_schedule *s, int64_t step) {
    DT_ASSERT(step >= 1 && s->max_steps >= 1 && s->warmup_steps >= 0);
    const double fall = s->peak - s->min;
    double cosine, sine;
    const int64_t now = step < s->max_steps ? step : s->max_steps, decay = s->max_steps - s->decay_steps;
    if (now <= s->warmup_steps)
        return s->peak * (double)now / (double)s->warmup_steps;
    switch (s->shape) {
    case DT_LR_COSINE:
        dt_elementary_turn(0.5 * progress(s, s->warmup_steps, now), &cosine, &sine);
        return s->min + fall * 0.5 * (1.0 + cosine);
    case DT_LR_WSD:
        return s->peak - fall * progress(s, decay > s->warmup_steps ? decay : s->warmup_steps, now);
    case DT_LR_CONSTANT:
        break;
    }
    return s->peak;
}
