/*
 * The manual page. Its options come from the table; the text around them is kept here, in the order of
 * man-pages(7).
 */
#include "config/reference.h"

#include <stddef.h>

#include "base/version.h"
#include "config/options.h"

/* The day on which the text of this file last changed its meaning; a page must carry one. */
#define PAGE_DATE "2026-11-29"

/* A minus that can be copied into a shell is "\-" in man(7), and in C that is "\\-". */
static const char opening[] =
    ".SH NAME\n"
    "dtrain \\- train GPT\\-style character language models on many cores and hosts\n"
    ".SH SYNOPSIS\n"
    ".B mpirun \\-np\n"
    ".I RANKS\n"
    ".B dtrain\n"
    ".RB [ train ]\n"
    ".RB [ \\-\\-config\n"
    ".IR FILE ]\n"
    ".RI [ options ]\n"
    ".br\n"
    ".B dtrain sample\n"
    ".I CHECKPOINT\n"
    ".RI [ options ]\n"
    ".br\n"
    ".B dtrain eval\n"
    ".I CHECKPOINT\n"
    ".RB [ \\-\\-data\n"
    ".IR FILE ]\n"
    ".RB [ \\-\\-split\n"
    ".BR validation | all ]\n"
    ".RB [ \\-\\-windows\n"
    ".IR N ]\n"
    ".br\n"
    ".B dtrain data\n"
    ".RB [ \\-\\-config\n"
    ".IR FILE ]\n"
    ".B \\-\\-seed\n"
    ".I N\n"
    ".RB [ \\-\\-steps\n"
    ".IR N ]\n"
    ".br\n"
    ".RB [ \"mpirun \\-np\"\n"
    ".IR RANKS ]\n"
    ".B dtrain bench\n"
    ".RB [ \\-\\-config\n"
    ".IR FILE ]\n"
    ".RI [ options ]\n"
    ".br\n"
    ".B dtrain bench \\-\\-merge\n"
    ".IR STUDY .json\n"
    ".RI [ options ]\n"
    ".br\n"
    ".RB [ \"mpirun \\-np\"\n"
    ".IR RANKS ]\n"
    ".B dtrain plan\n"
    ".RB [ \\-\\-config\n"
    ".IR FILE ]\n"
    ".RI [ options ]\n"
    ".br\n"
    ".B dtrain verify\n"
    ".I CHECKPOINT\n"
    ".br\n"
    ".B dtrain progress\n"
    ".RB [ \\-\\-config\n"
    ".IR FILE ]\n"
    ".RI [ options ]\n"
    ".br\n"
    ".B dtrain help\n"
    ".SH DESCRIPTION\n"
    "One MPI rank is one replica of the model.\n"
    "Each rank reads its own part of the text, computes gradients on its replica, and all ranks take the "
    "same step\n"
    "with the sum of the gradients.\n"
    "With one config, one seed and one text, losses and weights are the same bit for bit on any number of "
    "ranks and\n"
    "threads.\n"
    ".PP\n"
    "The first word picks the verb; without one it is\n"
    ".BR train .\n"
    ".TP\n"
    ".B train\n"
    "Trains a model, or goes on with a run where\n"
    ".B \\-\\-resume\n"
    "names a checkpoint.\n"
    ".B \\-\\-config\n"
    ".I FILE\n"
    "reads options from a YAML file, or from standard input where\n"
    ".I FILE\n"
    "is\n"
    ".BR \\- .\n"
    ".B \\-\\-print\\-config\n"
    "prints the resulting config as YAML and ends.\n"
    ".TP\n"
    ".B sample\n"
    "Generates text from a checkpoint and prints it as it is made, with\n"
    ".BR \\-\\-prompt ,\n"
    ".BR \\-\\-max\\-length ,\n"
    ".BR \\-\\-temperature ,\n"
    ".BR \\-\\-top\\-k ,\n"
    ".BR \\-\\-top\\-p ,\n"
    ".B \\-\\-seed\n"
    "and\n"
    ".BR \\-\\-count .\n"
    ".TP\n"
    ".B eval\n"
    "Prints loss, perplexity and bits per character of a checkpoint on the text of\n"
    ".BR \\-\\-data ,\n"
    "or without it on the text that it was trained on.\n"
    "Of that text what was kept for validation counts, of any other all;\n"
    ".B \\-\\-split\n"
    "says it otherwise, and\n"
    ".B \\-\\-windows\n"
    "takes the first N windows alone.\n"
    ".TP\n"
    ".B data\n"
    "Lists which windows of the text the first\n"
    ".B \\-\\-steps\n"
    "batches hold, or those of an epoch, one JSON object a line.\n"
    "It needs the seed, since that decides the order.\n"
    ".TP\n"
    ".B bench\n"
    "Takes training steps on random tokens, times each part of a step by itself, and prints a table of times "
    "and rates\n"
    "beside what the machine could do at most.\n"
    ".B \\-\\-repetitions\n"
    "says how often (default 10), and\n"
    ".B \\-\\-json\n"
    ".I FILE\n"
    "writes the same as JSON.\n"
    "With\n"
    ".B \\-\\-scaling strong,weak\n"
    "it measures the whole step on 1, 2, 4 and more of the job's ranks, or on those of\n"
    ".BR \\-\\-ranks ,\n"
    "and\n"
    ".B \\-\\-report\n"
    ".I FILE\n"
    "writes the study as a page.\n"
    ".B \\-\\-merge\n"
    "joins the JSON files of studies, and\n"
    ".B \\-\\-ways\n"
    "compares the ways of the exchange, with\n"
    ".B \\-\\-share\n"
    "threads on a core.\n"
    ".TP\n"
    ".B plan\n"
    "Predicts memory, step time and efficiency for the numbers of ranks of\n"
    ".B \\-\\-ranks\n"
    "from a measurement of this machine, on hosts of\n"
    ".B \\-\\-ranks\\-per\\-host\n"
    "and a network of\n"
    ".B \\-\\-latency\\-us\n"
    "and\n"
    ".BR \\-\\-bandwidth\\-gbps .\n"
    ".TP\n"
    ".B verify\n"
    "Checks every checksum of a checkpoint.\n"
    ".TP\n"
    ".B progress\n"
    "Takes the options of\n"
    ".B train\n"
    "and prints one line,\n"
    ".B \"complete: step 600 of 600 in DIR\"\n"
    "or\n"
    ".BR \"unfinished: step 120 of 600 in DIR\" ,\n"
    "by the checkpoint that\n"
    ".B \\-\\-resume auto\n"
    "would go on from.\n"
    ".TP\n"
    ".B help\n"
    "Prints the verbs and the options, as\n"
    ".B \\-\\-help\n"
    "does after any verb; with\n"
    ".BR \\-\\-markdown ,\n"
    ".B \\-\\-yaml\n"
    "or\n"
    ".B \\-\\-man\n"
    "the page of options, a config of all defaults, or this page.\n"
    ".SH OPTIONS\n"
    "An option is a key of the YAML file\n"
    ".RB ( \"max_steps: 5\" )\n"
    "and a flag\n"
    ".RB ( \"\\-\\-max\\-steps 5\" ).\n"
    "A flag beats the file, the file beats the checkpoint of\n"
    ".BR \\-\\-resume ,\n"
    "and that beats the default.\n"
    ".B null\n"
    "switches an optional thing off.\n";

