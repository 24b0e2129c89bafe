/* The formulas of the header over a deal; the deal itself is deal.c's. */
#include "comm/traffic.h"

#include "comm/deal.h"

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* How many ranks have a part of the bucket: the others' slices are empty and send nothing. */
static int64_t busy_ranks(const dt_deal *deal, int64_t bucket) {
    int64_t busy = 0;
    for (int r = 0; r < deal->size; r++)
        busy += dt_deal_slice_of(deal, bucket, r).count > 0;
    return busy;
}

static dt_traffic count(const dt_deal *deal, int64_t bucket, int rank, int64_t busy) {
    const int64_t own = dt_deal_slice_of(deal, bucket, rank).count, k = dt_deal_nodes(deal, rank);
    const int64_t all = deal->bounds[bucket + 1] - deal->bounds[bucket], others = deal->size - 1;
    const int64_t float_bytes = (int64_t)sizeof(float), finishes = own > 0;
    return (dt_traffic){.messages = k * (busy - finishes) + finishes * others,
                        .sent_bytes = float_bytes * (k * (all - own) + others * own),
                        .received_bytes = float_bytes * ((dt_deal_all_nodes(deal) - k) * own + (all - own)),
                        .added_floats = deal->add_count * own};
}

static int64_t room_of(const dt_deal *deal, int rank) {
    const int64_t places = deal->buckets < DT_DEAL_PLACES ? deal->buckets : DT_DEAL_PLACES;
    int64_t longest = 0;
    for (int64_t b = 0; b < deal->buckets; b++)
        longest = larger(longest, dt_deal_slice_of(deal, b, rank).count);
    return places * (dt_deal_all_nodes(deal) - dt_deal_nodes(deal, rank)) * longest * (int64_t)sizeof(float);
}

dt_status dt_traffic_busiest(int size, int64_t leaves, int64_t elements, const int64_t *bounds,
                             int64_t buckets, dt_traffic *busiest, int64_t *room_bytes) {
    dt_deal deal;
    const dt_status status = dt_deal_make(&deal, size, leaves, elements, bounds, buckets);
    for (int64_t b = 0; status == DT_OK && b < buckets; b++) {
        const int64_t busy = busy_ranks(&deal, b);
        busiest[b] = (dt_traffic){0};
        for (int r = 0; r < size; r++) {
            const dt_traffic here = count(&deal, b, r, busy);
            busiest[b].messages = larger(busiest[b].messages, here.messages);
            busiest[b].sent_bytes = larger(busiest[b].sent_bytes, here.sent_bytes);
            busiest[b].received_bytes = larger(busiest[b].received_bytes, here.received_bytes);
            busiest[b].added_floats = larger(busiest[b].added_floats, here.added_floats);
        }
    }
    if (room_bytes)
        *room_bytes = 0;
    for (int r = 0; status == DT_OK && room_bytes && r < size; r++)
        *room_bytes = larger(*room_bytes, room_of(&deal, r));
    dt_deal_drop(&deal);
    return status;
}

dt_status dt_traffic_of_rank(int size, int rank, int64_t leaves, int64_t elements, const int64_t *bounds,
                             int64_t buckets, dt_traffic *total) {
    dt_deal deal;
    const dt_status status = dt_deal_make(&deal, size, leaves, elements, bounds, buckets);
    *total = (dt_traffic){0};
    for (int64_t b = 0; status == DT_OK && b < buckets; b++) {
        const dt_traffic here = count(&deal, b, rank, busy_ranks(&deal, b));
        total->messages += here.messages;
        total->sent_bytes += here.sent_bytes;
        total->received_bytes += here.received_bytes;
        total->added_floats += here.added_floats;
    }
    dt_deal_drop(&deal);
    return status;
}
