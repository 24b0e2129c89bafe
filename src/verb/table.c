/* The rows, and what reads them. */
#include "verb/table.h"

#include <string.h>

#include "base/assert.h"
#include "config/flags.h"
#include "config/nearest.h"
#include "verb/verb.h"

#define TAKES(flag, field, value, help)                                                                      \
    { flag, value, offsetof(dt_verb_flags, field), help, 0 }
#define LISTED(flag, field, all, value, help)                                                                \
    { flag, value, offsetof(dt_verb_flags, field), help, offsetof(dt_verb_flags, all) }
#define ALONE(flag, field, help)                                                                             \
    { flag, NULL, offsetof(dt_verb_flags, field), help, 0 }

#define CONFIG                                                                                               \
    TAKES("config", config, "FILE", "Read options from this YAML file; - is standard input; flags beat it")
#define COMPUTE_DTYPE                                                                                        \
    TAKES("compute-dtype", compute_dtype, "fp32|bf16",                                                       \
          "Type that matrix products take their inputs in (default: as the model was trained)")
#define TOKENIZER                                                                                            \
    TAKES("tokenizer", tokenizer, "NAME",                                                                    \
          "How text becomes tokens, as the option of training has it (default: as the model's folder says)")

#define DATA_FORMAT(usual)                                                                                   \
    TAKES("data-format", data_format, "auto|uint16|uint32",                                                  \
          "What files without a known beginning hold: auto is text, the others are tokens of that width "    \
          "(default: " usual ")")
#define JOIN_DOCUMENTS                                                                                       \
    TAKES("join-documents", join_documents, "true|false",                                                    \
          "Put the tokenizer's end-of-text token between texts that are several files (default: true)")