static const char closing[] =
    ".SH EXIT STATUS\n"
    ".TP\n"
    ".B 0\n"
    "Done, or stopped on request.\n"
    ".TP\n"
    ".B 1\n"
    "Failed; one sentence on standard error says why.\n"
    ".TP\n"
    ".B 2\n"
    "The command line or the config is wrong.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n"
    ".B OMP_NUM_THREADS\n"
    "Threads of each rank.\n"
    ".TP\n"
    ".B DTRAIN_ISA\n"
    "The kernels to compute with: avx512, avx2 or baseline; by default the fastest that the processor has. "
    "Anything else, and a set that the processor does not have, is refused.\n"
    ".SH FILES\n"
    ".TP\n"
    ".I metrics.jsonl\n"
    "What happened in the run, one JSON object a line, in\n"
    ".BR \\-\\-out\\-dir .\n"
    ".TP\n"
    ".I checkpoints/checkpoint_step_N/\n"
    "The state after step N: a model that Hugging Face's GPT2LMHeadModel reads, and all that a resumed run "
    "needs.\n"
    ".TP\n"
    ".I checkpoints/latest\n"
    "A symbolic link to the newest checkpoint.\n"
    ".SH SIGNALS\n"
    "On SIGUSR1, SIGTERM and SIGINT the run finishes the step at hand, saves a checkpoint, says how to "
    "resume, and\n"
    "exits with 0.\n"
    ".SH EXAMPLES\n"
    ".nf\n"
    "mpirun \\-np 4 dtrain \\-\\-data text.txt \\-\\-out\\-dir runs/a \\-\\-max\\-steps 2000\n"
    "mpirun \\-np 8 dtrain \\-\\-data text.txt \\-\\-out\\-dir runs/a \\-\\-max\\-steps 4000 \\-\\-resume "
    "latest\n"
    "dtrain sample runs/a/checkpoints/latest \\-\\-prompt \"Once upon\"\n"
    ".fi\n"
    ".SH SEE ALSO\n"
    ".BR mpirun (1)\n";

/* Text of the table in man(7): a minus and a backslash are escaped. */
static void print_escaped(const char *text, FILE *file) {
    for (; *text != '\0'; text++) {
        if (*text == '-')
            fputs("\\-", file);
        else if (*text == '\\')
            fputs("\\e", file);
        else
            fputc(*text, file);
    }
}

static void print_row(const dt_option *option, FILE *file) {
    char text[DT_OPTION_TEXT_BYTES];
    fputs(".TP\n.B ", file);
    print_escaped(dt_options_flag(option, text), file);
    if (dt_options_placeholder(option) != NULL)
        fprintf(file, " \\fI%s\\fR", dt_options_placeholder(option));
    fputc('\n', file);
    print_escaped(option->help, file);
    fprintf(file, "\n(%s%s", option->unit ? option->unit : "", option->unit ? ", " : "");
    print_escaped(dt_options_describe(option, text), file);
    fputs("; default ", file);
    print_escaped(option->default_text, file);
    fputs(").\n", file);
}

void dt_reference_man(FILE *file) {
    fprintf(file, ".TH DTRAIN 1 %s \"dtrain %s\" \"User Commands\"\n", PAGE_DATE, dt_version());
    fputs(opening, file);
    for (int group = 0; group < DT_GROUP_COUNT; group++) {
        fprintf(file, ".SS %s\n", dt_options_heading((dt_option_group)group));
        for (int64_t i = 0; i < dt_options_count(); i++)
            if ((int)dt_options_at(i)->group == group)
                print_row(dt_options_at(i), file);
    }
    fputs(closing, file);
}
