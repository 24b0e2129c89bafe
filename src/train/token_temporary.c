/* The token cache's way, in a folder of its own. */
#include "train/token_temporary.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/temporary.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "train/token_cache.h"
#include "train/token_space.h"

/* Rank 0's. */
static dt_status make_folder(const dt_corpus *corpus, char **folder) {
    DT_TRY(dt_temporary_make_folder(folder));
    return dt_token_space_check(corpus, *folder);
}

/* The text is not to blame for it. */
static dt_status explain(const dt_corpus *corpus) {
    return dt_fail("%s; %s can be read only once and needs a folder for its tokens that all ranks see: name "
                   "one by the variable TMPDIR, or tokenize it first (dtrain tokenize)",
                   dt_error(), corpus->path);
}

dt_status dt_token_temporary_use(const dt_world *world, dt_corpus *corpus) {
    DT_COLLECTIVE(world, DT_SAME_INT(corpus->sources));
    char *folder = NULL;
    size_t length = 0;
    dt_status status = dt_agree(world, world->rank == 0 ? make_folder(corpus, &folder) : DT_OK);
    if (folder)
        length = strlen(folder);
    if (status == DT_OK)
        status = dt_world_broadcast_block(world, &folder, &length);
    if (status == DT_OK)
        status = dt_token_cache_visit(world, corpus, folder);
    if (status == DT_OK && world->rank == 0)
        corpus->temporary = folder;
    else {
        if (world->rank == 0 && folder)
            (void)dt_file_remove_tree(folder);
        free(folder);
    }
    return status == DT_FAILED && world->rank == 0 ? explain(corpus) : status;
}
