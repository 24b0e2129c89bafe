/*
 * The rules of the house, checked by reading the sources: which room may include which, where foreign headers
 * may stand, that only main.c ends the program, who may print past the log, and that no arithmetic is
 * loosened. The reader itself is tested on planted violations.
 */
#include "support/sentence.h"

#include <ctype.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* A room, and the floor it stands on: it includes itself and rooms of lower floors. */
typedef struct room {
    const char *folder;
    int floor;
} room;

static const room rooms[] = {
    {"base/", 0},      {"tokenizer/", 1}, {"config/", 2}, {"comm/", 2},       {"data/", 2},  {"math/", 2},
    {"allreduce/", 3}, {"model/", 3},     {"optim/", 4},  {"checkpoint/", 5}, {"step/", 5},  {"infer/", 6},
    {"train/", 7},     {"plan/", 8},      {"bench/", 9},  {"report/", 10},    {"verb/", 11}, {"main.c", 12}};

/* A header of a library, and the only place under src/ that may include it. */
static const struct {
    const char *header, *home;
} foreign[] = {{"hwloc.h", "comm/topology.c"},
               {"mpi.h", "comm/mpi_world.h"},
               {"yaml.h", "config/yaml.c"},
               {"pcre2.h", "tokenizer/pattern.c"},
               {"utf8proc.h", "tokenizer/nfc.c"},
               {"isa-l/crc.h", "train/tensorboard_file.c"},
               {"tensorboard.pb-c.h", "train/tensorboard"}};

/* The header by which MPI is reached, and the only rooms that may include it. */
static bool reaches_mpi(const char *path, const char *header) {
    return strcmp(header, "comm/mpi_world.h") != 0 || strncmp(path, "comm/", 5) == 0 ||
           strncmp(path, "allreduce/", 10) == 0;
}

/*
 * Files that include one another, in one room. A header and the .c file of its name count as one: what they
 * include together is what they cannot do without. Between rooms the floors leave no circle.
 */
#define UNITS_MAX    512
#define UNIT_BYTES   64
#define INCLUDES_MAX 64
#define CIRCLE_BYTES 512

/* How far the search has come with a unit: not to it, below it, through it. */
typedef enum search_mark { MARK_NEW, MARK_OPEN, MARK_CLOSED } search_mark;

typedef struct unit {
    char name[UNIT_BYTES]; /* "comm/world" */
    int includes[INCLUDES_MAX], count;
    search_mark mark;
} unit;

static unit units[UNITS_MAX];
static int unit_count;

/* The place of the file `path` among the units, where it gets one if it has none. */
static int find_unit(const char *path) {
    char name[UNIT_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "."), path);
    for (int u = 0; u < unit_count; u++)
        if (strcmp(units[u].name, name) == 0)
            return u;
    assert_true(unit_count < UNITS_MAX);
    units[unit_count] = (unit){0};
    memcpy(units[unit_count].name, name, sizeof name);
    return unit_count++;
}

static void note_include(const char *path, const char *header) {
    const int from = find_unit(path), to = find_unit(header);
    if (from == to)
        return;
    assert_true(units[from].count < INCLUDES_MAX);
    units[from].includes[units[from].count++] = to;
}

/*
 * The first unit of a circle that is met below unit `u`, or -1. `way` gets the circle's units, each included
 * by the next one.
 */
static int circle_below(int u, char way[CIRCLE_BYTES]) {
    int first = -1;
    units[u].mark = MARK_OPEN;
    for (int i = 0; first < 0 && i < units[u].count; i++) {
        const int next = units[u].includes[i];
        if (units[next].mark == MARK_OPEN) {
            first = next;
            snprintf(way, CIRCLE_BYTES, "%s", units[next].name);
        } else if (units[next].mark == MARK_NEW)
            first = circle_below(next, way);
        const size_t used = strlen(way);
        /* Above the first one again the circle is whole, and what leads to it is no part of it. */
        if (first >= 0 && units[first].mark == MARK_OPEN)
            snprintf(way + used, CIRCLE_BYTES - used, " < %s", units[u].name);
    }
    units[u].mark = MARK_CLOSED;
    return first;
}

/* What is read from here on is another tree. */
static void forget_units(void) {
    memset(units, 0, sizeof units);
    unit_count = 0;
}

static bool find_circle(char way[CIRCLE_BYTES]) {
    way[0] = 0;
    for (int u = 0; u < unit_count; u++)
        if (units[u].mark == MARK_NEW && circle_below(u, way) >= 0)
            return true;
    return false;
}

static char complaint[512];
static int64_t files_read;

static const room *find_room(const char *path) {
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++)
        if (strncmp(path, rooms[i].folder, strlen(rooms[i].folder)) == 0)
            return &rooms[i];
    return NULL;
}

/* Judges one #include of the file at `path` below src/, with its closing mark; `what` is set on a violation.
 */
