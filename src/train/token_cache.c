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
#include "base/memory.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "data/file_hash.h"
#include "train/token_space.h"
#include "train/tokenize.h"

#define AUTO   "auto"
#define FOLDER "tokens"
#define SUFFIX ".tokens"

/* Which tokenizers are about as fast as a disk. */
static bool is_fast(const dt_tokenizer *tokenizer) {
    static const char *const names[] = {"ascii", "bytes", "chars"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(tokenizer->kind->name, names[i]) == 0)
            return true;
    return false;
}

dt_status dt_token_cache_folder(const dt_config *config, const dt_corpus *corpus, char **folder) {
    *folder = NULL;
    if (config->token_cache == NULL || !corpus->is_text || corpus->tokenizer->V == 0)
        return DT_OK; /* one that still collects its characters has no tokens yet */
    const bool by_itself = strcmp(config->token_cache, AUTO) == 0;
    if (by_itself && is_fast(corpus->tokenizer) && !corpus->is_streamed)
        return DT_OK;
    *folder = by_itself ? dt_file_join(config->out_dir, FOLDER) : strdup(config->token_cache);
    return *folder ? DT_OK : dt_fail("out of memory for a folder's name");
}

/* ---- what rank 0 does ---- */

static bool has_suffix(const char *name, const char *suffix) {
    const size_t length = strlen(name), ending = strlen(suffix);
    return length >= ending && strcmp(name + length - ending, suffix) == 0;
}

/* Of a file that a run was killed over. */
static void clear_leftover(const char *folder, const char *name) {
    char *path = dt_file_join(folder, name);
    if (path && name[0] == '.' && strstr(name, SUFFIX ".") && has_suffix(name, ".tmp"))
        dt_token_writer_clear(path);
    free(path);
}

/* Makes the folder, clears it of leftovers, and looks whether it holds tokens by this tokenizer. */
static dt_status look(const char *folder, const dt_corpus *corpus, bool *is_new, bool *has_some) {
    char ending[40], **names;
    size_t count;
    *has_some = false;
    *is_new = !dt_file_exists(folder);
    DT_TRY(dt_file_make_folder(folder));
    DT_TRY(dt_file_list(folder, &names, &count));
    snprintf(ending, sizeof ending, "-%016" PRIx64 SUFFIX, corpus->tokenizer->hash);
    for (size_t i = 0; i < count; i++) {
        *has_some |= names[i][0] != '.' && has_suffix(names[i], ending);
        clear_leftover(folder, names[i]);
    }
    dt_file_free_names(names, count);
    return DT_OK;
}

static char *name_file(const char *folder, const dt_corpus *corpus, uint64_t key) {
    char name[64];
    snprintf(name, sizeof name, "%016" PRIx64 "-%016" PRIx64 SUFFIX, key, corpus->tokenizer->hash);
    return dt_file_join(folder, name);
}

/* ---- what all ranks do ---- */

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

/* All ranks read the file from now on, or none; the log says so as `what`. One that is not new is checked
 * against its `key`. */
static dt_status use(const dt_world *world, dt_corpus *corpus, const char *path, const char *what,
                     const uint64_t *key) {
    char size[DT_TOKEN_SPACE_TEXT];
    struct stat info;
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
    if (stat(path, &info) == 0) {
        dt_token_space_say((double)info.st_size, size);
        dt_log_line("tokens: %s %s (%s)", what, path, size);
    }
    return DT_OK;
}

/* What was there may be damaged: then it is made anew. */
static dt_status use_old(const dt_world *world, dt_corpus *corpus, const char *path, uint64_t key,
                         bool *used) {
    int is_there = world->rank == 0 && dt_file_exists(path);
    DT_TRY(dt_world_broadcast(world, &is_there, (int64_t)sizeof is_there));
    if (!is_there)
        return DT_OK;
    dt_status status = use(world, corpus, path, "read from", &key);
    *used = status == DT_OK;
    if (status == DT_OK || status == DT_STOPPED)
        return status;
    dt_log_note("%s; tokenizing the texts again", dt_error());
    status = DT_OK;
    if (world->rank == 0 && unlink(path) != 0 && errno != ENOENT)
        status =
            dt_fail("cannot put a file of tokens in the place of %s: %s; remove that", path, strerror(errno));
    return dt_agree(world, status);
}

/* Tokenizes, names the file by `key` or, where that is not known, by the content, and uses it. */
static dt_status make(const dt_world *world, dt_corpus *corpus, const char *folder,
                      const char *tokenizer_name, const uint64_t *key) {
    char *path = name_file(folder, corpus, key ? *key : 0);
    dt_token_writer writer;
    dt_status status = dt_agree(world, path ? DT_OK : dt_fail("out of memory for a file's name"));
    if (status == DT_OK)
        status = dt_tokenize_run(world, corpus, path, &writer);
    if (status != DT_OK) {
        free(path);
        return status;
    }
    uint64_t name = key ? *key : writer.about.content_hash; /* rank 0's */
    status = dt_world_broadcast(world, &name, (int64_t)sizeof name);
    free(path);
    path = name_file(folder, corpus, name);
    if (status == DT_OK && path == NULL)
        status = dt_fail("out of memory for a file's name");
    if (world->rank == 0) {
        snprintf(writer.about.tokenizer_name, sizeof writer.about.tokenizer_name, "%s", tokenizer_name);
        if (status == DT_OK)
            status = dt_token_writer_finish(&writer, path, true);
        else
            dt_token_writer_abandon(&writer);
    }
    status = dt_agree(world, status);
    if (status == DT_OK)
        status = use(world, corpus, path, "kept in", NULL);
    free(path);
    return status;
}

static dt_status find_or_make(const dt_world *world, dt_corpus *corpus, const char *folder,
                              const char *tokenizer_name, bool *is_new, bool *used) {
    bool has_some = false;
    uint64_t key = 0;
    const bool has_files = corpus->file_bytes > 0; /* and is not standard input */
    DT_TRY(dt_agree(world, world->rank == 0 ? look(folder, corpus, is_new, &has_some) : DT_OK));
    DT_TRY(dt_world_broadcast(world, &has_some, (int64_t)sizeof has_some));
    const bool is_keyed = has_files && (has_some || corpus->is_streamed);
    if (is_keyed) {
        DT_TRY(hash_files(world, corpus, &key));
        char *path = name_file(folder, corpus, key);
        dt_status status = dt_agree(world, path ? DT_OK : dt_fail("out of memory for a file's name"));
        if (status == DT_OK)
            status = use_old(world, corpus, path, key, used);
        free(path);
        if (status != DT_OK || *used)
            return status;
    }
    DT_TRY(dt_agree(world, world->rank == 0 ? dt_token_space_check(corpus, folder) : DT_OK));
    DT_TRY(make(world, corpus, folder, tokenizer_name, is_keyed ? &key : NULL));
    *used = true;
    return DT_OK;
}

dt_status dt_token_cache_use(const dt_world *world, dt_corpus *corpus, const char *folder,
                             const char *tokenizer_name, bool *used) {
    DT_COLLECTIVE(world, DT_SAME_TEXT(folder), DT_SAME_INT(corpus->sources));
    char sentence[DT_ERROR_BYTES];
    bool is_new = false;
    *used = false;
    const dt_status status = find_or_make(world, corpus, folder, tokenizer_name, &is_new, used);
    if (status != DT_OK && is_new)
        (void)rmdir(folder); /* where it is empty */
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
