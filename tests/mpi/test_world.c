/* The plain collectives and the agreement on one outcome, on any number of ranks. */
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "comm/agree.h"
#include "support/cmocka_mpi.h"

/* All ranks run on this machine, and ranks are 0..size-1 once each: their sum is size (size - 1) / 2. */
static void the_world_knows_its_ranks_and_hosts(void **state) {
    (void)state;
    assert_int_equal(world.hosts, 1);
    assert_int_equal(world.host_ranks, world.size);
    assert_true(strlen(world.host) > 0);
    int64_t *ranks = calloc((size_t)world.size, sizeof *ranks);
    int64_t sum = 0, on_host = 1 + world.rank;
    assert_ok(dt_world_host_sum(&world, &on_host));
    assert_int_equal(on_host, (int64_t)world.size * (world.size + 1) / 2); /* all are on this host */
    ranks[world.rank] = world.rank;
    assert_ok(dt_world_gather_same(&world, ranks, (int64_t)sizeof *ranks));
    for (int r = 0; r < world.size; r++)
        sum += ranks[r];
    assert_int_equal(sum, (int64_t)world.size * (world.size - 1) / 2);
    free(ranks);
}

/* As on hosts that are each called after their rank. */
static void every_rank_learns_the_hosts_names(void **state) {
    (void)state;
    dt_world named = world;
    char(*names)[DT_HOST_BYTES], expected[DT_HOST_BYTES];
    snprintf(named.host, sizeof named.host, "n%d", world.rank);
    assert_ok(dt_world_host_names(&named, &names));
    for (int r = 0; r < world.size; r++) {
        snprintf(expected, sizeof expected, "n%d", r);
        assert_string_equal(names[r], expected);
    }
    dt_memory_free(names);
}

/* After a broadcast every rank's bytes are rank 0's; a length of 0 changes nothing. */
static void broadcast_copies_rank_0(void **state) {
    (void)state;
    unsigned char bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = world.rank == 0 ? (unsigned char)(i * 7) : 255;
    assert_ok(dt_world_broadcast(&world, bytes, 0));
    assert_int_equal(bytes[1], world.rank == 0 ? 7 : 255);
    assert_ok(dt_world_broadcast(&world, bytes, (int64_t)sizeof bytes));
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], (unsigned char)(i * 7));
}

/* Every rank gets rank 0's bytes and length, and a 0 behind them, whatever stood in its pointer. */
static void check_block(const char *text, size_t text_bytes) {
    char stale = 'x';
    char *bytes = &stale;
    size_t length = 12345;
    if (world.rank == 0) {
        length = text_bytes;
        bytes = malloc(text_bytes + 1);
        assert_non_null(bytes);
        memcpy(bytes, text, text_bytes);
        bytes[text_bytes] = 0;
    }
    assert_ok(dt_world_broadcast_block(&world, &bytes, &length));
    assert_int_equal(length, text_bytes);
    assert_memory_equal(bytes, text, text_bytes);
    assert_int_equal(bytes[length], 0);
    free(bytes);
}

static void a_block_reaches_all_ranks(void **state) {
    (void)state;
    const char with_zero[] = "n_layers: 4\n\0d_model: 256\n";
    check_block(with_zero, sizeof with_zero);
    check_block("", 0);
}

/* NULL on rank 0 becomes NULL everywhere, so that "no file" is not "an empty file". */
static void a_missing_block_is_missing_everywhere(void **state) {
    (void)state;
    char stale = 'x';
    char *bytes = world.rank == 0 ? NULL : &stale;
    size_t length = world.rank == 0 ? 0 : 99;
    assert_ok(dt_world_broadcast_block(&world, &bytes, &length));
    assert_null(bytes);
    assert_int_equal(length, 0);
}

