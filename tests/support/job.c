/* /proc tells the environment that a process was started with, and so whose it is. */
#include "support/job.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/command.h"

#define MARK "DTRAIN_TEST_JOB"

static char entry[64]; /* MARK=.. of this test */

void job_mark(void) {
    char here[512], value[32];
    snprintf(value, sizeof value, "%d", (int)getpid());
    snprintf(entry, sizeof entry, MARK "=%s", value);
    assert_non_null(getcwd(here, sizeof here));
    setenv(MARK, value, 1);
    setenv("OMPI_MCA_orte_tmpdir_base", here, 1); /* Open MPI 4 */
    setenv("PRTE_MCA_prte_tmpdir_base", here, 1); /* and 5 */
    setenv("OMPI_MCA_btl_vader_backing_directory", here, 1);
}

bool job_has_variable(pid_t process, const char *wanted) {
    char path[64], *found = NULL;
    size_t capacity = 0;
    bool has = false;
    snprintf(path, sizeof path, "/proc/%d/environ", (int)process);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false; /* it has gone since it was listed */
    while (!has && getdelim(&found, &capacity, 0, file) > 0)
        has = strcmp(found, wanted) == 0;
    free(found);
    fclose(file);
    return has;
}

/* Sends `number` to every process of the test, 0 to none; how many there are. */
static int visit(int number) {
    int count = 0;
    DIR *folder = opendir("/proc");
    assert_non_null(folder);
    for (struct dirent *name; (name = readdir(folder)) != NULL;) {
        const pid_t process = (pid_t)strtol(name->d_name, NULL, 10);
        if (process <= 0 || process == getpid() || !job_has_variable(process, entry))
            continue;
        count++;
        if (number != 0)
            kill(process, number);
    }
    closedir(folder);
    return count;
}

int job_count(void) {
    return visit(0);
}

void job_signal(int number) {
    (void)visit(number);
}

int job_await_end(double seconds) {
    const struct timespec pause = {.tv_nsec = 10000000};
    int left = job_count();
    for (double waited = 0.0; left > 0 && waited < seconds; waited += 0.01) {
        nanosleep(&pause, NULL);
        left = job_count();
    }
    return left;
}

int job_tear_down(void **state) {
    job_signal(SIGKILL);
    (void)job_await_end(10.0);
    command_leave_folder(*state);
    return 0;
}
