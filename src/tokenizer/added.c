/* A trie: a node has its first child, and its next sibling. */
#include "tokenizer/added.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/minmax.h"
#include "tokenizer/unicode.h"

typedef struct dt_added_node {
    int32_t child, sibling; /* 0: none */
    dt_added_token token;   /* of the text that ends here; its id is -1 where none does */
    uint8_t byte;
} node;

static int32_t find_child(const dt_added *added, int32_t parent, uint8_t byte) {
    int32_t child = added->nodes[parent].child;
    while (child != 0 && added->nodes[child].byte != byte)
        child = added->nodes[child].sibling;
    return child;
}

/* A new node below `parent`, or -1 where memory is short. */
static int32_t add_node(dt_added *added, int32_t parent, uint8_t byte) {
    if (added->node_count == added->node_capacity) {
        const int32_t capacity = added->node_capacity == 0 ? 256 : 2 * added->node_capacity;
        node *grown = (size_t)capacity > DT_ADDED_MAX_MEMORY / sizeof *grown
                          ? NULL
                          : realloc(added->nodes, (size_t)capacity * sizeof *grown);
        if (grown == NULL)
            return -1;
        added->nodes = grown;
        added->node_capacity = capacity;
    }
    const int32_t mine = added->node_count++;
    const bool is_root = mine == 0;
    added->nodes[mine] = (node){.token = {.id = -1}, .byte = byte};
    if (!is_root) {
        added->nodes[mine].sibling = added->nodes[parent].child;
        added->nodes[parent].child = mine;
    }
    return mine;
}

dt_status dt_added_add(dt_added *added, dt_added_token token, const char *text, int64_t length,
                       const char *where) {
    DT_ASSERT(length >= 1 && length <= DT_ADDED_MAX_BYTES);
    int32_t at = added->node_count == 0 ? add_node(added, 0, 0) : 0;
    for (int64_t i = 0; at >= 0 && i < length; i++) {
        const int32_t child = find_child(added, at, (uint8_t)text[i]);
        at = child != 0 ? child : add_node(added, at, (uint8_t)text[i]);
    }
    if (at < 0)
        return dt_fail("%s: expected added tokens of less than %d MiB in memory, found more", where,
                       DT_ADDED_MAX_MEMORY >> 20);
    if (added->nodes[at].token.id >= 0)
        return dt_usage("%s: expected added tokens of different texts, found \"%.100s\" twice", where, text);
    added->nodes[at].token = token;
    added->longest = dt_max(added->longest, length);
    added->begins[(uint8_t)text[0]] = true;
    added->strips |= token.strips_left || token.strips_right;
    return DT_OK;
}

void dt_added_free(dt_added *added) {
    free(added->nodes);
    *added = (dt_added){0};
}

/* The longest token that bytes[at..length) begins with, and where its text ends; an id of -1 where none does.
 */
static dt_added_token longest_at(const dt_added *added, const uint8_t *bytes, int64_t length, int64_t at,
                                 int64_t *end) {
    dt_added_token found = {.id = -1};
    int32_t here = 0;
    for (int64_t i = at; i < length && (here = find_child(added, here, bytes[i])) != 0; i++)
        if (added->nodes[here].token.id >= 0) {
            found = added->nodes[here].token;
            *end = i + 1;
        }
    return found;
}

static int64_t skip_space(const uint8_t *bytes, int64_t length, int64_t at) {
    int64_t used;
    while (at < length && dt_unicode_is_space(dt_unicode_read(bytes + at, length - at, &used)))
        at += used;
    return at;
}

static int64_t skip_space_back(const uint8_t *bytes, int64_t floor, int64_t at) {
    while (at > floor) {
        int64_t before = at - 1, used;
        while (before > floor && at - before < 4 && (bytes[before] & 0xC0) == 0x80)
            before--;
        const uint32_t point = dt_unicode_read(bytes + before, at - before, &used);
        if (used != at - before || !dt_unicode_is_space(point))
            break;
        at = before;
    }
    return at;
}

bool dt_added_find(const dt_added *added, const uint8_t *bytes, int64_t length, int64_t from, int64_t floor,
                   dt_added_match *match) {
    for (int64_t at = from; added->node_count > 0 && at < length; at++) {
        if (!added->begins[bytes[at]])
            continue;
        const dt_added_token token = longest_at(added, bytes, length, at, &match->next);
        if (token.id < 0)
            continue;
        match->id = token.id;
        match->first = token.strips_left && at > floor ? skip_space_back(bytes, floor, at) : at;
        match->end = token.strips_right ? skip_space(bytes, length, match->next) : match->next;
        return true;
    }
    return false;
}

dt_added_answer dt_added_covers(const dt_added *added, const uint8_t *bytes, int64_t length, bool is_end,
                                int64_t at) {
    for (int64_t first = dt_max(at - added->longest + 1, 0); added->node_count > 0 && first <= at; first++) {
        int32_t here = 0;
        int64_t i = first;
        while (i < length && (here = find_child(added, here, bytes[i])) != 0) {
            i++;
            if (added->nodes[here].token.id >= 0 && i > at)
                return DT_ADDED_YES;
        }
        if (i == length && !is_end && (here != 0 || first == length) && added->nodes[here].child != 0)
            return DT_ADDED_UNKNOWN;
    }
    return DT_ADDED_NO;
}

/* Whether a token's text may end at `at`; of those that take white space behind it alone where `only_strips`.
 */
static bool text_ends_at(const dt_added *added, const uint8_t *bytes, int64_t at, bool only_strips) {
    for (int64_t first = dt_max(at - added->longest, 0); first < at; first++) {
        int32_t here = 0;
        int64_t i = first;
        while (i < at && (here = find_child(added, here, bytes[i])) != 0)
            i++;
        const dt_added_token token = added->nodes[here].token;
        if (i == at && here != 0 && token.id >= 0 && (token.strips_right || !only_strips))
            return true;
    }
    return false;
}

bool dt_added_ends_at(const dt_added *added, const uint8_t *bytes, int64_t at) {
    if (added->node_count == 0)
        return false;
    if (text_ends_at(added, bytes, at, false))
        return true;
    const int64_t floor = dt_max(at - DT_ADDED_SPACE_BYTES, 0), behind = skip_space_back(bytes, floor, at);
    return added->strips && behind < at &&
           (behind == floor ? floor > 0 : text_ends_at(added, bytes, behind, true));
}
