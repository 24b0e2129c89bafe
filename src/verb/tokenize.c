/* `dtrain tokenize TEXT .. --tokenizer T --out FILE`: texts to tokens once, for many runs. Ranks share the
 * blocks. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/replace.h"
#include "comm/agree.h"
#include "data/unpack.h"
#include "tokenizer/chars.h"
#include "tokenizer/tokenizer.h"
#include "train/corpus_index.h"
#include "train/stop.h"
#include "train/token_space.h"
#include "train/tokenize.h"
#include "verb/token_words.h"
#include "verb/verb.h"

/* Whether the file with the name `path`, links followed, is `file`. */
static bool is_file(const char *path, const struct stat *file) {
    struct stat info;
    const bool found = strcmp(path, DT_UNPACK_STANDARD_INPUT) == 0 ? fstat(STDIN_FILENO, &info) == 0
                                                                   : stat(path, &info) == 0;
    return found && info.st_dev == file->st_dev && info.st_ino == file->st_ino;
}

/* What is read must not be written over: neither the texts nor the tokenizer may have the name `path`. */
static dt_status refuse_input(const dt_corpus *corpus, const char *tokenizer, const char *path) {
    struct stat file;
    if (stat(path, &file) != 0)
        return DT_OK;
    for (int64_t i = 0; i < corpus->sources; i++)
        if (is_file(corpus->source[i].path, &file))
            return dt_usage(
                "--out: expected a file that is not read, found that %s is the text %s, which would be lost; "
                "give another name",
                path, i == 0 ? corpus->path : corpus->source[i].path);
    if (!dt_tokenizer_is_kind(tokenizer) && is_file(tokenizer, &file))
        return dt_usage(
            "--out: expected a file that is not read, found that %s is the tokenizer %s, which would be lost; "
            "give another name",
            path, tokenizer);
    return DT_OK;
}

/* Tokens may have taken hours: what is there stays, as it does where a tokenizer is trained. */
static dt_status check_new(const char *out) {
    if (dt_file_is_there(out))
        return dt_usage("tokenize: expected the name of a new file for --out, found %s, which is there", out);
    return dt_replace_check(out);
}

/* The file beside the tokens that says what makes them, as a new string; NULL when out of memory. */
static char *name_beside(const char *target) {
    char *name;
    return asprintf(&name, "%s.tokenizer.json", target) >= 0 ? name : NULL;
}

/* Of characters that were collected nobody else knows which they are. */
static bool is_kept_beside(const dt_tokenizer *tokenizer, const char *name) {
    return tokenizer->kind == &dt_chars && dt_tokenizer_is_kind(name);
}

/* Such a file takes the place of an older one, and of nothing else. */
static dt_status check_characters(const char *name) {
    dt_tokenizer tokenizer;
    const bool is_older =
        dt_tokenizer_open(&tokenizer, name) == DT_OK && tokenizer.kind == &dt_chars && tokenizer.V > 0;
    dt_tokenizer_free(&tokenizer);
    return is_older || !dt_file_is_there(name)
               ? DT_OK
               : dt_usage(
                     "--out: expected to keep the characters beside the tokens, found that %s is another "
                     "file, which would be lost; give another name, or remove it",
                     name);
}

static dt_status check_beside(const dt_corpus *corpus, const char *tokenizer, const char *target) {
    char *name = name_beside(target);
    dt_status status =
        name ? refuse_input(corpus, tokenizer, name) : dt_fail("out of memory for the name of %s", target);
    if (status == DT_OK)
        status = check_characters(name);
    free(name);
    return status;
}

static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Whether there is a file to be written, and space for it. Rank 0 alone. */
static dt_status prepare(const dt_corpus *corpus, const dt_verb_flags *flags, char **target) {
    const char *out = flags->out, *tokenizer = dt_token_words_tokenizer(flags);
    if (strcmp(out, "-") == 0)
        return dt_usage(
            "--out: expected the name of a file, found -; ranks write the tokens together, which a pipe "
            "does not allow");
    DT_TRY(refuse_input(corpus, tokenizer, out));
    if (!corpus->is_text)
        return dt_usage(
            "tokenize: expected texts, found that %s is a file of tokens already; --decode gives its text "
            "back, --statistics counts",
            corpus->path);
    DT_TRY(check_new(out));
    *target = strdup(out);
    if (*target == NULL)
        return dt_fail("out of memory for the name of %s", out);
    if (is_kept_beside(corpus->tokenizer, tokenizer))
        DT_TRY(check_beside(corpus, tokenizer, *target));
    char *folder = folder_of(*target);
    const dt_status status =
        folder ? dt_token_space_check(corpus, folder) : dt_fail("out of memory for a folder's name");
    free(folder);
    return status;
}

