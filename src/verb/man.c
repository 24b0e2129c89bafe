/*
 * The manual page. Verbs and options come from their tables; the text around them is kept here, in the order
 * of man-pages(7).
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/version.h"
#include "config/options.h"
#include "verb/table.h"

/* The day on which the text of this file last changed its meaning; a page must carry one. */
#define PAGE_DATE "2026-11-29"

/* A minus that can be copied into a shell is "\-" in man(7), and in C that is "\\-". */
static const char description[] =
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
    ".BR train .\n";

static const char options[] = ".SH OPTIONS\n"
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
    "Done, or stopped by a signal or a deadline.\n"
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
    "The kernels to compute with: avx512_bf16, avx512, avx2 or baseline, on Arm neon; by default the fastest that the "
    "processor has. "
    "Anything else, and a set that the processor does not have, is refused.\n"
    ".SH FILES\n"
    ".TP\n"
    ".I metrics.jsonl\n"
    "What happened in the run, one JSON object per line, in\n"
    ".BR \\-\\-out\\-dir .\n"
    ".TP\n"
    ".I checkpoints/checkpoint_step_N/\n"
    "The state after step N: a model that Hugging Face's GPT2LMHeadModel reads, and all that a resumed run "
    "needs.\n"
    ".TP\n"
    ".I checkpoints/latest\n"
    "A symbolic link to the newest checkpoint.\n"
    ".SH SIGNALS\n"
    "On SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGTERM, SIGINT, SIGHUP, SIGXCPU and SIGPWR the run finishes "
    "the step at hand, saves a checkpoint, says how to resume, and exits with 0. A signal that was ignored "
    "at the start stays ignored, as SIGHUP is under\n"
    ".BR nohup (1).\n"
    "Training goes on when the reader of its output ends. After Ctrl-C, SIGTERM or SIGHUP\n"
    ".BR mpirun (1)\n"
    "gives the ranks one second and exits with 1, whatever they do; after SIGUSR1 it waits for them and "
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
static void print_bytes(const char *text, size_t length, FILE *file) {
    for (const char *end = text + length; text < end; text++) {
        if (*text == '-')
            fputs("\\-", file);
        else if (*text == '\\')
            fputs("\\e", file);
        else
            fputc(*text, file);
    }
}

static void print_escaped(const char *text, FILE *file) {
    print_bytes(text, strlen(text), file);
}

static bool is_capital(char c) {
    return c >= 'A' && c <= 'Z';
}

/* Prints what is typed as it stands bold, and what stands for something else, in capitals, in italics. */
static void print_synopsis(const char *text, FILE *file) {
    while (*text != 0) {
        const size_t between = strspn(text, " []|"), capitals = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        const size_t word = strcspn(text, " []|");
        const size_t length = between > 0 ? between : capitals > 0 ? capitals : word;
        fputs(between > 0 ? "" : capitals > 0 ? "\\fI" : "\\fB", file);
        print_bytes(text, length, file);
        fputs(between > 0 ? "" : "\\fR", file);
        text += length;
    }
    fputc('\n', file);
}

/* Prints sentences, a line each, with flags in bold and what a flag takes in italics. */
static void print_about(const char *text, FILE *file) {
    for (bool after_flag = false; *text != 0;) {
        const size_t word = strcspn(text, " "), bare = strcspn(text, " ,.;");
        const bool flag = strncmp(text, "--", 2) == 0, value = after_flag && is_capital(*text);
        const bool styled = flag || value, ends = word > 1 && text[word - 1] == '.';
        fputs(flag ? "\\fB" : value ? "\\fI" : "", file);
        print_bytes(text, styled ? bare : word, file);
        if (styled) {
            fputs("\\fR", file);
            print_bytes(text + bare, word - bare, file);
        }
        text += word;
        if (*text != 0)
            fputc(ends ? '\n' : ' ', file);
        text += *text != 0;
        after_flag = flag && bare == word;
    }
    fputc('\n', file);
}

static void print_verbs(FILE *file) {
    const dt_verb *verb;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++) {
        fprintf(file, ".TP\n.B %s%s%s\n", verb->name, verb->mode ? " \\-\\-" : "",
                verb->mode ? verb->mode : "");
        print_about(verb->about, file);
        fprintf(file, "See\n.BR dtrain\\-%s (1).\n", verb->name);
    }
}

static void print_synopses(FILE *file) {
    const dt_verb *verb;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++) {
        fputs(v > 0 ? ".br\n" : "", file);
        print_synopsis(verb->synopsis, file);
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

void dt_verb_print_man(FILE *file) {
    fprintf(file, ".TH DTRAIN 1 %s \"dtrain %s\" \"User Commands\"\n", PAGE_DATE, dt_version());
    fputs(".SH NAME\n"
          "dtrain \\- train GPT\\-style language models on many cores and hosts\n"
          ".SH SYNOPSIS\n",
          file);
    print_synopses(file);
    fputs(description, file);
    print_verbs(file);
    fputs(options, file);
    for (int group = 0; group < DT_GROUP_COUNT; group++) {
        fprintf(file, ".SS %s\n", dt_options_heading((dt_option_group)group));
        for (int64_t i = 0; i < dt_options_count(); i++)
            if ((int)dt_options_at(i)->group == group)
                print_row(dt_options_at(i), file);
    }
    fputs(closing, file);
}

static void print_flags(const dt_verb *verb, FILE *file) {
    for (const dt_verb_flag *flag = verb->flags; flag->name != NULL; flag++) {
        fputs(".TP\n.B \\-\\-", file);
        print_escaped(flag->name, file);
        if (flag->value) {
            fputs(" \\fI", file);
            print_escaped(flag->value, file);
            fputs("\\fR", file);
        }
        fputc('\n', file);
        print_escaped(flag->help, file);
        fputs(".\n", file);
    }
}

/* The rows of one name are one page: a mode is a verb's way of working. */
dt_status dt_verb_print_verb_man(const char *name, FILE *file) {
    const dt_verb *plain = dt_verb_find(name, 0, NULL), *verb;
    if (plain == NULL)
        return dt_verb_unknown(name);
    fprintf(file, ".TH DTRAIN\\-%s 1 %s \"dtrain %s\" \"User Commands\"\n.SH NAME\ndtrain\\-%s \\- ", name,
            PAGE_DATE, dt_version(), name);
    print_escaped(plain->summary, file);
    fputs("\n.SH SYNOPSIS\n", file);
    for (int v = 0, rows = 0; (verb = dt_verb_at(v)) != NULL; v++)
        if (strcmp(verb->name, name) == 0) {
            fputs(rows++ > 0 ? ".br\n" : "", file);
            print_synopsis(verb->synopsis, file);
        }
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        if (strcmp(verb->name, name) == 0) {
            fprintf(file, ".SH %s%s%s\n", verb->mode ? "WITH " : "DESCRIPTION", verb->mode ? "\\-\\-" : "",
                    verb->mode ? verb->mode : "");
            print_about(verb->about, file);
            if (verb->takes_options)
                fputs("The options of training are taken too;\n.BR dtrain (1)\nlists them.\n", file);
            print_flags(verb, file);
            fputs(".PP\nExample:\n.PP\n.nf\n", file);
            print_escaped(verb->example, file);
            fputs("\n.fi\n", file);
        }
    fputs(".SH SEE ALSO\n.BR dtrain (1)\n", file);
    return DT_OK;
}
