/*
 * A document yields its entries with places, and a tree yields the JSON of the core schema; every document
 * that is not one flat map within the bounds is refused with its place.
 */
#include "support/sentence.h"

#include <stdlib.h>
#include <string.h>

#include "config/scalar.h"
#include "config/yaml.h"

static void test_entries(void **state) {
    (void)state;
    static const char text[] = "# opening\n%s: 3e-4 # rest\n\"b\": 'x y'\nc:\n  - 1\nd: |\n  5\ne:\n";
    char bytes[sizeof text + 8];
    snprintf(bytes, sizeof bytes, text, "a");
    dt_yaml_document document;
    assert_done(dt_yaml_read("t", bytes, strlen(bytes), &document));
    assert_int_equal(document.count, 5);
    const dt_yaml_entry *a = &document.entries[0], *b = a + 1, *c = a + 2, *d = a + 3, *e = a + 4;
    assert_string_equal(a->key, "a");
    assert_string_equal(a->text, "3e-4");
    assert_false(a->quoted);
    assert_int_equal(a->key_line * 100 + a->key_column, 201);
    assert_int_equal(a->line * 100 + a->column, 204);
    assert_string_equal(b->text, "x y");
    assert_true(b->quoted);
    assert_null(c->text);
    assert_true(json_is_array(c->tree));
    assert_string_equal(d->text, "5\n");
    assert_true(d->quoted);
    assert_string_equal(e->text, "");
    assert_false(e->quoted);
    dt_yaml_free(&document);
    assert_int_equal(document.count, 0);
}

static void test_empty_documents(void **state) {
    (void)state;
    static const char *const texts[] = {"",  "\n\n", "# only a comment\n", "---\n", "--- null\n...\n",
                                        "~", "{}",   "\xEF\xBB\xBF"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        dt_yaml_document document;
        assert_done(dt_yaml_read("t", texts[i], strlen(texts[i]), &document));
        assert_int_equal(document.count, 0);
        dt_yaml_free(&document);
    }
}

/* Left as YAML, right as the JSON it must mean. */
static void test_trees(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"{a: 1, b: [x, 2.5, true, null, ~, \"5\"]}", "{\"a\":1,\"b\":[\"x\",2.5,true,null,null,\"5\"]}"},
        {"a:\n- b: 0x10\n  c: 0o17\n  d:\n", "{\"a\":[{\"b\":16,\"c\":15,\"d\":null}]}"},
        {"[&x {n: 1}, *x]", "[{\"n\":1},{\"n\":1}]"},
        {"[yes, 1_000, 0b1, 1:30, -, .5, 5., +3, nan]",
         "[\"yes\",\"1_000\",\"0b1\",\"1:30\",\"-\",0.5,5.0,3,\"nan\"]"},
        {"{\"k\": \"\\u00e9\\n\"}", "{\"k\":\"\xC3\xA9\\n\"}"},
        {"", "null"},
        {"7", "7"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *tree = NULL;
        assert_done(dt_yaml_read_tree("t", rows[i][0], strlen(rows[i][0]), &tree));
        char *text = json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY);
        assert_string_equal(text, rows[i][1]);
        free(text);
        json_decref(tree);
    }
}

#define ROW(text, sentence)                                                                                  \
    { text, sizeof text - 1, sentence }

