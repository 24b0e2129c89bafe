/**
 * Standard input that is read twice: what comes through a pipe is put aside first. All functions are local.
 */
#ifndef DT_DATA_STANDARD_INPUT_H
#define DT_DATA_STANDARD_INPUT_H

#include <stdbool.h>

#include "base/status.h"

/**
 * Has standard input stand at the start of a file: where it does already, nothing is done; else all that
 * comes goes to a file without a name (base/temporary.h), which takes its place. `stop_requested` may be
 * NULL. Fails when it cannot be read or kept, with DT_STOPPED on request.
 */
dt_status dt_standard_input_keep(bool (*stop_requested)(void));

/** After dt_standard_input_keep: has it read from its start again. */
dt_status dt_standard_input_rewind(void);

#endif
