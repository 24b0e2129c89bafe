/* Help, docs/config.md and configs/default.yaml. Each is one walk over the groups and the rows of a group. */
#include "config/reference.h"

#include <string.h>

#include "config/config.h"
#include "config/options.h"
#include "config/value.h"

#define WIDTH       100 /* columns of --help */
#define HELP_COLUMN 34  /* where the text beside a flag starts */

/* Prints `text` wrapped at WIDTH, the cursor being at column `start`; further lines start there too. */
static void print_wrapped(const char *text, int start, FILE *file) {
    const size_t first = (size_t)start;
    size_t column = first;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > first && column + 1 + word > WIDTH) {
            fprintf(file, "\n%*s", start, "");
            column = first;
        }
        const char *space = column > first ? " " : "";
        fprintf(file, "%s%.*s", space, (int)word, text);
        column += strlen(space) + word;
        text += word + strspn(text + word, " ");
    }
    fputc('\n', file);
}

void dt_reference_text(const char *text, FILE *file) {
    print_wrapped(text, 0, file);
}

void dt_reference_flag(const char *flag, const char *value, const char *text, FILE *file) {
    int used = fprintf(file, "  %s%s%s", flag, value ? " " : "", value ? value : "");
    if (used + 1 > HELP_COLUMN)
        fprintf(file, "\n%*s", HELP_COLUMN, "");
    else
        fprintf(file, "%*s", HELP_COLUMN - used, "");
    print_wrapped(text, HELP_COLUMN, file);
}

static void print_help_row(const dt_option *option, FILE *file) {
    char flag[DT_OPTION_TEXT_BYTES], takes[DT_OPTION_TEXT_BYTES], text[1024];
    snprintf(text, sizeof text, "%s (%s%s%s; default %s)", option->help, option->unit ? option->unit : "",
             option->unit ? ", " : "", dt_options_describe(option, takes), option->default_text);
    dt_reference_flag(dt_options_flag(option, flag), dt_options_placeholder(option), text, file);
}

void dt_reference_option(const dt_option *option, FILE *file) {
    static const char *const resumes[] = {
        [DT_RESUME_FIXED] = "A resumed run keeps it: another value is refused.",
        [DT_RESUME_CHANGEABLE] = "A resumed run may change it, and says so.",
        [DT_RESUME_PRESENCE] = "A resumed run may name another, but neither add nor leave it out.",
        [DT_RESUME_IRRELEVANT] = "A resumed run may change it."};
    fprintf(file, "An option of training. In a YAML file it is `%s: %s`, which is its default.\n%s\n\n",
            option->key, option->default_text, resumes[option->resume]);
    print_help_row(option, file);
}

void dt_reference_help(FILE *file) {
    for (int group = 0; group < DT_GROUP_COUNT; group++) {
        fprintf(file, "%s%s:\n", group == 0 ? "" : "\n", dt_options_heading((dt_option_group)group));
        for (int64_t i = 0; i < dt_options_count(); i++)
            if ((int)dt_options_at(i)->group == group)
                print_help_row(dt_options_at(i), file);
    }
}

