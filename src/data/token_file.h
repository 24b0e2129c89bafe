/**
 * Files of tokens: dtrain's own, and those of llm.c and nanoGPT. Any block of one can be read by itself.
 *
 * dtrain's own, told by its first eight bytes; numbers are little endian:
 *
 *     offset  bytes
 *          0      8  89 54 4F 4B 45 4E 53 0A, which is \x89 "TOKENS" \n
 *          8      4  version, 1
 *         12      4  bytes of a token: 1, 2 or 4
 *         16      8  V: every token is below it
 *         24      8  tokens in all
 *         32      8  the token that ends a text, or -1
 *         40      8  blocks
 *         48      8  where the table of blocks starts; it reaches to the end of the file
 *         56      8  tokens that stand for unknown characters
 *         64      8  of these, for bytes that are not UTF-8
 *         72      8  of these, for NUL bytes
 *         80      8  bytes of the text that the tokens were made from
 *         88      8  the text's content hash, as a checkpoint has it
 *         96      8  1 where the text begins with a byte order mark, else 0
 *        104      8  the tokenizer's hash
 *        112    112  the tokenizer's name, UTF-8, as the option has it; cut, and filled up with 0 bytes
 *        224     16  XXH3-128 of the table, big endian, as xxhsum -H2 prints it
 *        240     16  XXH3-128 of the 240 bytes above
 *       4096         block 0; every block starts at a multiple of 4096, with 0 bytes between
 *        ...         the table: for each block its tokens (8 bytes) and the XXH3-128 of their bytes (16)
 *
 * A block has at most DT_TOKEN_BLOCK tokens. Blocks start on pages so that hosts can write theirs at once: no
 * two write to one page, which network file systems keep whole.
 *
 * llm.c's .bin: 256 int32, of which the first is 20240520 (then the second is 1, and tokens are uint16) or
 * 20240801 (7, uint32), and the third the number of tokens; the tokens follow. nanoGPT's train.bin is tokens
 * and nothing else, so whoever opens one must say how wide they are. These two are read in blocks of
 * DT_TOKEN_BLOCK_BYTES.
 *
 * All functions are local.
 */
#ifndef DT_DATA_TOKEN_FILE_H
#define DT_DATA_TOKEN_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tokenizer/kind.h"

#define DT_TOKEN_HEADER_BYTES   4096
#define DT_TOKEN_BLOCK          ((int64_t)1 << 20)
#define DT_TOKEN_BLOCK_BYTES    ((int64_t)1 << 20)
#define DT_TOKEN_ROW_BYTES      24
#define DT_TOKEN_NAME_BYTES     112
#define DT_TOKEN_CHECKSUM_BYTES 16

typedef enum dt_token_format {
    DT_TOKEN_FORMAT_NONE, /**< not a file of tokens */
    DT_TOKEN_FORMAT_OWN,
    DT_TOKEN_FORMAT_LLMC,
    DT_TOKEN_FORMAT_RAW /**< tokens and nothing else */
} dt_token_format;

/** What a file says of its tokens. */
typedef struct dt_token_about {
    int token_bytes;
    int64_t V;           /**< 0 where the file does not say; so are all that follow but count.tokens */
    int64_t end_of_text; /**< or -1 */
    dt_token_count count;
    int64_t content_bytes;
    uint64_t content_hash;
    bool marked; /**< the text begins with a byte order mark */
    uint64_t tokenizer_hash;
    char tokenizer_name[DT_TOKEN_NAME_BYTES];
} dt_token_about;

/** One row of the table. */
typedef struct dt_token_row {
    int64_t tokens;
    uint8_t checksum[DT_TOKEN_CHECKSUM_BYTES]; /**< XXH3-128, big endian */
} dt_token_row;

typedef struct dt_token_file {
    dt_token_format format;
    dt_token_about about;
    char *path;
    int64_t file_bytes;
    int64_t blocks;
    int64_t block_tokens; /**< of all blocks but the last, where there is no table */
    int64_t *offset;      /**< [blocks + 1], in bytes, where there is a table */
    dt_token_row *row;    /**< [blocks], where there is one */
} dt_token_file;

/** What a file that begins with bytes[0..length) is, by its magic number: OWN, LLMC or NONE. */
dt_token_format dt_token_file_recognise(const uint8_t *bytes, int64_t length);

/**
 * Reads what is known of the file at `path`, but no token. A file without a magic number is one of tokens of
 * `raw_bytes` bytes, 2 or 4; 0: it is refused. Fails with DT_USAGE on one that is too short or too long, says
 * what cannot be, or holds no token. The caller closes it; after a failure it holds nothing.
 */
dt_status dt_token_file_open(dt_token_file *file, const char *path, int raw_bytes);

/** How many tokens block `index` has. */
int64_t dt_token_file_block_tokens(const dt_token_file *file, int64_t index);

/**
 * Reads block `index` into `tokens`, about.token_bytes each, through a descriptor of the file that the caller
 * has opened. Fails where its checksum does not match, and where a token is not below `V`, naming the first.
 */
dt_status dt_token_file_read(const dt_token_file *file, int descriptor, int64_t index, int64_t V,
                             void *tokens);

/** Frees what it holds; one that is all zero is fine. */
void dt_token_file_close(dt_token_file *file);

/** XXH3-128 of bytes[0..length), big endian. */
void dt_token_file_checksum(const void *bytes, int64_t length, uint8_t checksum[DT_TOKEN_CHECKSUM_BYTES]);

/** The rows as they stand in the file, rows[blocks x DT_TOKEN_ROW_BYTES]. */
void dt_token_file_pack_rows(const dt_token_row *row, int64_t blocks, uint8_t *packed);

/** The header of a file whose table of `blocks` rows, packed, starts at `table_offset`. */
void dt_token_file_pack_header(const dt_token_about *about, int64_t blocks, int64_t table_offset,
                               const uint8_t *packed, uint8_t header[DT_TOKEN_HEADER_BYTES]);

/** The bytes that a block of `tokens` tokens takes in the file, the 0 bytes behind it included. */
int64_t dt_token_file_extent(int64_t tokens, int token_bytes);

#endif
