/* What a file says of itself is held against its length before anything is allocated for it. */
#include "data/token_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/minmax.h"

#define VERSION        1
#define PAGE           4096
#define CHECKED_BYTES  240 /* of the header, covered by its checksum */
#define TABLE_CHECKSUM 224
#define NAME           112

/* llm.c's header: 256 int32. */
#define LLMC_HEADER_BYTES 1024

static const uint8_t magic[8] = {0x89, 'T', 'O', 'K', 'E', 'N', 'S', '\n'};

static const struct {
    int32_t magic, version;
    int token_bytes;
} llmc[] = {{20240520, 1, 2}, {20240801, 7, 4}};

#define LLMC_KINDS ((int)(sizeof llmc / sizeof *llmc))

static int64_t get(const uint8_t *header, int64_t offset) {
    int64_t value;
    memcpy(&value, header + offset, sizeof value);
    return value;
}

static int32_t get_half(const uint8_t *header, int64_t offset) {
    int32_t value;
    memcpy(&value, header + offset, sizeof value);
    return value;
}

static void put(uint8_t *header, int64_t offset, int64_t value) {
    memcpy(header + offset, &value, sizeof value);
}

static void put_half(uint8_t *header, int64_t offset, int32_t value) {
    memcpy(header + offset, &value, sizeof value);
}

void dt_token_file_checksum(const void *bytes, int64_t length, uint8_t checksum[DT_TOKEN_CHECKSUM_BYTES]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, (size_t)length));
    memcpy(checksum, canonical.digest, DT_TOKEN_CHECKSUM_BYTES);
}

int64_t dt_token_file_extent(int64_t tokens, int token_bytes) {
    return (tokens * token_bytes + PAGE - 1) / PAGE * PAGE;
}

/* Which of llm.c's headers begins so; -1: none. */
static int find_llmc(const uint8_t *bytes, int64_t length) {
    for (int k = 0; length >= 4 && k < LLMC_KINDS; k++)
        if (get_half(bytes, 0) == llmc[k].magic)
            return k;
    return -1;
}

dt_token_format dt_token_file_recognise(const uint8_t *bytes, int64_t length) {
    if (length >= (int64_t)sizeof magic && memcmp(bytes, magic, sizeof magic) == 0)
        return DT_TOKEN_FORMAT_OWN;
    return find_llmc(bytes, length) >= 0 ? DT_TOKEN_FORMAT_LLMC : DT_TOKEN_FORMAT_NONE;
}

static dt_status refuse_damage(const dt_token_file *file, const char *what) {
    return dt_usage(
        "cannot use %s: expected a file of tokens as `dtrain tokenize` writes it, found %s; the file "
        "is damaged or was cut short: make it anew from its text",
        file->path, what);
}

/* The header into `file`, checked for what can be seen of it alone. */
static dt_status read_header(dt_token_file *file, const uint8_t *header, int64_t *table_offset) {
    uint8_t checksum[DT_TOKEN_CHECKSUM_BYTES];
    dt_token_about *about = &file->about;
    dt_token_file_checksum(header, CHECKED_BYTES, checksum);
    if (memcmp(checksum, header + CHECKED_BYTES, sizeof checksum) != 0)
        return refuse_damage(file, "a header that its checksum does not match");
    if (get_half(header, 8) != VERSION)
        return dt_usage("cannot use %s: expected version %d of the files of tokens, found version %" PRId32
                        "; make it anew by `dtrain tokenize`, or use the dtrain that wrote it",
                        file->path, VERSION, get_half(header, 8));
    about->token_bytes = get_half(header, 12);
    about->V = get(header, 16);
    about->count = (dt_token_count){get(header, 24), get(header, 56), get(header, 64), get(header, 72)};
    about->end_of_text = get(header, 32);
    file->blocks = get(header, 40);
    *table_offset = get(header, 48);
    about->content_bytes = get(header, 80);
    about->content_hash = (uint64_t)get(header, 88);
    about->marked = get(header, 96) != 0;
    about->tokenizer_hash = (uint64_t)get(header, 104);
    memcpy(about->tokenizer_name, header + NAME, DT_TOKEN_NAME_BYTES - 1);
    const int width = about->token_bytes;
    const bool known = (width == 1 || width == 2 || width == 4) && about->V > 0 && about->V <= INT32_MAX &&
                       about->end_of_text >= -1 && about->end_of_text < about->V && file->blocks > 0 &&
                       about->count.tokens > 0;
    return known ? DT_OK : refuse_damage(file, "numbers in its header that cannot be");
}

