/* A pipe tells its writer too how many bytes it holds (FIONREAD, pipe(7) of Linux). */
#include "base/drain.h"

#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LOOK_NANOSECONDS 1000000L

/* What has been read is not printed yet: the reader has to come to that too. */
#define HANDLING_NANOSECONDS 20000000L

static bool is_pipe(int descriptor) {
    struct stat info;
    return fstat(descriptor, &info) == 0 && S_ISFIFO(info.st_mode);
}

static bool is_held(int descriptor) {
    int bytes = 0;
    return is_pipe(descriptor) && ioctl(descriptor, FIONREAD, &bytes) == 0 && bytes > 0;
}

void dt_drain_output(double max_seconds) {
    const struct timespec look = {.tv_nsec = LOOK_NANOSECONDS}, handling = {.tv_nsec = HANDLING_NANOSECONDS};
    const double until = dt_clock_seconds() + max_seconds;
    if (!is_pipe(STDOUT_FILENO) && !is_pipe(STDERR_FILENO))
        return;
    while ((is_held(STDOUT_FILENO) || is_held(STDERR_FILENO)) && dt_clock_seconds() < until)
        nanosleep(&look, NULL);
    nanosleep(&handling, NULL);
}
