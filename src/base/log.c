/* Console output. metrics.jsonl, which programs read, is train/metrics.c. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/escape.h"

/* Longer lines are cut there too. */
#define LONGEST_REDRAWN 512

/* Lines up to here need no memory, so that what is said of its lack, or at each step, always comes through.
 */
#define FIXED_BYTES 4096

#define STAMP_BYTES 16

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool speaks_here = true;
static bool on_terminal = false;
static bool stamps_here = false;

/* What a stream has not taken since it took something last. */
typedef struct loss {
    const char *name;
    long long lines;
    int cause;
    bool taken; /* somebody has been told */
} loss;
static loss losses[2] = {{.name = "standard output"}, {.name = "standard error"}};

/* What stands below all lines, "" for nothing; and whether it stands there now, without a newline. The cursor
 * is at its start: there it stays when a window becomes narrower and the terminal breaks the line in two. */
static char redrawn[LONGEST_REDRAWN];
static bool line_is_open = false;

void dt_log_open(bool speaks, bool terminal) {
    pthread_mutex_lock(&lock);
    speaks_here = speaks;
    on_terminal = terminal;
    pthread_mutex_unlock(&lock);
}

/* TERM is how a terminal says what it understands; one that says nothing, or "dumb", knows no sequences. */
static bool understands_sequences(void) {
    const char *kind = getenv("TERM");
    return kind != NULL && *kind != 0 && strcmp(kind, "dumb") != 0;
}

/*
 * Where standard output (1) or standard error (2) ends: under mpirun a rank's own output is a pseudo-terminal
 * of mpirun's whatever mpirun writes to, and its standard error a pipe, so there it is the parent's. -1 when
 * it is nothing that can be opened.
 */
static int open_stream(int stream) {
    char path[64];
    if (getenv("OMPI_COMM_WORLD_SIZE") != NULL)
        snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)getppid(), stream);
    else
        snprintf(path, sizeof path, "/proc/self/fd/%d", stream);
    return open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

static bool ends_at_terminal(int stream) {
    const int descriptor = open_stream(stream);
    if (descriptor < 0)
        return false;
    const bool terminal = isatty(descriptor) == 1;
    close(descriptor);
    return terminal;
}

/* Of standard error, where warnings go. The caller holds the lock. */
static bool shows_colours(void) {
    const char *refused = getenv("NO_COLOR");
    return (refused == NULL || *refused == 0) && understands_sequences() && ends_at_terminal(STDERR_FILENO);
}

int dt_log_columns(void) {
    struct winsize size = {0};
    const int descriptor = on_terminal ? open_stream(STDOUT_FILENO) : -1;
    if (descriptor < 0)
        return 0;
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0)
        size.ws_col = 0;
    close(descriptor);
    return size.ws_col;
}

bool dt_log_redraws(void) {
    return on_terminal && understands_sequences();
}

void dt_log_stamp(bool stamps) {
    pthread_mutex_lock(&lock);
    stamps_here = stamps;
    pthread_mutex_unlock(&lock);
}

/* Wipes the redrawn line, and what a narrower window has made of it. */
static void wipe(void) {
    if (line_is_open)
        fputs("\r\033[J", stdout);
    line_is_open = false;
}

/* Text that cannot be written, to a full disk or a reader that has gone, is told to whom asks; once there is
 * room again the stream itself says how much is missing. */
static void lose(FILE *file, int cause) {
    loss *of = &losses[file == stderr];
    if (of->lines++ == 0)
        of->cause = cause;
}

static void find_again(FILE *file) {
    loss *of = &losses[file == stderr];
    if (of->lines > 0)
        fprintf(file, "dtrain: warning: %lld earlier lines could not be written: %s\n", of->lines,
                strerror(of->cause));
    of->lines = 0;
}

