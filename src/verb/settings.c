/* Where a verb's options come from; the table and its rules are config/'s. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/assert.h"
#include "base/log.h"
#include "comm/agree.h"
#include "comm/mismatch.h"
#include "base/checksum.h"
#include "config/length.h"
#include "config/list.h"
#include "train/init_from.h"
#include "train/launch.h"
#include "verb/table.h"
#include "verb/verb.h"

#define CONFIG_LIMIT_BYTES ((int64_t)1 << 20)

/* Whether one of the names in the list is standard input. */
static dt_status takes_standard_input(const char *list, bool *takes) {
    char **names;
    int64_t count;
    *takes = false;
    DT_TRY(dt_list_read(list, &names, &count));
    for (int64_t i = 0; i < count; i++)
        *takes = *takes || strcmp(names[i], "-") == 0;
    dt_list_free(names);
    return DT_OK;
}

/* What is read from a pipe once is gone: the next reader would find nothing. */
static dt_status expect_one_reader(const char *config_path, const dt_config *config) {
    const char *const keys[] = {"--config", "data", "validation_data"};
    bool takes[3] = {config_path && strcmp(config_path, "-") == 0};
    const char *first = NULL;
    DT_TRY(takes_standard_input(config->data, &takes[1]));
    DT_TRY(takes_standard_input(config->validation_data, &takes[2]));
    for (int k = 0; k < 3; k++) {
        if (takes[k] && first)
            return dt_usage(
                "cannot read standard input twice: %s and %s both ask for it (-); write what one of "
                "them is to read to a file, and name that",
                first, keys[k]);
        if (takes[k])
            first = keys[k];
    }
    return DT_OK;
}

/* Where --config stands is known only once the flags are read, so they are read twice: now for it alone. */
static dt_status find_config(const dt_verb *verb, int argc, char **argv, const char **path) {
    dt_config unused;
    dt_verb_flags flags;
    dt_status status = dt_config_init(&unused);
    if (status == DT_OK)
        status = dt_verb_read(verb, &unused, argc, argv, &flags, NULL, NULL);
    if (status == DT_OK)
        status = expect_one_reader(flags.config, &unused); /* before anything is read */
    *path = status == DT_OK ? flags.config : NULL;
    dt_config_free(&unused);
    return status;
}

/* All words, a space after each, as a new text; NULL when out of memory. */
static char *join_words(int argc, char **argv) {
    char *joined = NULL;
    size_t length;
    FILE *memory = open_memstream(&joined, &length);
    if (memory == NULL)
        return NULL;
    for (int i = 0; i < argc; i++)
        fprintf(memory, "%s ", argv[i]);
    if (fclose(memory) == 0)
        return joined;
    free(joined);
    return NULL;
}

/* Another text for other words, also where they look alike: each word's 0 byte counts, so that "a b" is not
 * "a" and "b". */
static dt_status digest_words(int argc, char **argv, char digits[DT_CHECKSUM_TEXT_BYTES]) {
    dt_checksum checksum;
    DT_TRY(dt_checksum_create(&checksum, 64));
    for (int i = 0; i < argc; i++)
        dt_checksum_add(&checksum, argv[i], strlen(argv[i]) + 1);
    dt_checksum_text(&checksum, digits);
    dt_checksum_free(&checksum);
    return DT_OK;
}

dt_status dt_verb_same_launch(const dt_world *world, int argc, char **argv) {
    char digits[DT_CHECKSUM_TEXT_BYTES], found[DT_MISMATCH_BYTES];
    DT_TRY(dt_launch_check(world));
    DT_TRY(dt_agree(world, digest_words(argc, argv, digits)));
    DT_TRY(dt_mismatch_find(world, digits, found));
    if (*found == 0)
        return DT_OK;
    char *line = join_words(argc, argv);
    dt_status status = dt_agree(world, line ? DT_OK : dt_fail("out of memory for the command line"));
    if (status == DT_OK)
        status = dt_mismatch_find_in_line(world, line, found);
    free(line);
    DT_TRY(status);
    return dt_agree(world,
                    dt_usage("expected one command line for all ranks (mpirun -np N dtrain .., without "
                             "\":\"), found that %s",
                             found));
}

/* The config's bytes as a new block, NULL without a `path`. With a world it is rank 0 that reads them. */
static dt_status read_file(const dt_world *world, const char *path, char **bytes, size_t *length) {
    dt_status status = DT_OK;
    /* A config that cannot be read is a wrong command line. */
    if (path && (world == NULL || world->rank == 0) &&
        dt_file_read(path, CONFIG_LIMIT_BYTES, bytes, length) != DT_OK)
        status = dt_usage("--config: %s", dt_error());
    if (world == NULL)
        return status;
    DT_TRY(dt_agree(world, status));
    return dt_world_broadcast_block(world, bytes, length);
}

dt_status dt_verb_expect_one_standard_input(const char *verb, const char *const *words, int count) {
    int found = 0;
    for (int i = 0; i < count; i++)
        found += strcmp(words[i], "-") == 0;
    return found < 2
               ? DT_OK
               : dt_usage("%s: cannot read standard input twice: - stands %d times among the files; name "
                          "it once",
                          verb, found);
}

