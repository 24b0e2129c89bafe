/* `dtrain help`, and with a flag the documents that are made from the option table. */
#include <stdio.h>

#include "base/version.h"
#include "config/reference.h"
#include "verb/verb.h"

static void print_usage(void) {
    printf("dtrain %s: distributed data-parallel training of GPT-style character language models\n\n",
           dt_version());
    puts(
        "usage:\n"
        "  mpirun -np N dtrain [train] [--config FILE] [--OPTION VALUE ..] [--print-config]\n"
        "  dtrain sample CHECKPOINT [[--] TEXT | --prompt TEXT] [--max-length N] [--temperature X]\n"
        "                [--top-k N] [--top-p P] [--seed N] [--count N]\n"
        "                [--compute-dtype fp32|bf16]\n"
        "  [mpirun -np N] dtrain eval CHECKPOINT [--data FILE] [--split validation|train|all]\n"
        "                [--windows N] [--compute-dtype fp32|bf16]\n"
        "  dtrain data [--config FILE] --seed N [--steps N] [--OPTION VALUE ..]\n"
        "  [mpirun -np N] dtrain bench [--config FILE] [--repetitions N] [--json FILE] [--OPTION VALUE ..]\n"
        "                [--report FILE.svg | --scaling strong,weak [--ranks 1,2,4] [--report FILE.html]]\n"
        "                [--ways [--share X]]\n"
        "  dtrain bench --merge STUDY.json .. [--json FILE] [--report FILE.html]\n"
        "  [mpirun -np N] dtrain plan [--config FILE] [--ranks 1,8,64] [--ranks-per-host N]\n"
        "                [--latency-us X] [--bandwidth-gbps X] [--json FILE] [--OPTION VALUE ..]\n"
        "  dtrain verify CHECKPOINT\n"
        "  dtrain progress [--config FILE] [--OPTION VALUE ..]\n"
        "  dtrain help [--markdown | --yaml | --man]\n\n"
        "CHECKPOINT is a folder, or \"latest\" or \"best\" for that of checkpoints/. FILE may be -: standard input\n"
        "where it is read, standard output where it is written; --data needs a file.\n"
        "Without --data eval takes the text that the checkpoint was trained on.\n"
        "Threads per rank: OMP_NUM_THREADS (1 when unset). Exit codes: 0 done, or stopped by a signal or a\n"
        "deadline; 1 failed; 2 wrong command line or config. mpirun's own code is 1 after Ctrl-C, SIGTERM or\n"
        "SIGHUP, whatever its ranks do; kill -USR1 to mpirun stops them with 0.\n");
    dt_reference_help(stdout);
}

dt_status dt_verb_help(int argc, char **argv) {
    const char *markdown = NULL, *yaml = NULL, *man = NULL;
    const dt_flag own[] = {
        {"markdown", false, &markdown}, {"yaml", false, &yaml}, {"man", false, &man}, {NULL, false, NULL}};
    DT_TRY(dt_config_read_flags(NULL, argc, argv, own, NULL, NULL));
    if (markdown)
        dt_reference_markdown(stdout);
    else if (yaml)
        DT_TRY(dt_reference_yaml(stdout));
    else if (man)
        dt_reference_man(stdout);
    else
        print_usage();
    return dt_verb_printed("the help");
}
