/* The rows, and what reads them. */
#include "verb/table.h"

#include <string.h>

#include "config/flags.h"
#include "verb/verb.h"

#define TAKES(flag, field)                                                                                   \
    { flag, true, offsetof(dt_verb_flags, field) }
#define ALONE(flag, field)                                                                                   \
    { flag, false, offsetof(dt_verb_flags, field) }

static const dt_verb verbs[] = {
    {.name = "train",
     .run = dt_verb_train,
     .synopsis = "mpirun -np N dtrain [train] [--config FILE] [--OPTION VALUE ..] [--print-config]",
     .about = "Trains a model, or goes on with a run where --resume names a checkpoint. --config FILE reads "
              "options from a YAML file, or from standard input where FILE is -. --print-config prints the "
              "resulting config as YAML and ends.",
     .takes_options = true,
     .flags = {TAKES("config", config), ALONE("print-config", print_config)}},
    {.name = "sample",
     .run = dt_verb_sample,
     .synopsis = "dtrain sample CHECKPOINT [[--] TEXT | --prompt TEXT] [--max-length N] [--temperature X] "
                 "[--top-k N] [--top-p P] [--seed N] [--count N] [--compute-dtype fp32|bf16]",
     .about = "Generates text from a checkpoint and prints it as it is made; a second word is the prompt. "
              "--count says how many texts; the other flags are the options of sampling, and "
              "--compute-dtype the type to compute in.",
     .flags = {TAKES("prompt", prompt), TAKES("max-length", max_length), TAKES("temperature", temperature),
               TAKES("top-k", top_k), TAKES("top-p", top_p), TAKES("seed", seed), TAKES("count", count),
               TAKES("compute-dtype", compute_dtype)}},
    {.name = "eval",
     .run = dt_verb_eval,
     .synopsis = "[mpirun -np N] dtrain eval CHECKPOINT [--data FILE] [--split validation|train|all] "
                 "[--windows N] [--compute-dtype fp32|bf16]",
     .about = "Prints loss, perplexity and bits per character of a checkpoint on the text of --data, or "
              "without it on the text that it was trained on. Of that text it takes the validation split, of "
              "any other text all; --split chooses another part, and --windows takes only the first N "
              "windows. The first line of numbers covers whole windows, as val_loss does in training; where "
              "tokens are left over after the last one, a second line covers them too, in a shorter window. "
              "A text shorter than a window is one shorter window. --compute-dtype is the type to compute "
              "in.",
     .flags = {TAKES("data", data), TAKES("split", split), TAKES("windows", windows),
               TAKES("compute-dtype", compute_dtype)}},
    {.name = "data",
     .run = dt_verb_data,
     .synopsis = "dtrain data [--config FILE] --seed N [--steps N] [--OPTION VALUE ..]",
     .about =
         "Lists which windows of the text the first --steps batches hold, or those of an epoch, one JSON "
         "object per line. It takes the options of a run, and needs the seed, since that decides the "
         "order.",
     .takes_options = true,
     .flags = {TAKES("config", config), TAKES("steps", steps)}},
    {.name = "bench",
     .mode = "merge",
     .run = dt_verb_merge,
     .synopsis = "dtrain bench --merge STUDY.json .. [--json FILE] [--report FILE.html]",
     .about = "Joins the JSON files of studies that were measured apart into one table; --json and --report "
              "write the joined study as JSON and as a page.",
     .flags = {ALONE("merge", merge), TAKES("json", json), TAKES("report", report)}},
    {.name = "bench",
     .run = dt_verb_bench,
     .synopsis = "[mpirun -np N] dtrain bench [--config FILE] [--repetitions N] [--json FILE] "
                 "[--OPTION VALUE ..] [--report FILE.svg | --scaling strong,weak [--ranks 1,2,4] "
                 "[--report FILE.html]] [--algorithms [--threads-per-core X]]",
     .about =
         "Takes training steps on random tokens, times each section of a step where it stands, and prints a "
         "table of times and rates beside what the machine could do at most. --repetitions says how "
         "often (default 10), --json writes the same as JSON, and --report as a picture. With --scaling "
         "it measures the whole step on 1, 2, 4 and more of the job's ranks, or on those of --ranks, "
         "and --report writes the study as a page. --algorithms compares the algorithms of the allreduce; "
         "--threads-per-core says how many threads take turns on a core.",
     .takes_options = true,
     .flags = {TAKES("config", config), TAKES("repetitions", repetitions), TAKES("json", json),
               TAKES("scaling", scaling), TAKES("ranks", ranks), TAKES("report", report),
               ALONE("algorithms", algorithms), TAKES("threads-per-core", threads_per_core)}},
    {.name = "plan",
     .run = dt_verb_plan,
     .synopsis = "[mpirun -np N] dtrain plan [--config FILE] [--ranks 1,8,64] [--ranks-per-host N] "
                 "[--latency-us X] [--bandwidth-gbps X] [--json FILE] [--OPTION VALUE ..]",
     .about = "Predicts memory, step time and efficiency for the numbers of ranks of --ranks from a "
              "measurement of this machine, on hosts of --ranks-per-host and a network of --latency-us and "
              "--bandwidth-gbps. --json writes the same as JSON.",
     .takes_options = true,
     .flags = {TAKES("config", config), TAKES("ranks", ranks), TAKES("ranks-per-host", ranks_per_host),
               TAKES("latency-us", latency_us), TAKES("bandwidth-gbps", bandwidth_gbps),
               TAKES("json", json)}},
    {.name = "verify",
     .run = dt_verb_verify,
     .synopsis = "dtrain verify CHECKPOINT",
     .about = "Checks every checksum of a checkpoint."},
    {.name = "progress",
     .run = dt_verb_progress,
     .synopsis = "dtrain progress [--config FILE] [--OPTION VALUE ..]",
     .about =
         "Takes the options of train and prints one line, \"complete: step 600 of 600 in DIR\" or "
         "\"unfinished: step 120 of 600 in DIR\", by the checkpoint that --resume auto would go on from.",
     .takes_options = true,
     .flags = {TAKES("config", config)}},
    {.name = "help",
     .run = dt_verb_help,
     .synopsis = "dtrain help [--markdown | --yaml | --man]",
     .about = "Prints the verbs and the options, as --help does after any verb; with --markdown, --yaml or "
              "--man the page of options, a config of all defaults, or this page.",
     .flags = {ALONE("markdown", markdown), ALONE("yaml", yaml), ALONE("man", man)}},
};

