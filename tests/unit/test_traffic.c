/* Programs of hundreds of ranks, played in one process: their sums, and the counts of what they move. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/philox.h"
#include "comm/exchange.h"
#include "comm/traffic.h"

#define MOST_RANKS 64
#define FLOATS     ((int64_t)7 * 16 * 3)

/* A rank that is being played: what reduce.c and runner.c would hold for it. */
typedef struct player {
    dt_program program;
    int64_t next;
    float *node[DT_TREE_COVER_MAX], *room, *sum;
    float **message; /* [operations]: what was sent */
} player;

static float leaf_value(int64_t leaf, int64_t element) {
    const dt_philox_words words = dt_philox((dt_philox_key){9, 1}, (uint32_t)leaf, (uint32_t)element, 0, 0);
    return ldexpf((float)(int32_t)words.w0, (int)(words.w1 % 24) - 43);
}

static float node_value(dt_tree_node node, int64_t element) {
    if (node.end - node.first == 1)
        return leaf_value(node.first, element);
    const int64_t middle = node.first + dt_tree_split(node.end - node.first);
    return node_value((dt_tree_node){node.first, middle}, element) +
           node_value((dt_tree_node){middle, node.end}, element);
}

static float *new_vector(int64_t count) {
    float *vector = dt_memory_alloc(count, sizeof *vector, "a test");
    assert_non_null(vector);
    return vector;
}

static void open_player(player *p, const dt_deal *deal, int rank,
                        void (*write)(dt_program *, const dt_exchange *)) {
    dt_operand own[DT_TREE_COVER_MAX];
    for (int i = 0; i < DT_TREE_COVER_MAX; i++)
        own[i] = (dt_operand){DT_ARRAY_OWN + i, 0};
    const dt_exchange exchange = {
        .deal = deal, .self = rank, .nodes = own, .sum = {DT_ARRAY_SUM, 0}, .count = FLOATS};
    *p = (player){.program = {.host_end = deal->members}};
    write(&p->program, &exchange);
    p->program.capacity = p->program.count;
    p->program.ops = dt_memory_alloc(p->program.capacity, sizeof(dt_op), "a test");
    dt_program_clear(&p->program);
    write(&p->program, &exchange);
    p->message = dt_memory_alloc(p->program.count, sizeof *p->message, "a test");
    p->room = new_vector(p->program.room_floats);
    for (int64_t i = 0; i < dt_deal_nodes(deal, rank); i++) {
        p->node[i] = new_vector(FLOATS);
        for (int64_t e = 0; e < FLOATS; e++)
            p->node[i][e] = node_value(deal->nodes[deal->node_starts[rank] + i], e);
    }
    p->sum = p->node[0];
}

static void close_player(player *p) {
    for (int64_t i = 0; i < p->program.count; i++)
        dt_memory_free(p->message[i]);
    dt_memory_free(p->message);
    dt_memory_free(p->program.ops);
    dt_memory_free(p->room);
    for (int i = 0; i < DT_TREE_COVER_MAX; i++)
        dt_memory_free(p->node[i]);
}

static float *address(const player *p, dt_operand at) {
    float *array = at.array == DT_ARRAY_SUM    ? p->sum
                   : at.array == DT_ARRAY_ROOM ? p->room
                                               : p->node[at.array - DT_ARRAY_OWN];
    return array + at.first;
}

/* Additions from where a rank stands up to its next messages, which are taken down as they are sent. */
static void add_and_post(player *p) {
    for (; p->next < p->program.count && p->program.ops[p->next].kind == DT_OP_ADD; p->next++) {
        const dt_op *op = &p->program.ops[p->next];
        dt_number_add(DT_NUMBER_FP32, address(p, op->out), address(p, op->left), address(p, op->right),
                      op->count);
    }
    for (int64_t i = p->next; i < p->program.count && p->program.ops[i].kind != DT_OP_WAIT; i++) {
        const dt_op *op = &p->program.ops[i];
        if (op->kind != DT_OP_SEND)
            continue;
        p->message[i] = new_vector(op->count);
        memcpy(p->message[i], address(p, op->left), (size_t)op->count * sizeof(float));
    }
}

/* The index of the `nth` operation of a kind with a peer. */
static int64_t find_nth(const player *p, dt_op_kind kind, int peer, int64_t nth) {
    for (int64_t i = 0; i < p->program.count; i++)
        if (p->program.ops[i].kind == kind && p->program.ops[i].peer == peer && nth-- == 0)
            return i;
    fail_msg("nothing is sent that is received");
    return -1;
}

/* The message that answers operation `index` of rank `rank`, a RECEIVE; NULL when it has not been sent. */
static const float *message_for(const player *players, int rank, int64_t index) {
    const dt_op *ops = players[rank].program.ops;
    const player *from = &players[ops[index].peer];
    int64_t nth = 0;
    for (int64_t i = 0; i < index; i++)
        nth += ops[i].kind == DT_OP_RECEIVE && ops[i].peer == ops[index].peer;
    const int64_t send = find_nth(from, DT_OP_SEND, rank, nth);
    assert_int_equal(from->program.ops[send].count, ops[index].count);
    return from->message[send];
}

