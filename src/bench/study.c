/* What follows from the measured times. */
#include "bench/study.h"

#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/plural.h"

double dt_study_serial_fraction(double speedup, int ranks) {
    DT_ASSERT(!(speedup <= 0.0) && ranks > 0);
    const double ideal = 1.0 / ranks;
    return ranks == 1 ? (double)NAN : (1.0 / speedup - ideal) / (1.0 - ideal);
}

bool dt_study_measured(const dt_study_point *point) {
    return point->reason[0] == 0;
}

/* The point that the others of its kind are compared with, or NULL. Points of a kind stand in the order of
 * ranks. */
static const dt_study_point *base_of(const dt_study *study, bool weak) {
    for (int64_t i = 0; i < study->count; i++)
        if (study->point[i].weak == weak && dt_study_measured(&study->point[i]))
            return &study->point[i];
    return NULL;
}

static double relative_square(const dt_study_point *point) {
    const double relative = point->step.half_width / point->step.mean;
    return relative * relative;
}

void dt_study_derive(dt_study *study) {
    for (int64_t i = 0; i < study->count; i++) {
        dt_study_point *p = &study->point[i];
        const dt_study_point *base = base_of(study, p->weak);
        if (!dt_study_measured(p))
            continue;
        p->tokens_per_second = (double)p->batch * (double)study->config->max_seq_len / p->step.mean;
        p->speedup = base->ranks * p->tokens_per_second / base->tokens_per_second;
        p->speedup_half_width =
            p == base ? 0.0 : p->speedup * sqrt(relative_square(p) + relative_square(base));
        p->efficiency = p->speedup / p->ranks;
        p->serial_fraction = dt_study_serial_fraction(p->speedup, p->ranks);
        p->plan_speedup = base->ranks * p->plan.tokens_per_second / base->plan.tokens_per_second;
    }
}

static bool disagree(const dt_study_point *a, const dt_study_point *b) {
    return a->weak != b->weak && a->ranks == b->ranks && a->batch == b->batch && dt_study_measured(a) &&
           dt_study_measured(b) &&
           fabs(a->step.mean - b->step.mean) > a->step.half_width + b->step.half_width;
}

bool dt_study_disagreement(const dt_study *study, int index, char *text, size_t text_bytes) {
    for (int64_t i = 0; i < study->count; i++)
        for (int64_t j = i + 1; j < study->count; j++) {
            const dt_study_point *a = &study->point[i], *b = &study->point[j];
            if (!disagree(a, b) || index-- > 0)
                continue;
            snprintf(
                text, text_bytes,
                "strong and weak scaling on %d rank%s are the same work and took %.1f +- %.1f ms and %.1f "
                "+- %.1f ms: the machine was not equally fast for both, so the speed-ups are as uncertain; "
                "measure again when nothing else runs",
                a->ranks, dt_plural_s(a->ranks), 1e3 * a->step.mean, 1e3 * a->step.half_width,
                1e3 * b->step.mean, 1e3 * b->step.half_width);
            return true;
        }
    return false;
}
