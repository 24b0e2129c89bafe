/* Picks the verb, and prints the sentence of a failure. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/ending.h"
#include "base/version.h"
#include "verb/verb.h"

typedef struct verb {
    const char *name;
    dt_status (*run)(int argc, char **argv);
} verb;

static const verb verbs[] = {
    {"train", dt_verb_train},   {"sample", dt_verb_sample},     {"eval", dt_verb_eval},
    {"data", dt_verb_data},     {"bench", dt_verb_bench},       {"plan", dt_verb_plan},
    {"verify", dt_verb_verify}, {"progress", dt_verb_progress}, {"help", dt_verb_help}};

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

static dt_status print_version(void) {
    printf("dtrain %s (%s)\n", dt_version(), dt_version_commit());
    return dt_verb_printed("the version");
}

/*
 * A verb that joins no job does its work in every task that a launcher has started: each may have words of
 * its own, and the variables by which launchers number tasks prove nothing, since a shell may have kept them.
 */
static dt_status pick_and_run(int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : "";
    if (wants_help(argc, argv))
        return dt_verb_help(0, argv);
    if (strcmp(word, "--version") == 0)
        return print_version();
    if (*word == 0 || *word == '-')
        return dt_verb_train(argc - 1, argv + 1);
    const verb *found = find_verb(word);
    if (found != NULL)
        return found->run(argc - 2, argv + 2);
    return dt_usage("there is no verb \"%s\"; expected train, sample, eval, data, bench, plan, verify, "
                    "progress or help (dtrain --help)",
                    word);
}

/* A descriptor that was closed by whoever started the program would be that of the first file it opens, and
 * the console's text land in there. What is put in its place refuses, as a closed one does. */
static void hold_standard_streams(void) {
    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0)
            (void)open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv) {
    hold_standard_streams();
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
