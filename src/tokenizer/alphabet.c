/* Classes split the kinds one after the other; then text and patterns are written in kinds. */
#include "tokenizer/alphabet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define ASCII     128
#define KINDS_MAX 256

/* Code points that are looked at together where they are all of one kind, as most are: a word of a set. */
#define RUN 64

static bool is_run(const uint8_t *kind) {
    return memcmp(kind, kind + 1, RUN - 1) == 0;
}

/* The halves of kinds, by the kind's number before it was split; -1 where none was met. */
typedef struct halves {
    int inside[KINDS_MAX], outside[KINDS_MAX];
} halves;

/* Gives a code point the half of its kind that it is in. */
static bool move(dt_alphabet *alphabet, halves *of, uint32_t point, bool is_inside) {
    const int kind = alphabet->kind[point];
    int *mine = is_inside ? of->inside : of->outside;
    const int *other = is_inside ? of->outside : of->inside;
    if (mine[kind] < 0) {
        if (other[kind] >= 0 && alphabet->count == KINDS_MAX)
            return false;
        /* The half that is met first keeps the number. */
        mine[kind] = other[kind] < 0 ? kind : alphabet->count++;
    }
    alphabet->kind[point] = (uint8_t)mine[kind];
    return true;
}

/* Splits each kind outside ASCII into what is in the set and what is not. */
static bool split(dt_alphabet *alphabet, const dt_charset *set) {
    halves of;
    memset(&of, -1, sizeof of);
    for (uint32_t first = ASCII; first < DT_UNICODE_POINTS; first += RUN) {
        uint8_t *kind = alphabet->kind + first;
        const uint64_t bits = set->bits[first / RUN];
        const bool as_one = (bits == 0 || bits == UINT64_MAX) && is_run(kind);
        for (uint32_t i = 0; i < (as_one ? 1 : RUN); i++)
            if (!move(alphabet, &of, first + i, dt_charset_has(set, first + i)))
                return false;
        if (as_one)
            memset(kind, kind[0], RUN);
    }
    return true;
}

/* The last character of each kind stands for it. */
static void find_examples(dt_alphabet *alphabet) {
    for (uint32_t first = 0; first < DT_UNICODE_POINTS; first += RUN)
        for (uint32_t i = is_run(alphabet->kind + first) ? RUN - 1 : 0; i < RUN; i++)
            alphabet->example[alphabet->kind[first + i]] = first + i;
}

dt_status dt_alphabet_create(dt_alphabet *alphabet, const dt_regex *regexes, int count, const char *where) {
    *alphabet = (dt_alphabet){.count = ASCII + 1};
    alphabet->kind = dt_memory_alloc(DT_UNICODE_POINTS, 1, "the kinds of characters");
    if (alphabet->kind == NULL)
        return DT_FAILED;
    memset(alphabet->kind, ASCII, DT_UNICODE_POINTS);
    for (int r = 0; r < count; r++)
        for (int s = 0; s < regexes[r].set_count; s++)
            if (!split(alphabet, regexes[r].sets[s]))
                return dt_usage(
                    "%s: expected patterns that tell at most %d kinds of characters apart outside "
                    "ASCII, found more",
                    where, KINDS_MAX - ASCII);
    for (uint32_t point = 0; point < ASCII; point++)
        alphabet->kind[point] = (uint8_t)point;
    find_examples(alphabet);
    return DT_OK;
}

void dt_alphabet_free(dt_alphabet *alphabet) {
    dt_memory_free(alphabet->kind);
    alphabet->kind = NULL;
}

/* How many bytes of ASCII bytes[0..length) begins with, in steps of 8 where it can. */
static int64_t ascii_run(const uint8_t *bytes, int64_t length) {
    int64_t run = 0;
    uint64_t eight;
    for (; run + 8 <= length; run += 8) {
        memcpy(&eight, bytes + run, 8);
        if ((eight & 0x8080808080808080u) != 0)
            break;
    }
    while (run < length && bytes[run] < ASCII)
        run++;
    return run;
}

int64_t dt_alphabet_translate(const dt_alphabet *alphabet, const uint8_t *bytes, int64_t length,
                              uint8_t *kinds) {
    const uint8_t *kind = alphabet->kind;
    int64_t count = 0;
    for (int64_t at = 0; at < length;) {
        const uint8_t *c = bytes + at;
        if (c[0] < ASCII) {
            const int64_t run = ascii_run(c, length - at);
            memcpy(kinds + count, c, (size_t)run);
            count += run;
            at += run;
        } else if (c[0] < 0xE0) {
            kinds[count++] = kind[(c[0] & 0x1Fu) << 6 | (c[1] & 0x3Fu)];
            at += 2;
        } else if (c[0] < 0xF0) {
            kinds[count++] = kind[(c[0] & 0xFu) << 12 | (c[1] & 0x3Fu) << 6 | (c[2] & 0x3Fu)];
            at += 3;
        } else {
            kinds[count++] =
                kind[(c[0] & 7u) << 18 | (c[1] & 0x3Fu) << 12 | (c[2] & 0x3Fu) << 6 | (c[3] & 0x3Fu)];
            at += 4;
        }
    }
    return count;
}

/* A set as a class of bytes: ranges of kinds whose characters it has. */
static void write_class(FILE *text, const dt_alphabet *alphabet, const dt_charset *set) {
    bool is_empty = true;
    for (int first = 0; first < alphabet->count; first++) {
        int last = first;
        if (!dt_charset_has(set, alphabet->example[first]))
            continue;
        while (last + 1 < alphabet->count && dt_charset_has(set, alphabet->example[last + 1]))
            last++;
        fprintf(text, "%s\\x%02x-\\x%02x", is_empty ? "[" : "", (unsigned)first, (unsigned)last);
        is_empty = false;
        first = last;
    }
    fputs(is_empty ? "(?!)" : "]", text);
}

char *dt_alphabet_write(const dt_alphabet *alphabet, const dt_regex *regex) {
    char *written = NULL;
    size_t length = 0;
    FILE *text = open_memstream(&written, &length);
    if (text == NULL) {
        (void)dt_fail("out of memory for a pattern");
        return NULL;
    }
    for (int64_t i = 0; i < regex->count; i++) {
        const dt_regex_item item = regex->items[i];
        if (item.kind == DT_REGEX_SYNTAX)
            fputc(item.value, text);
        else if (item.kind == DT_REGEX_LITERAL)
            fprintf(text, "\\x%02x", (unsigned)item.value);
        else
            write_class(text, alphabet, regex->sets[item.value]);
    }
    const bool failed = ferror(text) != 0;
    if (fclose(text) != 0 || failed) {
        free(written);
        (void)dt_fail("out of memory for a pattern");
        return NULL;
    }
    return written;
}
