/* Two sources of an end, and a thread that waits for the moment made of them. */
#include "train/deadline.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "config/config.h"
#include "train/stop.h"

/* A save that nobody has measured yet: slower than most disks are. */
#define BYTES_A_SECOND 50e6

/* From the last checkpoint to the end of the process. */
#define LEAVE_SECONDS 1.0

/* How long before the moment squeue is asked once more: as long as it may take, and a little. */
#define ASK_SECONDS 12.0

/* How often the thread looks, and how much later than that it must have been for the process to have been
 * stopped meanwhile, rather than to have waited for a core. */
#define LOOK_SECONDS  0.5
#define PAUSE_SECONDS 5.0

/* Slurm gives a job without a limit a year. */
#define LONGEST_SECONDS 3.2e9

/* ---- Slurm ---- */

static bool is_number(const char *text) {
    return text != NULL && *text != 0 && strspn(text, "0123456789") == strlen(text);
}

/* The job's number for squeue. The last element of an array has the array's own, which means all that are
 * left of it: there the element is named. */
static bool name_job(char *name, size_t name_bytes) {
    const char *job = getenv("SLURM_JOB_ID"), *array = getenv("SLURM_ARRAY_JOB_ID");
    const char *element = getenv("SLURM_ARRAY_TASK_ID");
    if (!is_number(job))
        return false;
    if (is_number(array) && is_number(element) && strcmp(job, array) == 0)
        snprintf(name, name_bytes, "%.20s_%.20s", array, element);
    else
        snprintf(name, name_bytes, "%.20s", job);
    return true;
}

/*
 * squeue's answer, "2031-05-30T12:00:00" in UTC, since local time has an hour twice when summer ends; "" when
 * there is none. What the user has set for looking at the queue, a form of times or a choice of jobs, must
 * not change it. Killed with a signal that a child of this program does not inherit as blocked.
 */
static void ask_squeue(const char *job, char *answer, int answer_bytes) {
    char command[384];
    *answer = 0;
    snprintf(
        command, sizeof command,
        "unset SQUEUE_STATES SQUEUE_USERS SQUEUE_NAMES SQUEUE_ACCOUNT SQUEUE_PARTITION SQUEUE_QOS "
        "SQUEUE_LICENSES; SLURM_TIME_FORMAT=standard TZ=UTC0 timeout -s KILL 10 squeue -h -j %.50s -o %%e "
        "2>/dev/null",
        job);
    FILE *squeue = popen(command, "r");
    if (squeue == NULL)
        return;
    if (fgets(answer, answer_bytes, squeue) == NULL)
        *answer = 0;
    (void)pclose(squeue);
    answer[strcspn(answer, "\n")] = 0;
}