static void judge_include(const char *path, const char *header, char closing, const char **what) {
    const room *mine = find_room(path), *theirs = find_room(header);
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (strcmp(header, foreign[i].header) == 0 &&
            strncmp(path, foreign[i].home, strlen(foreign[i].home)) != 0)
            *what = "a library's header outside its one place";
    if (!reaches_mpi(path, header))
        *what = "MPI outside comm/ and allreduce/";
    if (closing == '>' || strncmp(header, "dtrain/", 7) == 0)
        return;
    if (mine == NULL || theirs == NULL)
        *what = "a file that is in none of the rooms";
    else if (theirs != mine && theirs->floor >= mine->floor)
        *what = "a room that does not lie below";
}

/* Blanks comments and the insides of strings, so that words in them do not count; #include lines stay whole.
 */
static void blank_prose(char *text) {
    for (char *c = text; *c != 0;) {
        bool line_start = c == text || c[-1] == '\n';
        if (line_start && *c == '#')
            c += strcspn(c, "\n");
        else if (strncmp(c, "/*", 2) == 0) {
            for (; *c != 0 && strncmp(c, "*/", 2) != 0; c++)
                *c = *c == '\n' ? '\n' : ' ';
        } else if (strncmp(c, "//", 2) == 0) {
            for (; *c != 0 && *c != '\n'; c++)
                *c = ' ';
        } else if (*c == '"' || *c == '\'') {
            char mark = *c++;
            for (; *c != 0 && *c != mark; c++)
                if (*c == '\\' && c[1] != 0)
                    *c++ = ' ', *c = ' ';
                else
                    *c = ' ';
            c += *c != 0;
        } else
            c++;
    }
}

/* Whether the code `text` has `word`, not as a part of another name, with `next` behind it, if that is not 0.
 */
static bool has_word(const char *text, const char *word, char next) {
    const size_t length = strlen(word);
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += length) {
        const char after = at[length];
        bool whole = (at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_')) &&
                     !(isalnum((unsigned char)after) || after == '_');
        if (whole && (next == 0 || at[length + strspn(at + length, " ")] == next))
            return true;
    }
    return false;
}

/*
 * Who prints past base/log.c, which escapes what it shows: help and the printed config, which are the
 * program's own text or escaped as YAML, numbers alone, and whoever only flushes.
 */
static bool may_print(const char *path) {
    static const char *const lines[] = {"base/log.c",    "base/narrow.c", "verb/help.c", "verb/data.c",
                                        "verb/decode.c", "verb/train.c",  "main.c",      "verb/complain.c"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strcmp(path, lines[i]) == 0)
            return true;
    return false;
}

