/**
 * The resolved configuration of a run: one typed field for every row of the option table.
 *
 * This room knows what can be set. A command line, a YAML file and a checkpoint's JSON enter; one checked
 * struct leaves, and the same table (options.h) as help, documents and the printed config.
 *
 * Values come from four places, the later beating the earlier: the table's defaults, the checkpoint that a
 * run goes on from, a YAML file, the command line. Each value is checked where it is set, so that its message
 * can name the file, line and column or the flag.
 *
 *     dt_config config;
 *     DT_TRY(dt_config_init(&config));                           the defaults
 *     DT_TRY(dt_config_read_yaml(&config, name, bytes, length)); the file
 *     DT_TRY(dt_config_read_flags(&config, ...));                the command line
 *     DT_TRY(dt_config_check(&config));                          what concerns several options at once
 *     ...
 *     dt_config_free(&config);
 */
#ifndef DT_CONFIG_CONFIG_H
#define DT_CONFIG_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "config/fields.h"

/**
 * Fills every field with the table's default, which fails for want of memory only; a test proves it. To be
 * freed also on failure. Local.
 */
dt_status dt_config_init(dt_config *config);

/** Frees the strings and leaves `config` all zero, not at its defaults. NULL is allowed. Local. */
void dt_config_free(dt_config *config);

/**
 * Sets what a YAML document of `length` bytes says. `name` stands in messages ("big.yaml:12:3: ..."). Fails
 * with DT_USAGE on anything that is not a flat map of known keys with values in bounds. Local.
 */
dt_status dt_config_read_yaml(dt_config *config, const char *name, const char *bytes, size_t length);

/** Sets one option from text as the command line would. `where` stands in messages. Local. */
dt_status dt_config_set(dt_config *config, const char *key, const char *text, const char *where);

/** Whether a file, a flag or dt_config_set has set the option `key` of the table, be it to its default.
 * Local.
 */
bool dt_config_is_given(const dt_config *config, const char *key);

/** Takes from `saved` every option that is not given in `config`, which keeps its own memory. Local. */
dt_status dt_config_adopt(dt_config *config, const dt_config *saved);

/**
 * dt_config_check, with the place in the document that dt_config_read_yaml has read into `config` when that
 * document breaks the rule by itself, whatever the flags say: the sentence then opens with "name:line:column:
 * " of the first of the options at fault. `bytes` may be NULL. Local.
 */
dt_status dt_config_check_document(const dt_config *config, const char *name, const char *bytes,
                                   size_t length);

/** Prints the config as YAML that dt_config_read_yaml reads back to the same config. Local. */
void dt_config_print(const dt_config *config, FILE *file);

/** A new JSON object with every option, for metadata.json; the caller owns it. NULL when out of memory.
 * Local. */
json_t *dt_config_to_json(const dt_config *config);

/** Sets `config` (initialised) from what dt_config_to_json made; `where` stands in messages. Local. */
dt_status dt_config_from_json(dt_config *config, const json_t *object, const char *where);

/** A hash of every option's value, equal for equal configs on every machine: metrics.jsonl's config_hash.
 * Local. */
uint64_t dt_config_hash(const dt_config *config);

/**
 * Compares the config of a checkpoint with the one of a run that resumes it. Differences in options that the
 * table marks as fixed (they would change the meaning of the run) fail, in one sentence that names all of
 * them, both values and what to do. For every other difference that matters, `changed` (may be NULL) is
 * called with key and both values as text. A null seed in `now` agrees with any: the run takes the saved one.
 * Local.
 */
dt_status dt_config_compare(const dt_config *saved, const dt_config *now,
                            void (*changed)(const char *key, const char *saved, const char *now));

#endif
