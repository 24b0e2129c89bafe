/*
 * What teaches a shell to complete dtrain's words, printed from the tables of verbs and options: verbs, each
 * verb's flags, the values of a flag that takes one of several words, checkpoints and runs' folders, and
 * files for the others. Both shells share a function that finds `choices`, with spaces between them, and
 * `folders`, a line each.
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
                fprintf(file, "    %s:--%s) choices=\"", verb->name, flag->name);
                print_choices(flag->value, file);
                fputs("\" ;;\n", file);
            }
    for (int64_t i = 0; i < dt_options_count(); i++) {
        const dt_option *option = dt_options_at(i);
        if (option->type == DT_OPTION_BOOL) /* needs no word, so that a flag may follow */
            fprintf(file, "    *:--%s) [[ $current == -* ]] || choices=\"true false\" ;;\n",
                    dt_options_dash(option->key, key));
        if (option->type != DT_OPTION_CHOICE)
            continue;
        fprintf(file, "    *:--%s) choices=\"", dt_options_dash(option->key, key));
        for (const char *const *choice = option->choices; *choice != NULL; choice++)
            fprintf(file, "%s%s", choice > option->choices ? " " : "", *choice);
        fputs("\" ;;\n", file);
    }
    fputs("    *:--resume) choices=\"latest best auto\" folders=$(_dtrain_models \"$current\") ;;\n"
          "    *:--init-from) choices=\"latest best\" folders=$(_dtrain_models \"$current\") ;;\n",
          file);
}

/* The arms of a `case $verb` that know a verb's flags. Help explains the flags of all. */
static void print_flag_arms(FILE *file) {
    const dt_verb *verb;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++) {
        const bool helps = strcmp(verb->name, "help") == 0;
        if (!is_first_of_name(verb))
            continue;
        fprintf(file, "        %s) choices=\"", verb->name);
        for (int other = 0; helps && dt_verb_at(other) != NULL; other++)
            if (is_first_of_name(dt_verb_at(other)) && dt_verb_at(other) != verb)
                print_verb_flags(dt_verb_at(other)->name, file);
        print_verb_flags(verb->name, file);
        fprintf(file, "--help%s\" ;;\n", verb->takes_options || helps ? " $options" : "");
    }
}

/* The flags that take no value, with a space at both ends. */
static void print_alone(FILE *file) {
    const dt_verb *verb;
    fputs("    local alone=\" ", file);
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        for (const dt_verb_flag *flag = verb->flags; flag->name != NULL; flag++)
            if (flag->value == NULL)
                fprintf(file, "--%s ", flag->name);
    fputs("\"\n", file);
}

static void print_words(FILE *file) {
    const dt_verb *verb;
    fputs("    local options=\"", file);
    print_option_flags(file);
    fputs("\"\n    local keys=\"", file);
    for (int64_t i = 0; i < dt_options_count(); i++)
        fprintf(file, "%s ", dt_options_at(i)->key);
    fputs("\"\n    local verbs=\"", file);
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        if (is_first_of_name(verb))
            fprintf(file, "%s ", verb->name);
    fputs("\"\n", file);
    print_alone(file);
}

/* The verbs whose synopsis has `word` right behind the verb, as the pattern "sample:0|eval:0", and "" after
 * nothing was printed, else "|". */
static const char *print_verbs_that_take(const char *between, const char *word, const char *position,
                                         FILE *file) {
    const dt_verb *verb;
    char start[64];
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++) {
        snprintf(start, sizeof start, "dtrain %s %s", verb->name, word);
        if (is_first_of_name(verb) && strstr(verb->synopsis, start) != NULL) {
            fprintf(file, "%s%s:%s", between, verb->name, position);
            between = "|";
        }
    }
    return between;
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
        "}\n"
        "_dtrain_models() {\n"
        "    _dtrain_runs \"$1\"\n"
        "    _dtrain_checkpoints \"$1\"\n"
        "}\n",
        file);
}

/* The arms of a `case $verb:$given` for words that are no flags. */
static void print_word_arms(FILE *file) {
    const dt_verb *verb;
    fputs("        help:0) choices=\"$verbs options $keys\" ;;\n"
          "        help:1) ;;\n",
          file);
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        if (is_first_of_name(verb) && verb->word != NULL)
            fprintf(file, "        %s:0) choices=\"%s\" ;;\n", verb->name, verb->word);
    fputs("        ", file);
    print_verbs_that_take("", "CHECKPOINT", "0", file);
    fputs(") choices=\"latest best\" folders=$(_dtrain_models \"$current\") ;;\n        ", file);
    const char *between = print_verbs_that_take("", "RUN", "*", file);
    between = print_verbs_that_take(between, "[RUN]", "0", file);
    print_verbs_that_take(between, "[FOLDER]", "0", file);
    fputs(") folders=$(_dtrain_runs \"$current\") ;;\n", file);
}

