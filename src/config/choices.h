/**
 * Options that name one of several things: their values, and the names that stand in configs, flags and
 * messages.
 *
 * An enum's names are written down once, here or, for the element types, in base/dtype.h. Parsing, printing
 * and checks read them through the table of options (config/options.c), and the code that acts on a value
 * switches over the enum without a default, so that the compiler finds each place that a new value has to
 * reach.
 */
#ifndef DT_CONFIG_CHOICES_H
#define DT_CONFIG_CHOICES_H

/** The course of the learning rate after the warm-up: optim/lr_schedule.h. */
typedef enum dt_lr_shape { DT_LR_CONSTANT, DT_LR_COSINE, DT_LR_WSD } dt_lr_shape;

/** How the nodes of the sum over ranks travel: allreduce/generator.h. All but `library` give the same bits.
 */
typedef enum dt_algorithm {
    DT_ALGORITHM_AUTO,         /**< hierarchical on several hosts of which one has several ranks, else flat */
    DT_ALGORITHM_FLAT,         /**< by messages among all ranks */
    DT_ALGORITHM_HIERARCHICAL, /**< through shared memory inside hosts, by messages between them */
    DT_ALGORITHM_LIBRARY       /**< MPI_Allreduce, to compare with: its bits depend on the ranks */
} dt_algorithm;

/** Whose matrix products training's are, where it computes in fp32: math/linear.h's own, or OpenBLAS's. */
typedef enum dt_products { DT_PRODUCTS_OWN, DT_PRODUCTS_BLAS } dt_products;

/** What of a layer's forward pass the backward pass makes again: model/activations.h. */
typedef enum dt_recompute {
    DT_RECOMPUTE_NONE, /**< nothing: every layer keeps what its backward pass takes */
    DT_RECOMPUTE_LAYER /**< all of it, from the layer's input, which alone is kept */
} dt_recompute;

/** What becomes of the windows that make no whole batch: data/batch.h. */
typedef enum dt_leftover { DT_LEFTOVER_DROP, DT_LEFTOVER_SPREAD } dt_leftover;

/** What a file of data holds that does not begin as one of a known kind. */
typedef enum dt_data_format { DT_DATA_AUTO, DT_DATA_UINT16, DT_DATA_UINT32 } dt_data_format;

/** Who evaluates: rank 0 alone or all ranks together. */
typedef enum dt_eval_on { DT_EVAL_RANK0, DT_EVAL_ALL } dt_eval_on;

/** What a loss or a gradient that is not finite does to the run. */
typedef enum dt_on_nonfinite { DT_NONFINITE_STOP, DT_NONFINITE_SKIP } dt_on_nonfinite;

/** What a file that cannot be written does to the run. */
typedef enum dt_on_error { DT_ON_ERROR_STOP, DT_ON_ERROR_WARN } dt_on_error;

/* The names of each, at the index of their value, ended by NULL. */
extern const char *const dt_choices_lr_shape[];
extern const char *const dt_choices_leftover[];
extern const char *const dt_choices_data_format[];
extern const char *const dt_choices_algorithm[];
extern const char *const dt_choices_products[];
extern const char *const dt_choices_recompute[];
extern const char *const dt_choices_eval_on[];
extern const char *const dt_choices_on_nonfinite[];
extern const char *const dt_choices_on_error[];

#endif
