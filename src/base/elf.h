/**
 * Whether a file that is about to be loaded as a shared library is all there.
 *
 * The loader maps a library by what its headers say and touches pages beyond the end of one that was cut
 * short, as a copy is that was interrupted: the process then dies of SIGBUS, without a word.
 */
#ifndef DT_BASE_ELF_H
#define DT_BASE_ELF_H

#include "base/status.h"

/**
 * Fails, with DT_USAGE, when `path` is there and is no ordinary file, or an ELF file of this machine's kind
 * that is shorter than its headers say. Whatever else may be wrong with it the loader finds and names. Local.
 */
dt_status dt_elf_check(const char *path);

#endif
