/* The config as a whole: every function is a walk over the table, with value.c doing the work on each row. */
#include "config/config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/check.h"
#include "config/nearest.h"
#include "config/options.h"
#include "config/renamed.h"
#include "config/value.h"
#include "config/yaml.h"

dt_status dt_config_init(dt_config *config) {
    memset(config, 0, sizeof *config);
    for (int64_t i = 0; i < dt_options_count(); i++) {
        const dt_option *option = dt_options_at(i);
        DT_TRY(dt_value_set(config, option, option->default_text, DT_VALUE_ARGUMENT, "default"));
    }
    return DT_OK;
}

void dt_config_free(dt_config *config) {
    if (config == NULL)
        return;
    for (int64_t i = 0; i < dt_options_count(); i++) {
        const dt_option *option = dt_options_at(i);
        if (option->type == DT_OPTION_STRING || option->type == DT_OPTION_LIST ||
            option->type == DT_OPTION_TREE)
            free(*(char **)((char *)config + option->offset));
    }
    memset(config, 0, sizeof *config);
}

/* `where` opens the sentence: a place in a file, or what the object is. */
static dt_status refuse_key(const char *key, const char *where) {
    dt_nearest nearest = dt_nearest_start(key, strlen(key));
    for (int64_t i = 0; i < dt_options_count(); i++)
        dt_nearest_offer(&nearest, dt_options_at(i)->key);
    if (nearest.best != NULL)
        return dt_usage("%s: unknown key %s; did you mean %s?", where, key, nearest.best);
    return dt_usage("%s: unknown key %s; docs/config.md lists them all", where, key);
}

/* The row of a key, also by its old name, of which `*now` is then the new one, else NULL. */
static const dt_option *find_option(const char *key, const char **now) {
    *now = dt_renamed_find(key, strlen(key), false);
    key = *now ? *now : key;
    return dt_options_find(key, strlen(key), false);
}

static dt_status read_entry(dt_config *config, const char *name, const dt_yaml_entry *entry) {
    char where[512], found[600];
    const char *now;
    const dt_option *option = find_option(entry->key, &now);
    snprintf(where, sizeof where, "%.400s:%" PRId64 ":%" PRId64, name, option ? entry->line : entry->key_line,
             option ? entry->column : entry->key_column);
    if (option == NULL)
        return refuse_key(entry->key, where);
    if (now) {
        snprintf(found, sizeof found, "%s: %s", where, entry->key);
        dt_renamed_notice(found, now);
    }
    dt_value_mark_given(config, option);
    if (entry->tree != NULL)
        return dt_value_set_tree(config, option, entry->tree, where);
    return dt_value_set(config, option, entry->text, entry->quoted ? DT_VALUE_QUOTED : DT_VALUE_PLAIN, where);
}

/* The reader of YAML refuses a key that stands twice; an old and a new name of one option are two to it. */
static dt_status expect_new(const char *name, const dt_yaml_document *document, int64_t i) {
    const dt_yaml_entry *entry = &document->entries[i];
    const char *now;
    const dt_option *option = find_option(entry->key, &now);
    for (const dt_yaml_entry *before = document->entries; option != NULL && before < entry; before++)
        if (find_option(before->key, &now) == option)
            return dt_usage("%.400s:%" PRId64 ":%" PRId64 ": %s is given twice, first on line %" PRId64
                            " as %s; remove one of the two",
                            name, entry->key_line, entry->key_column, entry->key, before->key_line,
                            before->key);
    return DT_OK;
}

dt_status dt_config_read_yaml(dt_config *config, const char *name, const char *bytes, size_t length) {
    dt_yaml_document document;
    dt_status status = dt_yaml_read(name, bytes, length, &document);
    for (int64_t i = 0; status == DT_OK && i < document.count; i++) {
        status = expect_new(name, &document, i);
        if (status == DT_OK)
            status = read_entry(config, name, &document.entries[i]);
    }
    dt_yaml_free(&document);
    return status;
}

dt_status dt_config_set(dt_config *config, const char *key, const char *text, const char *where) {
    const dt_option *option = dt_options_find(key, strlen(key), false);
    if (option == NULL)
        return refuse_key(key, where);
    dt_value_mark_given(config, option);
    return dt_value_set(config, option, text, DT_VALUE_ARGUMENT, where);
}

bool dt_config_is_given(const dt_config *config, const char *key) {
    const dt_option *option = dt_options_find(key, strlen(key), false);
    return option != NULL && config->given[option - dt_options_at(0)];
}

dt_status dt_config_adopt(dt_config *config, const dt_config *saved) {
    dt_status status = DT_OK;
    for (int64_t i = 0; status == DT_OK && i < dt_options_count(); i++)
        if (!config->given[i])
            status = dt_value_copy(config, saved, dt_options_at(i));
    return status;
}

void dt_config_print(const dt_config *config, FILE *file) {
    for (int group = 0; group < DT_GROUP_COUNT; group++) {
        fprintf(file, "%s# %s\n", group == 0 ? "" : "\n", dt_options_heading((dt_option_group)group));
        for (int64_t i = 0; i < dt_options_count(); i++) {
            const dt_option *option = dt_options_at(i);
            if ((int)option->group != group)
                continue;
            fprintf(file, "%s: ", option->key);
            dt_value_print(config, option, file);
            fputc('\n', file);
        }
    }
}

