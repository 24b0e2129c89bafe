/*
 * The tree sum over ranks: which slice goes where, and a small state machine for each bucket under way.
 *
 *     FREE --start--> COLLECTING --nodes here, own nodes gone--> SHARING --sums here, own sum gone--> FREE
 *
 * The order of additions is tree.c's. When buckets start, and what runs meanwhile, is decided in train/.
 */
#include "comm/reduce.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/narrow.h"
#include "base/progress.h"
#include "comm/deal.h"
#include "comm/mpi_world.h"

typedef enum phase {
    PHASE_FREE,
    PHASE_COLLECTING, /* slices of nodes are on their way */
    PHASE_SHARING     /* finished slices are on their way */
} phase;

/* Where a bucket stays while it is under way. */
typedef struct place {
    phase phase;
    int64_t bucket;
    float *sum;            /* the caller's whole vector */
    float **operands;      /* this rank's slice of every node of all ranks, in tree order */
    float *received;       /* room for the slices of the other ranks' nodes */
    MPI_Request *requests; /* of the present phase; MPI_REQUEST_NULL where done or unused */
    int posted;            /* how many requests the present phase has */
} place;

struct dt_reduce {
    MPI_Comm comm;
    int rank, size;
    dt_deal deal;
    int64_t started; /* buckets started since creation */
    int place_count;
    place places[DT_DEAL_PLACES];
    MPI_Request *requests; /* of all places, one after another, so that one call can wait for any */
    int request_count;
    int *finished; /* [request_count]: where MPI_Waitsome lists what it found */
    double seconds;
    int64_t sent_bytes;
};

/* Makes the places for buckets under way; the deal is made already. */
static dt_status make_places(dt_reduce *reduce) {
    const dt_deal *deal = &reduce->deal;
    int64_t longest = 0;
    for (int64_t b = 0; b < deal->buckets; b++) {
        dt_deal_slice own = dt_deal_slice_of(deal, b, reduce->rank);
        longest = own.count > longest ? own.count : longest;
    }
    int64_t own_nodes = dt_deal_nodes(deal, reduce->rank);
    int64_t foreign_nodes = dt_deal_all_nodes(deal) - own_nodes;
    /* Collecting receives all foreign nodes and sends the own ones to all; sharing takes no more. */
    int64_t requests_each = foreign_nodes + own_nodes * (reduce->size - 1);
    reduce->place_count = deal->buckets < DT_DEAL_PLACES ? (int)deal->buckets : DT_DEAL_PLACES;
    reduce->request_count = dt_narrow(reduce->place_count * requests_each);
    reduce->requests =
        dt_memory_alloc(reduce->request_count, sizeof *reduce->requests, "requests of the sum");
    reduce->finished =
        dt_memory_alloc(reduce->request_count, sizeof *reduce->finished, "requests of the sum");
    if (reduce->requests == NULL || reduce->finished == NULL)
        return DT_FAILED;
    for (int i = 0; i < reduce->request_count; i++)
        reduce->requests[i] = MPI_REQUEST_NULL;
    for (int p = 0; p < reduce->place_count; p++) {
        place *here = &reduce->places[p];
        here->requests = reduce->requests + p * requests_each;
        here->operands =
            dt_memory_alloc(dt_deal_all_nodes(deal), sizeof *here->operands, "operands of the sum");
        here->received = dt_memory_alloc(foreign_nodes * longest, sizeof *here->received,
                                         "gradients received from other ranks");
        if (here->operands == NULL || here->received == NULL)
            return DT_FAILED;
    }
    return DT_OK;
}

dt_status dt_reduce_create(dt_reduce **reduce, const dt_world *world, int64_t leaves, int64_t elements,
                           const int64_t *bounds, int64_t buckets) {
    *reduce = NULL;
    DT_TRY(dt_tree_expect_ranks(world->size, leaves));
    dt_reduce *made = dt_memory_alloc(1, sizeof *made, "the sum over ranks");
    if (made == NULL)
        return DT_FAILED;
    made->comm = world->mpi->comm;
    made->rank = world->rank;
    made->size = world->size;
    dt_status status = dt_deal_make(&made->deal, world->size, leaves, elements, bounds, buckets);
    if (status == DT_OK)
        status = make_places(made);
    if (status != DT_OK) {
        dt_reduce_free(made);
        return status;
    }
    *reduce = made;
    return DT_OK;
}