bool dt_log_take_loss(const char **stream, const char **cause) {
    bool found = false;
    pthread_mutex_lock(&lock);
    for (int s = 0; s < 2 && !found; s++)
        if (losses[s].lines > 0 && !losses[s].taken) {
            found = losses[s].taken = true;
            *stream = losses[s].name;
            *cause = strerrordesc_np(losses[s].cause);
        }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Everything that this program shows goes through here. Without memory for the escapes the text is left out.
 */
static void show(FILE *file, const char *start, const char *text, dt_escape_shape shape, const char *end) {
    char *escaped = NULL;
    if (dt_escape_needed(text, shape)) {
        escaped = malloc(DT_ESCAPE_BYTES(strlen(text)));
        text = escaped ? dt_escape(text, shape, escaped) : "(text that is not shown: out of memory)";
    }
    /* In one call, since other ranks write to the same stream. */
    const int printed = fprintf(file, "%s%s%s", start, text, end);
    if (fflush(file) != 0 || printed < 0)
        lose(file, errno);
    else
        find_again(file);
    free(escaped);
}

/* Puts the redrawn line below what was printed. */
static void draw(void) {
    char line[LONGEST_REDRAWN];
    const int width = dt_log_columns();
    if (redrawn[0] == 0)
        return;
    memcpy(line, redrawn, sizeof line);
    /* The last column stays free: some terminals go to the next line once it is written. */
    if (width > 0 && (size_t)width <= sizeof line)
        line[width - 1] = 0;
    show(stdout, "", line, DT_ESCAPE_LINE, "\r");
    line_is_open = true;
}

static void show_line(FILE *file, const char *start, const char *format, va_list arguments) {
    char fixed[FIXED_BYTES], *grown = NULL;
    va_list again;
    va_copy(again, arguments);
    const int length = vsnprintf(fixed, sizeof fixed, format, arguments);
    if (length >= (int)sizeof fixed && vasprintf(&grown, format, again) < 0)
        grown = NULL;
    va_end(again);
    show(file, start, grown ? grown : fixed, DT_ESCAPE_LINE, "\n");
    free(grown);
}

/* Of the local clock, as the job's other logs have it; nothing on a terminal, whose reader has a clock. */
static const char *stamp(char text[STAMP_BYTES]) {
    const time_t now = time(NULL);
    struct tm local;
    text[0] = 0;
    if (stamps_here && !on_terminal && localtime_r(&now, &local) != NULL)
        (void)strftime(text, STAMP_BYTES, "%H:%M:%S  ", &local);
    return text;
}

void dt_log_line(const char *format, ...) {
    char time_of_day[STAMP_BYTES];
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (speaks_here) {
        wipe();
        show_line(stdout, stamp(time_of_day), format, arguments);
        draw();
    }
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

/* A line to standard error. The caller holds the lock. */
static void complain(const char *start, const char *format, va_list arguments) {
    wipe();
    fflush(stdout);
    show_line(stderr, start, format, arguments);
    draw();
}

void dt_log_warn(const char *format, ...) {
    char time_of_day[STAMP_BYTES], start[STAMP_BYTES + 64];
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (speaks_here) {
        const bool coloured = shows_colours();
        snprintf(start, sizeof start, "%sdtrain: %swarning:%s ", stamp(time_of_day),
                 coloured ? "\033[33m" : "", coloured ? "\033[m" : "");
        complain(start, format, arguments);
    }
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

void dt_log_note(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (speaks_here)
        complain("dtrain: ", format, arguments);
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

void dt_log_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    wipe();
    redrawn[0] = 0;
    complain("dtrain: error: ", format, arguments);
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

void dt_log_block(const char *text) {
    pthread_mutex_lock(&lock);
    if (speaks_here) {
        wipe();
        show(stdout, "", text, DT_ESCAPE_BLOCK, "\n");
        draw();
    }
    pthread_mutex_unlock(&lock);
}

void dt_log_output(const char *text) {
    pthread_mutex_lock(&lock);
    if (on_terminal)
        show(stdout, "", text, DT_ESCAPE_BLOCK, "");
    else {
        fputs(text, stdout);
        fflush(stdout);
    }
    pthread_mutex_unlock(&lock);
}

void dt_log_redraw(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (speaks_here && dt_log_redraws()) {
        vsnprintf(redrawn, sizeof redrawn, format, arguments);
        wipe();
        draw();
    }
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

void dt_log_clear(void) {
    pthread_mutex_lock(&lock);
    wipe();
    redrawn[0] = 0;
    fflush(stdout);
    pthread_mutex_unlock(&lock);
}

void dt_log_settle(void) {
    pthread_mutex_lock(&lock);
    if (line_is_open) {
        fputc('\n', stdout);
        if (fflush(stdout) != 0)
            lose(stdout, errno);
        line_is_open = false;
        redrawn[0] = 0;
    }
    pthread_mutex_unlock(&lock);
}

bool dt_log_find_terminal(void) {
    return ends_at_terminal(STDOUT_FILENO);
}