/* The table's rows, and where the blocks stand by it. */
static dt_status read_rows(dt_token_file *file, const uint8_t *packed, int64_t table_offset) {
    int64_t tokens = 0, offset = DT_TOKEN_HEADER_BYTES;
    for (int64_t i = 0; i < file->blocks; i++) {
        dt_token_row *row = &file->row[i];
        row->tokens = get(packed, i * DT_TOKEN_ROW_BYTES);
        memcpy(row->checksum, packed + i * DT_TOKEN_ROW_BYTES + 8, sizeof row->checksum);
        if (row->tokens < 0 || row->tokens > DT_TOKEN_BLOCK)
            return refuse_damage(file, "a block of a size that cannot be");
        file->offset[i] = offset;
        tokens += row->tokens;
        offset += dt_token_file_extent(row->tokens, file->about.token_bytes);
    }
    file->offset[file->blocks] = offset;
    return tokens == file->about.count.tokens && offset == table_offset
               ? DT_OK
               : refuse_damage(file, "a table that does not fit its header");
}

static dt_status read_table(dt_token_file *file, int descriptor, const uint8_t *header,
                            int64_t table_offset) {
    uint8_t checksum[DT_TOKEN_CHECKSUM_BYTES];
    const int64_t bytes = file->blocks * DT_TOKEN_ROW_BYTES; /* within the file's length: checked */
    uint8_t *packed = dt_memory_alloc(bytes, 1, "the table of a file of tokens");
    file->row = dt_memory_alloc(file->blocks, sizeof *file->row, "the table of a file of tokens");
    file->offset = dt_memory_alloc(file->blocks + 1, sizeof *file->offset, "the table of a file of tokens");
    dt_status status = packed && file->row && file->offset ? DT_OK : DT_FAILED;
    if (status == DT_OK)
        status = dt_file_read_at(descriptor, file->path, packed, (size_t)bytes, table_offset);
    if (status == DT_OK) {
        dt_token_file_checksum(packed, bytes, checksum);
        status = memcmp(checksum, header + TABLE_CHECKSUM, sizeof checksum) == 0
                     ? read_rows(file, packed, table_offset)
                     : refuse_damage(file, "a table that its checksum does not match");
    }
    dt_memory_free(packed);
    return status;
}

static dt_status open_own(dt_token_file *file, int descriptor) {
    uint8_t header[CHECKED_BYTES + DT_TOKEN_CHECKSUM_BYTES];
    int64_t table_offset;
    if (file->file_bytes < DT_TOKEN_HEADER_BYTES)
        return refuse_damage(file, "its first bytes alone");
    DT_TRY(dt_file_read_at(descriptor, file->path, header, sizeof header, 0));
    DT_TRY(read_header(file, header, &table_offset));
    if (table_offset < DT_TOKEN_HEADER_BYTES || table_offset > file->file_bytes ||
        (file->file_bytes - table_offset) % DT_TOKEN_ROW_BYTES != 0 ||
        (file->file_bytes - table_offset) / DT_TOKEN_ROW_BYTES != file->blocks)
        return refuse_damage(file, "a length that its header does not give it");
    return read_table(file, descriptor, header, table_offset);
}

/* Files without a table are all of one piece. */
static void set_blocks(dt_token_file *file, int token_bytes, int64_t tokens) {
    file->about = (dt_token_about){.token_bytes = token_bytes, .end_of_text = -1, .count.tokens = tokens};
    file->block_tokens = DT_TOKEN_BLOCK_BYTES / token_bytes;
    file->blocks = (tokens + file->block_tokens - 1) / file->block_tokens;
}