/* Gathered elements are value(owner, i) on every rank, with runs of 0, 3, 6, 0, .. elements of 12 bytes. */
static void gather_all_completes_uneven_runs(void **state) {
    (void)state;
    typedef struct element {
        int32_t owner, index, check;
    } element;
    int64_t *counts = calloc((size_t)world.size, sizeof *counts), total = 0, at = 0;
    for (int r = 0; r < world.size; r++)
        total += counts[r] = 3 * (r % 3);
    element *all = calloc((size_t)total + 1, sizeof *all);
    for (int r = 0; r < world.size; at += counts[r], r++)
        for (int64_t i = 0; r == world.rank && i < counts[r]; i++)
            all[at + i] = (element){r, (int32_t)i, (int32_t)(1000 * r + i)};
    all[total].check = -7;
    assert_ok(dt_world_gather_all(&world, all, (int64_t)sizeof *all, counts));
    at = 0;
    for (int r = 0; r < world.size; at += counts[r], r++)
        for (int64_t i = 0; i < counts[r]; i++) {
            assert_int_equal(all[at + i].owner, r);
            assert_int_equal(all[at + i].index, i);
            assert_int_equal(all[at + i].check, 1000 * r + i);
        }
    assert_int_equal(all[total].check, -7);
    free(all);
    free(counts);
}

/* Row r is bytes that only rank r makes, on every rank; lengths of 0, odd and beyond an eager message. What
 * is behind the last row stays. */
static void gather_same_completes_equal_rows(void **state) {
    (void)state;
    static const int64_t lengths[] = {0, 1, 13, 70001};
    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
        const int64_t length = lengths[n];
        unsigned char *all = calloc((size_t)(world.size * length) + 1, 1);
        for (int64_t i = 0; i < length; i++)
            all[world.rank * length + i] = (unsigned char)(31 * world.rank + 7 * i + 1);
        all[world.size * length] = 201;
        assert_ok(dt_world_gather_same(&world, all, length));
        for (int r = 0; r < world.size; r++)
            for (int64_t i = 0; i < length; i++)
                assert_int_equal(all[r * length + i], (unsigned char)(31 * r + 7 * i + 1));
        assert_int_equal(all[world.size * length], 201);
        free(all);
    }
}

static void agreement_on_success(void **state) {
    (void)state;
    assert_int_equal(dt_agree(&world, DT_OK), DT_OK);
}

/* The ranks in `failing` fail: all leave with the lowest one's code, rank 0 with its sentence. */
static void check_agreement(unsigned failing) {
    int lowest = 0;
    while ((failing >> lowest & 1u) == 0)
        lowest++;
    dt_status mine = DT_OK;
    if ((failing >> world.rank & 1u) != 0)
        mine = world.rank % 2 == 0 ? dt_fail("disk %d is full", world.rank)
                                   : dt_usage("key %d is odd", world.rank);
    assert_int_equal(dt_agree(&world, mine), lowest % 2 == 0 ? DT_FAILED : DT_USAGE);

    char expected[DT_ERROR_BYTES] = "";
    if (world.rank == 0) {
        int length = snprintf(expected, sizeof expected,
                              lowest % 2 == 0 ? "disk %d is full" : "key %d is odd", lowest);
        if (lowest != 0)
            snprintf(expected + length, sizeof expected - (size_t)length, " (rank %d on %s)", lowest,
                     world.host);
    }
    assert_string_equal(dt_error(), expected);
}

static void agreement_on_the_lowest_failure(void **state) {
    (void)state;
    for (unsigned failing = 1; failing < 1u << world.size; failing++)
        check_agreement(failing);
}

/* Whichever ranks see a request to stop, all leave with it and no rank is named; a failure goes before it. */
static void agreement_on_a_request_to_stop(void **state) {
    (void)state;
    for (unsigned asked = 1; asked < 1u << world.size; asked++) {
        const bool here = (asked >> world.rank & 1u) != 0;
        assert_int_equal(dt_agree(&world, here ? dt_stopped("asked to stop") : DT_OK), DT_STOPPED);
        assert_string_equal(dt_error(), world.rank == 0 ? "asked to stop" : "");
        const bool last = world.rank == world.size - 1;
        const dt_status mine = last ? dt_fail("no text") : here ? dt_stopped("asked to stop") : DT_OK;
        assert_int_equal(dt_agree(&world, mine), DT_FAILED);
        assert_memory_equal(dt_error(), "no text", world.rank == 0 ? sizeof "no text" - 1 : 0);
    }
}

