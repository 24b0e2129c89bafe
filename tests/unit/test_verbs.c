/*
 * The table of verbs, walked row by row and flag by flag: the parser takes each flag as its row says and
 * refuses it otherwise, and synopsis, help and manual page name it.
 */
#include "support/printed.h"
#include "support/scratch.h"
#include "support/sentence.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "config/config.h"
#include "config/options.h"
#include "verb/table.h"
#include "verb/verb.h"

/* `text` without the manual page's escapes and changes of font; the caller frees it. */
static char *unescaped(const char *text) {
    char *plain = malloc(strlen(text) + 1), *end = plain;
    for (; *text != 0; text++)
        if (strncmp(text, "\\f", 2) == 0)
            text += 2;
        else if (*text != '\\')
            *end++ = *text;
    *end = 0;
    return plain;
}

static dt_status read_words(const dt_verb *verb, dt_verb_flags *flags, int count, const char *first,
                            const char *second) {
    char *words[] = {strdup(first), strdup(second)};
    const char *positional[2];
    int positionals = 0;
    dt_config config;
    assert_done(dt_config_init(&config));
    const dt_status status = dt_verb_read(verb, verb->takes_options ? &config : NULL, count, words, flags,
                                          positional, &positionals);
    dt_config_free(&config);
    free(words[0]); /* what `flags` points to now is only compared with NULL */
    free(words[1]);
    return status;
}

static const char *field(const dt_verb_flags *flags, const dt_verb_flag *flag) {
    return *(const char *const *)((const char *)flags + flag->offset);
}

/* Identity: a flag alone sets its own field and no other. */
static void check_taken(const dt_verb *verb, const dt_verb_flag *flag) {
    dt_verb_flags flags;
    char word[64], sentence[128];
    snprintf(word, sizeof word, "--%s", flag->name);
    assert_done(read_words(verb, &flags, flag->value ? 2 : 1, word, "x"));
    for (int i = 0; verb->flags[i].name != NULL; i++)
        assert_int_equal(field(&flags, &verb->flags[i]) != NULL, &verb->flags[i] == flag);
    free(flags.data_list);
    if (flag->value) {
        snprintf(sentence, sizeof sentence, "--%s needs a value; dtrain help --%s says which", flag->name,
                 flag->name);
        assert_int_equal(read_words(verb, &flags, 1, word, ""), DT_USAGE);
    } else {
        snprintf(sentence, sizeof sentence, "--%s takes no value, but is given \"x\"", flag->name);
        snprintf(word, sizeof word, "--%s=x", flag->name);
        assert_int_equal(read_words(verb, &flags, 1, word, ""), DT_USAGE);
    }
    assert_string_equal(dt_error(), sentence);
}

/* A misspelt flag is refused, and the right one is offered. */
static void check_misspelt(const dt_verb *verb, const dt_verb_flag *flag) {
    dt_verb_flags flags;
    char word[64], sentence[64];
    snprintf(word, sizeof word, "--%sq", flag->name);
    snprintf(sentence, sizeof sentence, "did you mean --%s?", flag->name);
    assert_int_equal(read_words(verb, &flags, 1, word, ""), DT_USAGE);
    assert_non_null(strstr(dt_error(), sentence));
}

/* One that may be given several times has all its values, in their order. */
static void test_listed_flags(void **state) {
    char *words[] = {"--data", "a b", "--split", "all", "--data=c"};
    const char *positional[5];
    dt_verb_flags flags;
    int count = 0;
    (void)state;
    assert_done(dt_verb_read(dt_verb_find("eval", 0, NULL), NULL, 5, words, &flags, positional, &count));
    assert_string_equal(flags.data_list, "[\"a b\",\"c\"]");
    assert_string_equal(flags.data, "c");
    free(flags.data_list);
    words[1] = "\xff";
    assert_int_equal(dt_verb_read(dt_verb_find("eval", 0, NULL), NULL, 2, words, &flags, positional, &count),
                     DT_USAGE);
    assert_string_equal(dt_error(), "--data: expected a name in UTF-8, found another");
    free(flags.data_list);
}

static void test_parser_takes_each_flag(void **state) {
    const dt_verb *verb;
    int flags = 0;
    (void)state;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        for (int i = 0; verb->flags[i].name != NULL; i++, flags++) {
            check_taken(verb, &verb->flags[i]);
            check_misspelt(verb, &verb->flags[i]);
        }
    assert_true(flags > 30);
}

static const dt_verb_flag *find_flag(const dt_verb *verb, const char *name, size_t length) {
    for (int i = 0; verb->flags[i].name != NULL; i++)
        if (strlen(verb->flags[i].name) == length && strncmp(verb->flags[i].name, name, length) == 0)
            return &verb->flags[i];
    return NULL;
}

/* Identity: the flags of a synopsis are those of its row, with values where they take one. --OPTION stands
 * for the options of training, and data names the one that it needs. */
