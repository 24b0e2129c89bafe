/**
 * Whose matrix products training's are, the option `products`: which kernels a config means, and OpenBLAS on
 * every rank where it is wanted.
 */
#ifndef DT_TRAIN_PRODUCTS_H
#define DT_TRAIN_PRODUCTS_H

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "math/kernels.h"
#include "math/matmul.h"

/** The kernels that `config` trains with on this processor. Local. */
const dt_kernels *dt_products_kernels(const dt_config *config);

/**
 * Loads OpenBLAS where `config` wants its products, and fails where a rank cannot, or where ranks have
 * another version of it or other kernels, whose bits differ. `name` becomes what a checkpoint records: "own",
 * or dt_matmul_name. Before the first step; `config` must agree. Collective.
 */
dt_status dt_products_open(const dt_world *world, const dt_config *config, char name[DT_MATMUL_NAME_BYTES]);

#endif
