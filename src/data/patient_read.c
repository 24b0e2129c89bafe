/* poll() before each read(). */
#include "data/patient_read.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/progress.h"

/* How long is waited until it is looked whether a stop was asked for. */
#define POLL_MS 500

/* Until there is something to read, or the end. */
static dt_status wait_for_input(int descriptor, const char *name, bool (*stop_requested)(void)) {
    for (;;) {
        struct pollfd look = {.fd = descriptor, .events = POLLIN};
        if (stop_requested && stop_requested())
            return dt_stopped("asked to stop while %s was read", name);
        if (poll(&look, 1, POLL_MS) != 0)
            return DT_OK; /* a failure too: read() says what it is */
    }
}

dt_status dt_patient_read(int descriptor, const char *name, bool (*stop_requested)(void), void *bytes,
                          size_t length, size_t *got) {
    ssize_t count;
    *got = 0;
    do {
        DT_TRY(wait_for_input(descriptor, name, stop_requested));
        count = read(descriptor, bytes, length);
    } while (count < 0 && (errno == EINTR || errno == EAGAIN));
    if (count < 0)
        return dt_usage("cannot read %s: %s", name, strerror(errno));
    *got = (size_t)count;
    dt_progress_mark();
    return DT_OK;
}
