/**
 * Which files a corpus is made of: names, globs and the default become paths.
 */
#ifndef DT_DATA_CORPUS_FILES_H
#define DT_DATA_CORPUS_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/**
 * The files that names[count] mean, in this order, as a new array of `*found` new strings that the caller
 * frees with dt_file_free_names. A name that no file has and that holds *, ? or [ is a glob (glob(7)): the
 * files that it matches, sorted by bytes. No names mean data/uni-alg-int.txt, or else the first *.txt in
 * data/ by name. Fails with DT_USAGE, saying what was looked for, where there is none. Local.
 */
dt_status dt_corpus_files_find(const char *const *names, int64_t count, char ***paths, size_t *found);

#endif
