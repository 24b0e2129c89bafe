/* One pass over a pattern; each construct has its function. */
#include "tokenizer/regex.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define DEPTH_MAX 32

typedef struct parser {
    dt_regex *regex;
    const char *source, *where;
    size_t length, at;
    const uint8_t *category;
    bool is_caseless[DEPTH_MAX + 1]; /* of each open group */
    int depth;
    uint32_t before; /* the literal just read, where case is ignored; 0 without one */
} parser;

static dt_status refuse(const parser *p, size_t at, const char *found) {
    return dt_usage(
        "%s: expected a pattern that means the same in Oniguruma and in PCRE2, found %s at byte %zu "
        "of %.200s",
        p->where, found, at, p->source);
}

static int peek(const parser *p, size_t ahead) {
    return p->at + ahead < p->length ? (unsigned char)p->source[p->at + ahead] : -1;
}

static bool takes(parser *p, const char *word) {
    const size_t length = strlen(word);
    if (p->length - p->at < length || memcmp(p->source + p->at, word, length) != 0)
        return false;
    p->at += length;
    return true;
}

static uint32_t read_point(parser *p) {
    int64_t bytes;
    const uint32_t point =
        dt_unicode_read((const uint8_t *)p->source + p->at, (int64_t)(p->length - p->at), &bytes);
    p->at += (size_t)bytes;
    return point;
}

static void emit(dt_regex *regex, dt_regex_kind kind, int value) {
    regex->items[regex->count++] = (dt_regex_item){kind, value};
}

static void emit_text(dt_regex *regex, const char *text) {
    for (; *text != 0; text++)
        emit(regex, DT_REGEX_SYNTAX, (unsigned char)*text);
}

/* A new set, empty, as the next item; NULL where there is none. */
static dt_charset *emit_set(dt_regex *regex, const char *where) {
    if (regex->set_count == DT_REGEX_MAX_SETS) {
        (void)dt_usage("%s: expected a pattern of at most %d classes, found more", where, DT_REGEX_MAX_SETS);
        return NULL;
    }
    dt_charset *set = dt_memory_alloc(1, sizeof *set, "a class of characters");
    if (set == NULL)
        return NULL;
    regex->sets[regex->set_count] = set;
    emit(regex, DT_REGEX_SET, regex->set_count++);
    return set;
}

/* The code of the sentence that emit_set has recorded. */
static dt_status no_set(const dt_regex *regex) {
    return regex->set_count == DT_REGEX_MAX_SETS ? DT_USAGE : DT_FAILED;
}

/* ASCII with its other case, and the two characters outside it that fold to ASCII. */
static void add_caseless(dt_charset *set, uint32_t point) {
    dt_charset_add(set, point);
    if (!isalpha((int)point))
        return;
    const uint32_t lower = point | 0x20;
    dt_charset_add(set, point ^ 0x20);
    if (lower == 's')
        dt_charset_add(set, 0x17F);
    if (lower == 'k')
        dt_charset_add(set, 0x212A);
}

/* Whether two letters side by side are what one character folds to: U+00DF, U+FB00 .. U+FB06. */
static bool folds_together(uint32_t left, uint32_t right) {
    static const char *const pairs[] = {"ss", "st", "ff", "fi", "fl"};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if ((uint32_t)pairs[i][0] == (left | 0x20) && (uint32_t)pairs[i][1] == (right | 0x20))
            return true;
    return false;
}

static dt_status read_literal(parser *p, size_t at, uint32_t point) {
    const bool is_caseless = p->is_caseless[p->depth];
    const uint32_t before = p->before;
    p->before = 0;
    if (!is_caseless && point < 0x80) {
        emit(p->regex, DT_REGEX_LITERAL, (int)point);
        return DT_OK;
    }
    if (is_caseless && (point >= 0x80 || folds_together(before, point)))
        return refuse(p, at, "letters that fold in several ways where case is ignored");
    dt_charset *set = emit_set(p->regex, p->where);
    if (set == NULL)
        return no_set(p->regex);
    if (is_caseless)
        add_caseless(set, point);
    else
        dt_charset_add(set, point);
    p->before = is_caseless ? point : 0;
    return DT_OK;
}

