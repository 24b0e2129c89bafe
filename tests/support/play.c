/* What stands still here would need MPI to buffer: a message leaves only when both ends are posted. What is
 * posted first is drawn at random. */
#include "support/play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#define UNIT DT_MEMORY_ALIGN_FLOATS

/* ---- the tree's value ---- */

/* The mixing of SplitMix64 (Steele, Lea, Flood, 2014). */
uint64_t play_mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t play_combine(uint64_t left, uint64_t right) {
    return play_mix(3 * left + play_mix(right) + 0x9e3779b97f4a7c15u);
}

uint64_t play_value(dt_tree_node node, int64_t unit) {
    if (node.end - node.first == 1)
        return play_mix(((uint64_t)node.first << 32) + (uint64_t)unit + 1);
    const int64_t middle = node.first + dt_tree_split(node.end - node.first);
    return play_combine(play_value((dt_tree_node){node.first, middle}, unit),
                        play_value((dt_tree_node){middle, node.end}, unit));
}

/* ---- the players ---- */

/* A rank: what allreduce.c and executor.c would hold for it. */
typedef struct player {
    dt_schedule schedule;
    int64_t next;
    int64_t pending;  /* messages that are posted and not matched */
    int64_t barriers; /* that it has come to */
    bool waits_at_barrier;
    bool listed; /* among those that may be able to go on */
    int host;
    uint64_t *node[DT_TREE_COVER_MAX], *workspace;
} player;

/* One end of a message that waits for the other, in the queue of its pair of ranks. */
typedef struct post {
    int64_t pair; /* sender x size + receiver */
    const dt_op *op;
    int owner;
    int64_t next; /* the next of the pair, or -1 */
} post;

typedef struct game {
    int size, hosts;
    const int *starts;
    int64_t units;
    player *players;
    uint64_t **shared; /* [hosts x nodes_max]: the hosts' memory */
    uint64_t **result; /* [hosts] */
    int64_t nodes_max;
    int64_t *arrivals;    /* [hosts]: at barriers, ever */
    post *posts;          /* [posts_max] */
    int64_t *head, *tail; /* [pairs_max]: of the queues, by hashing */
    int64_t *pair;        /* [pairs_max]: the pair + 1, 0 where free */
    int64_t pairs_max, post_count;
    int *ready; /* [size] */
    int ready_count;
    uint64_t random;
} game;

static void *allocate(int64_t count, size_t bytes) {
    void *block = calloc((size_t)(count > 0 ? count : 1), bytes);
    assert_non_null(block);
    return block;
}

static uint64_t *address(const game *g, int rank, dt_operand at) {
    const player *p = &g->players[rank];
    uint64_t *array = at.array == DT_ARRAY_SUM         ? p->node[0] /* as a step has it */
                      : at.array == DT_ARRAY_WORKSPACE ? p->workspace
                      : at.array == DT_ARRAY_RESULT    ? g->result[p->host]
                      : at.array < DT_ARRAY_SHARED
                          ? p->node[at.array - DT_ARRAY_OWN]
                          : g->shared[p->host * g->nodes_max + at.array - DT_ARRAY_SHARED];
    assert_non_null(array);
    assert_int_equal(at.first % UNIT, 0);
    return array + at.first / UNIT;
}

static void list(game *g, int rank) {
    if (!g->players[rank].listed)
        g->ready[g->ready_count++] = rank;
    g->players[rank].listed = true;
}

/* Where the queue of a pair stands, or the free place for it. */
static int64_t find_queue(const game *g, int64_t pair) {
    int64_t at = (int64_t)(play_mix((uint64_t)pair) % (uint64_t)g->pairs_max);
    while (g->pair[at] != 0 && g->pair[at] != pair + 1)
        at = (at + 1) % g->pairs_max;
    return at;
}

static void match(game *g, const dt_op *send, int sender, const dt_op *receive, int receiver) {
    assert_int_equal(send->count, receive->count);
    memcpy(address(g, receiver, receive->out), address(g, sender, send->left),
           (size_t)(send->count / UNIT) * sizeof(uint64_t));
    if (--g->players[sender].pending == 0)
        list(g, sender);
    if (--g->players[receiver].pending == 0)
        list(g, receiver);
}

/* Posts one end of a message: matched with the oldest other end of its pair, or queued. */
static void post_end(game *g, int rank, const dt_op *op) {
    const bool sends = op->kind == DT_OP_SEND;
    const int64_t pair = sends ? (int64_t)rank * g->size + op->peer : (int64_t)op->peer * g->size + rank;
    const int64_t queue = find_queue(g, pair);
    g->players[rank].pending++;
    const bool fresh = g->pair[queue] == 0;
    g->pair[queue] = pair + 1;
    if (fresh)
        g->head[queue] = -1;
    if (g->head[queue] >= 0 && g->posts[g->head[queue]].op->kind != op->kind) {
        const post other = g->posts[g->head[queue]];
        g->head[queue] = other.next;
        if (sends)
            match(g, op, rank, other.op, other.owner);
        else
            match(g, other.op, other.owner, op, rank);
        return;
    }
    g->posts[g->post_count] = (post){pair, op, rank, -1};
    if (g->head[queue] < 0)
        g->head[queue] = g->post_count;
    else
        g->posts[g->tail[queue]].next = g->post_count;
    g->tail[queue] = g->post_count++;
}

