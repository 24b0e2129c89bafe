/**
 * Reading from what may be a pipe: however long it takes until something comes, a stop is heard.
 */
#ifndef DT_DATA_PATIENT_READ_H
#define DT_DATA_PATIENT_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/**
 * Reads some of what comes from `descriptor`, up to `length` bytes; `*got` is 0 at its end alone.
 * `stop_requested` may be NULL, and is asked while input is waited for. Fails with DT_USAGE, naming `name`,
 * where it cannot be read, and with DT_STOPPED on request. Local.
 */
dt_status dt_patient_read(int descriptor, const char *name, bool (*stop_requested)(void), void *bytes,
                          size_t length, size_t *got);

#endif