static const dt_verb verbs[] = {
    {.name = "train",
     .run = dt_verb_train,
     .synopsis =
         "mpirun -np N dtrain [train] [--config FILE] [--OPTION VALUE ..] [--print-config] [--dry-run]",
     .summary = "train a model, or go on with a run",
     .about = "Trains a model, or goes on with a run where --resume names a checkpoint.",
     .example = "mpirun -np 2 dtrain train --data text.txt --out-dir runs/a --max-steps 2000",
     .takes_options = true,
     .flags = {CONFIG, ALONE("print-config", print_config, "Print the resulting config as YAML, and end"),
               ALONE("dry-run", dry_run,
                     "Check all up to step 1, print what would be trained, and end; writes nothing")}},
    {.name = "sample",
     .run = dt_verb_sample,
     .synopsis = "dtrain sample CHECKPOINT [[--] TEXT | --prompt TEXT] [--max-length N] [--temperature X] "
                 "[--top-k N] [--top-p P] [--seed N] [--count N] [--stop TEXT] [--tokenizer NAME] "
                 "[--compute-dtype fp32|bf16]",
     .summary = "print text that a model writes",
     .about = "Generates text from a checkpoint and prints it as it is made; a second word is the prompt. "
              "What no flag says is as the run's sampling options in the checkpoint.",
     .example = "dtrain sample runs/a/checkpoints/latest --prompt \"Once upon\" --temperature 0.7",
     .flags = {TAKES("prompt", prompt, "TEXT", "Text to go on from (default: the checkpoint's)"),
               TAKES("max-length", max_length, "N", "Tokens to make after the prompt"),
               TAKES("temperature", temperature, "X",
                     "Divides the logits: below 1 is more sure, 0 takes the likeliest token each time"),
               TAKES("top-k", top_k, "N", "Draw from the N likeliest tokens only; null: from all"),
               TAKES("top-p", top_p, "P",
                     "Draw from the likeliest tokens that together have probability P; null: from all"),
               TAKES("seed", seed, "N", "Seed of what is drawn; the same seed gives the same text"),
               TAKES("count", count, "N", "How many texts to make (default 1)"),
               TAKES("stop", stop, "TEXT", "End a text before the first TEXT in what is made"), TOKENIZER,
               COMPUTE_DTYPE}},
    {.name = "eval",
     .run = dt_verb_eval,
     .synopsis = "[mpirun -np N] dtrain eval CHECKPOINT [--data FILE ..] [--split validation|train|all] "
                 "[--windows N] [--losses FILE] [--tokenizer NAME] [--data-format auto|uint16|uint32] "
                 "[--compute-dtype fp32|bf16]",
     .summary = "measure how well a model predicts a text",
     .about =
         "Prints loss, perplexity, and bits per character, byte or token, whatever the tokenizer makes, "
         "of a checkpoint; by bits per byte models with different tokenizers compare. The first line of numbers "
         "covers whole windows, as val_loss does in training; where tokens are left over after the "
         "last one, a second line covers them too, in a shorter window. A text shorter than a window "
         "is one shorter window.",
     .example = "mpirun -np 2 dtrain eval runs/a/checkpoints/best --data other.txt",
     .flags =
         {LISTED(
              "data", data, data_list, "FILE",
              "Text to evaluate on, as training takes it: a name, a quoted glob, a packed text, tokens, - for "
              "standard input; given several times, all of them (default: what was trained on)"),
          TAKES("split", split, "validation|train|all",
                "Part of the text (default: validation of the text that was trained on, all of any "
                "other)"),
          TAKES("windows", windows, "N", "Take only the first N windows (default: all)"),
          TAKES("losses", losses, "FILE",
                "Write the loss of every token, in nats, as raw float32 in the order of the text"),
          TOKENIZER, DATA_FORMAT("auto with --data, else as in training"), COMPUTE_DTYPE}},
    {.name = "data",
     .run = dt_verb_data,
     .synopsis = "[mpirun -np N] dtrain data [--config FILE] --seed N [--steps N] [--OPTION VALUE ..]",
     .summary = "list which windows of the text each batch holds",
     .about = "Lists which windows of the text the first batches hold, one JSON object per line. It takes "
              "the options of a run, and needs the seed, since that decides the order.",
     .example = "dtrain data --data text.txt --seed 1 --steps 10",
     .takes_options = true,
     .flags = {CONFIG, TAKES("steps", steps, "N", "How many batches (default: those of an epoch)")}},
    {.name = "tokenize",
     .run = dt_verb_tokenize,
     .synopsis =
         "[mpirun -np N] dtrain tokenize TEXT .. --out FILE [--tokenizer T] [--join-documents true|false]",
     .summary = "make the tokens of texts once, for many runs",
     .about =
         "Writes the tokens of texts into a file that training reads. Texts are names and globs, may be packed "
         "by gzip or zstd, and - is standard input; ranks and threads share the work, and the file is the "
         "same for any number of them.",
     .example = "mpirun -np 2 dtrain tokenize text.txt --tokenizer gpt2/tokenizer.json --out text.tokens",
     .flags = {TAKES("out", out, "FILE", "Name of the new file"),
               TAKES("tokenizer", tokenizer, "T",
                     "ascii, bytes, chars, or the path of a tokenizer.json (default: ascii)"),
               JOIN_DOCUMENTS}},
    {.name = "tokenize",
     .mode = "statistics",
     .run = dt_verb_statistics,
     .synopsis =
         "[mpirun -np N] dtrain tokenize --statistics FILE .. [--tokenizer T] [--data-format auto|uint16|uint32] "
         "[--join-documents true|false]",
     .summary = "count tokens, and show the most frequent",
     .about =
         "Counts the tokens of files of tokens, or of texts by a tokenizer: how many there are, how many of "
         "the vocabulary are used, and the twenty most frequent.",
     .example = "dtrain tokenize --statistics text.tokens",
     .flags = {ALONE("statistics", statistics, "Count the tokens of the files that are named"),
               TAKES("tokenizer", tokenizer, "T",
                     "ascii, bytes, or the path of a tokenizer.json, for texts and to show tokens as text"),
               DATA_FORMAT("auto"), JOIN_DOCUMENTS}},
    {.name = "tokenize",
     .mode = "decode",
     .run = dt_verb_decode,
     .synopsis = "dtrain tokenize --decode FILE .. [--tokenizer T] [--data-format auto|uint16|uint32]",
     .summary = "print the text that tokens were made from",
     .about = "Prints the text of files of tokens, byte for byte where the output is no terminal.",
     .example = "dtrain tokenize --decode text.tokens",
     .flags = {ALONE("decode", decode, "Print the text of the files of tokens that are named"),
               TAKES("tokenizer", tokenizer, "T",
                     "ascii, bytes, or the path of a tokenizer.json (default: what the first file names)"),
               DATA_FORMAT("auto")}},
    {.name = "bench",
     .run = dt_verb_bench,
     .synopsis = "[mpirun -np N] dtrain bench [--config FILE] [--repetitions N] [--json FILE] "
                 "[--OPTION VALUE ..] [--report FILE.svg | --scaling strong,weak [--ranks 1,2,4] "
                 "[--report FILE.html]] [--algorithms [--threads-per-core X]]",
     .summary = "time a step, scaling, or the allreduce's algorithms",
     .about = "Takes training steps on random tokens, times each part of a step where it stands, and prints "
              "a table of times and rates beside what the machine could do at most.",
     .example = "mpirun -np 2 dtrain bench --scaling strong,weak --report study.html",
     .takes_options = true,
     .flags =
         {CONFIG, TAKES("repetitions", repetitions, "N", "Steps to time (default 10)"),
          TAKES("json", json, "FILE", "Write the same as JSON; - is standard output"),
          TAKES("scaling", scaling, "strong,weak",
                "Measure whole steps on parts of the job: with the batch as it is (strong), or growing "
                "with the ranks (weak)"),
          TAKES("ranks", ranks, "1,2,4",
                "With --scaling, the numbers of ranks (default: powers of two, and all)"),
          TAKES(
              "report", report, "FILE",
              "Write a picture (SVG), or with --scaling a page (HTML) or, where the name ends in .svg, its figures"),
          ALONE("algorithms", algorithms, "Compare the algorithms of the allreduce"),
          TAKES("threads-per-core", threads_per_core, "X",
                "With --algorithms, how many threads take turns on a core (default: as found)")}},
    {.name = "bench",
     .mode = "merge",
     .run = dt_verb_merge,
     .synopsis = "dtrain bench --merge STUDY.json .. [--json FILE] [--report FILE.html]",
     .summary = "join scaling studies into one table and page",
     .about = "Joins the JSON files of studies that were measured apart into one table.",
     .example = "dtrain bench --merge study-*.json --report study.html",
     .flags = {ALONE("merge", merge, "Join the studies in the files that are named; - is standard input"),
               TAKES("json", json, "FILE", "Write the joined study as JSON; - is standard output"),
               TAKES("report", report, "FILE.html",
                     "Write the joined study as a page, or where the name ends in .svg its figures")}},
    {.name = "plan",
     .run = dt_verb_plan,
     .synopsis =
         "[mpirun -np N] dtrain plan [--config FILE] [--ranks 1,8,64] [--ranks-per-host N] "
         "[--threads-per-rank N] [--latency-us X] [--bandwidth-gbps X] [--memory-gb X] [--core-gflops X] "
         "[--teams 8,64] [--json FILE] [--OPTION VALUE ..]",
     .summary = "predict memory, step time and efficiency",
     .about =
         "Predicts memory, step time and efficiency for numbers of ranks that need not be there, from "
         "a measurement of this machine. Where a config takes more memory than a host has, proposes what "
         "to change.",
     .example = "dtrain plan --config big.yaml --ranks 1,8,64,512 --ranks-per-host 8 --bandwidth-gbps 100",
     .takes_options = true,
     .flags =
         {CONFIG,
          TAKES("ranks", ranks, "1,8,64",
                "Numbers of ranks to predict for (default: powers of two up to 64)"),
          TAKES("ranks-per-host", ranks_per_host, "N", "Ranks on each host (default: as this job has them)"),
          TAKES(
              "latency-us", latency_us, "X",
              "Latency of the network, in microseconds (default: measured between the job's ranks, or assumed)"),
          TAKES("bandwidth-gbps", bandwidth_gbps, "X",
                "Bandwidth of a host's link, in Gbit/s (default: as for the latency)"),
          TAKES("memory-gb", memory_gb, "X",
                "Memory that a host has for its ranks, in GB (default: what this host has left)"),
          TAKES("threads-per-rank", threads_per_rank, "N",
                "Threads of each rank that is planned (default: OMP_NUM_THREADS, as here)"),
          TAKES(
              "core-gflops", core_gflops, "X",
              "What a core computes in passes, in GFLOP/s, on machines of another kind (default: probed here)"),
          TAKES("teams", teams, "8,64",
                "Print work and span of each kernel for teams of so many threads as well"),
          TAKES("json", json, "FILE", "Write the same as JSON; - is standard output")}},
    {.name = "verify",
     .run = dt_verb_verify,
     .synopsis = "dtrain verify CHECKPOINT",
     .summary = "check every byte of a checkpoint",
     .about = "Checks every checksum of a checkpoint, or whether a model folder is complete.",
     .example = "dtrain verify runs/a/checkpoints/latest"},
    {.name = "export",
     .run = dt_verb_export,
     .synopsis = "dtrain export CHECKPOINT --out FOLDER [--dtype fp32|fp16|bf16]",
     .summary = "write a model for other programs",
     .about = "Writes the model of a checkpoint, without what only training needs, as a folder that Hugging "
              "Face's GPT2LMHeadModel and AutoTokenizer open.",
     .example = "dtrain export runs/a/checkpoints/best --dtype bf16 --out model",
     .flags = {TAKES("out", out, "FOLDER", "Name of the new folder"),
               TAKES("dtype", dtype, "fp32|fp16|bf16", "Type of the numbers (default fp32)")}},
    {.name = "tokenizer",
     .word = "train",
     .run = dt_verb_tokenizer,
     .synopsis =
         "[mpirun -np N] dtrain tokenizer train TEXT .. --vocab-size N --out FILE [--no-regex] [--prefix-space] "
         "[--no-end-of-text]",
     .summary = "train a tokenizer on a text",
     .about =
         "Trains a byte-level BPE on texts and writes it as a tokenizer.json, which dtrain and Hugging Face's "
         "tokenizers read. Texts are names and globs, may be packed by gzip or zstd, and - is standard input; one rank "
         "does the work. It learns the merges that the tokenizers library learns. "
         "The last token is <|endoftext|>.",
     .example = "dtrain tokenizer train books/*.txt --vocab-size 8000 --out tokenizer.json",
     .flags = {TAKES("vocab-size", vocab_size, "N", "Tokens in all, 257 or more"),
               TAKES("out", out, "FILE", "Name of the new file"),
               ALONE("no-regex", no_regex,
                     "Let tokens span words; without it GPT-2's pattern splits the text first"),
               ALONE("prefix-space", prefix_space, "Put a space before a text that does not begin with one"),
               ALONE("no-end-of-text", no_end_of_text, "Have no token <|endoftext|>")}},
    {.name = "progress",
     .run = dt_verb_progress,
     .synopsis = "dtrain progress [RUN] [--config FILE] [--OPTION VALUE ..]",
     .summary = "say whether a run is complete",
     .about =
         "Prints one line, \"complete: step 600 of 600 in RUN\" or \"unfinished: step 120 of 600 in RUN\", by the "
         "checkpoint that --resume auto would go on from. RUN is a run's folder; without it, it takes the options of "
         "train, so that a batch script asks with the words that it trains with.",
     .example = "dtrain progress runs/a",
     .takes_options = true,
     .flags = {CONFIG}},
    {.name = "curve",
     .run = dt_verb_curve,
     .synopsis = "dtrain curve RUN .. [--width N] [--height N] [--ascii]",
     .summary = "draw the losses of runs in the terminal",
     .about =
         "Draws losses against steps. RUN is a run's folder, its metrics.jsonl, or a folder of runs; a run may still be "
         "training. One run shows the span of its training losses, and its evaluations as o; several "
         "have a letter each, and their mean losses.",
     .example = "dtrain curve runs/a runs/b",
     .flags = {TAKES("width", width, "N", "Columns of the picture (default: the terminal's, or 80)"),
               TAKES("height", height, "N", "Rows of the picture (default: 22, or what the terminal has)"),
               ALONE("ascii", ascii, "Draw with ASCII alone, as where the locale is not UTF-8")}},
    {.name = "report",
     .run = dt_verb_report,
     .synopsis = "dtrain report RUN .. [--out FILE] [--chart NAME] [--watch]",
     .summary = "show runs as a page for a browser",
     .about =
         "Writes one HTML page that needs nothing else: losses, learning rate, gradient norm and throughput against "
         "steps, tokens and time, events, samples, and what ran where. RUN is a run's folder, its metrics.jsonl, or "
         "a folder of runs; several runs are sorted by their best validation loss, with the options in which they "
         "differ.",
     .example = "dtrain report sweep/* --out sweep.html",
     .flags =
         {TAKES("out", out, "FILE",
                "File to write; - is standard output (default: report.html, or NAME.svg of a chart, in the "
                "folder of the one run, or here)"),
          TAKES("chart", chart, "NAME",
                "Write one chart, such as loss or learning_rate, as a picture (SVG) instead"),
          ALONE("watch", watch, "Write the page anew every 30 s until the runs end; it reloads itself")}},
    {.name = "runs",
     .run = dt_verb_runs,
     .synopsis = "dtrain runs [FOLDER] [--json FILE]",
     .summary = "list runs with state, step and loss",
     .about =
         "Lists the runs in FOLDER, which is the working folder where none is named, and up to four folders "
         "below it (links are not followed), the best first: state, step, best validation loss, training loss over the last 2 % of the steps, when "
         "metrics.jsonl changed last, and the options in which the runs differ.",
     .example = "dtrain runs sweep",
     .flags = {TAKES("json", json, "FILE", "Write the same as JSON instead; - is standard output")}},
    {.name = "help",
     .run = dt_verb_help,
     .synopsis =
         "dtrain help [VERB [--FLAG] | OPTION | --FLAG | options] [--markdown | --yaml | --man | --completion bash|zsh]",
     .summary = "explain a verb, an option, or all options",
     .about =
         "Prints the verbs, or what there is to know of the verb, option or flag that is named; --help after "
         "a verb does the same. options stands for all options of training.",
     .example = "dtrain help learning_rate",
     .flags = {ALONE("markdown", markdown, "Print docs/config.md, the page of all options"),
               ALONE("yaml", yaml, "Print a config of all defaults"),
               ALONE("man", man, "Print the manual page, of dtrain or of the verb that is named"),
               TAKES("completion", completion, "bash|zsh",
                     "Print what teaches that shell to complete verbs, flags and their values")}},
};