/* Takes a rank over its WAIT when all that it receives has been sent, and on to its next; tells whether. */
static bool pass_wait(player *players, int rank) {
    player *p = &players[rank];
    int64_t end = p->next;
    while (p->program.ops[end].kind != DT_OP_WAIT)
        end++;
    for (int64_t i = p->next; i < end; i++)
        if (p->program.ops[i].kind == DT_OP_RECEIVE && message_for(players, rank, i) == NULL)
            return false;
    for (int64_t i = p->next; i < end; i++)
        if (p->program.ops[i].kind == DT_OP_RECEIVE)
            memcpy(address(p, p->program.ops[i].out), message_for(players, rank, i),
                   (size_t)p->program.ops[i].count * sizeof(float));
    p->next = end + 1;
    add_and_post(p);
    return true;
}

/* Plays all ranks until nobody can go on: then all must be at their ends. */
static void play(player *players, int size) {
    bool moved = true;
    for (int r = 0; r < size; r++)
        add_and_post(&players[r]);
    while (moved) {
        moved = false;
        for (int r = 0; r < size; r++)
            while (players[r].next < players[r].program.count && pass_wait(players, r))
                moved = true;
    }
    for (int r = 0; r < size; r++)
        assert_int_equal(players[r].next, players[r].program.count);
}

static void check_play(int size, int64_t leaves, void (*write)(dt_program *, const dt_exchange *)) {
    static player players[MOST_RANKS];
    static float expected[FLOATS];
    dt_deal deal;
    assert_int_equal(dt_deal_make(&deal, leaves, size, 0, NULL, size), DT_OK);
    for (int r = 0; r < size; r++)
        open_player(&players[r], &deal, r, write);
    play(players, size);
    for (int64_t e = 0; e < FLOATS; e++)
        expected[e] = node_value((dt_tree_node){0, leaves}, e);
    for (int r = 0; r < size; r++) {
        assert_memory_equal(players[r].sum, expected, sizeof expected);
        close_player(&players[r]);
    }
    dt_deal_drop(&deal);
}

/* The sum on every rank is the tree's, bit for bit, by slices and by halving. */
static void programs_add_along_the_tree(void **state) {
    (void)state;
    for (int size = 2; size <= 16; size++) {
        check_play(size, size, dt_exchange_write);
        check_play(size, size + 3, dt_exchange_write);
        check_play(size, size, dt_exchange_write_slices);
    }
    check_play(32, 32, dt_exchange_write);
    check_play(MOST_RANKS, 4 * MOST_RANKS, dt_exchange_write);
}

static dt_traffic busiest(const dt_traffic_job *job, int64_t floats) {
    const int64_t bounds[] = {0, floats};
    dt_traffic moved;
    int64_t room_bytes;
    assert_int_equal(dt_traffic_busiest(job, bounds, 1, &moved, &room_bytes), DT_OK);
    assert_true(job->ranks == 1 ? room_bytes == 0 : room_bytes > 0);
    return moved;
}

static int64_t log2_of(int64_t power) {
    int64_t steps = 0;
    while (power > 1) {
        power /= 2;
        steps++;
    }
    return steps;
}

/* Powers of two: 2 log2 p messages, 2 (p - 1) / p of the bytes, (p - 1) / p of the additions; and on hosts of
 * 4 ranks a host sends 2 (h - 1) / h of the vector, as if it were one rank. From 2 to 512 ranks. */
static void powers_of_two_cost_what_the_literature_says(void **state) {
    (void)state;
    const int64_t floats = 1 << 16, bytes = 4 * floats;
    for (int p = 2; p <= 512; p *= 2) {
        const dt_traffic_job job = {.ranks = p, .host_ranks = 1, .leaves = 1024};
        const dt_traffic moved = busiest(&job, floats);
        assert_int_equal(moved.messages, 2 * log2_of(p));
        assert_int_equal(moved.sent_bytes, 2 * (p - 1) * (bytes / p));
        assert_int_equal(moved.received_bytes, moved.sent_bytes);
        assert_int_equal(moved.host_sent_bytes, moved.sent_bytes);
        assert_int_equal(moved.added_floats, (p - 1) * (floats / p));
        assert_int_equal(moved.inside_bytes, 0);
    }
    for (int p = 8; p <= 512; p *= 2)
        for (dt_reduce_way way = DT_REDUCE_AUTO; way <= DT_REDUCE_HIERARCHICAL; way++) {
            const dt_traffic_job job = {.ranks = p, .host_ranks = 4, .leaves = 1024, .way = way};
            const int hosts = p / 4;
            const dt_traffic moved = busiest(&job, floats);
            assert_int_equal(moved.host_sent_bytes, 2 * (hosts - 1) * (bytes / hosts));
            assert_int_equal(moved.messages, 2 * log2_of(way == DT_REDUCE_FLAT ? p : hosts));
            assert_int_equal(moved.inside_bytes > 0, way == DT_REDUCE_FLAT);
            assert_int_equal(moved.copied_floats > 0, way != DT_REDUCE_FLAT);
        }
}

