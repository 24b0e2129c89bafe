/* What the sum over ranks moves, against a count of its schedule message by message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "comm/deal.h"
#include "comm/traffic.h"

#define MOST_RANKS 64

/* Buckets of many units, of fewer units than there are ranks, and an uneven last one. */
static const int64_t bounds[] = {0, 4096, 4096 + 16 * 5, 4096 + 16 * 5 + 16 * 1000, 16 * 1500};
enum { BUCKETS = sizeof bounds / sizeof *bounds - 1 };

/* Adds one message of `count` floats from `from` to `to`; empty slices are not sent. */
static void send_one(dt_traffic *ranks, int from, int to, int64_t count) {
    if (count == 0)
        return;
    ranks[from].messages++;
    ranks[from].sent_bytes += 4 * count;
    ranks[to].received_bytes += 4 * count;
}

/* Plays the two phases of one bucket as reduce.c does: slices of nodes to their owners, finished slices to
 * all. */
static void play(const dt_deal *deal, int64_t bucket, dt_traffic *ranks) {
    for (int from = 0; from < deal->size; from++)
        for (int to = 0; to < deal->size; to++) {
            if (to == from)
                continue;
            for (int64_t node = 0; node < dt_deal_nodes(deal, from); node++)
                send_one(ranks, from, to, dt_deal_slice_of(deal, bucket, to).count);
            send_one(ranks, from, to, dt_deal_slice_of(deal, bucket, from).count);
        }
    for (int r = 0; r < deal->size; r++)
        for (int64_t add = 0; add < deal->add_count; add++)
            ranks[r].added_floats += dt_deal_slice_of(deal, bucket, r).count;
}

static int64_t most(const dt_traffic *ranks, int size, size_t field) {
    int64_t largest = 0;
    for (int r = 0; r < size; r++) {
        const int64_t value = *(const int64_t *)(const void *)((const char *)&ranks[r] + field);
        largest = value > largest ? value : largest;
    }
    return largest;
}

static void check_size(int size, int64_t leaves) {
    dt_deal deal;
    dt_traffic counted[BUCKETS], total[MOST_RANKS] = {0}, formula;
    int64_t room_bytes;
    assert_int_equal(dt_deal_make(&deal, size, leaves, bounds[BUCKETS], bounds, BUCKETS), DT_OK);
    assert_int_equal(dt_traffic_busiest(size, leaves, bounds[BUCKETS], bounds, BUCKETS, counted, &room_bytes),
                     DT_OK);
    for (int64_t b = 0; b < BUCKETS; b++) {
        dt_traffic ranks[MOST_RANKS] = {0};
        play(&deal, b, ranks);
        play(&deal, b, total);
        assert_int_equal(counted[b].messages, most(ranks, size, offsetof(dt_traffic, messages)));
        assert_int_equal(counted[b].sent_bytes, most(ranks, size, offsetof(dt_traffic, sent_bytes)));
        assert_int_equal(counted[b].received_bytes, most(ranks, size, offsetof(dt_traffic, received_bytes)));
        assert_int_equal(counted[b].added_floats, most(ranks, size, offsetof(dt_traffic, added_floats)));
    }
    for (int r = 0; r < size; r++) {
        assert_int_equal(dt_traffic_of_rank(size, r, leaves, bounds[BUCKETS], bounds, BUCKETS, &formula),
                         DT_OK);
        assert_memory_equal(&formula, &total[r], sizeof formula);
    }
    assert_true(size == 1 ? room_bytes == 0 : room_bytes > 0);
    dt_deal_drop(&deal);
}

static void the_formulas_count_the_schedule(void **state) {
    (void)state;
    for (int size = 1; size <= MOST_RANKS; size++) {
        check_size(size, size);
        check_size(size, size + 3);
        check_size(size, 128);
    }
}

/* Thakur, Rabenseifner and Gropp's reduce-scatter and all-gather: 2 (p - 1) messages, 2 (p - 1) / p of the
 * bytes. */
static void powers_of_two_cost_what_the_literature_says(void **state) {
    (void)state;
    const int64_t one[] = {0, 1 << 16};
    for (int size = 1; size <= MOST_RANKS; size *= 2) {
        dt_traffic moved;
        assert_int_equal(dt_traffic_busiest(size, 128, one[1], one, 1, &moved, NULL), DT_OK);
        assert_int_equal(moved.messages, 2 * (size - 1));
        assert_int_equal(moved.sent_bytes, 2 * (size - 1) * (4 * one[1] / size));
        assert_int_equal(moved.received_bytes, moved.sent_bytes);
        assert_int_equal(moved.added_floats, (size - 1) * (one[1] / size));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_formulas_count_the_schedule),
    cmocka_unit_test(powers_of_two_cost_what_the_literature_says),
};

int main(void) {
    return cmocka_run_group_tests(tests, NULL, NULL);
}