/* \p{..} or \P{..} behind the p. */
static dt_status read_property(parser *p, size_t at, bool is_negated, dt_charset *set) {
    if (!takes(p, "{"))
        return refuse(p, at, "\\p without a name in braces");
    is_negated ^= takes(p, "^");
    const char *name = p->source + p->at, *end = memchr(name, '}', p->length - p->at);
    const uint32_t mask = end == NULL ? 0 : dt_unicode_mask(name, (size_t)(end - name));
    if (mask == 0) {
        char found[64];
        snprintf(found, sizeof found, "\\p{%.*s} in place of a general category",
                 end == NULL || end - name > 30 ? 0 : (int)(end - name), name);
        return refuse(p, at, found);
    }
    p->at += (size_t)(end - name) + 1;
    dt_charset_add_categories(set, p->category, mask, is_negated);
    return DT_OK;
}

/* What follows a backslash: a single character in `*point`, or members of `set` and -1. */
static dt_status read_escape(parser *p, size_t at, dt_charset *set, int64_t *point) {
    static const char names[] = "nrtfae", values[] = "\n\r\t\f\a\x1b";
    const int c = peek(p, 0);
    *point = -1;
    if (c >= 0x80 || c < 0)
        return refuse(p, at, "a backslash before no ASCII character");
    p->at++;
    const char *name = strchr(names, c);
    if (!isalnum(c))
        *point = c;
    else if (name != NULL)
        *point = (unsigned char)values[name - names];
    else if (p->is_caseless[p->depth])
        return refuse(p, at, "a class where case is ignored");
    else if (c == 's' || c == 'S')
        dt_charset_add_space(set, c == 'S');
    else if (c == 'd' || c == 'D')
        dt_charset_add_categories(set, p->category, dt_unicode_mask("Nd", 2), c == 'D');
    else if (c == 'p' || c == 'P')
        return read_property(p, at, c == 'P', set);
    else {
        const char found[] = {'\\', (char)c, 0};
        return refuse(p, at, found);
    }
    return DT_OK;
}

/* One end of a range in a class, or a single character, or members by an escape (then -1). */
static dt_status read_member(parser *p, dt_charset *set, int64_t *point) {
    const size_t at = p->at;
    const int c = peek(p, 0);
    if (c < 0 || c == '[' || (c == '&' && peek(p, 1) == '&'))
        return refuse(p, at,
                      c < 0      ? "a class without its end"
                      : c == '[' ? "a class in a class"
                                 : "&& in a class");
    if (takes(p, "\\"))
        return read_escape(p, at, set, point);
    *point = read_point(p);
    return DT_OK;
}

static dt_status add_members(parser *p, size_t at, dt_charset *set, uint32_t first, uint32_t last) {
    if (first > last)
        return refuse(p, at, "a range that ends before it begins");
    if (!p->is_caseless[p->depth]) {
        dt_charset_add_range(set, first, last);
        return DT_OK;
    }
    if (last >= 0x80)
        return refuse(p, at, "a class of more than ASCII where case is ignored");
    for (uint32_t point = first; point <= last; point++)
        add_caseless(set, point);
    return DT_OK;
}

/* A class behind its opening bracket. */
static dt_status read_class(parser *p, size_t at) {
    dt_charset *set = emit_set(p->regex, p->where);
    if (set == NULL)
        return no_set(p->regex);
    const bool is_negated = takes(p, "^");
    p->before = 0;
    if (peek(p, 0) == ']' || (is_negated && p->is_caseless[p->depth]))
        return refuse(p, at, is_negated ? "[^ where case is ignored" : "a class that begins with ]");
    while (!takes(p, "]")) {
        const size_t member = p->at;
        int64_t first, last;
        DT_TRY(read_member(p, set, &first));
        last = first;
        if (peek(p, 0) == '-' && peek(p, 1) != ']') {
            p->at++;
            DT_TRY(read_member(p, set, &last));
            if (first < 0 || last < 0)
                return refuse(p, member, "a range from or to a class");
        }
        if (first >= 0)
            DT_TRY(add_members(p, member, set, (uint32_t)first, (uint32_t)last));
    }
    if (is_negated)
        dt_charset_invert(set);
    return DT_OK;
}

/* A group behind its opening bracket. None is asked for what it took, so all are without a number. */
static dt_status open_group(parser *p, size_t at) {
    static const char *const kinds[] = {"?:", "?i:", "?=", "?!", "?<=", "?<!", "?>"};
    const char *kind = kinds[0];
    if (p->depth == DEPTH_MAX)
        return refuse(p, at, "groups in one another more than 32 deep");
    p->before = 0;
    if (peek(p, 0) == '?' || peek(p, 0) == '*') {
        size_t i = 0;
        while (i < sizeof kinds / sizeof *kinds && !takes(p, kinds[i]))
            i++;
        if (i == sizeof kinds / sizeof *kinds)
            return refuse(p, at, "a group that is none of (?: (?i: (?= (?! (?<= (?<! (?>");
        kind = kinds[i];
    }
    p->depth++;
    p->is_caseless[p->depth] = kind == kinds[1] || p->is_caseless[p->depth - 1];
    emit_text(p->regex, "(");
    emit_text(p->regex, kind == kinds[1] ? kinds[0] : kind);
    return DT_OK;
}

