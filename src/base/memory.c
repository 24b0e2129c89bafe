/* One allocator for everything that is large or aligned; small strings use malloc. */
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

void *dt_memory_alloc(int64_t count, size_t size, const char *what) {
    size_t bytes;
    if (count < 0 || __builtin_mul_overflow((size_t)count, size, &bytes) ||
        bytes > SIZE_MAX - DT_MEMORY_ALIGN) {
        (void)dt_fail("cannot hold %s: %" PRId64 " elements of %zu bytes are beyond what can be addressed",
                      what, count, size);
        return NULL;
    }
    /* aligned_alloc wants a multiple of the alignment, and a size of 0 may return NULL. */
    bytes = bytes == 0 ? DT_MEMORY_ALIGN : (bytes + DT_MEMORY_ALIGN - 1) / DT_MEMORY_ALIGN * DT_MEMORY_ALIGN;
    void *block = aligned_alloc(DT_MEMORY_ALIGN, bytes);
    if (block == NULL) {
        (void)dt_fail(
            "out of memory: %s needs %zu bytes more; use a smaller model, batch or number of threads, "
            "or more memory per rank",
            what, bytes);
        return NULL;
    }
    memset(block, 0, bytes);
    return block;
}

void dt_memory_free(void *block) {
    free(block);
}

int64_t dt_memory_round_floats(int64_t count) {
    return (count + DT_MEMORY_ALIGN_FLOATS - 1) / DT_MEMORY_ALIGN_FLOATS * DT_MEMORY_ALIGN_FLOATS;
}

int64_t dt_memory_resident_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    long total = 0, resident = 0;
    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld %ld", &total, &resident) != 2)
        resident = 0;
    fclose(file);
    return (int64_t)resident * (int64_t)sysconf(_SC_PAGESIZE);
}
