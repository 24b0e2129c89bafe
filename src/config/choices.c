/* The names, and nothing else. */
#include "config/choices.h"

#include <stddef.h>

const char *const dt_choices_lr_shape[] = {
    [DT_LR_CONSTANT] = "constant", [DT_LR_COSINE] = "cosine", [DT_LR_WSD] = "wsd", NULL};

const char *const dt_choices_leftover[] = {
    [DT_LEFTOVER_DROP] = "drop", [DT_LEFTOVER_SPREAD] = "spread", NULL};

const char *const dt_choices_data_format[] = {
    [DT_DATA_AUTO] = "auto", [DT_DATA_UINT16] = "uint16", [DT_DATA_UINT32] = "uint32", NULL};

const char *const dt_choices_algorithm[] = {[DT_ALGORITHM_AUTO] = "auto",
                                            [DT_ALGORITHM_FLAT] = "flat",
                                            [DT_ALGORITHM_HIERARCHICAL] = "hierarchical",
                                            [DT_ALGORITHM_LIBRARY] = "library",
                                            NULL};

const char *const dt_choices_products[] = {[DT_PRODUCTS_OWN] = "own", [DT_PRODUCTS_BLAS] = "blas", NULL};

const char *const dt_choices_recompute[] = {
    [DT_RECOMPUTE_NONE] = "none", [DT_RECOMPUTE_LAYER] = "layer", NULL};

const char *const dt_choices_eval_on[] = {[DT_EVAL_RANK0] = "rank0", [DT_EVAL_ALL] = "all", NULL};

const char *const dt_choices_on_nonfinite[] = {
    [DT_NONFINITE_STOP] = "stop", [DT_NONFINITE_SKIP] = "skip", NULL};

const char *const dt_choices_on_error[] = {[DT_ON_ERROR_STOP] = "stop", [DT_ON_ERROR_WARN] = "warn", NULL};
