/*
 * What a person asks the program about itself, and what a shell asks it to complete a line: help of verbs, of
 * options and of flags, in bash and in zsh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/command.h"

/* The output of a command that must succeed; owned by the caller. */
static char *output_of(const char *words) {
    command_result result = command_run("%s", words);
    if (result.exit_code != 0 || *result.err != 0)
        fail_msg("%s: expected exit code 0 and no error, found %d and\n%s", words, result.exit_code,
                 result.err);
    free(result.err);
    return result.out;
}

static char *asked(const char *words) {
    char line[256];
    snprintf(line, sizeof line, "%s %s", DTRAIN, words);
    return output_of(line);
}

static void expect(const char *text, const char *piece) {
    if (strstr(text, piece) == NULL)
        fail_msg("expected \"%s\" in:\n%s", piece, text);
}

/* Identity: every key of the printed config has its flag in the help of options. */
static void test_help(void **state) {
    (void)state;
    char *help = asked("help options"), *config = asked("--print-config");
    int64_t keys = 0;
    for (char *line = strtok(config, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char flag[128], plain[160], negatable[160];
        if (line[0] == '#')
            continue;
        snprintf(flag, sizeof flag, "%.*s", (int)strcspn(line, ":"), line);
        for (char *c = flag; *c != 0; c++)
            *c = *c == '_' ? '-' : *c;
        snprintf(negatable, sizeof negatable, "  --[no-]%s ", flag);
        snprintf(plain, sizeof plain, "  --%s ", flag);
        if (strstr(help, plain) == NULL && strstr(help, negatable) == NULL)
            fail_msg("help options lacks --%s", flag);
        keys++;
    }
    assert_true(keys > 30);
    free(config);
    free(help);
}

/* Identity: a verb's help is the same however it is asked for, and so is that of all; one option's help has
 * its row, and a name that is a verb's and an option's has both. */
static void test_help_of(void **state) {
    static const struct {
        const char *first, *second, *has;
    } ways[] = {
        {"help", "--help", "\n  bench --merge "},
        {"help", "-h", "\n  sample "},
        {"help", "--max-step --help", "dtrain help VERB"},
        {"help sample", "sample x --help", "\n  --top-k N "},
        {"help train", "train -h", "\n  --print-config "},
        {"help bench --merge", "bench --merge -h", "\n  --merge "},
        {"help bench --merge", "help --merge", "\n  dtrain bench --merge study"},
        {"help merge", "help bench merge", "Joins the JSON files"},
        {"help bench", "bench --json x --help", "\n  --algorithms "},
        {"help sample --help", "help sample", "\n  --top-k N "},
        {"help --top-k", "help --top_k", "A flag of dtrain sample.\n\n  --top-k N "},
        {"help sample --top-k", "help sample top_k", "\n  --top-k N "},
        {"help tokenize --decode", "tokenize --decode --help", "\n  --decode "},
        {"help --max-steps", "help max_steps", "\n  --max-steps INTEGER "},
        {"help train --max-steps", "help max_steps", "\n  --max-steps INTEGER "},
        {"help --no-shuffle", "help shuffle", "\n  --[no-]shuffle "},
        {"help --config", "help config", "A flag of dtrain train, data, bench, plan and progress."},
        {"help tokenizer train", "help tokenizer train", "\n  --vocab-size N "},
        {"help data", "help data", "`data: null`"},
        {"help learning_rate", "help learning-rate", "\n  --learning-rate NUMBER "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char *first = asked(ways[i].first);
        char *second = asked(ways[i].second);
        expect(first, ways[i].has);
        assert_string_equal(first, second);
        free(first);
        free(second);
    }
}

/* ---- completion ---- */

/* Words that are typed, the last one unfinished, and what both shells find for it, sorted. */
static const struct {
    const char *typed, *found;
} lines[] = {
    {"sam", "sample\n"},
    {"sample x --top", "--top-k\n--top-p\n"},
    {"eval x --split va", "validation\n"},
    {"--lr-schedule w", "wsd\n"},
    {"train --no-shuf", "--no-shuffle\n"},
    {"--shuffle t", "true\n"},
    {"--shuffle --max-st", "--max-steps\n"},
    {"verify --max-st", ""},
    {"help opt", "options\n"},
    {"help learning", "learning_rate\n"},
    {"help --merg", "--merge\n"},
    {"help bench --algo", "--algorithms\n"},
    {"tokenizer ''", "train\n"},
    {"tokenizer train t", ""},
    {"sample lat", "latest\n"},
    {"verify sweep/", "sweep/a\nsweep/a/checkpoints/checkpoint_step_5\n"},
    {"sample sweep/a prom", ""},
    {"sample --top-k 5 sweep/a/", "sweep/a/checkpoints/checkpoint_step_5\n"},
    {"sample sweep/a --top-k lat", ""},
    {"curve sweep/b swe", "sweep/a\n"},
    {"report --watch swe", "sweep/a\n"},
    {"report --out swe", ""},
    {"runs sw", "sweep/a\n"},
    {"progress sw", "sweep/a\n"},
    {"--resume ''", "auto\nbest\nlatest\nmy runs/b\nsweep/a\n"},
    {"--resume sweep/a/", "sweep/a/checkpoints/checkpoint_step_5\n"},
    {"train --max-steps 5 --resume my", "my runs/b\n"},
    {"--init-from sweep/", "sweep/a\nsweep/a/checkpoints/checkpoint_step_5\n"},
    {"--init-from lat", "latest\n"},
};

/* Lines that only one shell parts into these words. */
static const char bash_equals[] = "--resume = la", zsh_equals[] = "--resume=la";

static void expect_found(const char *shell, const char *script, const char *typed, const char *found) {
    char line[1024];
    snprintf(line, sizeof line, "%s ./complete.%s %s | LC_ALL=C sort", shell, script, typed);
    char *out = output_of(line);
    if (strcmp(out, found) != 0)
        fail_msg("%s: %s: expected\n%sfound\n%s", shell, typed, found, out);
    free(out);
}

/* The shell's own machinery, reduced to what it hands a completion and takes from it. */
static void prepare(const char *shell, const char *script) {
    char line[256];
    FILE *file;
    snprintf(line, sizeof line, "%s help --completion %s >printed.%s", DTRAIN, shell, shell);
    free(output_of(line));
    snprintf(line, sizeof line, "complete.%s", shell);
    assert_non_null(file = fopen(line, "w"));
    fputs(script, file);
    assert_int_equal(fclose(file), 0);
}

static void make_runs(void) {
    free(
        output_of("mkdir -p sweep/a/checkpoints/checkpoint_step_5 'my runs/b' && touch sweep/a/metrics.jsonl "
                  "'my runs/b/metrics.jsonl' sweep/a/checkpoints/checkpoint_step_5/metadata.json"));
}

static void test_bash(void **state) {
    (void)state;
    make_runs();
    prepare("bash", "source ./printed.bash\n"
                    "COMP_WORDS=(dtrain \"$@\") COMP_CWORD=$#\n"
                    "_dtrain\n"
                    "((${#COMPREPLY[@]} == 0)) || printf '%s\\n' \"${COMPREPLY[@]}\"\n");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        expect_found("bash", "bash", lines[i].typed, lines[i].found);
    expect_found("bash", "bash", bash_equals, "latest\n");
}

static void test_zsh(void **state) {
    (void)state;
    if (system("command -v zsh >/dev/null") != 0) {
        print_message("skipped: needs zsh; tools/install-packages test\n");
        skip();
    }
    make_runs();
    prepare("zsh", "words=(dtrain \"$@\") CURRENT=$((ARGC + 1))\n"
                   "prefix=${argv[-1]}\n"
                   "_files() { :; }\n"
                   "compset() { prefix=${prefix#*=}; }\n"
                   "compadd() {\n"
                   "    while [[ $1 != -- ]]; do shift; done\n"
                   "    for word in \"${@:2}\"; do\n"
                   "        if [[ $word == \"$prefix\"* ]]; then print -r -- \"$word\"; fi\n"
                   "    done\n"
                   "}\n"
                   "source ./printed.zsh\n");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        expect_found("zsh -f", "zsh", lines[i].typed, lines[i].found);
    expect_found("zsh -f", "zsh", zsh_equals, "latest\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_help_of),
        cmocka_unit_test(test_bash),
        cmocka_unit_test(test_zsh),
    };
    return cmocka_run_group_tests(tests, command_set_up, command_tear_down);
}
