/* Rank 0 looks, decides and names; all read what it has decided for. */
#include "train/token_cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/made_folder.h"
#include "base/memory.h"
#include "base/suffix.h"
#include "base/units.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "config/list.h"
#include "data/file_hash.h"
#include "data/unpack.h"
#include "train/token_space.h"
#include "train/tokenize.h"

#define AUTO   "auto"
#define FOLDER "tokens"
#define SUFFIX ".tokens"

dt_status dt_token_cache_locate(const dt_config *config, bool by_auto, char **folder) {
    const bool is_auto = config->token_cache && strcmp(config->token_cache, AUTO) == 0;
    *folder = NULL;
    if (config->token_cache == NULL || (is_auto && !by_auto))
        return DT_OK;
    *folder = is_auto ? dt_file_join(config->out_dir, FOLDER) : strdup(config->token_cache);
    return *folder ? DT_OK : dt_fail("out of memory for a folder's name");
}

dt_status dt_token_cache_folder(const dt_config *config, const dt_corpus *corpus, char **folder) {
    *folder = NULL;
    if (!corpus->is_text || corpus->tokenizer->V == 0)
        return DT_OK; /* one that still collects its characters has no tokens yet */
    return dt_token_cache_locate(config, corpus->is_streamed || !corpus->tokenizer->kind->is_fast, folder);
}

/* ---- what rank 0 does ---- */

/* Of a file that a run was killed over. */
static void clear_leftover(const char *folder, const char *name) {
    char *path = dt_file_join(folder, name);
    if (path && name[0] == '.' && strstr(name, SUFFIX ".") && dt_has_suffix(name, ".tmp"))
        dt_token_writer_clear(path);
    free(path);
}

/* Whether the name is that of tokens by the tokenizer with this hash. */
static bool is_of(const char *name, uint64_t tokenizer_hash) {
    char ending[40];
    snprintf(ending, sizeof ending, "-%016" PRIx64 SUFFIX, tokenizer_hash);
    return name[0] != '.' && dt_has_suffix(name, ending);
}

/* Whether the folder holds tokens by this tokenizer. One who writes clears it of leftovers. */
static dt_status look(const char *folder, const dt_corpus *corpus, bool writes, bool *has_some) {
    char **names;
    size_t count;
    *has_some = false;
    DT_TRY(dt_file_list(folder, &names, &count));
    for (size_t i = 0; i < count; i++) {
        *has_some |=
            is_of(names[i], corpus->tokenizer->hash) || is_of(names[i], corpus->tokenizer->file_hash);
        if (writes)
            clear_leftover(folder, names[i]);
    }
    dt_file_free_names(names, count);
    return DT_OK;
}

static char *join_name(const char *folder, uint64_t hash, uint64_t tokenizer_hash) {
    char name[64];
    snprintf(name, sizeof name, "%016" PRIx64 "-%016" PRIx64 SUFFIX, hash, tokenizer_hash);
    return dt_file_join(folder, name);
}

char *dt_token_cache_path(const char *folder, uint64_t hash, const dt_tokenizer *tokenizer) {
    char *path = join_name(folder, hash, tokenizer->hash);
    if (tokenizer->file_hash == 0 || path == NULL || dt_file_exists(path))
        return path;
    char *old = join_name(folder, hash, tokenizer->file_hash);
    const bool is_there = old && dt_file_exists(old);
    free(is_there ? path : old);
    return is_there ? old : path;
}

/* Where a new file goes. */
static dt_status name_new(const char *folder, const dt_corpus *corpus, uint64_t key, char **path) {
    *path = join_name(folder, key, corpus->tokenizer->hash);
    return *path ? DT_OK : DT_FAILED;
}

/* Where one may be, as rank 0 sees it. */
static dt_status name_old(const dt_world *world, const char *folder, const dt_corpus *corpus, uint64_t key,
                          char **path) {
    *path = world->rank == 0 ? dt_token_cache_path(folder, key, corpus->tokenizer) : NULL;
    size_t length = *path ? strlen(*path) : 0;
    DT_TRY(dt_agree(world, *path || world->rank > 0 ? DT_OK : DT_FAILED));
    return dt_world_broadcast_block(world, path, &length);
}

