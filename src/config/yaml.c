/*
 * libyaml does the reading, twice: once as tokens, to refuse tags, deep nesting and too many of anything
 * before anything grows (it looks through all anchors before it for each one), and once as a document of
 * nodes, which this file then walks. In such a document an alias is the node it stands for, so a walk can
 * meet a node many times, or for ever: depth and number of visits are bounded.
 */
#include "config/yaml.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config/scalar.h"

/* libyaml takes no longer keys without a question mark before them, and nobody needs them. */
#define MAX_KEY_BYTES 128

typedef struct reader {
    const char *name;
    yaml_document_t *document;
    int64_t visits, bytes; /* of values, aliases unfolded */
} reader;

__attribute__((format(printf, 3, 4))) static dt_status refuse_at(const char *name, yaml_mark_t mark,
                                                                 const char *format, ...) {
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return dt_usage("%s:%zu:%zu: %s", name, mark.line + 1, mark.column + 1, sentence);
}

/* Bytes that are no text have an offset but no mark yet. */
static yaml_mark_t mark_of_offset(const char *bytes, size_t length, size_t offset) {
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset && i < length; i++) {
        mark.line += bytes[i] == '\n';
        mark.column = bytes[i] == '\n' ? 0 : mark.column + 1;
    }
    return mark;
}

/* libyaml's own words, with the place they are about. */
static dt_status refuse_syntax(const yaml_parser_t *parser, const char *name, const char *bytes,
                               size_t length) {
    const char *problem = parser->problem ? parser->problem : "unreadable";
    if (parser->error == YAML_MEMORY_ERROR)
        return dt_fail("%s: out of memory while reading YAML", name);
    if (parser->error == YAML_READER_ERROR)
        return refuse_at(name, mark_of_offset(bytes, length, parser->problem_offset),
                         "this is not YAML text: %s", problem);
    if (parser->context == NULL)
        return refuse_at(name, parser->problem_mark, "this is not YAML: %s", problem);
    return refuse_at(name, parser->problem_mark,
                     "this is not YAML: %s, %s that starts at line %zu, column %zu", problem, parser->context,
                     parser->context_mark.line + 1, parser->context_mark.column + 1);
}

/* What one token adds to the depth of maps and lists. */
static int64_t depth_of(yaml_token_type_t type) {
    switch (type) {
    case YAML_BLOCK_SEQUENCE_START_TOKEN:
    case YAML_BLOCK_MAPPING_START_TOKEN:
    case YAML_FLOW_SEQUENCE_START_TOKEN:
    case YAML_FLOW_MAPPING_START_TOKEN:
        return 1;
    case YAML_BLOCK_END_TOKEN:
    case YAML_FLOW_SEQUENCE_END_TOKEN:
    case YAML_FLOW_MAPPING_END_TOKEN:
        return -1;
    default:
        return 0;
    }
}

static dt_status check_tokens(const char *name, const char *bytes, size_t length) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return dt_fail("%s: out of memory while reading YAML", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, length);
    dt_status status = DT_OK;
    int64_t depth = 0, values = 0, anchors = 0;
    for (bool end = false; status == DT_OK && !end;) {
        yaml_token_t token;
        if (!yaml_parser_scan(&parser, &token)) {
            status = refuse_syntax(&parser, name, bytes, length);
            break;
        }
        depth += depth_of(token.type);
        values +=
            token.type == YAML_SCALAR_TOKEN || token.type == YAML_ALIAS_TOKEN || depth_of(token.type) > 0;
        anchors += token.type == YAML_ANCHOR_TOKEN;
        if (depth > DT_YAML_MAX_DEPTH)
            status = refuse_at(name, token.start_mark, "maps and lists are nested more than %d deep",
                               DT_YAML_MAX_DEPTH);
        else if (values > 2 * DT_YAML_MAX_NODES)
            status = refuse_at(name, token.start_mark, "expected at most %d keys and values, found more",
                               2 * DT_YAML_MAX_NODES);
        else if (anchors > DT_YAML_MAX_ANCHORS)
            status = refuse_at(name, token.start_mark, "expected at most %d anchors, found more",
                               DT_YAML_MAX_ANCHORS);
        else if (token.type == YAML_TAG_TOKEN || token.type == YAML_TAG_DIRECTIVE_TOKEN)
            status = refuse_at(name, token.start_mark,
                               "tags are not used here; write the value alone, without the tag");
        end = token.type == YAML_STREAM_END_TOKEN;
        yaml_token_delete(&token);
    }
    yaml_parser_delete(&parser);
    return status;
}

