/**
 * The rules that concern several options at once, or the inside of one.
 */
#ifndef DT_CONFIG_CHECK_H
#define DT_CONFIG_CHECK_H

#include <stdint.h>

#include "base/status.h"
#include "config/fields.h"

/** Checks what concerns several options at once (d_model % n_heads, micro_batch_size <= batch_size, ..).
 * Local. */
dt_status dt_config_check(const dt_config *config);

/** The length of wsd's decay: decay_steps, or a tenth of max_steps (at least 1) where that is null. Local. */
int64_t dt_config_decay_steps(const dt_config *config);

#endif
