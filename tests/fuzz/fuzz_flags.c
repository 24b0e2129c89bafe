/*
 * The command line: the input's lines are its words. Flags that are accepted make a config that comes back
 * the same from its written forms, and every word of another kind is handed over in its order; what is
 * refused is called usage and has a sentence.
 */
#include "config/check.h"
#include "config/flags.h"
#include "fuzz/same_config.h"

#define WORDS_MAX 128

bool fuzz_accepted;

/* Each word a block of its own, so that a sanitizer sees a look past its end. */
static int cut(const uint8_t *data, size_t size, char **words) {
    int count = 0;
    for (size_t offset = 0; offset < size && count < WORDS_MAX;) {
        const char *start = (const char *)data + offset;
        const char *end = memchr(start, '\n', size - offset);
        const size_t length = end == NULL ? size - offset : (size_t)(end - start);
        words[count] = strndup(start, length);
        FUZZ_EXPECT(words[count] != NULL);
        count++;
        offset += length + 1;
    }
    return count;
}

/* Where words other than flags may not stand, the same words are taken exactly when there are none. */
static void check_strict(int count, char **words, const dt_flag *own, int positional) {
    dt_config config;
    dt_config_init(&config);
    FUZZ_EXPECT((dt_config_read_flags(&config, count, words, own, NULL, NULL) == DT_OK) == (positional == 0));
    dt_config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *words[WORDS_MAX];
    const char *positional[WORDS_MAX], *path = NULL, *list = NULL, *one = NULL;
    char *all = NULL;
    const dt_flag own[] = {{"config", true, &path, NULL},
                           {"list", false, &list, NULL},
                           {"all", true, &one, &all},
                           {.name = NULL}};
    int others = 0, next = 0;
    const int count = cut(data, size, words);
    dt_config config;
    dt_config_init(&config);
    const dt_status status = dt_config_read_flags(&config, count, words, own, positional, &others);
    free(all);
    fuzz_accepted = status == DT_OK;
    if (fuzz_accepted) {
        same_config_check(&config);
        FUZZ_EXPECT(others >= 0 && others <= count);
        for (int i = 0; i < others; i++, next++) {
            while (next < count && words[next] != positional[i])
                next++;
            FUZZ_EXPECT(next < count);
        }
        check_strict(count, words, own, others);
        (void)dt_config_check(&config);
    } else {
        FUZZ_EXPECT(status == DT_USAGE);
        FUZZ_EXPECT(dt_error()[0] != 0);
    }
    dt_config_free(&config);
    for (int i = 0; i < count; i++)
        free(words[i]);
    return 0;
}
