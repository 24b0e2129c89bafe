/* Console output. metrics.jsonl, which programs read, is train/metrics.c. */
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Longer lines are cut there too. */
#define LONGEST_REDRAWN 512

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool speaks_here = true;
static bool on_terminal = false;
static bool line_is_open = false; /* a redrawn line stands on the terminal without its newline */

void dt_log_open(bool speaks, bool terminal) {
    pthread_mutex_lock(&lock);
    speaks_here = speaks;
    on_terminal = terminal;
    pthread_mutex_unlock(&lock);
}

bool dt_log_terminal(void) {
    return on_terminal;
}

/* Wipes the redrawn line: the next one draws it anew. */
static void wipe(void) {
    if (line_is_open)
        fputs("\r\033[K", stdout);
    line_is_open = false;
}

void dt_log_line(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (speaks_here) {
        wipe();
        vfprintf(stdout, format, arguments);
        fputc('\n', stdout);
        fflush(stdout);
    }
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

void dt_log_warn(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (speaks_here) {
        wipe();
        fflush(stdout);
        fputs("dtrain: warning: ", stderr);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
        fflush(stderr);
    }
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

/*
 * Where standard output ends: under mpirun a rank's own is a pseudo-terminal of mpirun's whatever mpirun
 * writes to, so there it is the parent's. -1 when it is nothing that can be opened.
 */
static int open_output(void) {
    char path[64] = "/proc/self/fd/1";
    if (getenv("OMPI_COMM_WORLD_SIZE") != NULL)
        snprintf(path, sizeof path, "/proc/%ld/fd/1", (long)getppid());
    return open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

/* How many characters a line of the terminal holds, asked anew each time as windows change; 0 when unknown.
 */
static int columns(void) {
    struct winsize size = {0};
    const int descriptor = open_output();
    if (descriptor < 0)
        return 0;
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0)
        size.ws_col = 0;
    close(descriptor);
    return size.ws_col;
}

void dt_log_redraw(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (speaks_here && on_terminal) {
        char line[LONGEST_REDRAWN];
        const int width = columns();
        vsnprintf(line, sizeof line, format, arguments);
        /* The last column stays free: some terminals go to the next line once it is written. */
        if (width > 0 && (size_t)width <= sizeof line)
            line[width - 1] = 0;
        wipe();
        fputs(line, stdout);
        fflush(stdout);
        line_is_open = true;
    }
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

void dt_log_settle(void) {
    pthread_mutex_lock(&lock);
    if (line_is_open) {
        fputc('\n', stdout);
        fflush(stdout);
        line_is_open = false;
    }
    pthread_mutex_unlock(&lock);
}

bool dt_log_find_terminal(void) {
    const int descriptor = open_output();
    if (descriptor < 0)
        return false;
    const bool terminal = isatty(descriptor) == 1;
    close(descriptor);
    return terminal;
}
