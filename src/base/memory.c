/* One allocator for everything that is large or aligned; small strings use malloc. */
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/available.h"
#include "base/progress.h"

/* Products walk down columns, a page a row: pages of 2 MB spare them most searches of the page tables. */
#define HUGE_PAGE ((size_t)2 << 20)

/* Asking the kernel takes some 50 us: nothing beside the use of so many bytes. */
#define LOOKED_AT_BYTES ((size_t)64 << 20)

/* Cleared between two marks of progress. */
#define CLEARED_BYTES ((size_t)32 << 20)

/* The number of bytes, which can be addressed also when it is rounded up to whole units. */
static dt_status count_bytes(int64_t count, size_t size, const char *what, size_t *bytes) {
    *bytes = 0;
    if (count < 0 || __builtin_mul_overflow((size_t)count, size, bytes) || *bytes > PTRDIFF_MAX - HUGE_PAGE)
        return dt_fail("cannot hold %s: %" PRId64 " elements of %zu bytes are beyond what can be addressed; "
                       "use a smaller model or batch",
                       what, count, size);
    return DT_OK;
}

dt_status dt_memory_expect(int64_t count, size_t size, const char *what) {
    size_t bytes;
    DT_TRY(count_bytes(count, size, what, &bytes));
    if (bytes < LOOKED_AT_BYTES)
        return DT_OK;
    const int64_t available = dt_available_bytes("");
    if ((int64_t)bytes <= available)
        return DT_OK;
    return dt_fail("out of memory for %s: it needs %zu bytes, but this host has %" PRId64
                   " left; use a smaller model, batch or number of threads, or more memory per rank",
                   what, bytes, available);
}

/* The first touch of so many pages may take a second, and is watched as all work is. */
static void clear(char *block, size_t bytes) {
    for (size_t done = 0; done < bytes; done += CLEARED_BYTES) {
        memset(block + done, 0, bytes - done < CLEARED_BYTES ? bytes - done : CLEARED_BYTES);
        dt_progress_mark();
    }
}

/* aligned_alloc wants a multiple of the alignment, and a size of 0 may return NULL. */
static size_t align_of(size_t bytes) {
    return bytes >= HUGE_PAGE ? HUGE_PAGE : DT_MEMORY_ALIGN;
}

static size_t block_bytes(size_t bytes) {
    const size_t align = align_of(bytes);
    return bytes == 0 ? align : (bytes + align - 1) / align * align;
}

int64_t dt_memory_block_bytes(int64_t count, size_t size) {
    size_t bytes;
    if (count < 0 || __builtin_mul_overflow((size_t)count, size, &bytes) || bytes > PTRDIFF_MAX - HUGE_PAGE)
        return INT64_MAX;
    return (int64_t)block_bytes(bytes);
}

void *dt_memory_alloc_untouched(int64_t count, size_t size, const char *what) {
    size_t bytes;
    if (count_bytes(count, size, what, &bytes) != DT_OK || dt_memory_expect(count, size, what) != DT_OK)
        return NULL;
    void *block = aligned_alloc(align_of(bytes), block_bytes(bytes));
    if (block == NULL)
        (void)dt_fail("out of memory for %s: the system does not give %zu bytes more; use a smaller model, "
                      "batch or number of threads, or more memory per rank",
                      what, block_bytes(bytes));
    return block;
}

void *dt_memory_alloc(int64_t count, size_t size, const char *what) {
    void *block = dt_memory_alloc_untouched(count, size, what);
    if (block == NULL)
        return NULL;
    const size_t bytes = block_bytes((size_t)count * size), align = align_of((size_t)count * size);
    clear(block, bytes);
    /* After the first touch: the kernel then turns small pages into huge ones as it finds the time, where it
     * would else look for free ones now. A kernel that has none is as good, only slower. */
    if (align == HUGE_PAGE)
        (void)madvise(block, bytes, MADV_HUGEPAGE);
    return block;
}

void dt_memory_free(void *block) {
    DT_ASSERT_ALIGNED(block);
    free(block);
}

int64_t dt_memory_round_floats(int64_t count) {
    DT_ASSERT(count >= 0);
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
