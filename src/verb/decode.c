/* `dtrain tokenize --decode FILE`: the text that tokens were made from. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/list.h"
#include "tokenizer/tokenizer.h"
#include "train/corpus_index.h"
#include "verb/token_words.h"
#include "verb/verb.h"

/* Whether `name` is a tokenizer that makes tokens of the file's. */
static bool is_maker(const char *name, const dt_token_about *about) {
    dt_tokenizer tokenizer = {0};
    char *json = NULL;
    size_t length;
    dt_status status = dt_tokenizer_read(name, &json, &length);
    if (status == DT_OK)
        status = json ? dt_tokenizer_parse(&tokenizer, name, json, length)
                      : dt_tokenizer_create(&tokenizer, name, NULL, 0);
    const bool is = status == DT_OK && dt_tokenizer_is(&tokenizer, about->tokenizer_hash);
    dt_tokenizer_free(&tokenizer);
    free(json);
    return is;
}

/* The name of a file in the folder of `path`, as a new string; NULL when out of memory. */
static char *name_beside(const char *path, const char *name) {
    const char *slash = strrchr(path, '/');
    char *beside = NULL;
    return asprintf(&beside, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name) < 0 ? NULL : beside;
}

/* The tokenizer that a file of dtrain's own names is where it was when the file was made, or beside the file,
 * or a flag says. `*name` becomes a new string. */
static dt_status look_for_tokenizer(const dt_token_file *file, char **name) {
    const char *said = file->about.tokenizer_name, *slash = strrchr(said, '/');
    if (*said == 0)
        return dt_usage("tokenize: expected --tokenizer, since %s does not say by which its tokens were made",
                        file->path);
    char *names[] = {strdup(said), name_beside(file->path, said),
                     name_beside(file->path, slash ? slash + 1 : said)};
    dt_status status = DT_OK;
    *name = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i] == NULL)
            status = dt_fail("out of memory for the name of a tokenizer");
        else if (*name == NULL && is_maker(names[i], &file->about))
            *name = names[i];
        else
            free(names[i]);
    }
    if (status == DT_OK && *name == NULL)
        status =
            dt_usage("tokenize: expected the tokenizer %s that made %s, found it neither there nor beside "
                     "the tokens; name it by --tokenizer",
                     said, file->path);
    return status;
}

static dt_status find_tokenizer(const dt_token_words *words, char **name) {
    dt_token_file file;
    char **paths;
    int64_t count;
    *name = NULL;
    DT_TRY(dt_list_read(words->list, &paths, &count));
    const int raw_bytes = words->config.data_format == DT_DATA_UINT16   ? 2
                          : words->config.data_format == DT_DATA_UINT32 ? 4
                                                                        : 0;
    dt_status status = dt_token_file_open(&file, paths[0], raw_bytes);
    if (status == DT_OK) {
        status = look_for_tokenizer(&file, name);
        dt_token_file_close(&file);
    }
    dt_list_free(paths);
    return status;
}

/* A terminal shows what it can; a file or a pipe gets the bytes. */
static dt_status write_text(void *context, const int32_t *ids, int64_t count) {
    const dt_tokenizer *tokenizer = context;
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL)
        return dt_fail("out of memory for text");
    for (int64_t t = 0; t < count; t++) {
        size_t bytes;
        const char *piece = dt_tokenizer_decode(tokenizer, ids[t], &bytes);
        (void)fwrite(piece, 1, bytes, memory);
    }
    dt_status status = fclose(memory) == 0 ? DT_OK : dt_fail("out of memory for text");
    if (status == DT_OK && dt_log_redraws())
        dt_log_output(text);
    else if (status == DT_OK && fwrite(text, 1, length, stdout) != length)
        status = dt_verb_printed("the text");
    free(text);
    return status;
}

static dt_status decode(const dt_corpus *corpus, dt_tokenizer *tokenizer) {
    DT_TRY(dt_token_words_walk(corpus, write_text, tokenizer));
    return dt_verb_printed("the text");
}

static dt_status run(const dt_token_words *words) {
    char *name = NULL;
    dt_tokenizer tokenizer = {0};
    dt_corpus corpus = {0};
    dt_status status = words->flags.tokenizer ? DT_OK : find_tokenizer(words, &name);
    if (status == DT_OK)
        status = dt_token_words_open(&tokenizer, name ? name : words->flags.tokenizer);
    free(name);
    if (status == DT_OK) {
        const dt_corpus_index_inputs inputs = {
            .config = &words->config, .data = words->list, .tokenizer = &tokenizer, .V = tokenizer.V};
        status = dt_corpus_index_open_alone(&corpus, &inputs);
    }
    if (status == DT_OK)
        status = decode(&corpus, &tokenizer);
    dt_corpus_close(&corpus);
    dt_tokenizer_free(&tokenizer);
    return status;
}

dt_status dt_verb_decode(const dt_verb *verb, int argc, char **argv) {
    dt_token_words words;
    /* Here the text is the result: without a reader there is nothing left to do. */
    signal(SIGPIPE, SIG_DFL);
    dt_log_open(true, dt_log_find_terminal());
    dt_status status = dt_token_words_read(&words, verb, argc, argv);
    if (status == DT_OK)
        status = run(&words);
    dt_token_words_free(&words);
    return status;
}