/* Loads the only document; one without a root is empty. The caller deletes `document` when this succeeds. */
static dt_status load(const char *name, const char *bytes, size_t length, yaml_document_t *document) {
    DT_TRY(check_tokens(name, bytes, length));
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return dt_fail("%s: out of memory while reading YAML", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, length);
    if (!yaml_parser_load(&parser, document)) {
        dt_status status = refuse_syntax(&parser, name, bytes, length);
        yaml_parser_delete(&parser);
        return status;
    }
    dt_status status = DT_OK;
    if (yaml_document_get_root_node(document) != NULL) {
        yaml_document_t second;
        if (!yaml_parser_load(&parser, &second))
            status = refuse_syntax(&parser, name, bytes, length);
        else {
            if (yaml_document_get_root_node(&second) != NULL)
                status = refuse_at(name, second.start_mark, "expected one document, found a second one");
            yaml_document_delete(&second);
        }
    }
    if (status != DT_OK)
        yaml_document_delete(document);
    yaml_parser_delete(&parser);
    return status;
}

static const char *scalar_text(const yaml_node_t *node) {
    return (const char *)node->data.scalar.value;
}

static bool is_quoted(const yaml_node_t *node) {
    return node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

/* A value may hold any character but NUL, which would end it early in C. */
static dt_status check_text(const reader *read, const yaml_node_t *node) {
    if (strlen(scalar_text(node)) != node->data.scalar.length)
        return refuse_at(read->name, node->start_mark, "a text cannot hold a NUL character");
    return DT_OK;
}

/* Checks that a key is text and new, and remembers its line in `seen`. */
static dt_status check_key(const reader *read, const yaml_node_t *key, json_t *seen) {
    if (key->type != YAML_SCALAR_NODE)
        return refuse_at(read->name, key->start_mark, "a key must be text, but this one is a %s",
                         key->type == YAML_MAPPING_NODE ? "map" : "list");
    DT_TRY(check_text(read, key));
    const char *text = scalar_text(key);
    if (text[0] == '\0')
        return refuse_at(read->name, key->start_mark, "a key must be text, but this one is empty");
    if (strlen(text) > MAX_KEY_BYTES)
        return refuse_at(read->name, key->start_mark,
                         "a key must have at most %d bytes, but this one has %zu", MAX_KEY_BYTES,
                         strlen(text));
    const json_t *line = json_object_get(seen, text);
    if (line != NULL)
        return refuse_at(read->name, key->start_mark,
                         "%s is given twice, first on line %" JSON_INTEGER_FORMAT "; remove one of the two",
                         text, json_integer_value(line));
    if (json_object_set_new(seen, text, json_integer((json_int_t)key->start_mark.line + 1)) != 0)
        return dt_fail("%s: out of memory while reading YAML", read->name);
    return DT_OK;
}

static dt_status scalar_to_json(const reader *read, const yaml_node_t *node, json_t **json) {
    DT_TRY(check_text(read, node));
    const char *text = scalar_text(node);
    dt_scalar scalar = dt_scalar_resolve(text);
    if (is_quoted(node))
        scalar.kind = DT_SCALAR_STRING;
    switch (scalar.kind) {
    case DT_SCALAR_NULL:
        *json = json_null();
        break;
    case DT_SCALAR_BOOL:
        *json = json_boolean(scalar.boolean);
        break;
    case DT_SCALAR_INT:
        *json = json_integer(scalar.integer);
        break;
    case DT_SCALAR_REAL:
        *json = json_real(scalar.real);
        break;
    case DT_SCALAR_STRING:
        *json = json_string(text);
        break;
    case DT_SCALAR_INT_TOO_LARGE:
        return refuse_at(read->name, node->start_mark,
                         "expected an integer from -9223372036854775807 to 9223372036854775807, found %.60s",
                         text);
    case DT_SCALAR_REAL_TOO_LARGE:
    case DT_SCALAR_NOT_FINITE:
        return refuse_at(read->name, node->start_mark, "expected a finite number, found %.60s", text);
    }
    return *json ? DT_OK : dt_fail("%s: out of memory while reading YAML", read->name);
}

static dt_status node_to_json(reader *read, int id, int64_t depth, json_t **json);

static dt_status list_to_json(reader *read, const yaml_node_t *node, int64_t depth, json_t *list) {
    for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
         item++) {
        json_t *value = NULL;
        DT_TRY(node_to_json(read, *item, depth + 1, &value));
        if (json_array_append_new(list, value) != 0)
            return dt_fail("%s: out of memory while reading YAML", read->name);
    }
    return DT_OK;
}

static dt_status map_to_json(reader *read, const yaml_node_t *node, int64_t depth, json_t *map,
                             json_t *seen) {
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *key = yaml_document_get_node(read->document, pair->key);
        DT_TRY(check_key(read, key, seen));
        json_t *value = NULL;
        DT_TRY(node_to_json(read, pair->value, depth + 1, &value));
        if (json_object_set_new(map, scalar_text(key), value) != 0)
            return dt_fail("%s: out of memory while reading YAML", read->name);
    }
    return DT_OK;
}

