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
#include "verb/table.h"
#include "verb/verb.h"

static const char closing[] =
    "\n"
    "dtrain help VERB, or --help after a verb, shows its flags and an example; dtrain help options shows all\n"
    "options of training, and dtrain help NAME one of them.\n"
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
        fprintf(file, "  %-15s %s\n", words, verb->summary);
    }
    fputs(closing, file);
}

static void print_verb(const dt_verb *verb, FILE *file) {
    char flag[64];
    dt_verb_print_synopsis(verb, file);
    fputc('\n', file);
    dt_reference_text(verb->about, file);
    if (verb->flags[0].name != NULL)
        fputs("\nFlags:\n", file);
    for (const dt_verb_flag *own = verb->flags; own->name != NULL; own++) {
        snprintf(flag, sizeof flag, "--%s", own->name);
        dt_reference_flag(flag, own->value, own->help, file);
    }
    if (verb->takes_options)
        fputs("\nIt takes the options of training too: dtrain help options lists them.\n", file);
    fprintf(file, "\nExample:\n  %s\n", verb->example);
}

/* The rows of the verb `name`, of which there may be several; whether there is one. */
static bool print_verbs(const char *name, FILE *file) {
    const dt_verb *verb;
    bool found = false;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        if (strcmp(verb->name, name) == 0) {
            fputs(found ? "\n" : "", file);
            print_verb(verb, file);
            found = true;
        }
    return found;
}

static dt_status unknown(const char *name) {
    dt_nearest nearest = dt_nearest_start(name, strlen(name));
    const dt_verb *verb;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        dt_nearest_offer(&nearest, verb->name);
    for (int64_t i = 0; i < dt_options_count(); i++)
        dt_nearest_offer(&nearest, dt_options_at(i)->key);
    return nearest.best
               ? dt_usage("help: there is no verb or option \"%s\"; did you mean %s?", name, nearest.best)
               : dt_usage("help: there is no verb or option \"%s\"; dtrain help lists the verbs, and "
                          "dtrain help options the options",
                          name);
}

/* A name may be a verb's and an option's, as data is. */
static dt_status print_name(const char *name, FILE *file) {
    const char *bare = strncmp(name, "--", 2) == 0 ? name + 2 : name;
    const dt_option *option = dt_options_find(bare, strlen(bare), true);
    if (strcmp(name, "options") == 0) {
        dt_reference_help(file);
        return DT_OK;
    }
    const bool verb = print_verbs(name, file);
    if (option)
        fputs(verb ? "\n" : "", file);
    if (option)
        dt_reference_option(option, file);
    return verb || option ? DT_OK : unknown(name);
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

dt_status dt_verb_help(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    int names = 0;
    const char **name = dt_memory_alloc(argc + 1, sizeof *name, "the words of the command line");
    dt_status status = name ? dt_verb_read(verb, NULL, argc, argv, &flags, name, &names) : DT_FAILED;
    if (status == DT_OK && names > 1)
        status = dt_usage("help: expected one name, found \"%s\" and \"%s\"", name[0], name[1]);
    const char *first = status == DT_OK && names > 0 ? name[0] : NULL;
    if (status == DT_OK && (flags.markdown || flags.yaml || flags.man || flags.completion))
        status = print_page(&flags, first);
    else if (status == DT_OK && first)
        status = print_name(first, stdout);
    else if (status == DT_OK)
        print_overview(stdout);
    dt_memory_free(name);
    return status == DT_OK ? dt_verb_printed("the help") : status;
}
