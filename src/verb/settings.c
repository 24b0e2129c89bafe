/* Where a verb's options come from; the table and its rules are config/'s. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "comm/agree.h"
#include "verb/verb.h"

#define CONFIG_LIMIT_BYTES ((int64_t)1 << 20)
#define MOST_OWN_FLAGS     8

/* Where --config stands is known only once the flags are read, so they are read twice: now for it alone. */
static dt_status find_config(int argc, char **argv, const dt_flag *own, const char **path) {
    dt_flag flags[MOST_OWN_FLAGS + 2] = {{"config", true, path}};
    dt_config unused;
    for (int i = 0; own && own[i].name && i < MOST_OWN_FLAGS; i++)
        flags[i + 1] = own[i];
    dt_config_init(&unused);
    dt_status status = dt_config_read_flags(&unused, argc, argv, flags, NULL, NULL);
    dt_config_free(&unused);
    return status;
}

static dt_status read_file(const dt_world *world, const char *path, char **bytes, size_t *length) {
    dt_status status = DT_OK;
    if (world == NULL)
        return dt_file_read(path, CONFIG_LIMIT_BYTES, bytes, length);
    if (world->rank == 0)
        status = dt_file_read(path, CONFIG_LIMIT_BYTES, bytes, length);
    DT_TRY(dt_agree(world, status));
    return dt_world_broadcast_block(world, bytes, length);
}

dt_status dt_verb_settings(dt_config *config, const dt_world *world, int argc, char **argv,
                           const dt_flag *own) {
    const char *path = NULL, *again = NULL;
    char *bytes = NULL;
    size_t length = 0;
    dt_flag flags[MOST_OWN_FLAGS + 2] = {{"config", true, &again}};
    for (int i = 0; own && own[i].name && i < MOST_OWN_FLAGS; i++)
        flags[i + 1] = own[i];
    dt_config_init(config);
    DT_TRY(find_config(argc, argv, own, &path));
    if (path) {
        dt_status status = read_file(world, path, &bytes, &length);
        if (status == DT_FAILED) /* a config that cannot be read is a wrong command line */
            return dt_usage("--config: %s", dt_error());
        if (status == DT_OK)
            status =
                dt_config_read_yaml(config, strcmp(path, "-") == 0 ? "standard input" : path, bytes, length);
        free(bytes);
        DT_TRY(status);
    }
    DT_TRY(dt_config_read_flags(config, argc, argv, flags, NULL, NULL));
    return dt_config_check(config);
}

dt_status dt_verb_checkpoint(const char *verb, int argc, char **argv, const dt_flag *own,
                             const char **checkpoint) {
    const char **words = calloc((size_t)argc + 1, sizeof *words);
    int count = 0;
    dt_config untouched;
    if (words == NULL)
        return dt_fail("out of memory for the command line");
    dt_config_init(&untouched);
    dt_status status = dt_config_read_flags(&untouched, argc, argv, own, words, &count);
    dt_config_free(&untouched);
    *checkpoint = count == 1 ? words[0] : NULL;
    free(words);
    if (status == DT_OK && count != 1)
        status = dt_usage(
            "%s: expected one checkpoint folder, found %d; for example: dtrain %s checkpoints/latest", verb,
            count, verb);
    return status;
}

dt_status dt_verb_count(const char *flag, const char *text, int64_t *count) {
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || value < 1)
        return dt_usage("--%s: expected a whole number of at least 1, found \"%s\"", flag, text);
    *count = value;
    return DT_OK;
}
