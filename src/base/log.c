/* Console output. metrics.jsonl, which programs read, is train/metrics.c. */
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

void dt_log_redraw(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (speaks_here && on_terminal) {
        wipe();
        vfprintf(stdout, format, arguments);
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
    if (getenv("OMPI_COMM_WORLD_SIZE") == NULL)
        return isatty(STDOUT_FILENO) == 1;
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd/1", (long)getppid());
    int descriptor = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool terminal = isatty(descriptor) == 1;
    close(descriptor);
    return terminal;
}