/* The list of the file, NULL where there is none. */
static char *find_file(const char *folder, uint64_t hash, const dt_tokenizer *tokenizer) {
    char *path = dt_token_cache_path(folder, hash, tokenizer);
    char *list = path && dt_file_exists(path) ? dt_list_single(path) : NULL;
    free(path);
    return list;
}

/* ---- what all ranks do ---- */

dt_status dt_token_cache_find_stream(const dt_world *world, const dt_config *config, const char *data,
                                     const dt_tokenizer *tokenizer, uint64_t hash, char **list) {
    DT_COLLECTIVE(world, DT_SAME_TEXT(data), DT_SAME_TEXT(config->token_cache));
    char *stream = dt_list_single(DT_UNPACK_STANDARD_INPUT), *folder = NULL;
    dt_status status = stream ? DT_OK : dt_fail("out of memory for the name of the text");
    *list = NULL;
    if (status == DT_OK && data && strcmp(data, stream) == 0)
        status = dt_token_cache_locate(config, true, &folder);
    if (world->rank == 0 && folder)
        *list = find_file(folder, hash, tokenizer);
    free(stream);
    free(folder);
    size_t length = *list ? strlen(*list) : 0;
    DT_TRY(dt_agree(world, status));
    return dt_world_broadcast_block(world, list, &length);
}

/* The hash of the files, on all ranks. */
static dt_status hash_files(const dt_world *world, const dt_corpus *corpus, uint64_t *key) {
    dt_file_hash hash;
    int64_t first, end;
    int64_t *counts = dt_memory_alloc(world->size, sizeof *counts, "the ranks' numbers of blocks");
    dt_status status = dt_file_hash_create(&hash, corpus);
    if (status == DT_OK)
        status = counts ? dt_file_hash_slice(&hash, world->rank, world->size) : DT_FAILED;
    status = dt_agree(world, status);
    for (int r = 0; status == DT_OK && r < world->size; r++) {
        dt_corpus_slice(hash.blocks, r, world->size, &first, &end);
        counts[r] = end - first;
    }
    if (status == DT_OK)
        status = dt_world_gather_all(world, hash.block, (int64_t)sizeof *hash.block, counts);
    if (status == DT_OK)
        status = dt_agree(world, dt_file_hash_finish(&hash, key));
    dt_file_hash_free(&hash);
    dt_memory_free(counts);
    return status;
}

/* What was there before may be damaged, or of another text, where its name says of which: `key`. */
static dt_status check(const dt_world *world, const dt_corpus *corpus, const dt_corpus *made,
                       const char *path, uint64_t key) {
    /* Of what is packed, the name says nothing about the text in it. */
    if (!corpus->is_streamed && made->hash != key)
        return dt_fail("%s holds the tokens of another text than its name says", path);
    return dt_corpus_check(made, world->rank, world->size);
}

/* Says what was done with the file; one who visits says it where no result is read. */
static void tell(const char *what, const char *path, bool visits) {
    struct stat info;
    if (stat(path, &info) != 0)
        return;
    const dt_units size = dt_units_bytes((double)info.st_size);
    if (visits)
        dt_log_note("tokens: %s %s (%s)", what, path, size.text);
    else
        dt_log_line("tokens: %s %s (%s)", what, path, size.text);
}

/* All ranks read the file from now on, or none. One that is not new is checked against its `key`. */
static dt_status use(const dt_world *world, dt_corpus *corpus, const char *path, const uint64_t *key) {
    dt_corpus made;
    bool same;
    dt_status status = dt_agree(world, dt_corpus_open_kept(&made, corpus, path));
    if (status == DT_OK)
        status = dt_agree_same(world, made.hash ^ (uint64_t)made.total.tokens, &same);
    if (status == DT_OK && !same)
        status =
            dt_agree(world, dt_fail("expected one file %s on all hosts, found that they see several", path));
    if (status == DT_OK && key)
        status = dt_agree(world, check(world, corpus, &made, path, *key));
    if (status != DT_OK) {
        dt_corpus_close(&made);
        return status;
    }
    dt_corpus_replace(corpus, &made);
    return DT_OK;
}