/* The subtree under node `id` as new JSON; `depth` maps and lists are around it. */
static dt_status node_to_json(reader *read, int id, int64_t depth, json_t **json) {
    const yaml_node_t *node = yaml_document_get_node(read->document, id);
    if (depth > DT_YAML_MAX_DEPTH)
        return refuse_at(
            read->name, node->start_mark,
            "maps and lists are nested more than %d deep, or an alias stands inside its own anchor",
            DT_YAML_MAX_DEPTH);
    if (node->type == YAML_SCALAR_NODE)
        read->bytes += (int64_t)node->data.scalar.length;
    if (read->bytes > DT_YAML_MAX_BYTES)
        return refuse_at(read->name, node->start_mark,
                         "expected values of at most %d bytes together, found more once aliases are "
                         "expanded",
                         DT_YAML_MAX_BYTES);
    if (++read->visits > DT_YAML_MAX_NODES)
        return refuse_at(read->name, node->start_mark,
                         "expected at most %d values, found more once aliases are expanded",
                         DT_YAML_MAX_NODES);
    if (node->type == YAML_SCALAR_NODE)
        return scalar_to_json(read, node, json);
    bool map = node->type == YAML_MAPPING_NODE;
    json_t *made = map ? json_object() : json_array(), *seen = json_object();
    dt_status status = DT_OK;
    if (made == NULL || seen == NULL)
        status = dt_fail("%s: out of memory while reading YAML", read->name);
    else
        status = map ? map_to_json(read, node, depth, made, seen) : list_to_json(read, node, depth, made);
    json_decref(seen);
    if (status == DT_OK)
        *json = made;
    else
        json_decref(made);
    return status;
}

/* Fills one zeroed entry, which owns what it got also when this fails half-way. */
static dt_status read_entry(reader *read, const yaml_node_pair_t *pair, dt_yaml_entry *entry) {
    const yaml_node_t *key = yaml_document_get_node(read->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(read->document, pair->value);
    entry->key_line = (int64_t)key->start_mark.line + 1;
    entry->key_column = (int64_t)key->start_mark.column + 1;
    entry->line = (int64_t)value->start_mark.line + 1;
    entry->column = (int64_t)value->start_mark.column + 1;
    entry->key = strdup(scalar_text(key));
    if (entry->key == NULL)
        return dt_fail("%s: out of memory while reading YAML", read->name);
    if (value->type != YAML_SCALAR_NODE)
        return node_to_json(read, pair->value, 1, &entry->tree);
    DT_TRY(check_text(read, value));
    entry->quoted = is_quoted(value);
    entry->text = strdup(scalar_text(value));
    return entry->text ? DT_OK : dt_fail("%s: out of memory while reading YAML", read->name);
}

static dt_status read_entries(reader *read, const yaml_node_t *root, json_t *seen,
                              dt_yaml_document *document) {
    const yaml_node_pair_t *pairs = root->data.mapping.pairs.start;
    int64_t count = root->data.mapping.pairs.top - pairs;
    document->entries = calloc((size_t)count + 1, sizeof *document->entries);
    if (document->entries == NULL || seen == NULL)
        return dt_fail("%s: out of memory while reading YAML", read->name);
    for (int64_t i = 0; i < count; i++) {
        DT_TRY(check_key(read, yaml_document_get_node(read->document, pairs[i].key), seen));
        document->count = i + 1;
        DT_TRY(read_entry(read, &pairs[i], &document->entries[i]));
    }
    return DT_OK;
}

/* Nothing but comments, or the word null. */
static bool is_empty(const yaml_node_t *root) {
    return root == NULL || (root->type == YAML_SCALAR_NODE && !is_quoted(root) &&
                            dt_scalar_resolve(scalar_text(root)).kind == DT_SCALAR_NULL);
}

dt_status dt_yaml_read(const char *name, const char *bytes, size_t length, dt_yaml_document *document) {
    *document = (dt_yaml_document){0};
    yaml_document_t loaded;
    DT_TRY(load(name, bytes, length, &loaded));
    reader read = {.name = name, .document = &loaded};
    const yaml_node_t *root = yaml_document_get_root_node(&loaded);
    dt_status status = DT_OK;
    if (is_empty(root))
        status = DT_OK;
    else if (root->type != YAML_MAPPING_NODE)
        status = refuse_at(name, root->start_mark, "expected lines of \"key: value\", found a %s",
                           root->type == YAML_SCALAR_NODE ? "single value" : "list");
    else {
        json_t *seen = json_object();
        status = read_entries(&read, root, seen, document);
        json_decref(seen);
    }
    yaml_document_delete(&loaded);
    return status;
}

void dt_yaml_free(dt_yaml_document *document) {
    for (int64_t i = 0; i < document->count; i++) {
        free(document->entries[i].key);
        free(document->entries[i].text);
        json_decref(document->entries[i].tree);
    }
    free(document->entries);
    *document = (dt_yaml_document){0};
}

dt_status dt_yaml_read_tree(const char *name, const char *bytes, size_t length, json_t **tree) {
    yaml_document_t loaded;
    DT_TRY(load(name, bytes, length, &loaded));
    reader read = {.name = name, .document = &loaded};
    dt_status status = DT_OK;
    if (is_empty(yaml_document_get_root_node(&loaded)))
        *tree = json_null();
    else
        status = node_to_json(&read, 1, 0, tree); /* libyaml numbers nodes from 1, the root first */
    yaml_document_delete(&loaded);
    return status;
}
