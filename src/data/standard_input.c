/* The file takes the place of the pipe by dup2(), so that all who read standard input read it. */
#include "data/standard_input.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/temporary.h"
#include "data/patient_read.h"

#define NAME        "standard input"
#define CHUNK_BYTES ((size_t)1 << 20)

static dt_status copy(int to, bool (*stop_requested)(void)) {
    uint8_t *bytes = malloc(CHUNK_BYTES);
    size_t got = 1;
    dt_status status = bytes ? DT_OK : dt_fail("out of memory for " NAME);
    while (status == DT_OK && got > 0) {
        status = dt_patient_read(STDIN_FILENO, NAME, stop_requested, bytes, CHUNK_BYTES, &got);
        if (status == DT_OK && got > 0)
            status = dt_file_write(to, "the copy of " NAME, bytes, got);
    }
    free(bytes);
    return status;
}

dt_status dt_standard_input_rewind(void) {
    return lseek(STDIN_FILENO, 0, SEEK_SET) == 0
               ? DT_OK
               : dt_fail("cannot read " NAME " from its start again: %s", strerror(errno));
}

static dt_status copy_and_replace(int file, bool (*stop_requested)(void)) {
    DT_TRY(copy(file, stop_requested));
    if (dup2(file, STDIN_FILENO) < 0)
        return dt_fail("cannot read " NAME " again: %s", strerror(errno));
    return dt_standard_input_rewind();
}

dt_status dt_standard_input_keep(bool (*stop_requested)(void)) {
    int file;
    if (lseek(STDIN_FILENO, 0, SEEK_CUR) == 0)
        return DT_OK; /* a file, at its start */
    dt_status status = dt_temporary_open(&file);
    if (status == DT_OK) {
        status = copy_and_replace(file, stop_requested);
        close(file);
    }
    return status == DT_FAILED
               ? dt_fail(
                     "%s; what is read twice is put aside in %s, name a larger folder by the variable TMPDIR",
                     dt_error(), dt_temporary_root())
               : status;
}
