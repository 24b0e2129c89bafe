/* Values of JSON, and the sentence for those that are not as they should be. */
#include "report/reader.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"

#define SHORT_BYTES     48 /* so much is shown of a value */
#define NUMBER_LARGEST  1e15
#define NUMBER_SMALLEST 1e-9

static void describe(const json_t *value, char text[SHORT_BYTES]) {
    static const char *const names[] = {[JSON_OBJECT] = "an object",
                                        [JSON_TRUE] = "true",
                                        [JSON_FALSE] = "false",
                                        [JSON_NULL] = "null",
                                        [JSON_STRING] = "a long text"};
    if (value == NULL)
        snprintf(text, SHORT_BYTES, "none");
    else if (json_is_integer(value))
        snprintf(text, SHORT_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, SHORT_BYTES, "%g", json_real_value(value));
    else if (json_is_string(value) && json_string_length(value) < SHORT_BYTES - 2)
        snprintf(text, SHORT_BYTES, "\"%s\"", json_string_value(value));
    else if (json_is_array(value))
        snprintf(text, SHORT_BYTES, "a list of %zu", json_array_size(value));
    else
        snprintf(text, SHORT_BYTES, "%s", names[json_typeof(value)]);
}

void dt_reader_refuse(dt_reader *reader, const char *key, const char *expected) {
    char found[SHORT_BYTES];
    if (reader->status != DT_OK)
        return;
    describe(json_object_get(reader->object, key), found);
    reader->status = dt_usage(
        "--merge: %s: %sexpected %s to be %s, found %s; measure that study again with dtrain bench --scaling",
        reader->file, reader->where, key, expected, found);
}

const char *dt_reader_text(dt_reader *reader, const char *key, size_t capacity) {
    const json_t *value = json_object_get(reader->object, key);
    const size_t length = json_string_length(value);
    char expected[SHORT_BYTES];
    if (json_is_string(value) && length >= 1 && length < capacity)
        return json_string_value(value);
    snprintf(expected, sizeof expected, "a text of 1 to %zu bytes", capacity - 1);
    dt_reader_refuse(reader, key, expected);
    return "";
}

int64_t dt_reader_count(dt_reader *reader, const char *key, int64_t min, int64_t max) {
    DT_ASSERT(min <= max);
    const json_t *value = json_object_get(reader->object, key);
    char expected[2 * SHORT_BYTES];
    if (json_is_integer(value) && json_integer_value(value) >= min && json_integer_value(value) <= max)
        return json_integer_value(value);
    if (min == max)
        snprintf(expected, sizeof expected, "%" PRId64, min);
    else
        snprintf(expected, sizeof expected, "a whole number from %" PRId64 " to %" PRId64, min, max);
    dt_reader_refuse(reader, key, expected);
    return min;
}

static double number_from(dt_reader *reader, const char *key, double min) {
    const json_t *value = json_object_get(reader->object, key);
    const double number = json_number_value(value);
    char expected[2 * SHORT_BYTES];
    if (json_is_number(value) && number >= min && number <= NUMBER_LARGEST)
        return number;
    snprintf(expected, sizeof expected, "a number from %g to %g", min, NUMBER_LARGEST);
    dt_reader_refuse(reader, key, json_is_number(value) ? expected : "a number");
    return 1.0;
}

double dt_reader_number(dt_reader *reader, const char *key) {
    return number_from(reader, key, 0.0);
}

double dt_reader_positive(dt_reader *reader, const char *key) {
    return number_from(reader, key, NUMBER_SMALLEST);
}

const json_t *dt_reader_list(dt_reader *reader, const char *key, size_t max) {
    const json_t *value = json_object_get(reader->object, key);
    char expected[SHORT_BYTES];
    if (json_is_array(value) && json_array_size(value) >= 1 && json_array_size(value) <= max)
        return value;
    snprintf(expected, sizeof expected, "a list of 1 to %zu", max);
    dt_reader_refuse(reader, key, expected);
    return NULL;
}

dt_reader dt_reader_enter(dt_reader *reader, const char *key) {
    dt_reader inner = {.object = json_object_get(reader->object, key), .file = reader->file};
    if (!json_is_object(inner.object))
        dt_reader_refuse(reader, key, "an object");
    snprintf(inner.where, sizeof inner.where, "%s: ", key);
    inner.status = reader->status;
    return inner;
}
