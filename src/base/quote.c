/* Two kinds of quotes; which one a word needs is decided by its worst character. */
#include "base/quote.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

/* Safe anywhere in a word. */
static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=.,:/@%";

static void print_single(const char *word, FILE *out) {
    fputc('\'', out);
    for (; *word; word++)
        fputs(*word == '\'' ? "'\\''" : (const char[]){*word, 0}, out);
    fputc('\'', out);
}

/* Every byte that is not plain ASCII as three octal digits, which no digit behind it can join. */
static void print_dollar(const char *word, FILE *out) {
    fputs("$'", out);
    for (; *word; word++) {
        const unsigned char byte = (unsigned char)*word;
        if (byte == '\'' || byte == '\\')
            fprintf(out, "\\%c", byte);
        else if (byte >= ' ' && byte < 127)
            fputc(byte, out);
        else
            fprintf(out, "\\%03o", byte);
    }
    fputc('\'', out);
}

char *dt_quote(const char *word) {
    char *quoted = NULL;
    size_t length;
    FILE *out = open_memstream(&quoted, &length);
    if (out == NULL)
        return NULL;
    if (*word && strspn(word, safe) == strlen(word))
        fputs(word, out);
    else if (dt_escape_needed(word, DT_ESCAPE_LINE))
        print_dollar(word, out);
    else
        print_single(word, out);
    if (fclose(out) == 0)
        return quoted;
    free(quoted);
    return NULL;
}