/* Reads the tokens that the folder has of the files with the hash `key`, where it has them; what is damaged
 * is left, and the log says so: `*damaged`. */
static dt_status use_old(const dt_world *world, dt_corpus *corpus, const char *path, uint64_t key, bool *used,
                         bool *damaged) {
    int is_there = world->rank == 0 && dt_file_exists(path);
    *damaged = false;
    DT_TRY(dt_world_broadcast(world, &is_there, (int64_t)sizeof is_there));
    if (!is_there)
        return DT_OK;
    const dt_status status = use(world, corpus, path, &key);
    *used = status == DT_OK;
    *damaged = !*used && status != DT_STOPPED;
    if (*damaged)
        dt_log_note("%s; tokenizing the texts again", dt_error());
    return *damaged ? DT_OK : status;
}

/* Makes room for a file in the place of one that is damaged. */
static dt_status remove_old(const char *path) {
    return unlink(path) == 0 || errno == ENOENT
               ? DT_OK
               : dt_fail("cannot put a file of tokens in the place of %s: %s; remove that", path,
                         strerror(errno));
}

/* Where there may be tokens of it: hashes the files into `*key`, and reads them. */
static dt_status use_keyed(const dt_world *world, dt_corpus *corpus, const char *folder, uint64_t *key,
                           bool writes, bool *used) {
    char *path;
    bool damaged = false;
    DT_TRY(hash_files(world, corpus, key));
    dt_status status = name_old(world, folder, corpus, *key, &path);
    if (status == DT_OK)
        status = use_old(world, corpus, path, *key, used, &damaged);
    if (*used)
        tell("read from", path, !writes);
    if (status == DT_OK && damaged && writes)
        status = dt_agree(world, world->rank == 0 ? remove_old(path) : DT_OK);
    free(path);
    return status;
}

/* What is called by its content has not been looked at before: where the file that is there is damaged, it
 * makes way. Rank 0 alone. */
static dt_status remove_damaged(const dt_corpus *corpus, const char *path, uint64_t content_hash) {
    dt_corpus old;
    if (!dt_file_exists(path))
        return DT_OK;
    dt_status status = dt_corpus_open_kept(&old, corpus, path);
    if (status == DT_OK && old.hash != content_hash)
        status = dt_fail("%s holds the tokens of another text than its name says", path);
    if (status == DT_OK)
        status = dt_corpus_check(&old, 0, 1);
    dt_corpus_close(&old);
    if (status == DT_OK || status == DT_STOPPED)
        return status;
    dt_log_note("%s; the new tokens take its place", dt_error());
    return remove_old(path);
}

/* Names the file by `key` or, where that is not known, by the content. Rank 0's writer has it. */
static dt_status name_made(const dt_world *world, const dt_corpus *corpus, const char *folder,
                           const char *tokenizer_name, const uint64_t *key, dt_token_writer *writer,
                           char **path) {
    uint64_t name = key ? *key : writer->about.content_hash; /* rank 0's */
    dt_status status = dt_world_broadcast(world, &name, (int64_t)sizeof name);
    *path = NULL;
    if (status == DT_OK)
        status = name_new(folder, corpus, name, path);
    if (world->rank == 0) {
        snprintf(writer->about.tokenizer_name, sizeof writer->about.tokenizer_name, "%s", tokenizer_name);
        if (status == DT_OK && key == NULL)
            status = remove_damaged(corpus, *path, name);
        if (status == DT_OK)
            status = dt_token_writer_finish(writer, *path, true);
        else
            dt_token_writer_abandon(writer);
    }
    return dt_agree(world, status);
}