json_t *dt_config_to_json(const dt_config *config) {
    json_t *object = json_object();
    for (int64_t i = 0; i < dt_options_count(); i++) {
        const dt_option *option = dt_options_at(i);
        if (json_object_set_new(object, option->key, dt_value_to_json(config, option)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

dt_status dt_config_from_json(dt_config *config, const json_t *object, const char *where) {
    if (!json_is_object(object))
        return dt_usage("%s: expected an object whose keys are options, found another value", where);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        const char *now;
        const dt_option *option = find_option(key, &now);
        if (option == NULL)
            return refuse_key(key, where);
        DT_TRY(dt_value_set_json(config, option, value, where));
    }
    return DT_OK;
}

uint64_t dt_config_hash(const dt_config *config) {
    /* XXH64 of "key: value\n" for each row: text, so that neither byte order nor struct padding enters. */
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL)
        return 0;
    for (int64_t i = 0; i < dt_options_count(); i++) {
        fprintf(memory, "%s: ", dt_options_at(i)->key);
        dt_value_print(config, dt_options_at(i), memory);
        fputc('\n', memory);
    }
    uint64_t hash = fclose(memory) == 0 ? XXH64(text, length, 0) : 0;
    free(text);
    return hash;
}

/* What compare_values adds to. */
typedef struct comparison {
    FILE *refused; /* "n_layers is 2 in the checkpoint and 3 in this run; .." */
    int64_t refusals;
    void (*changed)(const char *key, const char *saved, const char *now);
} comparison;

static void compare_values(comparison *c, const dt_option *option, const char *saved, const char *now) {
    if (strcmp(saved, now) == 0)
        return;
    if (option->resume == DT_RESUME_FIXED || option->resume == DT_RESUME_PRESENCE)
        fprintf(c->refused, "%s%s is %s in the checkpoint and %s in this run", c->refusals++ > 0 ? "; " : "",
                option->key, saved, now);
    else if (c->changed != NULL)
        c->changed(option->key, saved, now);
}

/* What is another place, or none in place of one. */
static bool is_moved(const dt_option *option, const char *saved, const char *now) {
    return option->resume == DT_RESUME_PRESENCE && (strcmp(saved, "null") == 0) == (strcmp(now, "null") == 0);
}

static dt_status compare_all(comparison *c, const dt_config *saved, const dt_config *now) {
    for (int64_t i = 0; i < dt_options_count(); i++) {
        const dt_option *option = dt_options_at(i);
        bool seed_follows = option->offset == offsetof(dt_config, seed) && dt_is_null_int(now->seed);
        if (option->resume == DT_RESUME_IRRELEVANT || seed_follows)
            continue;
        char *saved_text = dt_value_text(saved, option), *now_text = dt_value_text(now, option);
        const bool known = saved_text && now_text;
        if (known && !is_moved(option, saved_text, now_text))
            compare_values(c, option, saved_text, now_text);
        free(saved_text);
        free(now_text);
        if (!known)
            return dt_fail("out of memory while comparing the config with the checkpoint's");
    }
    return DT_OK;
}

dt_status dt_config_compare(const dt_config *saved, const dt_config *now,
                            void (*changed)(const char *key, const char *saved, const char *now)) {
    char *refused = NULL;
    size_t length = 0;
    comparison c = {.refused = open_memstream(&refused, &length), .changed = changed};
    if (c.refused == NULL)
        return dt_fail("out of memory while comparing the config with the checkpoint's");
    dt_status status = compare_all(&c, saved, now);
    if (fclose(c.refused) != 0 && status == DT_OK)
        status = dt_fail("out of memory while comparing the config with the checkpoint's");
    if (status == DT_OK && c.refusals > 0)
        status = dt_usage("cannot resume: %s; %s may not change within a run; leave %s out to take what the "
                          "checkpoint has, or start a new run without --resume",
                          refused, c.refusals > 1 ? "these options" : "this option",
                          c.refusals > 1 ? "them" : "it");
    free(refused);
    return status;
}

/* Whether `key` stands in `sentence` as a word. */
static bool names(const char *sentence, const char *key) {
    const size_t length = strlen(key);
    for (const char *at = strstr(sentence, key); at != NULL; at = strstr(at + 1, key)) {
        const char before = at == sentence ? ' ' : at[-1], after = at[length];
        if (!isalnum((unsigned char)before) && before != '_' && !isalnum((unsigned char)after) &&
            after != '_')
            return true;
    }
    return false;
}

/* Puts the place of the first option that the recorded sentence names before it. */
static dt_status add_position(const char *name, const char *bytes, size_t length) {
    char sentence[DT_ERROR_BYTES];
    dt_yaml_document document;
    snprintf(sentence, sizeof sentence, "%s", dt_error());
    dt_status status = dt_yaml_read(name, bytes, length, &document);
    int64_t line = 0, column = 0;
    for (int64_t i = 0; status == DT_OK && line == 0 && i < document.count; i++) {
        const char *key = document.entries[i].key, *now = dt_renamed_find(key, strlen(key), false);
        if (names(sentence, now ? now : key)) {
            line = document.entries[i].line;
            column = document.entries[i].column;
        }
    }
    dt_yaml_free(&document);
    if (line == 0)
        return dt_usage("%s", sentence);
    return dt_usage("%s:%" PRId64 ":%" PRId64 ": %s", name, line, column, sentence);
}

dt_status dt_config_check_document(const dt_config *config, const char *name, const char *bytes,
                                   size_t length) {
    char sentence[DT_ERROR_BYTES];
    dt_config alone;
    const dt_status status = dt_config_check(config);
    if (status == DT_OK || bytes == NULL)
        return status;
    snprintf(sentence, sizeof sentence, "%s", dt_error());
    const bool by_itself = dt_config_init(&alone) == DT_OK &&
                           dt_config_read_yaml(&alone, name, bytes, length) == DT_OK &&
                           dt_config_check(&alone) != DT_OK && strcmp(dt_error(), sentence) == 0;
    dt_config_free(&alone);
    (void)dt_usage("%s", sentence);
    return by_itself ? add_position(name, bytes, length) : status;
}
