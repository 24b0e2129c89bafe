/* As many as a person reads, evenly through time, the last one open. */
#include "report/run_samples.h"

#include <inttypes.h>

#include "base/minmax.h"
#include "report/page.h"

#define SAMPLES_MAX  24
#define SAMPLE_BYTES 4000
#define RUNS_MAX     50
#define RUN_BYTES    1000

static void put_sample(const dt_run_sample *sample, const char *run, bool open, size_t bytes, FILE *file) {
    fprintf(file, "<details%s><summary>", open ? " open" : "");
    if (run != NULL) {
        fputs("<b>", file);
        dt_page_text(file, run);
        fputs("</b> ", file);
    }
    fprintf(file, "after step %" PRId64 "</summary><pre>", sample->step);
    dt_page_text_start(file, sample->text, bytes);
    fputs("</pre></details>\n", file);
}

static void put_one_run(const dt_run_metrics *metrics, FILE *file) {
    const int64_t shown = dt_min(metrics->samples, SAMPLES_MAX), last = metrics->samples - 1;
    for (int64_t i = shown - 1; i >= 0; i--) {
        const int64_t at = shown > 1 ? i * last / (shown - 1) : last;
        put_sample(&metrics->sample[at], NULL, i == shown - 1, SAMPLE_BYTES, file);
    }
    if (metrics->samples > shown)
        fprintf(file, "<p><small>%" PRId64 " of %" PRId64 " samples.</small></p>\n", shown, metrics->samples);
}

void dt_run_samples_put(const dt_run_set *set, FILE *file) {
    int shown = 0;
    for (int r = 0; r < set->count && shown < RUNS_MAX; r++) {
        const dt_run_shown *run = &set->run[r];
        if (run->metrics.samples == 0)
            continue;
        if (shown++ == 0)
            fputs("<h2>Samples</h2>\n", file);
        if (set->count == 1)
            put_one_run(&run->metrics, file);
        else
            put_sample(&run->metrics.sample[run->metrics.samples - 1], run->label, shown == 1, RUN_BYTES,
                       file);
    }
}