/* Other numbers, by slices: 2 (p - 1) messages where all bring one node, and the same bytes. */
static void other_numbers_go_by_slices(void **state) {
    (void)state;
    for (int p = 3; p <= 200; p += 1 + p / 8) {
        const dt_traffic_job job = {.ranks = p, .host_ranks = 1, .leaves = p};
        const int64_t floats = (int64_t)16 * 64 * p;
        if ((p & (p - 1)) == 0)
            continue;
        const dt_traffic moved = busiest(&job, floats);
        assert_int_equal(moved.messages, 2 * (p - 1));
        assert_int_equal(moved.sent_bytes, 2 * (p - 1) * (4 * floats / p));
    }
}

/* 3 hosts of 4 ranks, 12 leaves: flat, a host's ranks send each of their nodes out; hierarchical, their sum
 * alone. A host's four leaves are a node of the tree. bfloat16 halves both. */
static void hierarchy_crosses_once_a_host(void **state) {
    (void)state;
    const int64_t floats = 12 * 16 * 64, bytes = 4 * floats;
    dt_traffic_job job = {.ranks = 12, .host_ranks = 4, .leaves = 12, .way = DT_REDUCE_FLAT};
    assert_int_equal(busiest(&job, floats).host_sent_bytes, 4 * bytes * 2 / 3 + 4 * 8 * bytes / 12);
    job.way = DT_REDUCE_HIERARCHICAL;
    assert_int_equal(busiest(&job, floats).host_sent_bytes, 2 * 2 * bytes / 3);
    job.number = DT_NUMBER_BF16;
    assert_int_equal(busiest(&job, floats).host_sent_bytes, 2 * bytes / 3);
}

/* What a rank needs for what arrives: of two ranks with a node each, half a bucket in each of up to eight
 * places; for bfloat16 also the two halves that travel. The most of all ranks is what the dry run says. */
static void room_is_counted_a_place(void **state) {
    (void)state;
    const int64_t floats = 1 << 12;
    dt_traffic_job job = {.ranks = 2, .host_ranks = 1, .leaves = 8};
    int64_t room_bytes, most = 0, dry_run;
    for (int64_t buckets = 1; buckets <= 20; buckets++) {
        const int64_t places = buckets < 8 ? buckets : 8;
        for (job.number = DT_NUMBER_FP32; job.number <= DT_NUMBER_BF16; job.number++) {
            const int64_t travelling = job.number == DT_NUMBER_FP32 ? 0 : 2 * floats;
            assert_int_equal(dt_traffic_room_bytes(&job, 1, floats, buckets, &room_bytes), DT_OK);
            assert_int_equal(room_bytes, places * (4 * floats / 2 + travelling));
        }
    }
    job.way = DT_REDUCE_LIBRARY; /* the rank's own nodes in one, and the result beside it */
    job.number = DT_NUMBER_FP32;
    assert_int_equal(dt_traffic_room_bytes(&job, 1, floats, 20, &room_bytes), DT_OK);
    assert_int_equal(room_bytes, 8 * 4 * floats);
    const dt_traffic_job layered = {
        .ranks = 11, .host_ranks = 4, .leaves = 16, .way = DT_REDUCE_HIERARCHICAL};
    const int64_t bounds[] = {0, floats, 2 * floats};
    dt_traffic moved[2];
    assert_int_equal(dt_traffic_busiest(&layered, bounds, 2, moved, &dry_run), DT_OK);
    for (int rank = 0; rank < 11; rank++) {
        assert_int_equal(dt_traffic_room_bytes(&layered, rank, floats, 2, &room_bytes), DT_OK);
        most = room_bytes > most ? room_bytes : most;
    }
    assert_int_equal(most, dry_run);
}

/* The ranks that stand for more than 512 tell the same of those as all would. */
static void large_jobs_are_sampled(void **state) {
    (void)state;
    const dt_traffic_job job = {.ranks = 4096, .host_ranks = 8, .leaves = 4096};
    const int64_t floats = 1 << 20;
    const dt_traffic moved = busiest(&job, floats);
    assert_int_equal(moved.host_sent_bytes, 2 * 511 * (4 * floats / 512));
    assert_int_equal(moved.messages, 2 * 9);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(programs_add_along_the_tree),
    cmocka_unit_test(powers_of_two_cost_what_the_literature_says),
    cmocka_unit_test(other_numbers_go_by_slices),
    cmocka_unit_test(hierarchy_crosses_once_a_host),
    cmocka_unit_test(room_is_counted_a_place),
    cmocka_unit_test(large_jobs_are_sampled),
};

int main(void) {
    return cmocka_run_group_tests(tests, NULL, NULL);
}