/* Whether all ranks of the host have come to the barrier at which `rank` stands. */
static bool passes_barrier(game *g, int rank) {
    player *p = &g->players[rank];
    const int first = g->starts[p->host], end = g->starts[p->host + 1];
    if (!p->waits_at_barrier) {
        p->waits_at_barrier = true;
        p->barriers++;
        if (++g->arrivals[p->host] % (end - first) == 0)
            for (int r = first; r < end; r++)
                list(g, r);
    }
    if (g->arrivals[p->host] < p->barriers * (end - first))
        return false;
    p->waits_at_barrier = false;
    return true;
}

/* Carries out one operation of `rank`; tells whether it could. */
static bool play_op(game *g, int rank, const dt_op *op) {
    const int64_t units = op->count / UNIT;
    switch (op->kind) {
    case DT_OP_RECEIVE:
    case DT_OP_SEND:
        post_end(g, rank, op);
        return true;
    case DT_OP_WAIT:
        return g->players[rank].pending == 0;
    case DT_OP_HOST_BARRIER:
        return passes_barrier(g, rank);
    case DT_OP_COPY:
        memmove(address(g, rank, op->out), address(g, rank, op->left), (size_t)units * sizeof(uint64_t));
        return true;
    case DT_OP_ADD:
        for (int64_t u = 0; u < units; u++)
            address(g, rank, op->out)[u] =
                play_combine(address(g, rank, op->left)[u], address(g, rank, op->right)[u]);
        return true;
    case DT_OP_LIBRARY:
        break;
    }
    fail_msg("an operation whose order is not ours");
    return false;
}

static void play_all(game *g) {
    for (int r = 0; r < g->size; r++)
        list(g, r);
    while (g->ready_count > 0) {
        g->random = play_mix(g->random + 1);
        const int drawn = (int)(g->random % (uint64_t)g->ready_count), rank = g->ready[drawn];
        g->ready[drawn] = g->ready[--g->ready_count];
        player *p = &g->players[rank];
        p->listed = false;
        while (p->next < p->schedule.count && play_op(g, rank, &p->schedule.ops[p->next]))
            p->next++;
    }
    for (int r = 0; r < g->size; r++)
        assert_int_equal(g->players[r].next, g->players[r].schedule.count);
}

/* ---- setting up ---- */

static void open_player(game *g, const dt_generator *generator, int rank) {
    player *p = &g->players[rank];
    const dt_partition *partition = &generator->partition;
    *p = (player){0};
    while (g->starts[p->host + 1] <= rank)
        p->host++;
    dt_generator_write(generator, g->units * UNIT, &p->schedule);
    p->schedule.capacity = p->schedule.count;
    p->schedule.ops = allocate(p->schedule.capacity, sizeof(dt_op));
    dt_generator_write(generator, g->units * UNIT, &p->schedule);
    assert_int_equal(p->schedule.count, p->schedule.needs.ops);
    p->workspace = allocate(p->schedule.needs.workspace_floats / UNIT, sizeof(uint64_t));
    for (int64_t i = 0; i < dt_partition_nodes(partition, rank); i++) {
        p->node[i] = allocate(g->units, sizeof(uint64_t));
        for (int64_t u = 0; u < g->units; u++)
            p->node[i][u] = play_value(partition->nodes[partition->node_starts[rank] + i], u);
    }
}

static void open_game(game *g, dt_generator *generator) {
    int64_t posts = 0;
    g->players = allocate(g->size, sizeof *g->players);
    g->ready = allocate(g->size, sizeof *g->ready);
    g->arrivals = allocate(g->hosts, sizeof *g->arrivals);
    g->result = allocate(g->hosts, sizeof *g->result);
    g->nodes_max = dt_partition_all_nodes(&generator->partition);
    g->shared = allocate(g->hosts * g->nodes_max, sizeof *g->shared);
    for (int r = 0; r < g->size; r++) {
        assert_int_equal(dt_generator_set_rank(generator, r), DT_OK);
        open_player(g, generator, r);
        const player *p = &g->players[r];
        const bool by_host = generator->job.algorithm == DT_ALGORITHM_HIERARCHICAL;
        if (by_host && r == g->starts[p->host]) {
            g->result[p->host] = allocate(g->units, sizeof(uint64_t));
            for (int64_t n = 0; n < dt_partition_all_nodes(&generator->hierarchical.inside); n++)
                g->shared[p->host * g->nodes_max + n] = allocate(g->units, sizeof(uint64_t));
        }
        posts += p->schedule.count;
    }
    g->posts = allocate(posts, sizeof *g->posts);
    g->pairs_max = 2 * posts + 1;
    g->pair = allocate(g->pairs_max, sizeof *g->pair);
    g->head = allocate(g->pairs_max, sizeof *g->head);
    g->tail = allocate(g->pairs_max, sizeof *g->tail);
}

