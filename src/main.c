/* Picks the verb, and prints the sentence of a failure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "verb/verb.h"

typedef struct verb {
    const char *name;
    dt_status (*run)(int argc, char **argv);
} verb;

static const verb verbs[] = {{"train", dt_verb_train}, {"sample", dt_verb_sample}, {"eval", dt_verb_eval},
                             {"data", dt_verb_data},   {"verify", dt_verb_verify}, {"help", dt_verb_help}};

/* Before the ranks have met, the launcher's variables tell which one speaks for all. */
static int is_first_rank(void) {
    const char *rank = getenv("PMIX_RANK");
    if (rank == NULL)
        rank = getenv("OMPI_COMM_WORLD_RANK");
    return rank == NULL || strcmp(rank, "0") == 0;
}

static dt_status pick_and_run(int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : "";
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return is_first_rank() ? dt_verb_help(0, argv) : DT_OK;
    if (strcmp(word, "--version") == 0) {
        if (is_first_rank())
            printf("dtrain %s (%s)\n", dt_version(), dt_version_commit());
        return DT_OK;
    }
    if (*word == 0 || *word == '-')
        return dt_verb_train(argc - 1, argv + 1);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(word, verbs[i].name) == 0)
            return verbs[i].run(argc - 2, argv + 2);
    return dt_usage(
        "there is no verb \"%s\"; expected train, sample, eval, data, verify or help (dtrain --help)", word);
}

int main(int argc, char **argv) {
    const dt_status status = pick_and_run(argc, argv);
    if (status != DT_OK && is_first_rank())
        dt_verb_complain();
    return (int)status;
}
