/* Each shape is one line of its formula in the header. */
#include "optim/schedule.h"

#include <math.h>

static double portion(int64_t done, int64_t of) {
    double z = of > 0 ? (double)done / (double)of : 1.0;
    return z < 0.0 ? 0.0 : z > 1.0 ? 1.0 : z;
}

double dt_schedule_rate(const dt_schedule *s, int64_t step) {
    if (step <= s->warmup_steps)
        return s->peak * (double)step / (double)s->warmup_steps;
    const double fall = s->peak - s->least;
    double z;
    switch (s->shape) {
    case DT_SCHEDULE_COSINE:
        z = portion(step - s->warmup_steps, s->max_steps - s->warmup_steps);
        return s->least + fall * 0.5 * (1.0 + cos(3.14159265358979323846 * z));
    case DT_SCHEDULE_WSD:
        z = portion(step - (s->max_steps - s->decay_steps), s->decay_steps);
        return s->peak - fall * z;
    case DT_SCHEDULE_CONSTANT:
        break;
    }
    return s->peak;
}