static const char markdown_opening[] =
    "# Options\n"
    "\n"
    "This page is printed from the table of options in src/config/options.c; a test compares the two.\n"
    "\n"
    "## How values are given\n"
    "\n"
    "Every option is a key of the YAML file that `--config FILE` names (`--config -` reads standard "
    "input), and a\n"
    "flag of the same name with dashes for underscores:\n"
    "\n"
    "| | YAML | command line |\n"
    "|---|---|---|\n"
    "| a number | `learning_rate: 3e-4` | `--learning-rate 3e-4` or `--learning-rate=3e-4` |\n"
    "| true or false | `shuffle: false`; yes, no, on and off count too | `--no-shuffle`, `--shuffle false` "
    "or `--shuffle=no` |\n"
    "| a string | `sampling_prompt: \"Once upon\"` | `--sampling-prompt \"Once upon\"` |\n"
    "| switched off | `grad_clip: null` | `--grad-clip null` |\n"
    "| a list | `data: [a.txt, b.txt]`; one string is a list of one | `--data a.txt --data b.txt` |\n"
    "| a map | `hooks: {update: [{name: identity}]}` | `--hooks '{update: [{name: identity}]}'` |\n"
    "\n"
    "A flag beats the file, the file beats the checkpoint that a run goes on from, and that beats the "
    "default. A flag\n"
    "that is given twice has its last value, or adds to a list, which `null` empties; a key that stands twice in the file is an error, and so is an "
    "unknown\n"
    "one. A value that begins with two dashes is written `--flag=VALUE`. `dtrain train --print-config` "
    "prints the\n"
    "config that results from file and flags, as YAML that `--config` reads. At the start dtrain warns of "
    "an option that has\n"
    "no effect with the others, and of a warm-up longer than the run.\n"
    "\n"
    "The file name `-` is standard input for `--config` and `bench --merge`, and standard output for "
    "`--json` and\n"
    "`--report`. For `--data` it is standard input too: a text, which rank 0 reads and all ranks tokenize. A file "
    "that is called\n"
    "`-` is `./-`.\n"
    "\n"
    "The file is read by the core schema of YAML 1.2: `3e-4` is a number, `\"3e-4\"` is a string and no "
    "number,\n"
    "`null`, `~` and nothing at all are null. Anchors and aliases work; tags are refused.\n"
    "\n"
    "## When a run is resumed\n"
    "\n"
    "Options that are not given come from the checkpoint, so `dtrain --resume CHECKPOINT` is enough; to go "
    "back to a\n"
    "default, give it. `stop_after_seconds` alone does not come from there: it is of one job. The column *on resume* says what happens to one that is given and differs: *fixed* "
    "options are\n"
    "refused, all in one sentence, because another value would mean another run; *may change* options take "
    "the new\n"
    "value, and the log says so; an option that *may move* names\n"
    "another place but does not become or cease to be null; *free* options are not compared. A seed that is null takes the one of the "
    "checkpoint.\n"
    "\n"
    "Hooks come from the checkpoint too: `--hooks null` leaves out those of a checkpoint that you do not "
    "trust.\n"
    "\n"
    "File names are kept as the run was given them, and a relative one is read from the present working "
    "folder: where\n"
    "the text is not found there, name it with `--data`. Where the run writes follows the checkpoint "
    "instead: with a path and\n"
    "neither `--out-dir` nor `--checkpoint-dir`, a run goes on in the folder whose `checkpoints/` holds "
    "that checkpoint,\n"
    "also after it was moved. A checkpoint that lies elsewhere does not tell where the run is, so "
    "`--out-dir` is needed.\n"
    "`latest`, `best` and `auto` look in `--checkpoint-dir`, or else in `checkpoints/` of `--out-dir` or "
    "of the working\n"
    "folder.\n"
    "\n"
    "The schedule of the learning rate is one function of the step, so another `max_steps` changes it from "
    "there on: a cosine\n"
    "that has ended rises again when `max_steps` is raised. The log says what the rate was, is and "
    "becomes.\n";

static void print_markdown_row(const dt_option *option, FILE *file) {
    static const char *const resumes[] = {[DT_RESUME_FIXED] = "fixed",
                                          [DT_RESUME_CHANGEABLE] = "may change",
                                          [DT_RESUME_PRESENCE] = "may move",
                                          [DT_RESUME_IRRELEVANT] = "free"};
    char takes[DT_OPTION_TEXT_BYTES];
    fprintf(file, "| `%s` | `%s` | %s | %s | %s | %s |\n", option->key, option->default_text,
            dt_options_describe(option, takes), option->unit ? option->unit : "", resumes[option->resume],
            option->help);
}

void dt_reference_markdown(FILE *file) {
    fputs(markdown_opening, file);
    for (int group = 0; group < DT_GROUP_COUNT; group++) {
        fprintf(file, "\n## %s\n\n", dt_options_heading((dt_option_group)group));
        fputs("| key | default | takes | unit | on resume | what it does |\n|---|---|---|---|---|---|\n",
              file);
        for (int64_t i = 0; i < dt_options_count(); i++)
            if ((int)dt_options_at(i)->group == group)
                print_markdown_row(dt_options_at(i), file);
    }
}

dt_status dt_reference_yaml(FILE *file) {
    dt_config defaults;
    dt_status status = dt_config_init(&defaults);
    if (status != DT_OK) {
        dt_config_free(&defaults);
        return status;
    }
    fputs("# Every option with its default, printed from the table of options; a copy to start your own "
          "config from.\n"
          "#\n"
          "#     mpirun -np 2 build/dtrain --config configs/default.yaml --data FILE\n",
          file);
    for (int group = 0; group < DT_GROUP_COUNT; group++) {
        fprintf(file, "\n# == %s ==\n", dt_options_heading((dt_option_group)group));
        for (int64_t i = 0; i < dt_options_count(); i++) {
            const dt_option *option = dt_options_at(i);
            char takes[DT_OPTION_TEXT_BYTES];
            if ((int)option->group != group)
                continue;
            fprintf(file, "\n# %s.\n# %s%s%s\n%s: ", option->help, dt_options_describe(option, takes),
                    option->unit ? "; unit: " : "", option->unit ? option->unit : "", option->key);
            dt_value_print(&defaults, option, file);
            fputc('\n', file);
        }
    }
    dt_config_free(&defaults);
    return DT_OK;
}