void dt_reduce_free(dt_reduce *reduce) {
    if (reduce == NULL)
        return;
    for (int p = 0; p < DT_DEAL_PLACES; p++) {
        dt_memory_free(reduce->places[p].operands);
        dt_memory_free(reduce->places[p].received);
    }
    dt_memory_free(reduce->requests);
    dt_memory_free(reduce->finished);
    dt_deal_drop(&reduce->deal);
    dt_memory_free(reduce);
}

const dt_tree_node *dt_reduce_cover(const dt_reduce *reduce, int *count) {
    *count = (int)dt_deal_nodes(&reduce->deal, reduce->rank);
    return reduce->deal.nodes + reduce->deal.node_starts[reduce->rank];
}

/* ---- messages ---- */

/*
 * The tag of what a place sends in a phase. Every rank puts its n-th bucket into place n modulo place_count,
 * so both ends know the tag, and MPI keeps messages of one tag between two ranks in order: a bucket's slices
 * of nodes one after another, and those of the bucket that has the place next behind them.
 */
static int tag_of(const dt_reduce *reduce, const place *here) {
    int index = (int)(here - reduce->places);
    return 2 * index + (here->phase == PHASE_SHARING);
}

/* Posts the receipt of `count` floats from `peer` into `into`; nothing where the slice is empty. */
static dt_status post_receive(dt_reduce *reduce, place *here, int peer, float *into, int64_t count) {
    if (count == 0)
        return DT_OK;
    return dt_mpi_world_check(MPI_Irecv(into, dt_narrow(count), MPI_FLOAT, peer, tag_of(reduce, here),
                                        reduce->comm, &here->requests[here->posted++]),
                              "MPI_Irecv");
}

/* Posts the sending of `count` floats to `peer`; nothing where the slice is empty. */
static dt_status post_send(dt_reduce *reduce, place *here, int peer, const float *from, int64_t count) {
    if (count == 0)
        return DT_OK;
    reduce->sent_bytes += count * (int64_t)sizeof *from;
    return dt_mpi_world_check(MPI_Isend(from, dt_narrow(count), MPI_FLOAT, peer, tag_of(reduce, here),
                                        reduce->comm, &here->requests[here->posted++]),
                              "MPI_Isend");
}

/* The k-th other rank to serve: each begins with the one after it, so that they do not all rush at one. */
static int peer_of(const dt_reduce *reduce, int k) {
    return (reduce->rank + k) % reduce->size;
}

/* Asks for this rank's slice of every foreign node, and sends the others' slices of its own nodes. */
static dt_status collect(dt_reduce *reduce, place *here, float *const *nodes) {
    dt_deal_slice own = dt_deal_slice_of(&reduce->deal, here->bucket, reduce->rank);
    float *room = here->received;
    here->phase = PHASE_COLLECTING;
    here->posted = 0;
    for (int peer = 0; peer < reduce->size; peer++)
        for (int64_t i = 0; i < dt_deal_nodes(&reduce->deal, peer); i++) {
            float **operand = &here->operands[reduce->deal.node_starts[peer] + i];
            if (peer == reduce->rank) {
                *operand = nodes[i] + own.first;
                continue;
            }
            *operand = room;
            room += own.count;
            DT_TRY(post_receive(reduce, here, peer, *operand, own.count));
        }
    for (int k = 1; k < reduce->size; k++) {
        dt_deal_slice theirs = dt_deal_slice_of(&reduce->deal, here->bucket, peer_of(reduce, k));
        for (int64_t i = 0; i < dt_deal_nodes(&reduce->deal, reduce->rank); i++)
            DT_TRY(post_send(reduce, here, peer_of(reduce, k), nodes[i] + theirs.first, theirs.count));
    }
    return DT_OK;
}

/* out[i] = left[i] + right[i]; `out` may be either operand. */
static void add(float *out, const float *left, const float *right, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        out[i] = left[i] + right[i];
}

/* Adds up this rank's slice along the tree; the last addition writes into `sum`. */
static void add_slice(const dt_reduce *reduce, const place *here) {
    dt_deal_slice own = dt_deal_slice_of(&reduce->deal, here->bucket, reduce->rank);
    for (int64_t i = 0; i < reduce->deal.add_count; i++) {
        dt_tree_add now = reduce->deal.adds[i];
        bool last = i == reduce->deal.add_count - 1;
        float *out = last ? here->sum + own.first : here->operands[now.into];
        add(out, here->operands[now.into], here->operands[now.from], own.count);
    }
}

