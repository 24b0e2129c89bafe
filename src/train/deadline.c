/* Two sources of an end, and one moment made of it; train/stop.c listens for the moment. */
#include "train/deadline.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "train/stop.h"

/* A save that nobody has measured yet: slower than most disks are. */
#define BYTES_A_SECOND 50e6

/* From the last checkpoint to the end of the process. */
#define LEAVE_SECONDS 1.0

/* ---- Slurm ---- */

/* squeue's answer, "2031-05-30T12:00:00" in local time; "" when there is none. Killed with a signal that a
 * child of this program does not inherit as blocked. */
static void ask_squeue(const char *job, char *answer, int answer_bytes) {
    char command[128];
    *answer = 0;
    snprintf(command, sizeof command, "timeout -s KILL 10 squeue -h -j %.20s -o %%e 2>/dev/null", job);
    FILE *squeue = popen(command, "r");
    if (squeue == NULL)
        return;
    if (fgets(answer, answer_bytes, squeue) == NULL)
        *answer = 0;
    (void)pclose(squeue);
    answer[strcspn(answer, "\n")] = 0;
}

static double read_stamp(const char *stamp) {
    struct tm local = {.tm_isdst = -1};
    const char *rest = strptime(stamp, "%Y-%m-%dT%H:%M:%S", &local);
    const time_t seconds = rest && *rest == 0 ? mktime(&local) : (time_t)-1;
    return seconds == (time_t)-1 ? HUGE_VAL : (double)seconds;
}

double dt_deadline_slurm(void) {
    const char *job = getenv("SLURM_JOB_ID"), *end = getenv("SLURM_JOB_END_TIME");
    char answer[64];
    if (job == NULL || *job == 0 || strspn(job, "0123456789") != strlen(job))
        return HUGE_VAL;
    if (end && *end && strspn(end, "0123456789") == strlen(end))
        return strtod(end, NULL);
    ask_squeue(job, answer, sizeof answer);
    if (*answer == 0)
        dt_log_warn(
            "squeue did not say when Slurm job %s ends, so the run does not stop before that by itself; "
            "give it --stop-after-seconds, or the job --signal=USR1@300",
            job);
    /* A job without a limit has a word there instead of a time. */
    return isdigit((unsigned char)*answer) ? read_stamp(answer) : HUGE_VAL;
}

/* ---- the moment ---- */

static void set_moment(const dt_deadline *d) {
    dt_stop_by(d->end_seconds - 2.0 * (d->step_seconds + d->save_seconds) - LEAVE_SECONDS);
}

void dt_deadline_find(dt_deadline *d, double start_seconds, double stop_after_seconds, int64_t state_bytes) {
    const double slurm_seconds = dt_deadline_slurm() - (double)time(NULL), now = dt_clock_seconds();
    *d = (dt_deadline){.end_seconds = now + slurm_seconds,
                       .save_seconds = (double)state_bytes / BYTES_A_SECOND};
    if (!dt_is_null_real(stop_after_seconds))
        d->end_seconds = fmin(d->end_seconds, start_seconds + stop_after_seconds);
    if (isinf(d->end_seconds))
        return;
    dt_log_line("deadline  %.0f s from now, by %s: saves and stops before", d->end_seconds - now,
                d->end_seconds < now + slurm_seconds ? "stop_after_seconds" : "the end of the Slurm job");
    set_moment(d);
}

void dt_deadline_stepped(dt_deadline *d, double seconds) {
    if (isinf(d->end_seconds) || seconds <= d->step_seconds)
        return;
    d->step_seconds = seconds;
    set_moment(d);
}

void dt_deadline_saved(dt_deadline *d, double seconds) {
    if (isinf(d->end_seconds) || (d->save_measured && seconds <= d->save_seconds))
        return;
    d->save_seconds = seconds;
    d->save_measured = true;
    set_moment(d);
}
