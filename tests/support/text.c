/* A linear congruential generator picks the words: enough for text that a model can learn something of. */
#include "support/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const words[] = {"the",  "ranks",  "sum",   "their",    "leaves", "along",
                                    "one",  "tree",   "and",   "every",    "bit",    "of",
                                    "it",   "agrees", "again", "whatever", "hosts",  "may",
                                    "come", "or",     "go",    "in",       "time",   "slowly"};

void text_write(const char *path, int64_t bytes, uint32_t seed) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    uint32_t state = seed;
    for (int64_t written = 0, column = 0; written < bytes;) {
        state = state * 1664525u + 1013904223u;
        const char *word = words[(state >> 16) % (sizeof words / sizeof *words)];
        char piece[80];
        column += (int64_t)strlen(word) + 1;
        snprintf(piece, sizeof piece, "%s%s", word, column > 70 ? ".\n" : " ");
        column = column > 70 ? 0 : column;
        int64_t length = (int64_t)strlen(piece);
        length = length < bytes - written ? length : bytes - written;
        assert_int_equal(fwrite(piece, 1, (size_t)length, file), length);
        written += length;
    }
    assert_int_equal(fclose(file), 0);
}