static void test_synopsis_has_each_flag(void **state) {
    const dt_verb *verb;
    (void)state;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++) {
        int named = 0;
        for (const char *at = verb->synopsis; (at = strstr(at, "--")) != NULL;) {
            const size_t length = strcspn(at += 2, " ]");
            const dt_verb_flag *flag = find_flag(verb, at, length);
            if (flag != NULL) {
                named |= 1 << (flag - verb->flags);
                const bool has_value = at[length] == ' ' && at[length + 1] != '|' && at[length + 1] != '[' &&
                                       (verb->mode == NULL || strcmp(flag->name, verb->mode) != 0);
                assert_int_equal(has_value, flag->value != NULL);
                const size_t shown = has_value ? strcspn(at + length + 1, " .]") : 0;
                if (has_value && strncmp(flag->value, at + length + 1, shown) != 0)
                    fail_msg("%s: --%s takes %s in its row, %.*s in the synopsis", verb->name, flag->name,
                             flag->value, (int)shown, at + length + 1);
            } else if (length > 0 && strncmp(at, "OPTION", length) != 0 && strncmp(at, "FLAG", length) != 0 &&
                       strncmp(at, "seed", length) != 0)
                fail_msg("%s: --%.*s is none of its flags", verb->name, (int)length, at);
        }
        assert_int_equal(strstr(verb->synopsis, "--OPTION VALUE") != NULL, verb->takes_options);
        assert_int_equal(find_flag(verb, "config", 6) != NULL, verb->takes_options);
        for (int i = 0; verb->flags[i].name != NULL; i++)
            if (!(named & 1 << i))
                fail_msg("%s: the synopsis lacks --%s", verb->name, verb->flags[i].name);
        assert_non_null(strstr(verb->synopsis, verb->name));
    }
}

static void test_rows_are_found(void **state) {
    char *merge[] = {"a.json", "--merge"}, *plain[] = {"--json", "merge"};
    const dt_verb *verb;
    char word[32];
    (void)state;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++) {
        if (verb->mode == NULL)
            assert_ptr_equal(dt_verb_find(verb->name, 0, NULL), verb);
        snprintf(word, sizeof word, "%sx", verb->name);
        assert_null(dt_verb_find(word, 0, NULL));
        assert_int_equal(dt_verb_unknown(word), DT_USAGE);
        assert_non_null(strstr(dt_error(), verb->name));
    }
    assert_string_equal(dt_verb_find("bench", 2, merge)->mode, "merge");
    assert_null(dt_verb_find("bench", 2, plain)->mode);
}

static void test_help_fits(void **state) {
    char *text = printed(dt_verb_print_usage);
    (void)state;
    for (const char *line = text; *line != 0; line += strcspn(line, "\n") + 1) {
        assert_true(strcspn(line, "\n") <= 100);
        assert_true(strncmp(line, "  ", 2) == 0);
    }
    const char *at = text;
    const dt_verb *verb;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        for (const char *word = verb->synopsis; *word != 0; word += strspn(word, " ")) {
            const size_t length = strcspn(word, " ");
            at += strspn(at, " \n");
            assert_int_equal(strncmp(at, word, length), 0);
            at += length;
            word += length;
        }
    free(text);
}

static void test_manual_page_has_all(void **state) {
    char *text = printed(dt_verb_print_man), *plain = unescaped(text), line[256];
    const dt_verb *verb;
    (void)state;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++) {
        const char *from = strstr(plain, ".SH DESCRIPTION");
        assert_non_null(strstr(plain, verb->synopsis));
        snprintf(line, sizeof line, "\n.B %s%s%s\n%.20s", verb->name, verb->mode ? " --" : "",
                 verb->mode ? verb->mode : "", verb->about);
        assert_non_null(from);
        assert_non_null(strstr(from, line));
    }
    for (int64_t i = 0; i < dt_options_count(); i++) {
        snprintf(line, sizeof line, "\n%s", dt_options_at(i)->help);
        assert_non_null(strstr(plain, line));
    }
    free(plain);
    free(text);
}

static const char *page_of;

/* What `dtrain help FIRST [SECOND]` prints, which goes to standard output. */
static char *help_on(const char *first, const char *second) {
    char path[] = "/tmp/dtrain-verbs-XXXXXX", *words[] = {strdup(first), strdup(second ? second : "")};
    const int file = mkstemp(path), before = dup(STDOUT_FILENO);
    size_t length;
    fflush(NULL);
    assert_true(file >= 0 && before >= 0 && dup2(file, STDOUT_FILENO) >= 0);
    const dt_status status = dt_verb_help(dt_verb_find("help", 0, NULL), second ? 2 : 1, words);
    fflush(NULL);
    assert_true(dup2(before, STDOUT_FILENO) >= 0);
    close(before);
    close(file);
    assert_done(status);
    char *text = scratch_get(path, &length);
    unlink(path);
    free(words[0]);
    free(words[1]);
    return text;
}

static char *help_of(const char *name) {
    return help_on(name, NULL);
}

/* `text` with one space for each run of spaces and ends of lines; the caller frees it. */
static char *unwrapped(const char *text) {
    char *plain = malloc(strlen(text) + 1), *end = plain;
    for (; *text != 0; text++)
        if (*text != ' ' && *text != '\n')
            *end++ = *text;
        else if (end > plain && end[-1] != ' ')
            *end++ = ' ';
    *end = 0;
    return plain;
}

