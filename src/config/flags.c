/* One walk over the words. */
#include "config/flags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "config/list.h"
#include "config/nearest.h"
#include "config/options.h"
#include "config/renamed.h"
#include "config/value.h"

/* A walk over the words, with the flag in hand. */
typedef struct words {
    int argc, next; /* next: the first word not yet used */
    char **argv;
    const char *flag;    /* the word in hand, with its dashes and its "=value" */
    int shown;           /* the bytes of `flag` that messages show: "--max-steps" of "--max-steps=5" */
    const char *name;    /* without the dashes, and by its new name where it has one */
    size_t length;       /* of name, up to "=" */
    const char *inlined; /* what follows "=", or NULL */
    bool listed[DT_CONFIG_MAX_OPTIONS]; /* by row: lists that an earlier flag has begun */
} words;

static bool is_flag(const char *word) {
    return strncmp(word, "--", 2) == 0;
}

/* What to show of the flag in hand, for %.*s. */
#define SHOWN(walk) (walk)->shown, (walk)->flag

static void take_flag(words *walk) {
    walk->flag = walk->argv[walk->next++];
    walk->name = walk->flag + 2;
    walk->length = strcspn(walk->name, "=");
    walk->inlined = walk->name[walk->length] == '=' ? walk->name + walk->length + 1 : NULL;
    walk->shown = (int)walk->length + 2;
}

static const dt_flag *find_own(const dt_flag *own, const words *walk) {
    for (; own != NULL && own->name != NULL; own++)
        if (dt_options_spells(own->name, walk->name, walk->length, true))
            return own;
    return NULL;
}

/* From here on the flag in hand has its new name, if it has one that is known here; messages go on to show
 * what was written. */
static void take_new_name(words *walk, const dt_flag *own) {
    const char *now = dt_renamed_find(walk->name, walk->length, true);
    if (now == NULL)
        return;
    words renamed = *walk;
    renamed.name = now;
    renamed.length = strlen(now);
    if (find_own(own, &renamed) == NULL && dt_options_find(now, renamed.length, true) == NULL)
        return;
    char found[DT_OPTION_TEXT_BYTES], known[DT_OPTION_TEXT_BYTES], flag[DT_OPTION_TEXT_BYTES + 2];
    snprintf(found, sizeof found, "%.*s", SHOWN(walk));
    snprintf(flag, sizeof flag, "--%s", dt_options_dash(now, known));
    dt_renamed_notice(found, flag);
    *walk = renamed;
}

static dt_status take_value(words *walk, const char **value) {
    if (walk->inlined != NULL) {
        *value = walk->inlined;
        return DT_OK;
    }
    if (walk->next == walk->argc)
        return dt_usage("%.*s needs a value; dtrain help %.*s says which", SHOWN(walk), SHOWN(walk));
    if (is_flag(walk->argv[walk->next]))
        return dt_usage("%.*s needs a value; if \"%s\" is the value, write %.*s=%s", SHOWN(walk),
                        walk->argv[walk->next], SHOWN(walk), walk->argv[walk->next]);
    *value = walk->argv[walk->next++];
    return DT_OK;
}

/* A flag of the verb's own that may be given several times. */
static dt_status add_own(const words *walk, const dt_flag *own) {
    char *longer = dt_list_append(*own->list, *own->value);
    if (longer == NULL)
        return dt_usage("%.*s: expected a name in UTF-8, found another", SHOWN(walk));
    free(*own->list);
    *own->list = longer;
    return DT_OK;
}

static dt_status read_own(words *walk, const dt_flag *own) {
    if (own->takes_value) {
        DT_TRY(take_value(walk, own->value));
        return own->list ? add_own(walk, own) : DT_OK;
    }
    if (walk->inlined != NULL)
        return dt_usage("%.*s takes no value, but is given \"%s\"", SHOWN(walk), walk->inlined);
    *own->value = "";
    return DT_OK;
}

static dt_status set(dt_config *config, const dt_option *option, const char *value, const char *where) {
    dt_value_mark_given(config, option);
    return dt_value_set(config, option, value, DT_VALUE_ARGUMENT, where);
}

