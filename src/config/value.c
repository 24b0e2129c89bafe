/*
 * One switch over the types for each direction; what a plain scalar means is scalar.c's, YAML text is
 * emit.c's.
 */
#include "config/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "config/emit.h"
#include "config/json.h"
#include "config/list.h"
#include "config/scalar.h"
#include "config/yaml.h"

static void *field_of(const dt_config *config, const dt_option *option) {
    return (char *)config + option->offset;
}

/*
 * The sentence of every refusal: where, the key, what was expected, what was found, and what to do if that
 * helps.
 */
static dt_status refuse(const dt_option *option, const char *where, const char *found, const char *advice) {
    static const char *const articles[] = {
        [DT_OPTION_INT] = "an ",   [DT_OPTION_REAL] = "a ", [DT_OPTION_BOOL] = "",  [DT_OPTION_CHOICE] = "",
        [DT_OPTION_STRING] = "a ", [DT_OPTION_LIST] = "a ", [DT_OPTION_TREE] = "a "};
    char expected[DT_OPTION_TEXT_BYTES];
    return dt_usage("%s: %s must be %s%s, but is %s%s", where, option->key, articles[option->type],
                    dt_options_describe(option, expected), found, advice);
}

static dt_status refuse_text(const dt_option *option, const char *where, const char *text,
                             dt_value_style style, const char *advice) {
    char found[128];
    const char *dots = strlen(text) > 60 ? "..." : "";
    if (style == DT_VALUE_QUOTED)
        snprintf(found, sizeof found, "the string \"%.60s%s\"", text, dots);
    else
        snprintf(found, sizeof found, "%.60s%s", text[0] == '\0' ? "empty" : text, dots);
    return refuse(option, where, found, advice);
}

void dt_value_mark_given(dt_config *config, const dt_option *option) {
    DT_ASSERT(option >= dt_options_at(0) && option - dt_options_at(0) < dt_options_count());
    config->given[option - dt_options_at(0)] = true;
}

static void set_null(dt_config *config, const dt_option *option) {
    void *field = field_of(config, option);
    if (option->type == DT_OPTION_INT)
        *(int64_t *)field = DT_NULL_INT;
    else if (option->type == DT_OPTION_REAL)
        *(double *)field = DT_NULL_REAL;
    else {
        free(*(char **)field);
        *(char **)field = NULL;
    }
}

static dt_status set_int(dt_config *config, const dt_option *option, const char *text, const char *where) {
    dt_scalar scalar = dt_scalar_resolve(text);
    if (scalar.kind == DT_SCALAR_INT_TOO_LARGE)
        return refuse_text(option, where, text, DT_VALUE_PLAIN,
                           text[0] == '-'
                               ? ", which is below -9223372036854775807, the smallest value allowed"
                               : ", which is above 9223372036854775807, the largest value allowed");
    if (scalar.kind == DT_SCALAR_REAL && scalar.real == floor(scalar.real) && fabs(scalar.real) < 1e15) {
        char advice[48];
        snprintf(advice, sizeof advice, "; write it as %.0f", scalar.real);
        return refuse_text(option, where, text, DT_VALUE_PLAIN, advice);
    }
    if (scalar.kind != DT_SCALAR_INT || scalar.integer < option->low_int || scalar.integer > option->high_int)
        return refuse_text(option, where, text, DT_VALUE_PLAIN, "");
    *(int64_t *)field_of(config, option) = scalar.integer;
    return DT_OK;
}

