/* The library is a matter of the whole job: one rank with another one would part ways with the rest. */
#include "train/products.h"

#include <stdio.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/mismatch.h"

const dt_kernels *dt_products_kernels(const dt_config *config) {
    return config->products == DT_PRODUCTS_BLAS ? dt_kernels_blas()
                                                : dt_kernels_best((dt_dtype)config->compute_dtype);
}

/* Loads it on this rank. */
static dt_status load(const dt_world *world) {
    if (dt_matmul_open() == DT_OK)
        return DT_OK;
    char reason[512];
    snprintf(reason, sizeof reason, "%s", dt_error());
    return dt_fail("products: blas: on %s dtrain %s, or use products: own", world->host, reason);
}

dt_status dt_products_open(const dt_world *world, const dt_config *config, char name[DT_MATMUL_NAME_BYTES]) {
    char found[DT_MISMATCH_BYTES];
    strcpy(name, dt_choices_products[DT_PRODUCTS_OWN]);
    if (config->products != DT_PRODUCTS_BLAS)
        return DT_OK;
    DT_TRY(dt_agree(world, load(world)));
    dt_matmul_name(name);
    DT_TRY(dt_mismatch_find(world, name, found));
    return dt_agree(
        world,
        *found ? dt_fail("products: blas: expected one version of OpenBLAS and one kind of kernels on all "
                         "ranks, since bits depend on both, found that %s; use like hosts, set "
                         "OPENBLAS_CORETYPE on all ranks to kernels that all can run, or use products: own",
                         found)
               : DT_OK);
}
