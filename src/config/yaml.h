/**
 * YAML documents as options need them: a flat list of keys with scalars, or a tree as JSON.
 *
 * Stricter than YAML: one document, keys that are text and stand once, no tags. Anchors and aliases work,
 * within bounds on depth and size, so that a small file cannot unfold into a large one. Messages open with
 * "name:line:column: ".
 */
#ifndef DT_CONFIG_YAML_H
#define DT_CONFIG_YAML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Maps and lists within one another, values of one document and their bytes after its aliases are unfolded,
 * and anchors. */
#define DT_YAML_MAX_DEPTH   32
#define DT_YAML_MAX_NODES   10000
#define DT_YAML_MAX_BYTES   (1 << 20)
#define DT_YAML_MAX_ANCHORS 1000

/** One key of a flat document with its value: a scalar or a tree. Lines and columns count from 1. */
typedef struct dt_yaml_entry {
    char *key;
    int64_t key_line, key_column;
    char *text;           /**< the scalar, or NULL */
    bool quoted;          /**< the scalar is in quotes or a block of text: always a string */
    json_t *tree;         /**< the map or list, or NULL */
    int64_t line, column; /**< of the value */
} dt_yaml_entry;

typedef struct dt_yaml_document {
    dt_yaml_entry *entries; /**< in the order of the document */
    int64_t count;
} dt_yaml_document;

/**
 * Reads a document that is a map, or empty, into `document`, which the caller gives back with dt_yaml_free,
 * also after a failure. `name` stands in messages. Fails with DT_USAGE on everything that is not such a
 * document. Local.
 */
dt_status dt_yaml_read(const char *name, const char *bytes, size_t length, dt_yaml_document *document);

/** Frees what dt_yaml_read made. Local. */
void dt_yaml_free(dt_yaml_document *document);

/**
 * Reads a document of any shape into the new JSON value `*tree`, which the caller owns; empty is null. Local.
 */
dt_status dt_yaml_read_tree(const char *name, const char *bytes, size_t length, json_t **tree);

#endif