static dt_status set_real(dt_config *config, const dt_option *option, const char *text, const char *where) {
    dt_scalar scalar = dt_scalar_resolve(text);
    if (scalar.kind == DT_SCALAR_INT_TOO_LARGE || scalar.kind == DT_SCALAR_REAL_TOO_LARGE)
        return refuse_text(option, where, text, DT_VALUE_PLAIN, ", which is too large");
    if (scalar.kind == DT_SCALAR_NOT_FINITE)
        return refuse_text(option, where, text, DT_VALUE_PLAIN, ", which is not finite");
    double low = option->low_real, high = option->high_real;
    bool number = scalar.kind == DT_SCALAR_INT || scalar.kind == DT_SCALAR_REAL;
    if (!number || scalar.real < low || scalar.real > high || (option->low_exclusive && scalar.real == low) ||
        (option->high_exclusive && scalar.real == high))
        return refuse_text(option, where, text, DT_VALUE_PLAIN, "");
    *(double *)field_of(config, option) =
        scalar.real + 0.0; /* -0.0 becomes 0.0, so that equal values look equal */
    return DT_OK;
}

/* Whether `index` is that of one of the option's words. */
static bool is_choice(const dt_option *option, int64_t index) {
    int64_t count = 0;
    while (option->choices[count])
        count++;
    return index >= 0 && index < count;
}