static bool prints(const char *text) {
    static const char *const calls[] = {"printf", "vprintf", "puts", "putchar", "perror"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (has_word(text, calls[i], '('))
            return true;
    return has_word(text, "stdout", 0) || has_word(text, "stderr", 0);
}

/* What is wrong with a file of that path below src/ (or include/) and that text, or NULL. Changes the text.
 */
static const char *judge(const char *path, char *text) {
    const char *what = NULL;
    blank_prose(text);
    if (strcmp(path, "main.c") != 0 && has_word(text, "exit", '('))
        what = "a call of exit() below main.c";
    if (strncmp(path, "dtrain/", 7) != 0 && !may_print(path) && prints(text))
        what = "text that is shown without base/log.h";
    for (char *line = text; line != NULL && *line != 0; line += strcspn(line, "\n"), line += *line == '\n') {
        char header[256], closing;
        if (sscanf(line, " # include %*1[<\"]%255[^>\"\n]%c", header, &closing) != 2)
            continue;
        if (strncmp(path, "dtrain/", 7) == 0) {
            if (closing != '>')
                what = "a public header that needs a file of src/";
        } else
            judge_include(path, header, closing, &what);
        if (closing == '"')
            note_include(path, header);
    }
    return what;
}

static int visit(const char *path, const struct stat *info, int kind, struct FTW *position) {
    size_t length = strlen(path);
    char *text;
    (void)info;
    (void)position;
    if (kind != FTW_F || length < 2 || (strcmp(path + length - 2, ".c") && strcmp(path + length - 2, ".h")))
        return 0;
    if (dt_file_read(path, 1 << 20, &text, &length) != DT_OK)
        return -1;
    const char *below = strncmp(path, DTRAIN_SOURCE_DIR "/src/", sizeof DTRAIN_SOURCE_DIR "/src") == 0
                            ? path + sizeof DTRAIN_SOURCE_DIR "/src"
                            : path + sizeof DTRAIN_SOURCE_DIR "/include";
    const char *what = judge(below, text);
    if (what != NULL)
        snprintf(complaint, sizeof complaint, "%.400s: %s", path, what);
    free(text);
    files_read++;
    return 0;
}

/* Identity: every file keeps the rules. */
static void test_the_house(void **state) {
    (void)state;
    assert_int_equal(nftw(DTRAIN_SOURCE_DIR "/src", visit, 16, FTW_PHYS), 0);
    assert_int_equal(nftw(DTRAIN_SOURCE_DIR "/include", visit, 16, FTW_PHYS), 0);
    if (complaint[0] != 0)
        fail_msg("%s", complaint);
    assert_true(files_read > 100);
    char way[CIRCLE_BYTES];
    if (find_circle(way))
        fail_msg("files that include one another: %s", way);
    assert_true(unit_count > 100);
}

static const char *judged(const char *path, const char *text) {
    static char copy[1024];
    snprintf(copy, sizeof copy, "%s", text);
    const char *what = judge(path, copy);
    return what ? what : "";
}

/* Identity: each rule, broken, is noticed. */
static void test_planted_violations(void **state) {
    (void)state;
    assert_string_equal(judged("data/x.c", "int a;\n#include \"comm/world.h\"\n"),
                        "a room that does not lie below");
    assert_string_equal(judged("base/x.h", "#include \"math/gelu.h\"\n"), "a room that does not lie below");
    assert_string_equal(judged("optim/x.c", "#  include \"step/step.h\"\n"),
                        "a room that does not lie below");
    assert_string_equal(judged("train/x.c", "#include \"support/text.h\"\n"),
                        "a file that is in none of the rooms");
    assert_string_equal(judged("train/x.c", "#include <mpi.h>\n"),
                        "a library's header outside its one place");
    assert_string_equal(judged("train/x.c", "#include \"comm/mpi_world.h\"\n"),
                        "MPI outside comm/ and allreduce/");
    assert_string_equal(judged("config/value.c", "#include <yaml.h>\n"),
                        "a library's header outside its one place");
    assert_string_equal(judged("comm/cpus.c", "#include <hwloc.h>\n"),
                        "a library's header outside its one place");
    assert_string_equal(judged("model/x.c", "#include \"yaml.h\"\n#include <mpi.h>\n"),
                        "a library's header outside its one place");
    assert_string_equal(judged("train/x.c", "void f(void) {\n    exit (1);\n}\n"),
                        "a call of exit() below main.c");
    assert_string_equal(judged("train/x.c", "printf (\"%s\", text);\n"),
                        "text that is shown without base/log.h");
    assert_string_equal(judged("verb/verify.c", "fputs(text, stderr);\n"),
                        "text that is shown without base/log.h");
    assert_string_equal(judged("dtrain/x.h", "#include \"base/log.h\"\n"),
                        "a public header that needs a file of src/");
}

/* Identity: what is allowed, and words in comments and strings, are not complained of. */
static void test_planted_virtues(void **state) {
    (void)state;
    assert_string_equal(
        judged("comm/x.c",
               "#include \"comm/mpi_world.h\"\n#include \"comm/world.h\"\n#include \"base/log.h\"\n"),
        "");
    assert_string_equal(judged("main.c", "#include \"verb/verb.h\"\nint main(void) { exit(1); }\n"), "");
    assert_string_equal(
        judged("train/x.c", "#include \"dtrain/hook.h\"\n/* exit() ends it */ char *s = \"\\\"exit(1)\";\n"),
        "");
    assert_string_equal(
        judged("train/x.c", "_exit(1); on_exit(f); // #include <mpi.h>\n/*\n#include <mpi.h>\n*/\n"), "");
    assert_string_equal(
        judged("train/x.c", "/* stdout */ snprintf(a, 2, \"printf()\"); fprintf(memory, b);\n"), "");
    assert_string_equal(judged("verb/help.c", "puts(text);\n"), "");
    assert_string_equal(judged("dtrain/x.h", "#include <stdint.h>\n"), "");
}

/* Identity: a circle is found, named without what leads to it, and what only looks like one is none. */
static void test_planted_circle(void **state) {
    char way[CIRCLE_BYTES];
    (void)state;
    forget_units();
    note_include("train/a.c", "train/a.h");
    note_include("train/a.c", "train/b.h");
    note_include("train/a.h", "train/c.h");
    note_include("train/b.c", "train/d.h");
    note_include("train/c.c", "train/d.h");
    note_include("train/d.h", "train/e.h");
    assert_false(find_circle(way));
    for (int u = 0; u < unit_count; u++)
        units[u].mark = MARK_NEW;
    note_include("train/e.c", "train/b.h");
    assert_true(find_circle(way));
    assert_string_equal(way, "train/b < train/e < train/d < train/b");
    forget_units();
}

/* Identity: no build flag allows arithmetic that differs between machines or orders. */
static void test_flags(void **state) {
    (void)state;
    static const char *const files[] = {"CMakeLists.txt", "tests/CMakeLists.txt", "CMakePresets.json"};
    static const char *const flags[] = {"fast-math", "-Ofast", "march=native", "unsafe-math",
                                        "associative-math"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = dt_file_join(DTRAIN_SOURCE_DIR, files[i]), *text;
        size_t length;
        assert_done(dt_file_read(path, 1 << 20, &text, &length));
        for (size_t f = 0; f < sizeof flags / sizeof *flags; f++)
            if (strstr(text, flags[f]) != NULL)
                fail_msg("%s holds %s", path, flags[f]);
        free(text);
        free(path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_house),       cmocka_unit_test(test_planted_violations),
        cmocka_unit_test(test_planted_virtues), cmocka_unit_test(test_planted_circle),
        cmocka_unit_test(test_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