/* Beside the tokens goes what makes them, whose name then is `*name`, a new string. */
static dt_status keep_tokenizer(const dt_tokenizer *tokenizer, const char *target, char **name) {
    size_t length;
    char *json = dt_tokenizer_json(tokenizer, &length);
    *name = name_beside(target);
    dt_status status = json && *name ? DT_OK : dt_fail("out of memory for the tokenizer of %s", target);
    if (status == DT_OK)
        status = dt_replace_write(*name, json, length);
    free(json);
    return status;
}

/* What --tokenizer names, as a new string. */
static dt_status name_tokenizer(const dt_tokenizer *tokenizer, const char *target, const dt_verb_flags *flags,
                                char **name) {
    const char *given = dt_token_words_tokenizer(flags);
    *name = NULL;
    if (is_kept_beside(tokenizer, given))
        return keep_tokenizer(tokenizer, target, name);
    *name = strdup(given);
    return *name ? DT_OK : dt_fail("out of memory for the name of the tokenizer");
}

static dt_status finish(dt_token_writer *writer, const dt_tokenizer *tokenizer, const char *target,
                        const dt_verb_flags *flags) {
    dt_token_about *about = &writer->about;
    char *name;
    const dt_status named = name_tokenizer(tokenizer, target, flags, &name);
    if (named == DT_OK)
        snprintf(about->tokenizer_name, sizeof about->tokenizer_name, "%s", name);
    else
        dt_token_writer_abandon(writer);
    free(name);
    DT_TRY(named);
    const dt_token_about said = *about;
    DT_TRY(dt_token_writer_finish(writer, target, false));
    dt_log_line(
        "%s: %" PRId64 " tokens of %d byte%s by %s, from %" PRId64 " bytes of text (%.3f bytes per token)",
        target, said.count.tokens, said.token_bytes, said.token_bytes == 1 ? "" : "s", said.tokenizer_name,
        said.content_bytes, (double)said.content_bytes / (double)said.count.tokens);
    return dt_verb_printed("what was written");
}

static dt_status write_tokens(const dt_world *world, const dt_corpus *corpus, const dt_verb_flags *flags) {
    dt_token_writer writer;
    char *target = NULL;
    size_t length = 0;
    dt_status status = dt_agree(world, world->rank == 0 ? prepare(corpus, flags, &target) : DT_OK);
    if (target)
        length = strlen(target);
    if (status == DT_OK)
        status = dt_world_broadcast_block(world, &target, &length);
    if (status == DT_OK)
        status = dt_tokenize_run(world, corpus, target, &writer);
    if (status == DT_OK)
        status =
            dt_agree(world, world->rank == 0 ? finish(&writer, corpus->tokenizer, target, flags) : DT_OK);
    free(target);
    return status;
}

static dt_status run(const dt_world *world, const dt_token_words *words) {
    dt_tokenizer tokenizer;
    dt_corpus corpus = {0};
    dt_status status =
        dt_agree(world, dt_tokenizer_open(&tokenizer, dt_token_words_tokenizer(&words->flags)));
    if (status == DT_OK) {
        const dt_corpus_index_inputs inputs = {.config = &words->config,
                                               .data = words->list,
                                               .tokenizer = &tokenizer,
                                               .V = tokenizer.V,
                                               .stop_requested = dt_stop_requested};
        status = dt_corpus_index_look(&corpus, world, &inputs);
    }
    if (status == DT_OK)
        status = dt_corpus_index_collect(&tokenizer, &corpus, world);
    if (status == DT_OK)
        status = write_tokens(world, &corpus, &words->flags);
    dt_corpus_close(&corpus);
    dt_tokenizer_free(&tokenizer);
    return status;
}

static dt_status expect_out(const dt_verb_flags *flags) {
    if (flags->out && *flags->out)
        return DT_OK;
    return dt_usage("tokenize: expected the file to write, found no --out FILE; for example: dtrain tokenize "
                    "text.txt --tokenizer tokenizer.json --out text.tokens");
}

static dt_status expect_and_run(const dt_world *world, const dt_token_words *words) {
    DT_TRY(dt_agree(world, expect_out(&words->flags)));
    return run(world, words);
}

dt_status dt_verb_tokenize(const dt_verb *verb, int argc, char **argv) {
    return dt_token_words_run(verb, argc, argv, expect_and_run, "nothing was written");
}
