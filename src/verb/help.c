/* `dtrain help`: the verbs, one verb, one option or all of them, and the documents that are made from the
 * tables. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/version.h"
#include "config/nearest.h"
#include "config/options.h"
#include "config/reference.h"
#include "verb/help_flag.h"
#include "verb/table.h"
#include "verb/verb.h"

static const char closing[] =
    "\n"
    "dtrain help VERB, or --help after a verb, shows its flags and an example; dtrain help options shows all\n"
    "options of training, and dtrain help NAME one of them; dtrain help --FLAG shows a flag of any verb.\n"
    "\n"
    "CHECKPOINT is a checkpoint's folder, a run's folder (its latest), RUN/best, or latest or best of\n"
    "checkpoints/. RUN is a run's folder. FILE may be -: standard input where it is read, standard output\n"
    "where it is written.\n"
    "Threads per rank: OMP_NUM_THREADS (1 when unset). Exit codes: 0 done, or stopped by a signal or a\n"
    "deadline; 1 failed; 2 wrong command line or config. mpirun's own code is 1 after Ctrl-C, SIGTERM or\n"
    "SIGHUP, whatever its ranks do; kill -USR1 to mpirun stops them with 0.\n";

static void print_overview(FILE *file) {
    char words[64];
    fprintf(file,
            "dtrain %s: distributed data-parallel training of GPT-style language models\n\n"
            "usage: [mpirun -np N] dtrain [VERB] ..; without a verb it trains\n\n",
            dt_version());
    const dt_verb *verb;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++) {
        snprintf(words, sizeof words, "%s%s%s", verb->name, verb->mode ? " --" : "",
                 verb->mode ? verb->mode : "");
        fprintf(file, "  %-22s %s\n", words, verb->summary);
    }
    fputs(closing, file);
}

/* The rows of the verb `name`, of which there may be several; whether there is one. */
static bool print_verbs(const char *name, FILE *file) {
    const dt_verb *verb;
    bool found = false;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        if (strcmp(verb->name, name) == 0) {
            fputs(found ? "\n" : "", file);
            dt_help_flag_row(verb, file);
            found = true;
        }
    return found;
}

static void offer_flags(dt_nearest *nearest, const dt_verb *verb) {
    for (const dt_verb_flag *flag = verb->flags; flag->name != NULL; flag++)
        dt_nearest_offer(nearest, flag->name);
}

static void offer_options(dt_nearest *nearest) {
    for (int64_t i = 0; i < dt_options_count(); i++)
        dt_nearest_offer(nearest, dt_options_at(i)->key);
}

static bool is_flag(const char *word) {
    return strncmp(word, "--", 2) == 0;
}

/* Of a flag's word, without its dashes. */
static dt_status unknown_flag(const char *name) {
    dt_nearest nearest = dt_nearest_start(name, strlen(name));
    char dashed[DT_OPTION_TEXT_BYTES];
    const dt_verb *verb;
    offer_options(&nearest);
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        offer_flags(&nearest, verb);
    return nearest.best ? dt_usage("help: there is no flag --%s; did you mean --%s?", name,
                                   dt_options_dash(nearest.best, dashed))
                        : dt_usage("help: there is no flag --%s; dtrain help VERB lists those of a verb, and "
                                   "dtrain help options the options of training",
                                   name);
}

static dt_status unknown(const char *name) {
    dt_nearest nearest = dt_nearest_start(name, strlen(name));
    const dt_verb *verb;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        dt_nearest_offer(&nearest, verb->name);
    offer_options(&nearest);
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        offer_flags(&nearest, verb);
    return nearest.best
               ? dt_usage("help: there is no verb or option \"%s\"; did you mean %s?", name, nearest.best)
               : dt_usage("help: there is no verb or option \"%s\"; dtrain help lists the verbs, and "
                          "dtrain help options the options",
                          name);
}

/* Also of what switches one off, --no-shuffle. */
static const dt_option *find_option(const char *name) {
    const dt_option *option = dt_options_find(name, strlen(name), true);
    if (option == NULL && (strncmp(name, "no-", 3) == 0 || strncmp(name, "no_", 3) == 0)) {
        option = dt_options_find(name + 3, strlen(name + 3), true);
        option = option && option->type == DT_OPTION_BOOL ? option : NULL;
    }
    return option;
}

/* A name may be a verb's and an option's, as data is; where it is no verb's, or has dashes, it may also be a
 * flag's of verbs. */
