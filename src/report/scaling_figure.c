/* From points of a study to marks of its charts. */
#include "report/scaling_figure.h"

#include "report/chart.h"
#include "report/page.h"
#include "report/scaling_chart.h"

#define KEY_HEIGHT 30.0

/* One of the two charts of a kind; without marks where nothing of it was measured. */
static dt_scaling_chart make_chart(const dt_study *study, bool weak, bool rising) {
    dt_scaling_chart chart = {.title = rising ? weak ? "Speed-up, weak scaling" : "Speed-up, strong scaling"
                                       : weak ? "Efficiency, weak scaling"
                                              : "Efficiency, strong scaling",
                              .unit = rising ? "log scale" : "%",
                              .rising = rising};
    for (int64_t i = 0; i < study->count; i++) {
        const dt_study_point *p = &study->point[i];
        if (p->weak != weak || !dt_study_measured(p))
            continue;
        const double unit = rising ? 1.0 : 100.0 / p->ranks;
        if (p->threads_per_core > 1.0 && chart.crowded_from <= 0.0)
            chart.crowded_from = p->ranks;
        chart.predicted[chart.count] = unit * p->plan_speedup;
        chart.measured[chart.count++] =
            (dt_scaling_chart_mark){p->ranks, unit * p->speedup, unit * p->speedup_half_width};
    }
    return chart;
}

void dt_scaling_figure_put(const dt_study *study, bool weak, FILE *file) {
    fputs("<div class=\"pair\">\n", file);
    for (int rising = 1; rising >= 0; rising--) {
        const dt_scaling_chart chart = make_chart(study, weak, rising);
        if (chart.count == 0)
            continue;
        fputs("<div class=\"card\">\n", file);
        dt_scaling_chart_draw(&chart, file);
        fputs("</div>\n", file);
    }
    fputs("</div>\n", file);
    dt_scaling_chart_key(file);
}

static int count_kinds(const dt_study *study) {
    int kinds = 0;
    for (int weak = 0; weak <= 1; weak++)
        kinds += make_chart(study, weak, true).count > 0;
    return kinds;
}

static void draw_picture(FILE *file, const void *context) {
    const dt_study *study = context;
    const double height = DT_CHART_HEIGHT * count_kinds(study) + KEY_HEIGHT;
    double y = 0.0;
    dt_page_open_svg(file, "Scaling of a training step", DT_CHART_WIDE, height);
    for (int weak = 0; weak <= 1; weak++) {
        const dt_scaling_chart speedup = make_chart(study, weak, true),
                               efficiency = make_chart(study, weak, false);
        if (speedup.count == 0)
            continue;
        dt_scaling_chart_draw_at(&speedup, 0.0, y, file);
        dt_scaling_chart_draw_at(&efficiency, DT_CHART_WIDE - DT_CHART_SMALL, y, file);
        y += DT_CHART_HEIGHT;
    }
    dt_scaling_chart_key_at(58.0, y + 8.0, file);
    dt_page_close_svg(file);
}

dt_status dt_scaling_figure_write(const dt_study *study, const char *path) {
    return dt_page_write(path, draw_picture, study, NULL);
}
