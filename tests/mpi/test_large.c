/* Blocks and messages beyond 2^31 bytes, more than an int can count. Skipped where memory is short. */
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "allreduce/allreduce.h"
#include "support/cmocka_mpi.h"

#define GIB ((int64_t)1 << 30)

/* Skips the test, on all ranks alike, unless `gib` GiB are available on this machine. */
static void need_memory(int64_t gib) {
    int64_t available_kib = 0;
    char line[256];
    FILE *file = fopen("/proc/meminfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "MemAvailable: %" SCNd64, &available_kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    /* Of one opinion, because the ranks look at different moments. */
    assert_ok(dt_world_broadcast(&world, &available_kib, (int64_t)sizeof available_kib));
    if (available_kib >= gib * 1024 * 1024)
        return;
    print_message("skipped: needs %" PRId64 " GiB of available memory, found %" PRId64 "\n", gib,
                  available_kib / 1024 / 1024);
    skip();
}

/* Bytes on both sides of every border between pieces, and at both ends. */
static const int64_t marks[] = {0,           GIB - 1,        GIB,           2 * GIB - 1, 2 * GIB,
                                2 * GIB + 1, 2 * GIB + 4097, 2 * GIB + 4098};
#define MARKS      (sizeof marks / sizeof *marks)
#define LONG_BYTES (2 * GIB + 4099)

static unsigned char mark_value(int64_t at, int round) {
    return (unsigned char)(1 + (at * 31 + at / GIB * 7 + round * 101) % 255);
}

/* After the broadcast every mark is rank 0's; after each gathering, that of the rank whose run it lies in. */
static void blocks_of_more_than_2_gib(void **state) {
    (void)state;
    need_memory(8);
    const int64_t row_bytes = (LONG_BYTES + world.size - 1) / world.size;
    unsigned char *bytes = calloc((size_t)(row_bytes * world.size), 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < MARKS && world.rank == 0; i++)
        bytes[marks[i]] = mark_value(marks[i], 0);
    assert_ok(dt_world_broadcast(&world, bytes, LONG_BYTES));
    for (size_t i = 0; i < MARKS; i++)
        assert_int_equal(bytes[marks[i]], mark_value(marks[i], 0));
    assert_int_equal(bytes[GIB + 1], 0);

    int64_t *counts = calloc((size_t)world.size, sizeof *counts);
    int last = world.size - 1;
    counts[last] = 4098;
    counts[0] +=
        LONG_BYTES - 4098; /* rank 0's run ends behind 2 GiB, and the last rank's holds the last two marks */
    for (size_t i = 0; i < MARKS; i++)
        if (world.rank == (marks[i] < counts[0] ? 0 : last))
            bytes[marks[i]] = mark_value(marks[i], 1);
    assert_ok(dt_world_gather_all(&world, bytes, 1, counts));
    for (size_t i = 0; i < MARKS; i++)
        assert_int_equal(bytes[marks[i]], mark_value(marks[i], 1));

    for (size_t i = 0; i < MARKS; i++)
        if (world.rank == marks[i] / row_bytes)
            bytes[marks[i]] = mark_value(marks[i], 2);
    assert_ok(dt_world_gather_same(&world, bytes, row_bytes));
    for (size_t i = 0; i < MARKS; i++)
        assert_int_equal(bytes[marks[i]], mark_value(marks[i], 2));
    free(counts);
    free(bytes);
}

/* Rank r brings r + 1 at the ends of slices of more than 2 GiB; the sums there are 1 + .. + size. */
static void messages_of_more_than_2_gib(void **state) {
    (void)state;
    need_memory(24);
    int64_t slice = (2 * GIB + 64) / (int64_t)sizeof(float), elements = slice * world.size;
    int64_t bounds[] = {0, elements};
    dt_allreduce *reduce;
    assert_ok(
        dt_allreduce_create(&reduce, &world, world.size, elements, bounds, 1, &(dt_allreduce_options){0}));
    float *node = calloc((size_t)elements, sizeof *node);
    assert_non_null(node);
    for (int64_t end = slice; end <= elements; end += slice)
        node[end - slice] = node[end - 1] = (float)(world.rank + 1);
    assert_ok(dt_allreduce_start(reduce, 0, &node, node));
    assert_ok(dt_allreduce_finish(reduce));
    for (int64_t end = slice; end <= elements; end += slice) {
        assert_int_equal((int)node[end - slice], world.size * (world.size + 1) / 2);
        assert_int_equal((int)node[end - 1], world.size * (world.size + 1) / 2);
        assert_int_equal((int)node[end - 2], 0);
    }
    free(node);
    dt_allreduce_free(reduce);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(blocks_of_more_than_2_gib),
    cmocka_unit_test(messages_of_more_than_2_gib),
};

CMOCKA_MPI_MAIN(tests)
