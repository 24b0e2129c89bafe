/* Picks the verb, and prints the sentence of a failure. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/ending.h"
#include "base/log.h"
#include "base/version.h"
#include "verb/table.h"
#include "verb/verb.h"

static bool wants_help(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* Of the verb that is named, in the mode that a flag picks, or of all; behind "help" stands what is asked
 * about. */
static dt_status help(int argc, char **argv) {
    const dt_verb *helper = dt_verb_find("help", 0, NULL);
    const dt_verb *verb = argc > 1 ? dt_verb_find(argv[1], argc - 2, argv + 2) : NULL;
    char mode[64];
    if (verb == helper)
        return dt_verb_help(helper, argc - 2, argv + 2);
    snprintf(mode, sizeof mode, "--%s", verb && verb->mode ? verb->mode : "");
    char *words[] = {verb ? argv[1] : NULL, mode};
    return dt_verb_help(helper, verb == NULL ? 0 : verb->mode ? 2 : 1, words);
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
        return help(argc, argv);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return print_version();
    const bool named = *word != 0 && *word != '-';
    const int used = named ? 2 : argc > 1 ? 1 : argc;
    const dt_verb *verb = dt_verb_find(named ? word : "train", argc - used, argv + used);
    return verb ? verb->run(verb, argc - used, argv + used) : dt_verb_unknown(word);
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
    dt_ending_forbid();
    /* A file that may not grow further is told of by write(), with a sentence, and not by the process's end.
     */
    signal(SIGXFSZ, SIG_IGN);
    const dt_status status = pick_and_run(argc, argv);
    /* Of a failure that the ranks share, only rank 0 still has the sentence. */
    if (status != DT_OK)
        dt_verb_complain();
    dt_log_clear();
    dt_ending_allow();
    return (int)status;
}