static dt_status open_llmc(dt_token_file *file, int descriptor) {
    uint8_t header[LLMC_HEADER_BYTES];
    if (file->file_bytes < LLMC_HEADER_BYTES)
        return dt_usage(
            "cannot use %s: expected the %d bytes of the header of llm.c's files of tokens, found %" PRId64
            " bytes; the file was cut short",
            file->path, LLMC_HEADER_BYTES, file->file_bytes);
    DT_TRY(dt_file_read_at(descriptor, file->path, header, sizeof header, 0));
    const int kind = find_llmc(header, sizeof header);
    const int64_t tokens = get_half(header, 8);
    if (kind < 0 || get_half(header, 4) != llmc[kind].version)
        return dt_usage(
            "cannot use %s: expected version %" PRId32 " of llm.c's files of tokens that begin with %" PRId32
            ", found version %" PRId32 "; write it anew by llm.c's scripts",
            file->path, kind < 0 ? 1 : llmc[kind].version, get_half(header, 0), get_half(header, 4));
    if (tokens <= 0)
        return dt_usage("cannot use %s: expected a token or more by its header of llm.c's, found %" PRId64
                        " told there; write it anew by llm.c's scripts",
                        file->path, tokens);
    if (file->file_bytes != LLMC_HEADER_BYTES + tokens * llmc[kind].token_bytes)
        return dt_usage(
            "cannot use %s: expected %" PRId64 " tokens of %d bytes behind its header of llm.c's, as "
            "that says, found %" PRId64 " bytes; the file was cut short or is another kind of file",
            file->path, tokens, llmc[kind].token_bytes, file->file_bytes - LLMC_HEADER_BYTES);
    set_blocks(file, llmc[kind].token_bytes, tokens);
    return DT_OK;
}

static dt_status open_raw(dt_token_file *file, int raw_bytes) {
    if (file->file_bytes == 0 || file->file_bytes % raw_bytes != 0)
        return dt_usage(
            "cannot use %s: expected tokens of %d bytes each, as data_format says, found a file of %" PRId64
            " bytes; it was cut short, or its tokens have another width",
            file->path, raw_bytes, file->file_bytes);
    set_blocks(file, raw_bytes, file->file_bytes / raw_bytes);
    return DT_OK;
}

static dt_status open_format(dt_token_file *file, int descriptor, int raw_bytes) {
    uint8_t start[sizeof magic];
    const int64_t length = dt_min(file->file_bytes, (int64_t)sizeof start);
    DT_TRY(dt_file_read_at(descriptor, file->path, start, (size_t)length, 0));
    file->format = dt_token_file_recognise(start, length);
    if (file->format == DT_TOKEN_FORMAT_OWN)
        return open_own(file, descriptor);
    if (file->format == DT_TOKEN_FORMAT_LLMC)
        return open_llmc(file, descriptor);
    if (raw_bytes == 0)
        return dt_usage(
            "cannot use %s: expected a file of tokens, found a file that does not begin like one; name a file "
            "that `dtrain tokenize` or llm.c has written, or give data_format for one without a header",
            file->path);
    file->format = DT_TOKEN_FORMAT_RAW;
    return open_raw(file, raw_bytes);
}

dt_status dt_token_file_open(dt_token_file *file, const char *path, int raw_bytes) {
    DT_ASSERT(raw_bytes == 0 || raw_bytes == 2 || raw_bytes == 4);
    int descriptor;
    *file = (dt_token_file){0};
    DT_TRY(dt_file_open(path, &descriptor, &file->file_bytes));
    file->path = strdup(path);
    dt_status status = file->path ? open_format(file, descriptor, raw_bytes)
                                  : dt_fail("out of memory while opening %s", path);
    close(descriptor);
    if (status != DT_OK)
        dt_token_file_close(file);
    return status;
}

int64_t dt_token_file_block_tokens(const dt_token_file *file, int64_t index) {
    DT_ASSERT(index >= 0 && index < file->blocks);
    if (file->row)
        return file->row[index].tokens;
    return dt_min(file->block_tokens, file->about.count.tokens - index * file->block_tokens);
}

static int64_t block_offset(const dt_token_file *file, int64_t index) {
    if (file->offset)
        return file->offset[index];
    return (file->format == DT_TOKEN_FORMAT_LLMC ? LLMC_HEADER_BYTES : 0) +
           index * file->block_tokens * file->about.token_bytes;
}

static uint32_t id_at(const void *tokens, int token_bytes, int64_t t) {
    return token_bytes == 1   ? ((const uint8_t *)tokens)[t]
           : token_bytes == 2 ? ((const uint16_t *)tokens)[t]
                              : ((const uint32_t *)tokens)[t];
}

