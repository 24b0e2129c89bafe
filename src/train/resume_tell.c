/* Each line begins with "resume:" and says what there is to do about it. */
#include "train/resume_tell.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "config/options.h"
#include "config/value.h"
#include "train/metrics.h"
#include "train/metrics_lines.h"
#include "train/settings.h"

static void log_change(const char *key, const char *saved, const char *now) {
    dt_log_line("resume: %s was %s and is %s from here on", key, saved, now);
}

/*
 * What the learning rate does from here, where that is not what the run was on its way to: its schedule has
 * ended, or has another length or shape.
 */
static void tell_schedule(const dt_config *saved, const dt_config *now, int64_t step) {
    static const char *const names[] = {
        [DT_LR_CONSTANT] = "constant", [DT_LR_COSINE] = "cosine", [DT_LR_WSD] = "wsd"};
    const dt_lr_schedule before = dt_settings_schedule(saved), after = dt_settings_schedule(now);
    const double last = dt_lr_schedule_rate(&before, step), next = dt_lr_schedule_rate(&after, step + 1);
    const bool ended = step >= before.max_steps && before.shape != DT_LR_CONSTANT;
    if (step == 0 || step >= after.max_steps || (!ended && next == dt_lr_schedule_rate(&before, step + 1)))
        return;
    char text[256];
    snprintf(text, sizeof text,
             "resume: the learning rate was %.6g at step %" PRId64 "%s; with lr_schedule: %s and max_steps: "
             "%" PRId64 " it is %.6g at step %" PRId64 " and %.6g at step %" PRId64,
             last, step, ended ? ", where its schedule ended" : "", names[now->lr_schedule], after.max_steps,
             next, step + 1, dt_lr_schedule_rate(&after, after.max_steps), after.max_steps);
    /* A warm-up is meant to rise. */
    if (next > last && step >= after.warmup_steps)
        dt_log_warn("%s: it rises again; give another lr_schedule or learning_rate if you do not want that",
                    text);
    else
        dt_log_line("%s", text);
}

/* `asked` is that of dt_resume_tell_changes. */
static void tell_start(const dt_config *saved, const char *asked) {
    const char *began = saved->init_from;
    if (asked && (began == NULL || strcmp(asked, began) != 0))
        dt_log_line(
            "resume: init_from: %s has no effect, since the run goes on from a checkpoint; it began %s%s",
            asked, began ? "from " : "with initial weights", began ? began : "");
}

/* Texts that are given and that nobody reads, since the run is at its end. */
static void tell_unread(const dt_config *saved, const dt_config *now) {
    static const char *const keys[] = {"data", "validation_data"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const dt_option *option = dt_options_find(keys[k], strlen(keys[k]), false);
        char *was = dt_value_text(saved, option), *is = dt_value_text(now, option);
        if (dt_config_is_given(now, keys[k]) && was && is && strcmp(was, is) != 0)
            dt_log_line(
                "resume: %s was %s, and %s is not read: the run in %s is at its end; a run on another "
                "text needs another --out-dir",
                keys[k], was, is, now->out_dir);
        free(was);
        free(is);
    }
}

dt_status dt_resume_tell_changes(const dt_config *saved, const dt_config *now, const char *asked,
                                 int64_t step) {
    DT_TRY(dt_config_compare(saved, now, log_change));
    tell_start(saved, asked);
    if (saved->data && !dt_config_is_given(now, "data")) {
        char *names = dt_value_text(saved, dt_options_find("data", strlen("data"), false));
        dt_log_line("resume: the text is %s, as the checkpoint says; if it has moved, give --data",
                    names ? names : "the same");
        free(names);
    }
    if (saved->hooks && !dt_config_is_given(now, "hooks"))
        dt_log_line("resume: the hooks are those of the checkpoint, %s; --hooks null leaves them out",
                    saved->hooks);
    tell_schedule(saved, now, step);
    if (step >= now->max_steps)
        tell_unread(saved, now);
    return DT_OK;
}

dt_status dt_resume_tell_saves(const dt_config *config, const char *checkpoints_folder) {
    int64_t saved = -1;
    char *metrics = dt_file_join(config->out_dir, DT_METRICS_NAME);
    if (metrics == NULL)
        return DT_FAILED;
    if (!dt_file_is_folder(metrics) && dt_metrics_last_save(metrics, &saved) == DT_OK && saved >= 0)
        dt_log_warn("resume: %s tells of a checkpoint of step %" PRId64 ", but %s holds none; where they are "
                    "elsewhere, or their disk is not mounted, stop this run and name the folder with "
                    "--checkpoint-dir",
                    metrics, saved, checkpoints_folder);
    free(metrics);
    return DT_OK;
}

void dt_resume_tell_products(const char *saved, const char *now) {
    const char *own = dt_choices_products[DT_PRODUCTS_OWN];
    if (strcmp(saved, own) != 0 && strcmp(now, own) != 0 && strcmp(saved, now) != 0)
        dt_log_line("resume: products were computed by %s and are by %s from here on, to other bits", saved,
                    now);
}
