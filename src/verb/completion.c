/*
 * What teaches a shell to complete dtrain's words, printed from the tables of verbs and options: verbs, each
 * verb's flags, the values of a flag that takes one of several words, checkpoints and runs' folders, and
 * files for the others.
 */
#include <stdbool.h>
#include <string.h>

#include "config/options.h"
#include "verb/table.h"

/* The words of "fp32|bf16" with spaces between them; nothing where the value is not one of several words. */
static bool is_choice(const char *value) {
    return value != NULL && strchr(value, '|') != NULL;
}

static void print_choices(const char *value, FILE *file) {
    for (; *value != 0; value++)
        fputc(*value == '|' ? ' ' : *value, file);
}

/* "--max-steps ", and of what may be switched off "--no-shuffle " too. */
static void print_option_flags(FILE *file) {
    char key[DT_OPTION_TEXT_BYTES];
    for (int64_t i = 0; i < dt_options_count(); i++) {
        const dt_option *option = dt_options_at(i);
        dt_options_dash(option->key, key);
        fprintf(file, "--%s ", key);
        if (option->type == DT_OPTION_BOOL)
            fprintf(file, "--no-%s ", key);
    }
}

static bool is_first_of_name(const dt_verb *verb) {
    return verb->mode == NULL;
}

static void print_verb_flags(const char *name, FILE *file) {
    const dt_verb *verb;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        for (const dt_verb_flag *flag = verb->flags; strcmp(verb->name, name) == 0 && flag->name != NULL;
             flag++)
            fprintf(file, "--%s ", flag->name);
}

/* The arms of a `case $verb:$previous` that know which words may follow a flag. */
static void print_value_arms(FILE *file) {
    char key[DT_OPTION_TEXT_BYTES];
    const dt_verb *verb;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        for (const dt_verb_flag *flag = verb->flags; flag->name != NULL; flag++)
            if (is_choice(flag->value)) {
                fprintf(file, "        %s:--%s) words=\"", verb->name, flag->name);
                print_choices(flag->value, file);
                fputs("\" ;;\n", file);
            }
    for (int64_t i = 0; i < dt_options_count(); i++) {
        const dt_option *option = dt_options_at(i);
        if (option->type != DT_OPTION_CHOICE)
            continue;
        fprintf(file, "        *:--%s) words=\"", dt_options_dash(option->key, key));
        for (const char *const *choice = option->choices; *choice != NULL; choice++)
            fprintf(file, "%s%s", choice > option->choices ? " " : "", *choice);
        fputs("\" ;;\n", file);
    }
}

/* The arms of a `case $verb` that know a verb's flags. */
static void print_flag_arms(FILE *file) {
    const dt_verb *verb;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        if (is_first_of_name(verb)) {
            fprintf(file, "        %s) words=\"", verb->name);
            print_verb_flags(verb->name, file);
            fprintf(file, "--help%s\" ;;\n", verb->takes_options ? " $options" : "");
        }
}

static void print_words(FILE *file) {
    const dt_verb *verb;
    fputs("    local options=\"", file);
    print_option_flags(file);
    fputs("\"\n    local verbs=\"", file);
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        if (is_first_of_name(verb))
            fprintf(file, "%s ", verb->name);
    fputs("\"\n", file);
}

/* The verbs, as the pattern "sample:2|eval:2", whose synopsis has `word` right behind the verb. */
static void print_verbs_that_take(const char *word, const char *position, FILE *file) {
    const dt_verb *verb;
    char start[64];
    const char *between = "";
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++) {
        snprintf(start, sizeof start, "dtrain %s %s", verb->name, word);
        if (is_first_of_name(verb) && strstr(verb->synopsis, start) != NULL) {
            fprintf(file, "%s%s:%s", between, verb->name, position);
            between = "|";
        }
    }
}

