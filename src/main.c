/* Picks the verb, and prints the sentence of a failure. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ending.h"
#include "base/version.h"
#include "verb/verb.h"

typedef struct verb {
    const char *name;
    dt_status (*run)(int argc, char **argv);
    bool collective;
} verb;

static const verb verbs[] = {
    {"train", dt_verb_train, true},    {"sample", dt_verb_sample, false},     {"eval", dt_verb_eval, true},
    {"data", dt_verb_data, false},     {"bench", dt_verb_bench, true},        {"plan", dt_verb_plan, true},
    {"verify", dt_verb_verify, false}, {"progress", dt_verb_progress, false}, {"help", dt_verb_help, false}};

/* Before the ranks have met, the launcher's variables tell which one speaks for all. */
static bool is_first_rank(void) {
    const char *rank = getenv("PMIX_RANK");
    if (rank == NULL)
        rank = getenv("OMPI_COMM_WORLD_RANK");
    return rank == NULL || strcmp(rank, "0") == 0;
}

static bool wants_help(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static const verb *find_verb(const char *word) {
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(word, verbs[i].name) == 0)
            return &verbs[i];
    return NULL;
}

static dt_status pick_and_run(int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : "";
    const bool help = wants_help(argc, argv), version = strcmp(word, "--version") == 0;
    if (!help && !version && (*word == 0 || *word == '-'))
        return dt_verb_train(argc - 1, argv + 1);
    const verb *found = find_verb(word);
    if (!help && found != NULL && found->collective)
        return found->run(argc - 2, argv + 2);
    /* What no rank needs another for is done once, however many mpirun has started. */
    if (!is_first_rank())
        return DT_OK;
    if (help)
        return dt_verb_help(0, argv);
    if (version) {
        printf("dtrain %s (%s)\n", dt_version(), dt_version_commit());
        return dt_verb_printed("the version");
    }
    if (found != NULL)
        return found->run(argc - 2, argv + 2);
    return dt_usage("there is no verb \"%s\"; expected train, sample, eval, data, bench, plan, verify, "
                    "progress or help (dtrain --help)",
                    word);
}

int main(int argc, char **argv) {
    dt_ending_watch();
    /* A file that may not grow further is told of by write(), with a sentence, and not by the process's end.
     */
    signal(SIGXFSZ, SIG_IGN);
    const dt_status status = pick_and_run(argc, argv);
    /* Of a failure that the ranks share, only rank 0 still has the sentence. */
    if (status != DT_OK)
        dt_verb_complain();
    dt_ending_allow();
    return (int)status;
}
