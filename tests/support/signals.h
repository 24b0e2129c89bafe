/** Signals as a program finds them that a person starts at a terminal. */
#ifndef DT_TESTS_SIGNALS_H
#define DT_TESTS_SIGNALS_H

#include <signal.h>
#include <stddef.h>

/** Undoes what nohup, a script's background or cron has ignored for this process and its children: dtrain
 * leaves a signal ignored that was so when it began. */
static inline void signals_restore(void) {
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], SIG_DFL);
}

#endif