/*
 * Asks for the other ranks' finished slices and sends the own one. Only now, since collecting waits for the
 * own nodes to have left: where `sum` is nodes[0], what arrives here overwrites what was sent there.
 */
static dt_status share(dt_reduce *reduce, place *here) {
    dt_deal_slice own = dt_deal_slice_of(&reduce->deal, here->bucket, reduce->rank);
    here->phase = PHASE_SHARING;
    here->posted = 0;
    for (int k = 1; k < reduce->size; k++) {
        int peer = peer_of(reduce, k);
        dt_deal_slice theirs = dt_deal_slice_of(&reduce->deal, here->bucket, peer);
        DT_TRY(post_receive(reduce, here, peer, here->sum + theirs.first, theirs.count));
        DT_TRY(post_send(reduce, here, peer, here->sum + own.first, own.count));
    }
    return DT_OK;
}

/* ---- progress ---- */

/* Takes a bucket as far as the messages that have arrived allow. */
static dt_status advance(dt_reduce *reduce, place *here) {
    while (here->phase != PHASE_FREE) {
        int complete = 0;
        DT_TRY(dt_mpi_world_check(MPI_Testall(here->posted, here->requests, &complete, MPI_STATUSES_IGNORE),
                                  "MPI_Testall"));
        if (!complete)
            break;
        dt_progress_mark();
        if (here->phase == PHASE_SHARING) {
            here->phase = PHASE_FREE;
            break;
        }
        add_slice(reduce, here);
        DT_TRY(share(reduce, here));
    }
    return DT_OK;
}

/* Advances every bucket under way and tells whether one still is. */
static dt_status advance_all(dt_reduce *reduce, bool *busy) {
    *busy = false;
    for (int p = 0; p < reduce->place_count; p++) {
        DT_TRY(advance(reduce, &reduce->places[p]));
        *busy = *busy || reduce->places[p].phase != PHASE_FREE;
    }
    return DT_OK;
}

/*
 * Waits for at least one message of any bucket. Inside MPI, which knows how to wait (it yields the core when
 * ranks are more than cores), and after advance_all, so that a bucket that could go on is never what is
 * waited for.
 */
static dt_status wait_some(dt_reduce *reduce) {
    int finished_count;
    return dt_mpi_world_check(MPI_Waitsome(reduce->request_count, reduce->requests, &finished_count,
                                           reduce->finished, MPI_STATUSES_IGNORE),
                              "MPI_Waitsome");
}

static dt_status start_bucket(dt_reduce *reduce, int64_t bucket, float *const *nodes, float *sum) {
    int64_t first = reduce->deal.bounds[bucket], count = reduce->deal.bounds[bucket + 1] - first;
    if (reduce->size == 1) { /* the cover is the root */
        if (sum != nodes[0])
            memcpy(sum + first, nodes[0] + first, (size_t)count * sizeof *sum);
        return DT_OK;
    }
    place *here = &reduce->places[reduce->started % reduce->place_count];
    bool busy;
    DT_TRY(advance_all(reduce, &busy));
    while (here->phase != PHASE_FREE) {
        DT_TRY(wait_some(reduce));
        DT_TRY(advance_all(reduce, &busy));
    }
    reduce->started++;
    here->bucket = bucket;
    here->sum = sum;
    return collect(reduce, here, nodes);
}

dt_status dt_reduce_start(dt_reduce *reduce, int64_t bucket, float *const *nodes, float *sum) {
    double begun = dt_clock_seconds();
    dt_status status = start_bucket(reduce, bucket, nodes, sum);
    reduce->seconds += dt_clock_seconds() - begun;
    return status;
}

dt_status dt_reduce_poll(dt_reduce *reduce) {
    double begun = dt_clock_seconds();
    bool busy;
    dt_status status = advance_all(reduce, &busy);
    reduce->seconds += dt_clock_seconds() - begun;
    return status;
}

dt_status dt_reduce_finish(dt_reduce *reduce) {
    double begun = dt_clock_seconds();
    bool busy;
    dt_status status = advance_all(reduce, &busy);
    while (status == DT_OK && busy) {
        status = wait_some(reduce);
        if (status == DT_OK)
            status = advance_all(reduce, &busy);
    }
    reduce->seconds += dt_clock_seconds() - begun;
    return status;
}

void dt_reduce_account(dt_reduce *reduce, double *seconds, int64_t *sent_bytes) {
    *seconds = reduce->seconds;
    *sent_bytes = reduce->sent_bytes;
    reduce->seconds = 0;
    reduce->sent_bytes = 0;
}