#define VERBS ((int)(sizeof verbs / sizeof *verbs))

const dt_verb *dt_verb_at(int index) {
    return index < VERBS ? &verbs[index] : NULL;
}

static bool has_mode(const dt_verb *verb, int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, verb->mode) == 0)
            return true;
    return false;
}

const dt_verb *dt_verb_find(const char *name, int argc, char **argv) {
    const dt_verb *found = NULL;
    for (int v = 0; v < VERBS; v++) {
        const dt_verb *verb = &verbs[v];
        if (strcmp(name, verb->name) != 0)
            continue;
        if (verb->mode == NULL)
            found = verb;
        else if (has_mode(verb, argc, argv))
            return verb;
    }
    return found;
}

dt_status dt_verb_unknown(const char *word) {
    char names[128] = "";
    for (int v = 0; v < VERBS; v++) {
        const size_t used = strlen(names);
        if (verbs[v].mode == NULL)
            snprintf(names + used, sizeof names - used, "%s%s",
                     used == 0        ? ""
                     : v + 1 == VERBS ? " or "
                                      : ", ",
                     verbs[v].name);
    }
    return dt_usage("there is no verb \"%s\"; expected %s (dtrain --help)", word, names);
}

dt_status dt_verb_read(const dt_verb *verb, dt_config *config, int argc, char **argv, dt_verb_flags *flags,
                       const char **positional, int *count) {
    dt_flag own[DT_VERB_FLAGS_MAX + 1] = {{0}};
    *flags = (dt_verb_flags){0};
    for (int i = 0; verb->flags[i].name != NULL; i++)
        own[i] = (dt_flag){.name = verb->flags[i].name,
                           .takes_value = verb->flags[i].takes_value,
                           .value = (const char **)((char *)flags + verb->flags[i].offset)};
    return dt_config_read_flags(config, argc, argv, own, positional, count);
}

/* ---- what help shows ---- */

#define USAGE_COLUMNS 100
#define USAGE_INDENT  16

/* The length of the word or of the group in brackets that `text` begins with. */
static size_t group_length(const char *text) {
    size_t length = 0;
    for (int depth = 0; text[length] != 0 && (depth > 0 || text[length] != ' '); length++)
        depth += (text[length] == '[') - (text[length] == ']');
    return length;
}

static void print_synopsis(const char *text, FILE *file) {
    int column = fprintf(file, " "); /* one more stands before each group */
    while (*text != 0) {
        const int length = (int)group_length(text);
        if (column + 1 + length > USAGE_COLUMNS) {
            fputc('\n', file);
            column = fprintf(file, "%*s", USAGE_INDENT - 1, "");
        }
        column += fprintf(file, " %.*s", length, text);
        text += length + (int)strspn(text + length, " ");
    }
    fputc('\n', file);
}

void dt_verb_print_usage(FILE *file) {
    for (int v = 0; v < VERBS; v++)
        print_synopsis(verbs[v].synopsis, file);
}