static void close_game(game *g) {
    for (int r = 0; r < g->size; r++) {
        free(g->players[r].schedule.ops);
        free(g->players[r].workspace);
        for (int i = 0; i < DT_TREE_COVER_MAX; i++)
            free(g->players[r].node[i]);
    }
    for (int64_t i = 0; i < g->hosts * g->nodes_max; i++)
        free(g->shared[i]);
    for (int h = 0; h < g->hosts; h++)
        free(g->result[h]);
    void *const blocks[] = {g->players, g->ready, g->arrivals, g->result, g->shared,
                            g->posts,   g->pair,  g->head,     g->tail};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
}

/* A rank's piece in units. */
static dt_slice piece_of(dt_generator *generator, int rank, int64_t units) {
    assert_int_equal(dt_generator_set_rank(generator, rank), DT_OK);
    const dt_slice piece = dt_generator_piece(generator, units * UNIT);
    assert_int_equal(piece.first % dt_form_unit(generator->job.form), 0);
    return (dt_slice){piece.first / UNIT, piece.count / UNIT};
}

/* Every rank has the tree's values in its piece, and each unit is in one piece. */
static void check_pieces(const game *g, dt_generator *generator) {
    int64_t all = 0;
    for (int r = 0; r < g->size; r++) {
        const dt_slice piece = piece_of(generator, r, g->units);
        for (int64_t u = piece.first; u < piece.first + piece.count; u++) {
            const uint64_t expected = play_value((dt_tree_node){0, generator->job.micro_batches}, u);
            assert_int_equal(g->players[r].node[0][u], expected);
            all += u + 1;
        }
    }
    assert_int_equal(all, g->units * (g->units + 1) / 2);
}

/* In an allgather a rank begins with its piece alone. */
static void forget_all_but_pieces(const game *g, dt_generator *generator) {
    for (int r = 0; r < g->size; r++) {
        const dt_slice piece = piece_of(generator, r, g->units);
        for (int64_t u = 0; u < g->units; u++) {
            const bool own = piece.first <= u && u < piece.first + piece.count;
            g->players[r].node[0][u] =
                own ? play_value((dt_tree_node){0, generator->job.micro_batches}, u) : 0;
        }
    }
}

static void play_form(dt_form form, dt_algorithm algorithm, int hosts, const int *starts,
                      int64_t micro_batches, int64_t units) {
    const dt_generator_job job = {.size = starts[hosts],
                                  .hosts = hosts,
                                  .starts = starts,
                                  .micro_batches = micro_batches,
                                  .algorithm = algorithm,
                                  .form = form};
    dt_generator generator;
    game g = {.size = job.size, .hosts = hosts, .starts = starts, .units = units, .random = 1};
    assert_int_equal(dt_generator_create(&generator, &job, 0), DT_OK);
    open_game(&g, &generator);
    if (form == DT_FORM_ALLGATHER)
        forget_all_but_pieces(&g, &generator);
    play_all(&g);
    if (form == DT_FORM_REDUCE_SCATTER)
        check_pieces(&g, &generator);
    for (int64_t u = 0; form != DT_FORM_REDUCE_SCATTER && u < units; u++) {
        const uint64_t expected = play_value((dt_tree_node){0, micro_batches}, u);
        for (int r = 0; r < g.size; r++)
            assert_int_equal(g.players[r].node[0][u], expected);
    }
    close_game(&g);
    dt_generator_free(&generator);
}

void play_check(dt_algorithm algorithm, int hosts, const int *starts, int64_t micro_batches, int64_t units) {
    play_form(DT_FORM_ALLREDUCE, algorithm, hosts, starts, micro_batches, units);
}

void play_check_halves(dt_algorithm algorithm, int hosts, const int *starts, int64_t micro_batches,
                       int64_t units) {
    play_form(DT_FORM_REDUCE_SCATTER, algorithm, hosts, starts, micro_batches, units);
    play_form(DT_FORM_ALLGATHER, algorithm, hosts, starts, micro_batches, units);
}

static void check_even(void (*check)(dt_algorithm, int, const int *, int64_t, int64_t),
                       dt_algorithm algorithm, int size, int host_ranks, int64_t micro_batches,
                       int64_t units) {
    const int hosts = (size + host_ranks - 1) / host_ranks;
    int *starts = allocate(hosts + 1, sizeof *starts);
    for (int h = 0; h <= hosts; h++)
        starts[h] = h * host_ranks < size ? h * host_ranks : size;
    check(algorithm, hosts, starts, micro_batches, units);
    free(starts);
}

void play_check_even(dt_algorithm algorithm, int size, int host_ranks, int64_t micro_batches, int64_t units) {
    check_even(play_check, algorithm, size, host_ranks, micro_batches, units);
}

void play_check_even_halves(dt_algorithm algorithm, int size, int host_ranks, int64_t micro_batches,
                            int64_t units) {
    check_even(play_check_halves, algorithm, size, host_ranks, micro_batches, units);
}