static const struct refusal {
    const char *bytes;
    size_t length;
    const char *sentence;
} refusals[] = {
    ROW("a: 1\nb: 2\na: 3\n", "t:3:1: a is given twice, first on line 1; remove one of the two"),
    ROW("a: {b: 1, \"b\": 2}", "t:1:11: b is given twice, first on line 1; remove one of the two"),
    ROW("a: *x", "t:1:4: this is not YAML: found undefined alias"),
    ROW("a: 1\n---\nb: 2\n", "t:2:1: expected one document, found a second one"),
    ROW("- a\n- b\n", "t:1:1: expected lines of \"key: value\", found a list"),
    ROW("a b c", "t:1:1: expected lines of \"key: value\", found a single value"),
    ROW("\"\"", "t:1:1: expected lines of \"key: value\", found a single value"),
    ROW("{'': 1}", "t:1:2: a key must be text, but this one is empty"),
    ROW("? {a: b}\n: 1\n", "t:1:3: a key must be text, but this one is a map"),
    ROW("? [a]\n: 1\n", "t:1:3: a key must be text, but this one is a list"),
    ROW("a: !!binary AAAA", "t:1:4: tags are not used here; write the value alone, without the tag"),
    ROW("a: !!str 5", "t:1:4: tags are not used here; write the value alone, without the tag"),
    ROW("%TAG ! tag:x,2000:\n---\na: 1",
        "t:1:1: tags are not used here; write the value alone, without the tag"),
    ROW("a: \"x\\0y\"", "t:1:4: a text cannot hold a NUL character"),
    ROW("a: x\0y", "t:1:5: this is not YAML text: control characters are not allowed"),
    ROW("a: 1\nb: \xFF\n", "t:2:4: this is not YAML text: invalid leading UTF-8 octet"),
    ROW("a: [1, 99999999999999999999]",
        "t:1:8: expected an integer from -9223372036854775807 to 9223372036854775807, found 99999999999999999999"),
    ROW("a: [.nan]", "t:1:5: expected a finite number, found .nan"),
    ROW("a: [-.INF]", "t:1:5: expected a finite number, found -.INF"),
    ROW("a: [1e999]", "t:1:5: expected a finite number, found 1e999"),
    ROW("a: b: c", "t:1:5: this is not YAML: mapping values are not allowed in this context"),
    ROW("a: \"b", "t:1:6: this is not YAML: found unexpected end of stream, while scanning a quoted scalar "
                  "that starts at "
                  "line 1, column 4"),
    ROW("a: &x {b: *x}",
        "t:1:4: maps and lists are nested more than 32 deep, or an alias stands inside its own anchor"),
    ROW("a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "t:1:35: maps and lists are nested more than 32 deep"),
    ROW("a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
        "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
        "t:1:4: expected at most 10000 values, found more once aliases are expanded"),
};

static void test_refusals(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        dt_yaml_document document;
        assert_refused(dt_yaml_read("t", refusals[i].bytes, refusals[i].length, &document),
                       refusals[i].sentence);
        dt_yaml_free(&document);
    }
}

static void test_long_key(void **state) {
    (void)state;
    char text[200];
    memset(text, 'k', sizeof text);
    memcpy(text + 129, ": 1", 4);
    dt_yaml_document document;
    assert_refused(dt_yaml_read("t", text, 132, &document),
                   "t:1:1: a key must have at most 128 bytes, but this one has 129");
    dt_yaml_free(&document);
}

/*
 * Hundreds of thousands of opening brackets end at the bound, whatever depth they reach, and without
 * recursion.
 */
static void test_deep_nesting(void **state) {
    (void)state;
    size_t length = 400000;
    char *text = malloc(length);
    memset(text, '[', length);
    json_t *tree = NULL;
    assert_refused(dt_yaml_read_tree("t", text, length, &tree),
                   "t:1:33: maps and lists are nested more than 32 deep");
    free(text);
}

/* `count` lines that printf makes of `format` and the number of each, behind `start`. */
static char *lines(const char *start, const char *format, int count) {
    char *text = NULL;
    size_t length;
    FILE *memory = open_memstream(&text, &length);
    fputs(start, memory);
    for (int i = 0; i < count; i++)
        fprintf(memory, format, i);
    assert_int_equal(fclose(memory), 0);
    return text;
}

/* libyaml looks through all anchors for each one: a hundred thousand would take a minute. As many keys and
 * values are not made into nodes first. */