/* In the part of the first `ranks` ranks, ranks keep their numbers and its collectives see its ranks alone.
 */
static void check_subset(int ranks) {
    dt_world subset;
    assert_ok(dt_world_split(&world, ranks, &subset));
    assert_int_equal(subset.mpi != NULL, world.rank < ranks);
    if (subset.mpi) {
        int64_t *numbers = calloc((size_t)ranks, sizeof *numbers);
        assert_int_equal(subset.rank, world.rank);
        assert_int_equal(subset.size, ranks);
        assert_int_equal(subset.hosts, 1);
        assert_int_equal(subset.host_ranks, ranks);
        assert_string_equal(subset.host, world.host);
        numbers[subset.rank] = 10 + subset.rank;
        assert_ok(dt_world_gather_same(&subset, numbers, (int64_t)sizeof *numbers));
        for (int r = 0; r < ranks; r++)
            assert_int_equal(numbers[r], 10 + r);
        assert_int_equal(dt_agree(&subset, subset.rank == ranks - 1 ? dt_fail("last") : DT_OK), DT_FAILED);
        free(numbers);
    }
    assert_ok(dt_world_rejoin(&world, &subset));
    assert_null(subset.mpi);
    /* The whole still works, and keeps a scratch of its own size. */
    gather_all_completes_uneven_runs(NULL);
}

static void a_subset_is_a_world_of_its_own(void **state) {
    (void)state;
    for (int ranks = 1; ranks <= world.size; ranks++)
        check_subset(ranks);
}

/* How often this process has given its core away to wait. A rank that spins, or yields to others, hardly
 * does. */
static long times_slept(void) {
    struct rusage used;
    assert_int_equal(getrusage(RUSAGE_SELF, &used), 0);
    return used.ru_nvcsw;
}

/* Whether each rank without work slept while rank 0 took `us` microseconds; one that comes late has no time
 * to. */
static bool idle_ranks_sleep(useconds_t us) {
    dt_world subset;
    int *slept = calloc((size_t)world.size, sizeof *slept), all = 1;
    assert_non_null(slept);
    assert_ok(dt_world_split(&world, 1, &subset));
    const bool idle = subset.mpi == NULL;
    const long before = times_slept();
    if (!idle)
        usleep(us);
    assert_ok(dt_world_rejoin(&world, &subset));
    slept[world.rank] = !idle || times_slept() - before >= 10;
    assert_ok(dt_world_gather_same(&world, slept, (int64_t)sizeof *slept));
    for (int r = 0; r < world.size; r++)
        all = all && slept[r];
    free(slept);
    return all;
}

static void ranks_without_work_sleep(void **state) {
    (void)state;
    useconds_t us = 500000;
    while (!idle_ranks_sleep(us)) {
        us *= 2;
        assert_true(us < 10000000);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_world_knows_its_ranks_and_hosts),
    cmocka_unit_test(every_rank_learns_the_hosts_names),
    cmocka_unit_test(broadcast_copies_rank_0),
    cmocka_unit_test(a_block_reaches_all_ranks),
    cmocka_unit_test(a_missing_block_is_missing_everywhere),
    cmocka_unit_test(gather_all_completes_uneven_runs),
    cmocka_unit_test(gather_same_completes_equal_rows),
    cmocka_unit_test(agreement_on_success),
    cmocka_unit_test(agreement_on_the_lowest_failure),
    cmocka_unit_test(agreement_on_a_request_to_stop),
    cmocka_unit_test(a_subset_is_a_world_of_its_own),
    cmocka_unit_test(ranks_without_work_sleep),
};

CMOCKA_MPI_MAIN(tests)