/* A run would take its shape from there, and so does what looks ahead at one. */
static dt_status adopt_init_from(const dt_world *world, dt_config *config) {
    dt_init_from unused;
    return dt_init_from_find(&unused, world, config);
}

dt_status dt_verb_settings(dt_config *config, dt_verb_flags *flags, const dt_world *world,
                           const dt_verb *verb, int argc, char **argv, dt_verb_start start) {
    const char *path = NULL;
    char *bytes = NULL;
    size_t length = 0;
    DT_ASSERT(verb->takes_options);
    const dt_status defaults = dt_config_init(config);
    if (world == NULL)
        DT_TRY(defaults);
    else
        DT_TRY(dt_agree(world, defaults));
    if (world)
        DT_TRY(dt_verb_same_launch(world, argc, argv));
    dt_status status = find_config(verb, argc, argv, &path);
    /* No rank may leave here alone: the others would wait for it in the broadcast of the file. */
    if (world)
        status = dt_agree(world, status);
    if (status == DT_OK)
        status = read_file(world, path, &bytes, &length);
    const char *name = path && strcmp(path, "-") == 0 ? "standard input" : path;
    if (status == DT_OK && bytes)
        status = dt_config_read_yaml(config, name, bytes, length);
    if (status == DT_OK)
        status = dt_verb_read(verb, config, argc, argv, flags, NULL, NULL);
    if (status == DT_OK)
        status = expect_one_reader(path, config);
    if (status == DT_OK)
        dt_length_choose(config);
    if (status == DT_OK)
        status = start == DT_VERB_AFRESH && config->init_from ? adopt_init_from(world, config) : DT_OK;
    if (status == DT_OK && (start == DT_VERB_AFRESH || (config->resume == NULL && config->init_from == NULL)))
        status = dt_config_check_document(config, name, bytes, length);
    free(bytes);
    return status;
}

dt_status dt_verb_run(const dt_verb *verb, int argc, char **argv,
                      dt_status (*work)(const dt_world *world, const dt_config *config,
                                        const dt_verb_flags *flags)) {
    dt_verb_flags flags;
    dt_config config;
    dt_world world;
    DT_TRY(dt_world_open(&world));
    dt_log_open(world.rank == 0, dt_log_find_terminal());
    dt_status status =
        dt_agree(&world, dt_verb_settings(&config, &flags, &world, verb, argc, argv, DT_VERB_AFRESH));
    if (status == DT_OK)
        status = work(&world, &config, &flags);
    dt_config_free(&config);
    return dt_verb_leave(&world, status);
}

dt_status dt_verb_words(const dt_verb *verb, int argc, char **argv, dt_verb_flags *flags, const char ***words,
                        int *count) {
    DT_ASSERT(argc >= 0 && !verb->takes_options);
    *count = 0;
    *words = calloc((size_t)argc + 1, sizeof **words);
    if (*words == NULL)
        return dt_fail("out of memory for the command line");
    return dt_verb_read(verb, NULL, argc, argv, flags, *words, count);
}

dt_status dt_verb_checkpoint(const dt_verb *verb, int argc, char **argv, dt_verb_flags *flags,
                             const char **checkpoint, const char **text) {
    const char **words;
    int count;
    dt_status status = dt_verb_words(verb, argc, argv, flags, &words, &count);
    *checkpoint = count > 0 ? words[0] : NULL;
    if (text)
        *text = count == 2 ? words[1] : NULL;
    free(words);
    if (status == DT_OK && text && count > 2)
        status = dt_usage("%s: expected a checkpoint and one prompt, found %d words; a prompt of several "
                          "words needs quotes: dtrain %s checkpoints/latest \"Once upon\"",
                          verb->name, count, verb->name);
    else if (status == DT_OK && (*checkpoint == NULL || (count > 1 && text == NULL) || **checkpoint == 0))
        status = dt_usage(
            "%s: expected one checkpoint, found %d%s; give its folder, a run's folder (its latest is "
            "taken), RUN/best, or latest or best: dtrain %s checkpoints/latest",
            verb->name, count, count == 1 ? " word, which is empty" : "", verb->name);
    return status;
}

dt_status dt_verb_count(const char *flag, const char *text, int64_t *count) {
    return dt_verb_count_within(1, INT64_MAX, flag, text, count);
}

dt_status dt_verb_count_within(int64_t min, int64_t max, const char *flag, const char *text, int64_t *count) {
    char *end;
    DT_ASSERT(min <= max && flag[0] != '-' && text);
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == 0 && value >= min && value <= max) {
        *count = value;
        return DT_OK;
    }
    return max == INT64_MAX && errno != ERANGE
               ? dt_usage("--%s: expected a whole number of at least %" PRId64 ", found \"%s\"", flag, min,
                          text)
               : dt_usage("--%s: expected a whole number from %" PRId64 " to %" PRId64 ", found \"%s\"", flag,
                          min, max, text);
}
