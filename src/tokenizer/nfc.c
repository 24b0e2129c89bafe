/*
 * A character that no table mentions, and that joins nothing before it, is a border: what lies between two
 * borders is normalized by itself. A stretch is one such character with the unsure ones behind it.
 */
#include "tokenizer/nfc.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/memory.h"
#include "base/minmax.h"

#define DECOMPOSE (UTF8PROC_STABLE | UTF8PROC_DECOMPOSE)
#define COMPOSE   (UTF8PROC_STABLE | UTF8PROC_COMPOSE)

/* The characters after Unicode 9.0, up to 16.0, that have a combining class or take part in a composition. */
static const uint32_t unknown[][2] = {
    {0x7FD, 0x7FD},     {0x897, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
    {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},
    {0xA82C, 0xA82C},   {0x105C9, 0x105C9}, {0x105D2, 0x105D2}, {0x105DA, 0x105DA}, {0x105E4, 0x105E4},
    {0x10D24, 0x10D27}, {0x10D69, 0x10D6D}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50},
    {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x11382, 0x11391}, {0x113B8, 0x113D0},
    {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
    {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D45}, {0x11D97, 0x11D97}, {0x11F41, 0x11F42},
    {0x1611E, 0x1612F}, {0x16D63, 0x16D6A}, {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136},
    {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}, {0x1E5EE, 0x1E5EF}};

/* The canonical decomposition of one character is at most this many. */
#define POINTS_MAX 8

/* The first character below which none changes: the first combining mark. */
#define FIRST_UNSURE_BYTE 0xCC

/* Marks what a character brings in: itself where it changes or moves, and whatever it may be composed with.
 */
static void judge(dt_nfc *nfc, int32_t point) {
    int32_t points[POINTS_MAX];
    const utf8proc_property_t *property = utf8proc_get_property(point);
    if (property->combining_class != 0)
        dt_charset_add(&nfc->unsure, (uint32_t)point);
    const utf8proc_ssize_t count = utf8proc_decompose_char(point, points, POINTS_MAX, DECOMPOSE, NULL);
    if (count < 1 || (count == 1 && points[0] == point))
        return;
    for (utf8proc_ssize_t i = 1; i < dt_min(count, POINTS_MAX); i++)
        dt_charset_add(&nfc->unsure, (uint32_t)points[i]);
    const utf8proc_ssize_t composed =
        count <= POINTS_MAX ? utf8proc_normalize_utf32(points, count, COMPOSE) : 0;
    if (composed != 1 || points[0] != point)
        dt_charset_add(&nfc->unsure, (uint32_t)point);
}

/* Those above, and what Unicode 16.0 has not given out, whatever a later utf8proc says of it. */
static dt_status add_unknown(dt_nfc *nfc) {
    uint8_t *category = dt_memory_alloc(DT_UNICODE_POINTS, 1, "the categories of characters");
    if (category == NULL)
        return DT_FAILED;
    dt_unicode_categories(category);
    dt_charset_add_categories(&nfc->unknown, category, dt_unicode_mask("Cn", 2), false);
    dt_memory_free(category);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        dt_charset_add_range(&nfc->unknown, unknown[i][0], unknown[i][1]);
    return DT_OK;
}

dt_nfc *dt_nfc_create(void) {
    dt_nfc *nfc = dt_memory_alloc(1, sizeof *nfc, "the table of characters that are in normal form");
    if (nfc == NULL)
        return NULL;
    if (add_unknown(nfc) != DT_OK) {
        dt_memory_free(nfc);
        return NULL;
    }
    for (int32_t point = 0; point < DT_UNICODE_POINTS; point++)
        if ((point < 0xD800 || point > 0xDFFF) && !dt_charset_has(&nfc->unknown, (uint32_t)point))
            judge(nfc, point);
    return nfc;
}

static dt_status reserve(dt_nfc_text *text, int64_t more) {
    if (more <= text->capacity - text->length)
        return DT_OK;
    const int64_t capacity = dt_max(2 * text->capacity, text->length + more);
    uint8_t *grown = realloc(text->bytes, (size_t)capacity);
    if (grown == NULL)
        return dt_fail("out of memory for a text in normal form");
    text->bytes = grown;
    text->capacity = capacity;
    return DT_OK;
}

static dt_status append(dt_nfc_text *text, const uint8_t *bytes, int64_t length) {
    if (length == 0)
        return DT_OK;
    DT_TRY(reserve(text, length));
    memcpy(text->bytes + text->length, bytes, (size_t)length);
    text->length += length;
    return DT_OK;
}

void dt_nfc_text_free(dt_nfc_text *text) {
    free(text->bytes);
    free(text->points);
    *text = (dt_nfc_text){0};
}

/* One stretch in form C behind `text`. */
static dt_status append_normal(dt_nfc_text *text, const uint8_t *bytes, int64_t length) {
    static const char out_of_memory[] = "out of memory for a text in normal form";
    const utf8proc_ssize_t count =
        utf8proc_decompose(bytes, length, text->points, text->point_capacity, DECOMPOSE);
    if (count > text->point_capacity) {
        free(text->points);
        text->point_capacity = 2 * count;
        text->points = malloc((size_t)text->point_capacity * sizeof *text->points);
        if (text->points == NULL) {
            text->point_capacity = 0;
            return dt_fail("%s", out_of_memory);
        }
        return append_normal(text, bytes, length);
    }
    const utf8proc_ssize_t composed =
        count < 0 ? count : utf8proc_normalize_utf32(text->points, count, COMPOSE);
    if (composed < 0)
        return dt_fail("%s", out_of_memory);
    DT_TRY(reserve(text, 4 * composed));
    for (utf8proc_ssize_t i = 0; i < composed; i++)
        text->length += utf8proc_encode_char(text->points[i], text->bytes + text->length);
    return DT_OK;
}

/* Where the stretch that begins at `at` ends. `*is_sure` says whether it is one character that stays as it
 * is. */
static int64_t stretch_end(const dt_nfc *nfc, const uint8_t *bytes, int64_t length, int64_t at,
                           bool *is_sure) {
    int64_t used;
    const uint32_t first = dt_unicode_read(bytes + at, length - at, &used);
    *is_sure = dt_nfc_is_sure(nfc, first);
    at += used;
    if (dt_charset_has(&nfc->unknown, first))
        return at;
    while (at < length && bytes[at] >= FIRST_UNSURE_BYTE &&
           !dt_nfc_is_sure(nfc, dt_unicode_read(bytes + at, length - at, &used))) {
        *is_sure = false;
        at += used;
    }
    return at;
}

dt_status dt_nfc_apply(const dt_nfc *nfc, const uint8_t *bytes, int64_t length, dt_nfc_text *scratch,
                       const uint8_t **normal, int64_t *normal_length) {
    int64_t copied = 0; /* what lies before is in scratch, once anything is */
    bool is_sure, changes = false;
    *normal = NULL;
    scratch->length = 0;
    for (int64_t at = 0, end; at < length; at = end) {
        if (bytes[at] < 0x80 && (at + 1 == length || bytes[at + 1] < FIRST_UNSURE_BYTE)) {
            end = at + 1;
            continue;
        }
        end = stretch_end(nfc, bytes, length, at, &is_sure);
        if (is_sure)
            continue;
        DT_TRY(append(scratch, bytes + copied, at - copied));
        DT_TRY(append_normal(scratch, bytes + at, end - at));
        copied = end;
        changes = true;
    }
    if (!changes)
        return DT_OK;
    DT_TRY(append(scratch, bytes + copied, length - copied));
    *normal = scratch->bytes;
    *normal_length = scratch->length;
    return DT_OK;
}