/* The largest of tokens[count], in loops that become vector code. */
static uint32_t find_max(const void *tokens, int token_bytes, int64_t count) {
    uint32_t max = 0;
    if (token_bytes == 1)
        for (const uint8_t *t = tokens, *end = t + count; t < end; t++)
            max = *t > max ? *t : max;
    else if (token_bytes == 2)
        for (const uint16_t *t = tokens, *end = t + count; t < end; t++)
            max = *t > max ? *t : max;
    else
        for (const uint32_t *t = tokens, *end = t + count; t < end; t++)
            max = *t > max ? *t : max;
    return max;
}

/* The first token that is not below V, or -1. */
static int64_t find_beyond(const void *tokens, int token_bytes, int64_t count, int64_t V) {
    if (count == 0 || find_max(tokens, token_bytes, count) < V)
        return -1;
    int64_t first = 0;
    while (id_at(tokens, token_bytes, first) < V)
        first++;
    return first;
}

dt_status dt_token_file_read(const dt_token_file *file, int descriptor, int64_t index, int64_t V,
                             void *tokens) {
    const int width = file->about.token_bytes;
    const int64_t count = dt_token_file_block_tokens(file, index), offset = block_offset(file, index);
    DT_TRY(dt_file_read_at(descriptor, file->path, tokens, (size_t)(count * width), offset));
    if (file->row) {
        uint8_t checksum[DT_TOKEN_CHECKSUM_BYTES];
        dt_token_file_checksum(tokens, count * width, checksum);
        if (memcmp(checksum, file->row[index].checksum, sizeof checksum) != 0)
            return dt_fail("%s is damaged: the checksum of its block %" PRId64 ", %" PRId64
                           " bytes at offset %" PRId64 ", does not match; make the file anew from its text",
                           file->path, index, count * width, offset);
    }
    const int64_t beyond = find_beyond(tokens, width, count, V);
    if (beyond < 0)
        return DT_OK;
    return dt_usage("cannot use %s: expected tokens below the vocabulary's size %" PRId64 ", found %" PRIu32
                    " at offset %" PRId64 "; give a larger vocab_size or the tokenizer that made the file%s",
                    file->path, V, id_at(tokens, width, beyond), offset + beyond * width,
                    file->format == DT_TOKEN_FORMAT_RAW ? ", and the data_format that it has" : "");
}

void dt_token_file_close(dt_token_file *file) {
    free(file->path);
    dt_memory_free(file->offset);
    dt_memory_free(file->row);
    *file = (dt_token_file){0};
}

void dt_token_file_pack_rows(const dt_token_row *row, int64_t blocks, uint8_t *packed) {
    for (int64_t i = 0; i < blocks; i++) {
        put(packed, i * DT_TOKEN_ROW_BYTES, row[i].tokens);
        memcpy(packed + i * DT_TOKEN_ROW_BYTES + 8, row[i].checksum, sizeof row[i].checksum);
    }
}

void dt_token_file_pack_header(const dt_token_about *about, int64_t blocks, int64_t table_offset,
                               const uint8_t *packed, uint8_t header[DT_TOKEN_HEADER_BYTES]) {
    memset(header, 0, DT_TOKEN_HEADER_BYTES);
    memcpy(header, magic, sizeof magic);
    put_half(header, 8, VERSION);
    put_half(header, 12, about->token_bytes);
    put(header, 16, about->V);
    put(header, 24, about->count.tokens);
    put(header, 32, about->end_of_text);
    put(header, 40, blocks);
    put(header, 48, table_offset);
    put(header, 56, about->count.unknown);
    put(header, 64, about->count.invalid);
    put(header, 72, about->count.zero);
    put(header, 80, about->content_bytes);
    put(header, 88, (int64_t)about->content_hash);
    put(header, 96, about->marked);
    put(header, 104, (int64_t)about->tokenizer_hash);
    memcpy(header + NAME, about->tokenizer_name, DT_TOKEN_NAME_BYTES);
    dt_token_file_checksum(packed, blocks * DT_TOKEN_ROW_BYTES, header + TABLE_CHECKSUM);
    dt_token_file_checksum(header, CHECKED_BYTES, header + CHECKED_BYTES);
}