/* What a word may begin: runs' folders, up to two folders deep, and the checkpoints in them. */
static void print_search(FILE *file) {
    fputs(
        "_dtrain_runs() {\n"
        "    local found\n"
        "    for found in \"$1\"*/metrics.jsonl \"$1\"*/*/metrics.jsonl; do\n"
        "        if [[ -e $found ]]; then printf '%s\\n' \"${found%/metrics.jsonl}\"; fi\n"
        "    done\n"
        "}\n"
        "_dtrain_checkpoints() {\n"
        "    local found\n"
        "    for found in \"$1\"*/metadata.json \"$1\"*/*/metadata.json \"$1\"*/checkpoints/*/metadata.json; do\n"
        "        if [[ -e $found ]]; then printf '%s\\n' \"${found%/metadata.json}\"; fi\n"
        "    done\n"
        "}\n",
        file);
}

static void print_folder_arms(FILE *file) {
    fputs("    elif [[ -z $words && $current != -* && $previous != --* ]]; then\n"
          "        case $verb:$place in\n"
          "        ",
          file);
    print_verbs_that_take("CHECKPOINT", "2", file);
    fputs(") words=\"latest best $(_dtrain_runs \"$current\") $(_dtrain_checkpoints \"$current\")\" ;;\n"
          "        ",
          file);
    print_verbs_that_take("RUN", "*", file);
    fputs("|runs:*) words=$(_dtrain_runs \"$current\") ;;\n"
          "        esac\n",
          file);
}

/* Both shells' functions choose `words` alike; an empty one leaves the word to the shell, which knows files.
 */
static void print_choice(FILE *file) {
    fputs("    case $verb:$previous in\n", file);
    print_value_arms(file);
    fputs("        *:--*) ;;\n"
          "    esac\n"
          "    if [[ -z $words && $current == -* ]]; then\n"
          "        case $verb in\n",
          file);
    print_flag_arms(file);
    fputs("        esac\n"
          "    elif [[ -z $words && $place == 1 ]]; then\n"
          "        words=\"$verbs\"\n"
          "    elif [[ -z $words && $place == 2 && $verb == help ]]; then\n"
          "        words=\"$verbs options\"\n",
          file);
    print_folder_arms(file);
    fputs("    fi\n", file);
}

static void print_bash(FILE *file) {
    fputs("# Completion of dtrain's command line for bash; dtrain help --completion bash prints it.\n", file);
    print_search(file);
    fputs(
        "_dtrain() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} place=$COMP_CWORD\n"
        "    local verb=train words=\n"
        "    if ((COMP_CWORD > 1)) && [[ ${COMP_WORDS[1]} != -* ]]; then verb=${COMP_WORDS[1]}; fi\n",
        file);
    print_words(file);
    print_choice(file);
    fputs("    COMPREPLY=()\n"
          "    if [[ -n $words ]]; then mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\"); fi\n"
          "}\n"
          "complete -o default -F _dtrain dtrain\n",
          file);
}

static void print_zsh(FILE *file) {
    fputs("#compdef dtrain\n"
          "# Completion of dtrain's command line for zsh; dtrain help --completion zsh prints it.\n",
          file);
    print_search(file);
    fputs(
        "_dtrain() {\n"
        "    setopt local_options null_glob\n"
        "    local current=${words[CURRENT]} previous=${words[CURRENT - 1]} place=$((CURRENT - 1)) verb=train\n"
        "    if ((CURRENT > 2)) && [[ ${words[2]} != -* ]]; then verb=${words[2]}; fi\n"
        "    local words=\n",
        file);
    print_words(file);
    print_choice(file);
    fputs("    if [[ -n $words ]]; then compadd -- ${=words}; else _files; fi\n"
          "}\n"
          "_dtrain \"$@\"\n",
          file);
}

dt_status dt_verb_print_completion(const char *shell, FILE *file) {
    if (strcmp(shell, "bash") == 0)
        print_bash(file);
    else if (strcmp(shell, "zsh") == 0)
        print_zsh(file);
    else
        return dt_usage("--completion: expected bash or zsh, found \"%s\"", shell);
    return DT_OK;
}
