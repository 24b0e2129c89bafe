/* What a broken contract says before it ends the process. */
#include "base/assert.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SENTENCE_BYTES 2048

static atomic_int known_rank = -1;

void dt_assert_set_rank(int rank) {
    atomic_store(&known_rank, rank);
}

/* The path below the folder of the sources, wherever they were when they were compiled. */
static const char *shorten(const char *file) {
    const char *found = file;
    for (const char *at = file; (at = strstr(at, "src/")) != NULL; at++)
        if (at == file || at[-1] == '/')
            found = at;
    return found;
}

/* Written past base/log.h, whose lock the caller may hold, and in one piece, as other ranks may speak too. */
_Noreturn void dt_assert_fail(const char *sentence, const char *file, int line, const char *function) {
    char text[SENTENCE_BYTES], where[32] = "";
    const int rank = atomic_load(&known_rank);
    if (rank >= 0)
        snprintf(where, sizeof where, " on rank %d", rank);
    int length = snprintf(text, sizeof text - 1, "dtrain: %s at %s:%d in %s%s", sentence, shorten(file), line,
                          function, where);
    if (length < 0 || length > (int)sizeof text - 2)
        length = (int)sizeof text - 2;
    text[length] = '\n';
    if (write(STDERR_FILENO, text, (size_t)length + 1) < 0)
        abort(); /* nobody can be told */
    abort();
}