/* YAML 1.1, which PyYAML still reads, has more words for true and false. */
static bool is_older_bool(const char *text, bool *value) {
    static const char *const words[][2] = {{"no", "yes"}, {"No", "Yes"}, {"NO", "YES"},
                                           {"off", "on"}, {"Off", "On"}, {"OFF", "ON"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (int v = 0; v < 2; v++)
            if (strcmp(text, words[i][v]) == 0) {
                *value = v == 1;
                return true;
            }
    return false;
}

static dt_status set_bool(dt_config *config, const dt_option *option, const char *text, const char *where) {
    dt_scalar scalar = dt_scalar_resolve(text);
    if (scalar.kind != DT_SCALAR_BOOL && !is_older_bool(text, &scalar.boolean))
        return refuse_text(option, where, text, DT_VALUE_PLAIN, "");
    *(bool *)field_of(config, option) = scalar.boolean;
    return DT_OK;
}

static dt_status set_choice(dt_config *config, const dt_option *option, const char *text, const char *where) {
    for (int64_t i = 0; option->choices[i]; i++)
        if (strcmp(text, option->choices[i]) == 0) {
            *(int64_t *)field_of(config, option) = i;
            return DT_OK;
        }
    return refuse_text(option, where, text, DT_VALUE_PLAIN, "");
}

static dt_status replace_string(dt_config *config, const dt_option *option, char *fresh, const char *where) {
    if (fresh == NULL)
        return dt_fail("%s: out of memory while setting %s", where, option->key);
    char **field = field_of(config, option);
    free(*field);
    *field = fresh;
    return DT_OK;
}

/* Strings go into YAML and JSON files, which hold Unicode only. */
static dt_status check_string(const dt_option *option, const char *text, const char *where) {
    if (text[0] == '\0' && !option->may_be_empty)
        return refuse(option, where, "empty", "; give it at least one character");
    if (!dt_scalar_is_utf8(text))
        return refuse(option, where, "not valid UTF-8", "; give it in UTF-8");
    return DT_OK;
}

static dt_status set_string(dt_config *config, const dt_option *option, const char *text, const char *where) {
    DT_TRY(check_string(option, text, where));
    return replace_string(config, option, strdup(text), where);
}

static dt_status set_list(dt_config *config, const dt_option *option, const char *text, const char *where) {
    DT_TRY(check_string(option, text, where));
    return replace_string(config, option, dt_list_single(text), where);
}

static dt_status set_list_tree(dt_config *config, const dt_option *option, const json_t *tree,
                               const char *where) {
    if (json_array_size(tree) == 0)
        return refuse(option, where, "an empty list", "");
    for (size_t i = 0; i < json_array_size(tree); i++) {
        const json_t *entry = json_array_get(tree, i);
        char found[64];
        snprintf(found, sizeof found, "a list whose entry %zu is something else", i + 1);
        if (!json_is_string(entry))
            return refuse(option, where, found, "; a string that looks like another value needs quotes");
        DT_TRY(check_string(option, json_string_value(entry), where));
    }
    return replace_string(config, option, json_dumps(tree, JSON_COMPACT), where);
}

dt_status dt_value_append(dt_config *config, const dt_option *option, const char *text, const char *where) {
    DT_ASSERT(option->type == DT_OPTION_LIST && text && where);
    const char *list = *(char *const *)field_of(config, option);
    if (list == NULL || dt_scalar_resolve(text).kind == DT_SCALAR_NULL)
        return dt_value_set(config, option, text, DT_VALUE_ARGUMENT, where);
    DT_TRY(check_string(option, text, where));
    return replace_string(config, option, dt_list_append(list, text), where);
}

static dt_status set_flow(dt_config *config, const dt_option *option, const char *text, const char *where) {
    json_t *tree = NULL;
    DT_TRY(dt_yaml_read_tree(where, text, strlen(text), &tree));
    dt_status status = json_is_object(tree) ? dt_value_set_tree(config, option, tree, where)
                                            : refuse_text(option, where, text, DT_VALUE_PLAIN, "");
    json_decref(tree);
    return status;
}

dt_status dt_value_set(dt_config *config, const dt_option *option, const char *text, dt_value_style style,
                       const char *where) {
    DT_ASSERT(text && where && option->offset < sizeof *config);
    /*
     * On the command line the shell has taken the quotes away, so the word null is a string where null is no
     * value.
     */
    bool null =
        style == DT_VALUE_PLAIN || (style == DT_VALUE_ARGUMENT && option->nullable && text[0] != '\0');
    if (option->null_word && strcmp(text, option->null_word) == 0) {
        set_null(config, option);
        return DT_OK;
    }
    if (null && dt_scalar_resolve(text).kind == DT_SCALAR_NULL) {
        if (!option->nullable)
            return refuse(option, where, "null",
                          option->type == DT_OPTION_STRING ? "; a string that looks like null needs quotes"
                                                           : "");
        set_null(config, option);
        return DT_OK;
    }
    bool takes_strings = option->type == DT_OPTION_STRING || option->type == DT_OPTION_LIST ||
                         option->type == DT_OPTION_CHOICE;
    if (style == DT_VALUE_QUOTED && !takes_strings)
        return refuse_text(option, where, text, style,
                           option->type == DT_OPTION_TREE ? "" : "; remove the quotes");
    switch (option->type) {
    case DT_OPTION_INT:
        return set_int(config, option, text, where);
    case DT_OPTION_REAL:
        return set_real(config, option, text, where);
    case DT_OPTION_BOOL:
        return set_bool(config, option, text, where);
    case DT_OPTION_CHOICE:
        return set_choice(config, option, text, where);
    case DT_OPTION_STRING:
        return set_string(config, option, text, where);
    case DT_OPTION_LIST:
        return set_list(config, option, text, where);
    case DT_OPTION_TREE:
        break;
    }
    if (style == DT_VALUE_ARGUMENT)
        return set_flow(config, option, text, where);
    return refuse_text(option, where, text, style, "");
}

dt_status dt_value_set_tree(dt_config *config, const dt_option *option, const json_t *tree,
                            const char *where) {
    DT_ASSERT(json_is_object(tree) || json_is_array(tree));
    if (option->type == DT_OPTION_LIST && json_is_array(tree))
        return set_list_tree(config, option, tree, where);
    if (option->type != DT_OPTION_TREE || !json_is_object(tree))
        return refuse(option, where, json_is_object(tree) ? "a map" : "a list", "");
    return replace_string(config, option, json_dumps(tree, JSON_COMPACT | JSON_SORT_KEYS), where);
}

dt_status dt_value_set_json(dt_config *config, const dt_option *option, const json_t *value,
                            const char *where) {
    char text[DT_REAL_TEXT_BYTES];
    int64_t integer;
    DT_ASSERT(value && where);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        return dt_value_set_tree(config, option, value, where);
    case JSON_STRING:
        return dt_value_set(config, option, json_string_value(value),
                            option->type == DT_OPTION_INT && dt_json_read_integer(value, &integer)
                                ? DT_VALUE_PLAIN
                                : DT_VALUE_QUOTED,
                            where);
    case JSON_INTEGER:
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        (void)dt_emit_digits(json_real_value(value), text);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        snprintf(text, sizeof text, "%s", json_is_true(value) ? "true" : "false");
        break;
    case JSON_NULL:
        snprintf(text, sizeof text, "null");
        break;
    }
    return dt_value_set(config, option, text, DT_VALUE_PLAIN, where);
}

static bool is_null(const dt_config *config, const dt_option *option) {
    const void *field = field_of(config, option);
    switch (option->type) {
    case DT_OPTION_INT:
        return dt_is_null_int(*(const int64_t *)field);
    case DT_OPTION_REAL:
        return dt_is_null_real(*(const double *)field);
    case DT_OPTION_STRING:
    case DT_OPTION_LIST:
    case DT_OPTION_TREE:
        return *(char *const *)field == NULL;
    default:
        return false;
    }
}

dt_status dt_value_copy(dt_config *config, const dt_config *from, const dt_option *option) {
    void *field = field_of(config, option);
    const void *other = field_of(from, option);
    DT_ASSERT(config != from);
    switch (option->type) {
    case DT_OPTION_INT:
    case DT_OPTION_CHOICE:
        *(int64_t *)field = *(const int64_t *)other;
        return DT_OK;
    case DT_OPTION_REAL:
        *(double *)field = *(const double *)other;
        return DT_OK;
    case DT_OPTION_BOOL:
        *(bool *)field = *(const bool *)other;
        return DT_OK;
    case DT_OPTION_STRING:
    case DT_OPTION_LIST:
    case DT_OPTION_TREE:
        break;
    }
    if (is_null(from, option)) {
        set_null(config, option);
        return DT_OK;
    }
    return replace_string(config, option, strdup(*(char *const *)other), "checkpoint");
}

json_t *dt_value_to_json(const dt_config *config, const dt_option *option) {
    const void *field = field_of(config, option);
    if (is_null(config, option))
        return option->null_word ? json_string(option->null_word) : json_null();
    switch (option->type) {
    case DT_OPTION_INT:
        return dt_json_integer(*(const int64_t *)field);
    case DT_OPTION_REAL:
        return json_real(*(const double *)field);
    case DT_OPTION_BOOL:
        return json_boolean(*(const bool *)field);
    case DT_OPTION_CHOICE:
        DT_ASSERT(is_choice(option, *(const int64_t *)field));
        return json_string(option->choices[*(const int64_t *)field]);
    case DT_OPTION_STRING:
        return json_string(*(char *const *)field);
    case DT_OPTION_LIST:
        return dt_list_to_json(*(char *const *)field);
    case DT_OPTION_TREE:
        return json_loads(*(char *const *)field, 0, NULL);
    }
    return NULL;
}

void dt_value_print(const dt_config *config, const dt_option *option, FILE *file) {
    if (option->type == DT_OPTION_INT && !is_null(config, option)) {
        /* YAML's readers take all digits of an integer, JSON's do not. */
        fprintf(file, "%" PRId64, *(const int64_t *)field_of(config, option));
        return;
    }
    json_t *value = dt_value_to_json(config, option);
    bool word = option->type != DT_OPTION_TREE;
    if (word && json_is_string(value))
        dt_emit_string(json_string_value(value), file);
    else if (value != NULL)
        dt_emit_tree(value, file);
    json_decref(value);
}

char *dt_value_text(const dt_config *config, const dt_option *option) {
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL)
        return NULL;
    dt_value_print(config, option, memory);
    if (fclose(memory) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