/* Tokenizes, names and uses. */
static dt_status make(const dt_world *world, dt_corpus *corpus, const char *folder,
                      const char *tokenizer_name, const uint64_t *key, bool visits) {
    char *path;
    dt_token_writer writer;
    dt_status status = dt_agree(world, name_new(folder, corpus, key ? *key : 0, &path));
    if (status == DT_OK)
        status = dt_tokenize_run(world, corpus, path, &writer);
    free(path);
    DT_TRY(status);
    status = name_made(world, corpus, folder, tokenizer_name, key, &writer, &path);
    if (status == DT_OK)
        status = use(world, corpus, path, NULL);
    if (status == DT_OK)
        tell(visits ? "unpacked into the temporary" : "kept in", path, visits);
    free(path);
    return status;
}

dt_status dt_token_cache_visit(const dt_world *world, dt_corpus *corpus, const char *folder) {
    DT_COLLECTIVE(world, DT_SAME_TEXT(folder), DT_SAME_INT(corpus->sources));
    return make(world, corpus, folder, "", NULL, true);
}

static dt_status find_or_make(const dt_world *world, dt_corpus *corpus, const char *folder,
                              const char *tokenizer_name, dt_made_folder *made, bool *used) {
    bool has_some = false;
    uint64_t key = 0;
    const bool has_files = corpus->file_bytes > 0; /* and is not standard input */
    dt_status status = world->rank == 0 ? dt_made_folder_begin(made, folder) : DT_OK;
    if (status == DT_OK && world->rank == 0)
        status = look(folder, corpus, true, &has_some);
    DT_TRY(dt_agree(world, status));
    DT_TRY(dt_world_broadcast(world, &has_some, (int64_t)sizeof has_some));
    const bool is_keyed = has_files && (has_some || corpus->is_streamed);
    if (is_keyed)
        DT_TRY(use_keyed(world, corpus, folder, &key, true, used));
    if (*used)
        return DT_OK;
    DT_TRY(dt_agree(world, world->rank == 0 ? dt_token_space_check(corpus, folder) : DT_OK));
    DT_TRY(make(world, corpus, folder, tokenizer_name, is_keyed ? &key : NULL, false));
    *used = true;
    return DT_OK;
}

dt_status dt_token_cache_find(const dt_world *world, dt_corpus *corpus, const char *folder, bool *used) {
    DT_COLLECTIVE(world, DT_SAME_TEXT(folder), DT_SAME_INT(corpus->sources));
    bool has_some = false;
    uint64_t key;
    *used = false;
    if (world->rank == 0 && dt_file_is_folder(folder) && look(folder, corpus, false, &has_some) != DT_OK)
        has_some = false; /* what cannot be looked at is not there */
    DT_TRY(dt_world_broadcast(world, &has_some, (int64_t)sizeof has_some));
    return has_some && corpus->file_bytes > 0 ? use_keyed(world, corpus, folder, &key, false, used) : DT_OK;
}

dt_status dt_token_cache_use(const dt_world *world, dt_corpus *corpus, const char *folder,
                             const char *tokenizer_name, bool *used) {
    DT_COLLECTIVE(world, DT_SAME_TEXT(folder), DT_SAME_INT(corpus->sources));
    char sentence[DT_ERROR_BYTES];
    dt_made_folder made = {0};
    *used = false;
    const dt_status status = find_or_make(world, corpus, folder, tokenizer_name, &made, used);
    if (status == DT_OK)
        dt_made_folder_keep(&made);
    else
        dt_made_folder_undo(&made);
    if (status != DT_FAILED || (corpus->is_streamed && world->rank != 0))
        return status; /* rank 0 has the sentence */
    snprintf(sentence, sizeof sentence, "%s", dt_error());
    if (corpus->is_streamed)
        return dt_fail(
            "%s; %s can be read only once and needs a folder for its tokens that all ranks see: name one "
            "by token_cache, or tokenize it first (dtrain tokenize)",
            sentence, corpus->path);
    dt_log_note("no token cache: %s; the texts are tokenized in memory, and again by the next run", sentence);
    return DT_OK;
}