/* {n}, {n,} or {n,m} behind the opening brace. */
static dt_status read_counts(parser *p, size_t at) {
    size_t digits = 0, commas = 0;
    while (isdigit(peek(p, digits)) || (digits > 0 && commas == 0 && peek(p, digits) == ','))
        commas += peek(p, digits++) == ',';
    if (digits == 0 || peek(p, digits) != '}')
        return refuse(p, at, "a brace that opens no {n}, {n,} or {n,m}");
    const int after = peek(p, digits + 1);
    if (after == '+' || after == '?')
        return refuse(p, at, "a sign behind {..}, which has two meanings");
    emit_text(p->regex, "{");
    for (size_t i = 0; i <= digits; i++)
        emit(p->regex, DT_REGEX_SYNTAX, peek(p, i));
    p->at += digits + 1;
    return DT_OK;
}

static dt_status read_backslash(parser *p, size_t at) {
    int64_t point;
    dt_charset *set = NULL;
    /* Most escapes are single characters, and need no set. */
    if (isalnum(peek(p, 0)) && strchr("nrtfae", peek(p, 0)) == NULL) {
        set = emit_set(p->regex, p->where);
        if (set == NULL)
            return no_set(p->regex);
    }
    DT_TRY(read_escape(p, at, set, &point));
    if (set == NULL)
        return read_literal(p, at, (uint32_t)point);
    p->before = 0;
    return DT_OK;
}

static dt_status read_dot(parser *p) {
    dt_charset *set = emit_set(p->regex, p->where);
    if (set == NULL)
        return no_set(p->regex);
    dt_charset_add(set, '\n');
    dt_charset_invert(set);
    p->before = 0;
    return DT_OK;
}

static dt_status read_item(parser *p) {
    const size_t at = p->at;
    const uint32_t c = read_point(p);
    switch (c) {
    case '\\':
        return read_backslash(p, at);
    case '[':
        return read_class(p, at);
    case '(':
        return open_group(p, at);
    case '{':
        return read_counts(p, at);
    case '.':
        return read_dot(p);
    case '^':
    case '$':
        return refuse(p, at, c == '^' ? "^" : "$");
    case ')':
        if (p->depth == 0)
            return refuse(p, at, "a bracket that closes no group");
        p->depth--;
        break;
    case '|':
    case '?':
    case '*':
    case '+':
        break;
    default:
        return read_literal(p, at, c);
    }
    p->before = 0;
    emit(p->regex, DT_REGEX_SYNTAX, (int)c);
    return DT_OK;
}

/* Room for the items of `length` bytes: a plain group becomes one of three characters. */
static dt_status prepare(dt_regex *regex, size_t length, const char *where) {
    *regex = (dt_regex){0};
    if (length == 0 || length > DT_REGEX_MAX_BYTES)
        return dt_usage("%s: expected a pattern of 1 to %d bytes, found %zu", where, DT_REGEX_MAX_BYTES,
                        length);
    regex->items = dt_memory_alloc((int64_t)(3 * length), sizeof *regex->items, "a pattern");
    return regex->items != NULL ? DT_OK : DT_FAILED;
}

dt_status dt_regex_parse(dt_regex *regex, const char *source, size_t length, const uint8_t *category,
                         const char *where) {
    parser p = {.regex = regex, .source = source, .where = where, .length = length, .category = category};
    DT_TRY(prepare(regex, length, where));
    while (p.at < length)
        DT_TRY(read_item(&p));
    return p.depth == 0 ? DT_OK : refuse(&p, length, "a group without its end");
}

dt_status dt_regex_quote(dt_regex *regex, const char *text, size_t length, const char *where) {
    parser p = {.regex = regex, .source = text, .where = where, .length = length};
    DT_TRY(prepare(regex, length, where));
    while (p.at < length)
        DT_TRY(read_literal(&p, p.at, read_point(&p)));
    return DT_OK;
}

void dt_regex_free(dt_regex *regex) {
    for (int i = 0; i < regex->set_count; i++)
        dt_memory_free(regex->sets[i]);
    dt_memory_free(regex->items);
    *regex = (dt_regex){0};
}
