/*
 * Files of tokens: the first byte says how wide tokens are where there is no header, and whether the
 * checksums of a file of dtrain's own are made right before it is read, so that what lies behind them is
 * reached. What is accepted has the tokens that it says, all of them can be read or are refused with a
 * sentence, and header and table are those that the writer would write.
 */
#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "data/token_file.h"

bool fuzz_accepted;

enum { HEADER_CHECKED = 240, TABLE_OFFSET = 48, TABLE_CHECKSUM = 224, SHORTEST = 256 };

/* Makes both checksums right, where there is space for them. */
static void repair(uint8_t *bytes, int64_t length) {
    int64_t table;
    if (length < SHORTEST)
        return;
    memcpy(&table, bytes + TABLE_OFFSET, sizeof table);
    if (table >= 0 && table <= length)
        dt_token_file_checksum(bytes + table, length - table, bytes + TABLE_CHECKSUM);
    dt_token_file_checksum(bytes, HEADER_CHECKED, bytes + HEADER_CHECKED);
}

static void check_written(const dt_token_file *file, const uint8_t *bytes) {
    uint8_t header[DT_TOKEN_HEADER_BYTES], *packed = malloc((size_t)(file->blocks * DT_TOKEN_ROW_BYTES));
    FUZZ_EXPECT(packed != NULL);
    dt_token_file_pack_rows(file->row, file->blocks, packed);
    FUZZ_EXPECT(
        memcmp(packed, bytes + file->offset[file->blocks], (size_t)(file->blocks * DT_TOKEN_ROW_BYTES)) == 0);
    dt_token_file_pack_header(&file->about, file->blocks, file->offset[file->blocks], packed, header);
    FUZZ_EXPECT(memcmp(header, bytes, TABLE_OFFSET + 8) == 0);
    free(packed);
}

static void check_blocks(const dt_token_file *file, int descriptor) {
    int64_t tokens = 0;
    const int64_t V = file->about.V > 0 ? file->about.V : 50257;
    for (int64_t i = 0; i < file->blocks; i++) {
        const int64_t count = dt_token_file_block_tokens(file, i);
        FUZZ_EXPECT(count >= 0 && count <= DT_TOKEN_BLOCK);
        uint8_t *block = malloc((size_t)(count * file->about.token_bytes) + 1);
        FUZZ_EXPECT(block != NULL);
        const dt_status status = dt_token_file_read(file, descriptor, i, V, block);
        FUZZ_EXPECT(status == DT_OK || dt_error()[0] != 0);
        free(block);
        tokens += count;
    }
    FUZZ_EXPECT(tokens == file->about.count.tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_accepted = false;
    if (size < 1)
        return 0;
    const int raw_bytes = data[0] & 2 ? data[0] & 4 ? 4 : 2 : 0;
    const int64_t length = (int64_t)size - 1;
    uint8_t *bytes = malloc(size);
    FUZZ_EXPECT(bytes != NULL);
    memcpy(bytes, data + 1, (size_t)length);
    if (data[0] & 1)
        repair(bytes, length);
    const int memory = memfd_create("tokens", MFD_CLOEXEC);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    FUZZ_EXPECT(memory >= 0 && dt_file_write(memory, path, bytes, (size_t)length) == DT_OK);
    dt_token_file file;
    const dt_status status = dt_token_file_open(&file, path, raw_bytes);
    fuzz_accepted = status == DT_OK;
    if (fuzz_accepted) {
        check_blocks(&file, memory);
        if (file.format == DT_TOKEN_FORMAT_OWN)
            check_written(&file, bytes);
    } else
        FUZZ_EXPECT(dt_error()[0] != 0);
    dt_token_file_close(&file);
    close(memory);
    free(bytes);
    return 0;
}
