/* A fresh folder for one test, and small files in it. Every failure ends the test that asked. */
#ifndef DT_TESTS_SCRATCH_H
#define DT_TESTS_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/*
 * A new folder below $TMPDIR, or in memory, or below /tmp; scratch_remove removes it and frees the name. In
 * memory, since a disk makes each of ten thousand damaged copies of a file durable before the next one.
 */
static inline char *scratch_make(void) {
    const char *bases[] = {getenv("TMPDIR"), "/dev/shm", "/tmp"};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        char *folder = NULL;
        if (bases[i] == NULL)
            continue;
        if (asprintf(&folder, "%s/dtrain-test-XXXXXX", bases[i]) < 0)
            abort();
        if (mkdtemp(folder) != NULL)
            return folder;
        free(folder);
    }
    abort();
}

static inline void scratch_remove(char *folder) {
    if (dt_file_remove_tree(folder) != DT_OK)
        abort();
    free(folder);
}

/* Makes `path` hold exactly these bytes, new or not. */
static inline void scratch_put(const char *path, const void *bytes, size_t length) {
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
        abort();
}

/* Makes root/folder/name hold `text`, and the folders above it: trees of files as Linux shows them. */
static inline void scratch_put_in(const char *root, const char *folder, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, folder);
    if (dt_file_make_folder(path) != DT_OK)
        abort();
    snprintf(path, sizeof path, "%s/%s/%s", root, folder, name);
    scratch_put(path, text, strlen(text));
}

/* The bytes of `path`, for the caller to free. */
static inline char *scratch_get(const char *path, size_t *length) {
    char *bytes;
    if (dt_file_read(path, 1 << 28, &bytes, length) != DT_OK)
        abort();
    return bytes;
}

#endif
