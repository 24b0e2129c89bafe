/* `dtrain help`, and with a flag the documents that are made from the option table. */
#include <stdio.h>

#include "base/version.h"
#include "config/reference.h"
#include "verb/table.h"
#include "verb/verb.h"

static void print_usage(void) {
    printf("dtrain %s: distributed data-parallel training of GPT-style character language models\n\n",
           dt_version());
    puts("usage:");
    dt_verb_print_usage(stdout);
    puts(
        "\nCHECKPOINT is a folder, or \"latest\" or \"best\" for that of checkpoints/. FILE may be -: standard\n"
        "input where it is read, standard output where it is written; --data needs a file.\n"
        "Without --data eval takes the text that the checkpoint was trained on.\n"
        "Threads per rank: OMP_NUM_THREADS (1 when unset). Exit codes: 0 done, or stopped by a signal or a\n"
        "deadline; 1 failed; 2 wrong command line or config. mpirun's own code is 1 after Ctrl-C, SIGTERM or\n"
        "SIGHUP, whatever its ranks do; kill -USR1 to mpirun stops them with 0.\n");
    dt_reference_help(stdout);
}

dt_status dt_verb_help(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    DT_TRY(dt_verb_read(verb, NULL, argc, argv, &flags, NULL, NULL));
    if (flags.markdown)
        dt_reference_markdown(stdout);
    else if (flags.yaml)
        DT_TRY(dt_reference_yaml(stdout));
    else if (flags.man)
        dt_verb_print_man(stdout);
    else
        print_usage();
    return dt_verb_printed("the help");
}