/* The words that stand where a job has no limit. */
static bool is_no_limit(const char *answer) {
    static const char *const words[] = {"N/A", "NONE", "Unknown", "UNLIMITED", "INFINITE"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        if (strcasecmp(answer, words[w]) == 0)
            return true;
    return false;
}

/* The time that `stamp` says in UTC, NAN if it is none. */
static double read_stamp(const char *stamp) {
    struct tm utc = {0};
    const char *rest = strptime(stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    const time_t seconds = rest && *rest == 0 ? timegm(&utc) : (time_t)-1;
    return seconds == (time_t)-1 ? NAN : (double)seconds;
}

#define STOP_IN_TIME                                                                                         \
    "so the run does not stop before that by itself; give the run --stop-after-seconds, or the job "         \
    "--signal=USR1@300"

/* The end by squeue: HUGE_VAL for a job without a limit, NAN where it is not told, which `why` then says. */
static double find_by_squeue(const char *job, char *why, size_t why_bytes) {
    char answer[64];
    ask_squeue(job, answer, sizeof answer);
    const double end = *answer == 0 ? NAN : is_no_limit(answer) ? HUGE_VAL : read_stamp(answer);
    if (*answer == 0)
        snprintf(why, why_bytes, "squeue did not say when Slurm job %s ends", job);
    else if (isnan(end))
        snprintf(why, why_bytes,
                 "expected squeue to say when Slurm job %s ends, as in 2031-05-30T12:00:00, found \"%s\"",
                 job, answer);
    else if (end <= (double)time(NULL))
        snprintf(
            why, why_bytes,
            "squeue says that Slurm job %s ended at %s UTC, but it still runs, so this is another job or one "
            "past its limit",
            job, answer);
    else
        return end;
    return NAN;
}

double dt_deadline_slurm(void) {
    const char *told = getenv("SLURM_JOB_END_TIME");
    char job[48], why[256];
    if (!name_job(job, sizeof job))
        return HUGE_VAL;
    if (is_number(told)) {
        const double end = strtod(told, NULL), since = (double)time(NULL) - end;
        if (since < 0.0 && since > -LONGEST_SECONDS)
            return end;
        if (since < 0.0)
            dt_log_line(
                "deadline  SLURM_JOB_END_TIME, %.40s, is ignored, since no job lasts until then; asking "
                "squeue",
                told);
        else
            dt_log_line("deadline  SLURM_JOB_END_TIME was %s ago and is ignored, since this job still runs; "
                        "asking squeue",
                        dt_units_seconds(since).text);
    }
    const double end = find_by_squeue(job, why, sizeof why);
    if (isnan(end))
        dt_log_warn("%s, " STOP_IN_TIME, why);
    return isnan(end) ? HUGE_VAL : end;
}

/* ---- the moment ---- */

static double moment(const dt_deadline *d, double end) {
    return end - 2.0 * (d->step_seconds + d->save_seconds) - LEAVE_SECONDS;
}

/* How long the process has been stopped. The thread may not have had the time to notice the last pause. */
static double paused_seconds(const dt_deadline *d) {
    const double late = dt_clock_seconds() - d->looked_at - LOOK_SECONDS;
    return d->paused_seconds + (late > PAUSE_SECONDS ? late : 0.0);
}

/* The caller holds the mutex, and gives it up while squeue is asked. */
static void ask_again(dt_deadline *d) {
    char job[48], why[256];
    d->asked_again = true;
    if (!name_job(job, sizeof job))
        return;
    pthread_mutex_unlock(&d->mutex);
    const double end = find_by_squeue(job, why, sizeof why), left = end - (double)time(NULL);
    pthread_mutex_lock(&d->mutex);
    const double moved = dt_clock_seconds() + left;
    if (isnan(end) || moved <= d->slurm_end + LOOK_SECONDS)
        return;
    d->slurm_end = moved;
    d->asked_again = false;
    if (isinf(end))
        dt_log_line("deadline  the Slurm job has no time limit any more: going on");
    else
        dt_log_line("deadline  the Slurm job now ends %s from now: going on", dt_units_seconds(left).text);
}

/* What is due now. The caller holds the mutex. */
static void look(dt_deadline *d) {
    const double paused = paused_seconds(d), now = dt_clock_seconds();
    if (paused > d->paused_seconds)
        d->asked_again = false; /* Slurm adds the time in which it suspends a job */
    d->paused_seconds = paused;
    d->looked_at = now;
    if (now >= moment(d, d->slurm_end) - ASK_SECONDS && !d->asked_again) {
        ask_again(d);
        d->looked_at = dt_clock_seconds();
    }
    if (d->looked_at >= moment(d, d->own_end))
        dt_stop_ask(DT_STOP_AFTER_SECONDS);
    else if (d->looked_at >= moment(d, d->slurm_end))
        dt_stop_ask(DT_STOP_SLURM_END);
}

static void *keep(void *argument) {
    dt_deadline *d = argument;
    pthread_mutex_lock(&d->mutex);
    while (!d->leaving) {
        look(d);
        const struct timespec until = dt_clock_after(LOOK_SECONDS);
        if (!d->leaving)
            (void)pthread_cond_clockwait(&d->changed, &d->mutex, CLOCK_MONOTONIC, &until);
    }
    pthread_mutex_unlock(&d->mutex);
    return NULL;
}

void dt_deadline_start(dt_deadline *d, double start_seconds, double stop_after_seconds, int64_t state_bytes) {
    const double slurm_seconds = dt_deadline_slurm() - (double)time(NULL), now = dt_clock_seconds();
    const bool own = !dt_is_null_real(stop_after_seconds);
    *d = (dt_deadline){.own_end = own ? start_seconds + stop_after_seconds : HUGE_VAL,
                       .slurm_end = now + slurm_seconds,
                       .save_seconds = (double)state_bytes / BYTES_A_SECOND,
                       .looked_at = now};
    const double end = fmin(d->own_end, d->slurm_end);
    if (isinf(end))
        return;
    dt_log_line("deadline  %s from now, by %s: saves and stops before",
                dt_units_seconds(fmax(0.0, end - now)).text,
                d->own_end < d->slurm_end ? "stop_after_seconds" : "the end of the Slurm job");
    /* What is over already need not wait for the thread. */
    if (now >= moment(d, d->own_end))
        dt_stop_ask(DT_STOP_AFTER_SECONDS);
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->changed, NULL);
    const int failed = pthread_create(&d->keeper, NULL, keep, d);
    d->keeping = failed == 0;
    if (failed)
        dt_log_warn("cannot start the thread that waits for the deadline, " STOP_IN_TIME ": %s",
                    strerror(failed));
}

/* Looks at once, since the moment may have come nearer. */
static void end_change(dt_deadline *d) {
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->mutex);
}

void dt_deadline_stepped(dt_deadline *d, double seconds) {
    if (!d->keeping)
        return;
    pthread_mutex_lock(&d->mutex);
    const double paused = paused_seconds(d);
    seconds -= paused - d->paused_before_step;
    d->paused_before_step = paused;
    if (seconds <= d->step_seconds) {
        pthread_mutex_unlock(&d->mutex);
        return;
    }
    d->step_seconds = seconds;
    end_change(d);
}

void dt_deadline_saved(dt_deadline *d, double seconds) {
    if (!d->keeping || seconds == d->last_save_seconds)
        return;
    pthread_mutex_lock(&d->mutex);
    const double paused = paused_seconds(d);
    d->last_save_seconds = seconds;
    seconds = fmax(0.0, seconds - (paused - d->paused_before_save));
    d->paused_before_save = paused;
    if (seconds > d->save_seconds || !d->save_measured)
        d->save_seconds = seconds;
    d->save_measured = true;
    end_change(d);
}

void dt_deadline_stop(dt_deadline *d) {
    if (!d->keeping)
        return;
    pthread_mutex_lock(&d->mutex);
    d->leaving = true;
    end_change(d);
    pthread_join(d->keeper, NULL);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->mutex);
    d->keeping = false;
}
