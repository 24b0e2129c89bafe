/* Hands every file of the folders on the command line to the fuzz target, in builds without libFuzzer. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "support/scratch.h"

/* A seed says by its name what must become of it. */
static int judge(const char *name) {
    const bool whole = strncmp(name, "whole_", 6) == 0, bad = strncmp(name, "bad_", 4) == 0;
    if ((whole && !fuzz_accepted) || (bad && fuzz_accepted)) {
        fprintf(stderr, "%s is %s; the last sentence: %s\n", name, whole ? "refused" : "accepted",
                dt_error());
        return 1;
    }
    return 0;
}

static int run_folder(const char *folder) {
    char **names;
    size_t count;
    int failures = 0;
    if (dt_file_list(folder, &names, &count) != DT_OK || count == 0) {
        fprintf(stderr, "expected seeds in %s, found none\n", folder);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        size_t length;
        char *path = dt_file_join(folder, names[i]), *bytes = scratch_get(path, &length);
        /* No byte more than the seed has, so that a sanitizer sees a look past its end. */
        uint8_t *exact = malloc(length + (length == 0));
        memcpy(exact, bytes, length);
        LLVMFuzzerTestOneInput(exact, length);
        failures += judge(names[i]);
        free(exact);
        free(bytes);
        free(path);
    }
    dt_file_free_names(names, count);
    return failures;
}

int main(int argc, char **argv) {
    int failures = argc < 2;
    for (int i = 1; i < argc; i++)
        failures += run_folder(argv[i]);
    return failures > 0;
}
