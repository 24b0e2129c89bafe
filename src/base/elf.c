/* The ELF header leads to two tables, and one of them to the segments that are mapped: the furthest end
 * counts.
 */
#include "base/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NATIVE_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

/* Moves `*end` on to where `bytes` bytes from `offset` end, or as far as a file can reach. */
static void reach(uint64_t *end, uint64_t offset, uint64_t bytes) {
    uint64_t here;
    if (bytes == 0)
        return;
    if (__builtin_add_overflow(offset, bytes, &here) || here > INT64_MAX)
        here = INT64_MAX;
    *end = here > *end ? here : *end;
}

static bool is_native(const ElfW(Ehdr) * header) {
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == NATIVE_CLASS &&
           header->e_phentsize == sizeof(ElfW(Phdr));
}

/* How long the file is by its own words, as far as they are there. */
static uint64_t told_bytes(int descriptor, const ElfW(Ehdr) * header) {
    uint64_t end = 0;
    ElfW(Phdr) segment;
    reach(&end, header->e_phoff, (uint64_t)header->e_phnum * sizeof segment);
    reach(&end, header->e_shoff, (uint64_t)header->e_shnum * header->e_shentsize);
    for (uint64_t p = 0; p < header->e_phnum; p++) {
        const uint64_t offset = header->e_phoff + p * sizeof segment;
        if (offset > INT64_MAX ||
            pread(descriptor, &segment, sizeof segment, (off_t)offset) != (ssize_t)sizeof segment)
            break;
        if (segment.p_type != PT_NULL)
            reach(&end, segment.p_offset, segment.p_filesz);
    }
    return end;
}

static dt_status check(int descriptor, const char *path) {
    struct stat info;
    ElfW(Ehdr) header;
    if (fstat(descriptor, &info) != 0)
        return DT_OK;
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
        return dt_usage("%s is a pipe or a device, not a file", path);
    if (pread(descriptor, &header, sizeof header, 0) != (ssize_t)sizeof header || !is_native(&header))
        return DT_OK;
    const uint64_t told = told_bytes(descriptor, &header);
    if (told <= (uint64_t)info.st_size)
        return DT_OK;
    return dt_usage("%s was cut short: its headers describe %" PRIu64 " bytes, but it has %" PRId64, path,
                    told, (int64_t)info.st_size);
}

dt_status dt_elf_check(const char *path) {
    /* Opening a pipe would wait for who writes to it. */
    const int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0)
        return DT_OK;
    const dt_status status = check(descriptor, path);
    close(descriptor);
    return status;
}
