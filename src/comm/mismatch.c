/* A vote, and the sentence about those who lost it. */
#include "comm/mismatch.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/narrow.h"
#include "base/plural.h"
#include "comm/agree.h"
#include "comm/contract.h"

/* More names than this do not help; the rest are counted. */
#define NAMED_MAX 4

/* The values of all ranks, and what is said of them. */
typedef struct vote {
    const char *values;
    size_t value_bytes;
    bool texts;
    int size, majority;
    char (*hosts)[DT_HOST_BYTES]; /* [size] */
    char *found;                  /* [DT_MISMATCH_BYTES] */
} vote;

static const char *value_of(const vote *v, int rank) {
    return v->values + (size_t)rank * v->value_bytes;
}

static bool alike(const vote *v, int rank, int other) {
    return memcmp(value_of(v, rank), value_of(v, other), v->value_bytes) == 0;
}

/* Boyer and Moore: what remains after pairs of unlike votes cancel is the majority, if there is one. */
int dt_mismatch_majority(const void *values, size_t value_bytes, int size) {
    DT_ASSERT(value_bytes > 0 && size > 0);
    const vote v = {.values = values, .value_bytes = value_bytes};
    int candidate = 0, weight = 0, votes = 0, lowest = -1;
    for (int r = 0; r < size; r++) {
        if (weight == 0)
            candidate = r;
        weight += alike(&v, r, candidate) ? 1 : -1;
    }
    for (int r = size - 1; r >= 0; r--)
        if (alike(&v, r, candidate)) {
            lowest = r;
            votes++;
        }
    return 2 * votes > size ? lowest : -1;
}

static void add(const vote *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(const vote *v, const char *format, ...) {
    const size_t used = strlen(v->found);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(v->found + used, DT_MISMATCH_BYTES - used, format, arguments);
    va_end(arguments);
}

/* Names the ranks that are not of the majority; returns how many there are. */
static int name_ranks(const vote *v) {
    int count = 0;
    for (int r = 0; r < v->size; r++) {
        if (v->majority >= 0 && alike(v, r, v->majority))
            continue;
        if (++count > NAMED_MAX)
            continue;
        add(v, "%srank %d on %s", count == 1 ? "" : ", ", r, v->hosts[r]);
        if (v->texts)
            add(v, " has %s", value_of(v, r));
    }
    if (count > NAMED_MAX)
        add(v, " and %d more", count - NAMED_MAX);
    return count;
}

static void describe(const vote *v) {
    const int differing = name_ranks(v), rest = v->size - differing;
    if (v->majority < 0)
        add(v, "%s",
            v->texts ? "; no majority says which is right"
                     : " differ from one another, and no majority says which is right");
    else if (v->texts)
        add(v, "; the other %d ranks have %s", rest, value_of(v, v->majority));
    else
        add(v, " %s from the other %d ranks", dt_plural(differing, "differs", "differ"), rest);
}

/* Completes `rows`, NULL on a rank that had no memory for them. */
static dt_status gather_rows(const dt_world *world, char *rows, int64_t row_bytes) {
    DT_TRY(dt_agree(world, rows ? DT_OK : DT_FAILED));
    return dt_world_gather_same(world, rows, row_bytes);
}

dt_status dt_mismatch_describe(const dt_world *world, const void *values, size_t value_bytes, bool texts,
                               char found[DT_MISMATCH_BYTES]) {
    DT_COLLECTIVE(world, DT_SAME_INT(value_bytes), DT_SAME_INT(texts),
                  DT_SAME_BYTES(values, (size_t)world->size * value_bytes));
    vote v = {.values = values,
              .value_bytes = value_bytes,
              .texts = texts,
              .size = world->size,
              .majority = dt_mismatch_majority(values, value_bytes, world->size),
              .found = found};
    bool same = true;
    found[0] = 0;
    for (int r = 1; r < world->size; r++)
        same &= alike(&v, 0, r);
    if (same)
        return DT_OK;
    DT_TRY(dt_world_host_names(world, &v.hosts));
    describe(&v);
    dt_memory_free(v.hosts);
    return DT_OK;
}

dt_status dt_mismatch_find(const dt_world *world, const char *mine, char found[DT_MISMATCH_BYTES]) {
    DT_COLLECTIVE_CALL(world);
    char *texts = dt_memory_alloc(world->size, DT_MISMATCH_TEXT_BYTES, "a text a rank");
    if (texts)
        snprintf(texts + (size_t)world->rank * DT_MISMATCH_TEXT_BYTES, DT_MISMATCH_TEXT_BYTES, "%s", mine);
    dt_status status = gather_rows(world, texts, DT_MISMATCH_TEXT_BYTES);
    if (status == DT_OK)
        status = dt_mismatch_describe(world, texts, DT_MISMATCH_TEXT_BYTES, true, found);
    dt_memory_free(texts);
    return status;
}

/* What of a line is compared at once, and shown where it differs; so much of what is before it stands there
 * too. */
#define SHOWN_BYTES  60
#define BEFORE_BYTES 30

dt_status dt_mismatch_find_in_line(const dt_world *world, const char *line, char found[DT_MISMATCH_BYTES]) {
    DT_COLLECTIVE_CALL(world);
    char mine[DT_MISMATCH_TEXT_BYTES];
    const size_t length = strlen(line);
    int min; /* of what lines leave of the longest that there can be: ranks agree on the smallest */
    DT_TRY(dt_agree_min(world, INT_MAX - dt_narrow((int64_t)length), &min));
    const size_t longest = (size_t)(INT_MAX - min);
    found[0] = 0;
    for (size_t at = 0; *found == 0 && at <= longest; at += SHOWN_BYTES) {
        const size_t from = at < BEFORE_BYTES ? 0 : at - BEFORE_BYTES;
        snprintf(mine, sizeof mine, "%s%.*s%s", from ? ".." : "", (int)(at - from) + SHOWN_BYTES,
                 from < length ? line + from : "", at + SHOWN_BYTES < length ? ".." : "");
        DT_TRY(dt_mismatch_find(world, mine, found));
    }
    return DT_OK;
}

dt_status dt_mismatch_list(const dt_world *world, bool mine, char found[DT_MISMATCH_BYTES], int *count) {
    DT_COLLECTIVE_CALL(world);
    vote v = {.found = found};
    *found = 0;
    *count = 0;
    char *stands_out = dt_memory_alloc(world->size, 1, "a mark a rank");
    if (stands_out)
        stands_out[world->rank] = mine;
    dt_status status = gather_rows(world, stands_out, 1);
    if (status == DT_OK)
        status = dt_world_host_names(world, &v.hosts);
    for (int r = 0; status == DT_OK && r < world->size; r++)
        if (stands_out[r] && ++*count <= NAMED_MAX)
            add(&v, "%srank %d on %s", *count == 1 ? "" : ", ", r, v.hosts[r]);
    if (*count > NAMED_MAX)
        add(&v, " and %d more", *count - NAMED_MAX);
    dt_memory_free(v.hosts);
    dt_memory_free(stands_out);
    return status;
}