/* The first flag of a list takes the place of what a file says, each further one adds to it. */
static dt_status read_list(words *walk, dt_config *config, const dt_option *option, const char *where) {
    const char *value = NULL;
    bool *listed = &walk->listed[option - dt_options_at(0)];
    DT_TRY(take_value(walk, &value));
    DT_TRY(*listed ? dt_value_append(config, option, value, where) : set(config, option, value, where));
    *listed = true;
    return DT_OK;
}

/* "--shuffle" alone means true. Where there are options there are no words that are no flags, so one that
 * follows is its value, or meant to be. */
static dt_status read_bool(words *walk, dt_config *config, const dt_option *option, const char *where) {
    const char *value = walk->inlined ? walk->inlined : "true";
    if (walk->inlined == NULL && walk->next < walk->argc && walk->argv[walk->next][0] != '-')
        value = walk->argv[walk->next++];
    return set(config, option, value, where);
}

static dt_status refuse_flag(const words *walk, const dt_flag *own, bool with_options) {
    dt_nearest nearest = dt_nearest_start(walk->name, walk->length);
    for (; own != NULL && own->name != NULL; own++)
        dt_nearest_offer(&nearest, own->name);
    for (int64_t i = 0; with_options && i < dt_options_count(); i++)
        dt_nearest_offer(&nearest, dt_options_at(i)->key);
    if (nearest.best == NULL)
        return dt_usage(
            "unknown flag %.*s; --help lists the verb's, and dtrain help options those of training",
            SHOWN(walk));
    char known[DT_OPTION_TEXT_BYTES];
    dt_options_dash(nearest.best, known);
    return dt_usage("unknown flag %.*s; did you mean --%s?", SHOWN(walk), known);
}

static dt_status read_flag(words *walk, dt_config *config, const dt_flag *own) {
    char where[DT_OPTION_TEXT_BYTES];
    const dt_flag *verbs = find_own(own, walk);
    if (verbs != NULL)
        return read_own(walk, verbs);
    const dt_option *option = dt_options_find(walk->name, walk->length, true);
    snprintf(where, sizeof where, "%.*s", SHOWN(walk));
    if (option != NULL && config == NULL)
        return dt_usage("%.*s is an option of training, which this verb does not take; --help shows what it "
                        "takes",
                        SHOWN(walk));
    if (option != NULL && option->type == DT_OPTION_BOOL)
        return read_bool(walk, config, option, where);
    if (option != NULL && option->type == DT_OPTION_LIST)
        return read_list(walk, config, option, where);
    if (option != NULL) {
        const char *value = NULL;
        DT_TRY(take_value(walk, &value));
        return set(config, option, value, where);
    }
    bool negated =
        walk->length > 3 && (strncmp(walk->name, "no-", 3) == 0 || strncmp(walk->name, "no_", 3) == 0);
    option = negated ? dt_options_find(walk->name + 3, walk->length - 3, true) : NULL;
    if (config == NULL || option == NULL || option->type != DT_OPTION_BOOL)
        return refuse_flag(walk, own, config != NULL);
    if (walk->inlined != NULL)
        return dt_usage("%.*s takes no value, but is given \"%s\"", SHOWN(walk), walk->inlined);
    return set(config, option, "false", where);
}

dt_status dt_config_read_flags(dt_config *config, int argc, char **argv, const dt_flag *own,
                               const char **positional, int *positional_count) {
    words walk = {.argc = argc, .argv = argv};
    bool flags_ended = false;
    DT_ASSERT(argc >= 0 && (positional == NULL || positional_count != NULL));
    for (const dt_flag *flag = own; flag && flag->name; flag++)
        DT_ASSERT(flag->name[0] != '-' && flag->value);
    int count = 0;
    while (walk.next < argc) {
        const char *word = argv[walk.next];
        if (!flags_ended && strcmp(word, "--") == 0) {
            flags_ended = true;
            walk.next++;
        } else if (!flags_ended && is_flag(word)) {
            take_flag(&walk);
            take_new_name(&walk, own);
            DT_TRY(read_flag(&walk, config, own));
        } else if (!flags_ended && word[0] == '-' && word[1] != '\0') {
            return dt_usage("unknown flag %s; flags have two dashes, and --help lists the verb's", word);
        } else if (positional == NULL) {
            return dt_usage("expected flags only, found the word \"%s\"; --help shows how options are given",
                            word);
        } else {
            positional[count++] = word;
            walk.next++;
        }
    }
    if (positional_count != NULL)
        *positional_count = count;
    return DT_OK;
}