/* _dtrain_choose CURRENT PREVIOUS PLACE WORD ..: the word to complete, the one before it, its number, and the
 * words between the program's name and it. An answer without words and folders leaves the word to the shell,
 * which knows files. */
static void print_choice(FILE *file) {
    fputs("_dtrain_choose() {\n"
          "    local current=$1 previous=$2 place=$3 verb=train given=0 flag\n"
          "    shift 3\n",
          file);
    print_words(file);
    fputs("    if [[ $# -gt 0 && $1 != -* ]]; then verb=$1 && shift; fi\n"
          "    while [[ $# -gt 0 ]]; do\n"
          "        case $1 in\n"
          "        --*=*) ;;\n"
          "        --*)\n"
          "            flag=$1\n"
          "            if [[ ${2-} == = ]]; then shift; fi\n"
          "            if [[ $# -gt 1 && $alone != *\" $flag \"* ]]; then shift; fi ;;\n"
          "        *) given=$((given + 1)) ;;\n"
          "        esac\n"
          "        shift\n"
          "    done\n"
          "    choices= folders=\n"
          "    case $verb:$previous in\n",
          file);
    print_value_arms(file);
    fputs("    esac\n"
          "    if [[ -n $choices$folders ]]; then :\n"
          "    elif [[ $current == -* ]]; then\n"
          "        case $verb in\n",
          file);
    print_flag_arms(file);
    fputs("        esac\n"
          "    elif [[ $place == 1 ]]; then\n"
          "        choices=\"$verbs\"\n"
          "    elif [[ $previous != --* || $alone == *\" $previous \"* ]]; then\n"
          "        case $verb:$given in\n",
          file);
    print_word_arms(file);
    fputs("        esac\n"
          "    fi\n"
          "}\n",
          file);
}

/* bash takes "--flag=value" for three words. */
static void print_bash(FILE *file) {
    fputs("# Completion of dtrain's command line for bash; dtrain help --completion bash prints it.\n", file);
    print_search(file);
    print_choice(file);
    fputs(
        "_dtrain() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} choices folders found\n"
        "    if [[ $current == = ]]; then current=\n"
        "    elif [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
        "    fi\n"
        "    _dtrain_choose \"$current\" \"$previous\" \"$COMP_CWORD\" \"${COMP_WORDS[@]:1:COMP_CWORD - 1}\"\n"
        "    COMPREPLY=()\n"
        "    if [[ -n $choices ]]; then mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$current\"); fi\n"
        "    while IFS= read -r found; do\n"
        "        if [[ -n $found && $found == \"$current\"* ]]; then COMPREPLY+=(\"$found\"); fi\n"
        "    done <<<\"$folders\"\n"
        "    if [[ -n $folders ]]; then compopt -o filenames 2>/dev/null; fi\n"
        "    return 0\n"
        "}\n"
        "complete -o default -F _dtrain dtrain\n",
        file);
}

static void print_zsh(FILE *file) {
    fputs("#compdef dtrain\n"
          "# Completion of dtrain's command line for zsh; dtrain help --completion zsh prints it.\n",
          file);
    print_search(file);
    print_choice(file);
    fputs(
        "_dtrain() {\n"
        "    setopt local_options null_glob\n"
        "    local current=${words[CURRENT]} previous=${words[CURRENT - 1]} place=$((CURRENT - 1)) folders=\n"
        "    local -a before=(\"${(@)words[2,CURRENT - 1]}\")\n"
        "    local choices=\n"
        "    if [[ $current == --*=* ]]; then\n"
        "        previous=${current%%=*} current=${current#*=}\n"
        "        compset -P '*='\n"
        "    fi\n"
        "    _dtrain_choose \"$current\" \"$previous\" \"$place\" \"${before[@]}\"\n"
        "    if [[ -n $choices ]]; then compadd -- ${=choices}; fi\n"
        "    if [[ -n $folders ]]; then compadd -f -- \"${(@f)folders}\"; fi\n"
        "    if [[ -z $choices || -n $folders || $previous == --resume ]]; then _files; fi\n"
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
