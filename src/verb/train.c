/* `dtrain train`, also when no verb is given: join the job, make the run, run the loop. */
#include <signal.h>
#include <stdbool.h>

#include "base/log.h"
#include "comm/agree.h"
#include "comm/watchdog.h"
#include "train/loop.h"
#include "train/opening.h"
#include "train/stop.h"
#include "verb/verb.h"

/* The config is YAML, which has escapes of its own. */
static dt_status print_config(const dt_config *config) {
    /* Here the text is the result: without a reader there is nothing left to do. */
    signal(SIGPIPE, SIG_DFL);
    dt_config_print(config, stdout);
    return dt_verb_printed("the config");
}

/* What was found is the result here too. */
static dt_status end_rehearsal(bool idle) {
    dt_log_line("dry run: %snothing was written", idle ? "" : "all is well up to step 1, and ");
    return dt_verb_printed("what the dry run found");
}

/* A rank that waits was asked to stop. */
static void stop_for_another(void) {
    dt_stop_ask(DT_STOP_OTHER_RANK);
}

/* The watchdog is there during start-up too: until the config is known, by the default. */
static dt_status start_watchdog(const dt_world *world) {
    dt_config defaults;
    dt_status status = dt_config_init(&defaults);
    const double limit = defaults.hang_timeout_seconds;
    dt_config_free(&defaults);
    DT_TRY(dt_agree(world, status));
    return dt_watchdog_start(world, limit, (dt_watchdog_request){dt_stop_requested, stop_for_another});
}

static dt_status train(const dt_world *world, const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    dt_config config;
    dt_run run = {0};
    DT_TRY(start_watchdog(world));
    dt_status status =
        dt_agree(world, dt_verb_settings(&config, &flags, world, verb, argc, argv, DT_VERB_RESUMES));
    if (status == DT_OK)
        dt_watchdog_limit(config.hang_timeout_seconds);
    if (status == DT_OK && flags.print_config) {
        status = dt_agree(world, world->rank == 0 ? print_config(&config) : DT_OK);
    } else if (status == DT_OK) {
        status = flags.dry_run ? dt_run_rehearse(&run, world, &config) : dt_run_create(&run, world, &config);
        if (status == DT_OK && run.idle)
            dt_opening_idle(&run);
        else if (status == DT_OK)
            status = dt_opening_print(&run);
        if (status == DT_OK && flags.dry_run)
            status = dt_agree(world, world->rank == 0 ? end_rehearsal(run.idle) : DT_OK);
        else if (status == DT_OK && !run.idle)
            status = dt_loop_run(&run);
        if (status == DT_STOPPED) {
            dt_log_line("%s: no step was taken and nothing was written", dt_error());
            status = DT_OK;
        }
        dt_run_free(&run);
    }
    dt_config_free(&config);
    return status;
}

dt_status dt_verb_train(const dt_verb *verb, int argc, char **argv) {
    dt_world world;
    DT_TRY(dt_stop_prepare());
    DT_TRY(dt_world_open(&world));
    dt_log_open(world.rank == 0, dt_log_find_terminal());
    const dt_status status = train(&world, verb, argc, argv);
    dt_stop_finish();
    return dt_verb_leave(&world, status);
}