#define VERBS ((int)(sizeof verbs / sizeof *verbs))

const dt_verb *dt_verb_at(int index) {
    DT_ASSERT(index >= 0);
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
    char names[256] = "";
    dt_nearest nearest = dt_nearest_start(word, strlen(word));
    for (int v = 0; v < VERBS; v++)
        dt_nearest_offer(&nearest, verbs[v].name);
    if (nearest.best)
        return dt_usage("there is no verb \"%s\"; did you mean %s? (dtrain --help)", word, nearest.best);
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
    DT_ASSERT(config == NULL || verb->takes_options);
    for (int i = 0; verb->flags[i].name != NULL; i++) {
        DT_ASSERT(i < DT_VERB_FLAGS_MAX && verb->flags[i].offset + sizeof(char *) <= sizeof *flags);
        own[i] =
            (dt_flag){.name = verb->flags[i].name,
                      .takes_value = verb->flags[i].value != NULL,
                      .value = (const char **)((char *)flags + verb->flags[i].offset),
                      .list = verb->flags[i].list ? (char **)((char *)flags + verb->flags[i].list) : NULL};
    }
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

void dt_verb_print_synopsis(const dt_verb *verb, FILE *file) {
    const char *text = verb->synopsis;
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
        dt_verb_print_synopsis(&verbs[v], file);
}
