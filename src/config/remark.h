/**
 * What is allowed and yet unlikely to be meant.
 */
#ifndef DT_CONFIG_REMARK_H
#define DT_CONFIG_REMARK_H

#include <stdbool.h>
#include <stddef.h>

#include "config/fields.h"

/**
 * What a run of `config` will not do although it is asked for: an option that has no effect beside the values
 * of others, a schedule that does not come to its end. Remark `index`, from 0, as a sentence in
 * text[0..bytes); false when there are no more. Local.
 */
bool dt_config_remark(const dt_config *config, int index, char *text, size_t bytes);

#endif