static dt_status print_name(const char *name, FILE *file) {
    const bool dashed = is_flag(name);
    const char *bare = dashed ? name + 2 : name;
    if (strcmp(name, "options") == 0) {
        dt_reference_help(file);
        return DT_OK;
    }
    const dt_option *option = find_option(bare);
    const bool verb = !dashed && print_verbs(name, file);
    const bool flag = !verb && *bare != 0 && *bare != '-' && dt_help_flag_print(bare, NULL, file);
    if (option && (verb || flag))
        fputc('\n', file);
    if (option)
        dt_reference_option(option, file);
    return verb || option || flag ? DT_OK : dashed ? unknown_flag(bare) : unknown(name);
}

static dt_status no_flag_of(const char *name, const char *bare) {
    dt_nearest nearest = dt_nearest_start(bare, strlen(bare));
    char dashed[DT_OPTION_TEXT_BYTES];
    const dt_verb *verb;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        if (strcmp(verb->name, name) == 0) {
            offer_flags(&nearest, verb);
            if (verb->takes_options)
                offer_options(&nearest);
        }
    if (nearest.best)
        return dt_usage("help: dtrain %s has no flag --%s; did you mean --%s?", name, bare,
                        dt_options_dash(nearest.best, dashed));
    return dt_usage("help: dtrain %s has no flag --%s; dtrain help %s lists those that it has", name, bare,
                    name);
}

/* One flag of one verb, or what must stand behind its name. */
static dt_status print_flag_of(const char *name, const char *word, FILE *file) {
    const dt_verb *verb = dt_verb_find(name, 0, NULL);
    const char *bare = is_flag(word) ? word + 2 : word;
    const dt_option *option = find_option(bare);
    if (verb == NULL)
        return unknown(name);
    if (dt_verb_find(word, 0, NULL) != NULL && option == NULL &&
        (verb->word == NULL || strcmp(word, verb->word) != 0))
        return dt_usage("help: expected one verb, found \"%s\" and \"%s\"", name, word);
    if (verb->word != NULL && strcmp(word, verb->word) == 0)
        print_verbs(name, file);
    else if (*bare != 0 && *bare != '-' && dt_help_flag_print(bare, name, file))
        return DT_OK;
    else if (verb->takes_options && option != NULL)
        dt_reference_option(option, file);
    else
        return no_flag_of(name, bare);
    return DT_OK;
}

static dt_status print_page(const dt_verb_flags *flags, const char *name) {
    if (name && flags->man)
        return dt_verb_print_verb_man(name, stdout);
    if (name)
        return dt_usage("help: expected a name alone or with --man, found \"%s\" beside another flag", name);
    if (flags->yaml)
        return dt_reference_yaml(stdout);
    if (flags->completion)
        return dt_verb_print_completion(flags->completion, stdout);
    if (flags->man)
        dt_verb_print_man(stdout);
    else
        dt_reference_markdown(stdout);
    return DT_OK;
}

/* Whether it is a flag of help's own; the others are what is asked about. */
static bool is_own(const dt_verb *verb, const char *word) {
    for (const dt_verb_flag *flag = verb->flags; is_flag(word) && flag->name != NULL; flag++)
        if (dt_options_spells(flag->name, word + 2, strcspn(word + 2, "="), true))
            return true;
    return false;
}

/* Splits the words into those of help's own flags, with the value that one takes, and names. */
static void split_words(const dt_verb *verb, int argc, char **argv, char **own, int *own_count,
                        const char **name, int *names) {
    for (int i = 0; i < argc; i++) {
        if (is_own(verb, argv[i])) {
            own[(*own_count)++] = argv[i];
            if (strcmp(argv[i], "--completion") == 0 && i + 1 < argc)
                own[(*own_count)++] = argv[++i];
        } else if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0)
            name[(*names)++] = argv[i];
    }
}

static dt_status explain(const dt_verb_flags *flags, const char *const *name, int names) {
    if (names > 2)
        return dt_usage("help: expected a name, or a verb and one of its flags, found %d words", names);
    if (flags->markdown || flags->yaml || flags->man || flags->completion)
        return print_page(flags, names > 0 ? name[0] : NULL);
    if (names == 2)
        return print_flag_of(name[0], name[1], stdout);
    if (names == 1)
        return print_name(name[0], stdout);
    print_overview(stdout);
    return DT_OK;
}

dt_status dt_verb_help(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    int names = 0, own_count = 0;
    const char **name = dt_memory_alloc(argc + 1, sizeof *name, "the words of the command line");
    char **own = name ? dt_memory_alloc(argc + 1, sizeof *own, "the words of the command line") : NULL;
    if (own)
        split_words(verb, argc, argv, own, &own_count, name, &names);
    dt_status status = own ? dt_verb_read(verb, NULL, own_count, own, &flags, NULL, NULL) : DT_FAILED;
    if (status == DT_OK)
        status = explain(&flags, name, names);
    dt_memory_free(name);
    dt_memory_free(own);
    return status == DT_OK ? dt_verb_printed("the help") : status;
}