static void test_many(void **state) {
    (void)state;
    static const struct {
        const char *start, *format, *sentence;
    } rows[] = {{"", "- &a%d x\n", "t:1001:3: expected at most 1000 anchors, found more"},
                {"a: &a x\n", "b%d: *a\n", "t:10000:8: expected at most 20000 keys and values, found more"},
                {"", "k%d: 1\n", "t:10000:8: expected at most 20000 keys and values, found more"},
                {"", "- %d\n", "t:20000:3: expected at most 20000 keys and values, found more"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = lines(rows[i].start, rows[i].format, 110000);
        dt_yaml_document document;
        assert_refused(dt_yaml_read("t", text, strlen(text), &document), rows[i].sentence);
        dt_yaml_free(&document);
        free(text);
    }
    /* One long text, and many aliases of it. */
    char *long_text = malloc(500001);
    memset(long_text, 'x', 500000);
    long_text[500000] = 0;
    char *start = NULL;
    assert_true(asprintf(&start, "a:\n - &a %s\n", long_text) > 0);
    char *repeated = lines(start, " - *a # %d\n", 2000);
    dt_yaml_document document;
    assert_refused(
        dt_yaml_read("t", repeated, strlen(repeated), &document),
        "t:2:4: expected values of at most 1048576 bytes together, found more once aliases are expanded");
    dt_yaml_free(&document);
    free(repeated);
    free(start);
    free(long_text);
    /* At the bound all is well. */
    char *text = lines("a:\n", " - &a%d x\n", 1000);
    json_t *tree = NULL;
    assert_done(dt_yaml_read_tree("t", text, strlen(text), &tree));
    json_decref(tree);
    free(text);
}

static void test_scalars(void **state) {
    (void)state;
    static const struct {
        const char *text;
        dt_scalar_kind kind;
        int64_t integer;
    } rows[] = {
        {"", DT_SCALAR_NULL, 0},
        {"NULL", DT_SCALAR_NULL, 0},
        {"nULL", DT_SCALAR_STRING, 0},
        {"TRUE", DT_SCALAR_BOOL, 0},
        {"tRUE", DT_SCALAR_STRING, 0},
        {"on", DT_SCALAR_STRING, 0},
        {"010", DT_SCALAR_INT, 10},
        {"-0", DT_SCALAR_INT, 0},
        {"0xfF", DT_SCALAR_INT, 255},
        {"0o10", DT_SCALAR_INT, 8},
        {"0o8", DT_SCALAR_STRING, 0},
        {"0x", DT_SCALAR_STRING, 0},
        {"-0x1", DT_SCALAR_STRING, 0},
        {"--1", DT_SCALAR_STRING, 0},
        {"1 ", DT_SCALAR_STRING, 0},
        {"1e", DT_SCALAR_STRING, 0},
        {"e1", DT_SCALAR_STRING, 0},
        {".", DT_SCALAR_STRING, 0},
        {".e1", DT_SCALAR_STRING, 0},
        {"1E+2", DT_SCALAR_REAL, 0},
        {"1.", DT_SCALAR_REAL, 0},
        {"inf", DT_SCALAR_STRING, 0},
        {"+.inf", DT_SCALAR_NOT_FINITE, 0},
        {"-.nan", DT_SCALAR_STRING, 0},
        {"1e400", DT_SCALAR_REAL_TOO_LARGE, 0},
        {"0x1p3", DT_SCALAR_STRING, 0},
        {"9223372036854775807", DT_SCALAR_INT, INT64_MAX},
        {"9223372036854775808", DT_SCALAR_INT_TOO_LARGE, 0},
        {"-9223372036854775807", DT_SCALAR_INT, -INT64_MAX},
        {"-9223372036854775808", DT_SCALAR_INT_TOO_LARGE, 0},
        {"0xFFFFFFFFFFFFFFFF", DT_SCALAR_INT_TOO_LARGE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dt_scalar scalar = dt_scalar_resolve(rows[i].text);
        if (scalar.kind != rows[i].kind || scalar.integer != rows[i].integer)
            fail_msg("%s: kind %d, integer %lld", rows[i].text, (int)scalar.kind, (long long)scalar.integer);
    }
    assert_true(dt_scalar_resolve("3.0e-4").real == 3e-4);
    assert_true(dt_scalar_resolve("-7").real == -7.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),  cmocka_unit_test(test_empty_documents),
        cmocka_unit_test(test_trees),    cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_long_key), cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_many),     cmocka_unit_test(test_scalars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
