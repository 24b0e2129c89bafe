/**
 * What a function prints to a file, as a text.
 */
#ifndef DT_TESTS_PRINTED_H
#define DT_TESTS_PRINTED_H

#include <stdio.h>

/** The whole of it, owned by the caller. */
static inline char *printed(void (*print)(FILE *file)) {
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    print(memory);
    fclose(memory);
    return text;
}

#endif