/* Identity: a verb's help has the synopses of its rows, and each of their flags with what it takes and does.
 */
static void test_helps_have_all(void **state) {
    const dt_verb *verb;
    char line[512];
    (void)state;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++) {
        char *wrapped = help_of(verb->name), *text = unwrapped(wrapped);
        assert_non_null(strstr(text, verb->synopsis));
        assert_non_null(strstr(text, verb->about));
        assert_non_null(strstr(text, verb->example));
        for (const dt_verb_flag *flag = verb->flags; flag->name != NULL; flag++) {
            snprintf(line, sizeof line, "--%s%s%s %s", flag->name, flag->value ? " " : "",
                     flag->value ? flag->value : "", flag->help);
            if (strstr(text, line) == NULL)
                fail_msg("%s: the help lacks %s", verb->name, line);
        }
        free(wrapped);
        free(text);
    }
}

/* The help on two words, or one, has `line`. */
static void check_told(const char *first, const char *second, const char *line) {
    char *wrapped = help_on(first, second), *text = unwrapped(wrapped);
    if (strstr(text, line) == NULL)
        fail_msg("help %s %s: expected \"%s\", found\n%s", first, second ? second : "", line, wrapped);
    if (strstr(text, "(null)") != NULL)
        fail_msg("help %s %s: found (null)", first, second ? second : "");
    free(wrapped);
    free(text);
}

/* Identity: each flag of a verb and each option has its help under its own name with dashes, alone and behind
 * its verb; of those that are help's own, which print something else, behind the verb without dashes. */
static void test_each_flag_has_help(void **state) {
    const dt_verb *verb;
    char line[512], word[64];
    (void)state;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++)
        for (const dt_verb_flag *flag = verb->flags; flag->name != NULL; flag++) {
            const char *dashes = strcmp(verb->name, "help") == 0 ? "" : "--";
            snprintf(line, sizeof line, "--%s%s%s %s", flag->name, flag->value ? " " : "",
                     flag->value ? flag->value : "", flag->help);
            snprintf(word, sizeof word, "%s%s", dashes, flag->name);
            check_told(verb->name, word, line);
            check_told(word, NULL, line);
        }
    for (int64_t i = 0; i < dt_options_count(); i++) {
        const dt_option *option = dt_options_at(i);
        snprintf(word, sizeof word, "--%s", option->key);
        check_told(word, NULL, option->help);
        check_told("train", word, option->help);
        check_told(option->key, NULL, option->help);
    }
}

static void print_page(FILE *file) {
    assert_done(dt_verb_print_verb_man(page_of, file));
}

/* Identity: a verb's page has the synopses of its rows, and each of their flags with what it takes. */
static void test_verbs_pages_have_all(void **state) {
    const dt_verb *verb;
    char line[512];
    (void)state;
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++) {
        page_of = verb->name;
        char *text = printed(print_page), *plain = unescaped(text);
        assert_non_null(strstr(plain, verb->synopsis));
        assert_non_null(strstr(plain, verb->example));
        for (const dt_verb_flag *flag = verb->flags; flag->name != NULL; flag++) {
            snprintf(line, sizeof line, "\n.B --%s%s%s\n%s.\n", flag->name, flag->value ? " " : "",
                     flag->value ? flag->value : "", flag->help);
            if (strstr(plain, line) == NULL)
                fail_msg("%s: the page lacks %s", verb->name, line);
        }
        free(plain);
        free(text);
    }
    assert_int_equal(dt_verb_print_verb_man("tarin", stdout), DT_USAGE);
}

/* mandoc has nothing to say of the page. */
static void check_well_formed(void (*print)(FILE *file)) {
    char folder[] = "/tmp/dtrain-verbs-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *text = printed(print), *path = dt_file_join(folder, "page.1"), command[256];
    assert_done(dt_file_save(path, text, strlen(text)));
    snprintf(command, sizeof command, "mandoc -T lint -W warning %s", path);
    int result = system(command);
    assert_done(dt_file_remove_tree(folder));
    free(text);
    free(path);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
}

static void test_manual_pages_are_well_formed(void **state) {
    const dt_verb *verb;
    (void)state;
    if (system("command -v mandoc >/dev/null") != 0) {
        print_message("skipped: needs mandoc, which judges the pages; tools/install-packages test\n");
        skip();
    }
    check_well_formed(dt_verb_print_man);
    for (int v = 0; (verb = dt_verb_at(v)) != NULL; v++) {
        page_of = verb->name;
        check_well_formed(print_page);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parser_takes_each_flag),
        cmocka_unit_test(test_listed_flags),
        cmocka_unit_test(test_synopsis_has_each_flag),
        cmocka_unit_test(test_rows_are_found),
        cmocka_unit_test(test_help_fits),
        cmocka_unit_test(test_manual_page_has_all),
        cmocka_unit_test(test_helps_have_all),
        cmocka_unit_test(test_each_flag_has_help),
        cmocka_unit_test(test_verbs_pages_have_all),
        cmocka_unit_test(test_manual_pages_are_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
