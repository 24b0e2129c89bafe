/* The C library's glob() knows the shell's rules; nobody sets a locale, so it sorts by bytes. */
#include "data/corpus_files.h"

#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define FOLDER    "data"
#define PREFERRED "uni-alg-int.txt"
#define SUFFIX    ".txt"

typedef struct file_list {
    char **paths;
    size_t count;
} file_list;

/* Takes `path`, which is NULL where memory was short. */
static dt_status append(file_list *files, char *path) {
    char **longer = path ? realloc(files->paths, (files->count + 1) * sizeof *longer) : NULL;
    if (longer == NULL) {
        free(path);
        return dt_fail("out of memory for the names of the corpus");
    }
    files->paths = longer;
    files->paths[files->count++] = path;
    return DT_OK;
}

/* A text file as the shell's *.txt means it: not a hidden one, and no folder. */
static bool is_candidate(const char *name, const char *path) {
    size_t length = strlen(name), suffix = strlen(SUFFIX);
    return name[0] != '.' && length > suffix && strcmp(name + length - suffix, SUFFIX) == 0 &&
           dt_file_exists(path) && !dt_file_is_folder(path);
}

/* Takes data/`name` as the corpus if it is one. */
static dt_status consider(const char *name, file_list *files) {
    char *joined = dt_file_join(FOLDER, name);
    if (joined == NULL)
        return DT_FAILED;
    if (is_candidate(name, joined))
        return append(files, joined);
    free(joined);
    return DT_OK;
}

static dt_status find_default(file_list *files) {
    DT_TRY(consider(PREFERRED, files));
    if (files->count == 0 && dt_file_is_folder(FOLDER)) {
        char **names;
        size_t count;
        DT_TRY(dt_file_list(FOLDER, &names, &count));
        dt_status status = DT_OK;
        for (size_t i = 0; i < count && files->count == 0 && status == DT_OK; i++)
            status = consider(names[i], files);
        dt_file_free_names(names, count);
        DT_TRY(status);
    }
    if (files->count > 0)
        return DT_OK;
    char here[PATH_MAX];
    return dt_usage(
        "no corpus: expected %s/%s or another *%s in %s/ of the working folder %s, found none; name a "
        "text file with --data FILE or `data: FILE`",
        FOLDER, PREFERRED, SUFFIX, FOLDER, getcwd(here, sizeof here) != NULL ? here : "(unknown)");
}

static dt_status append_glob(file_list *files, const char *pattern) {
    glob_t matches;
    dt_status status = DT_OK;
    const int result = glob(pattern, GLOB_ERR, NULL, &matches);
    if (result == GLOB_NOMATCH)
        return dt_usage(
            "no corpus: expected files that match the glob %s, found none; name files that are there, with a glob "
            "in quotes",
            pattern);
    if (result != 0)
        return dt_usage("no corpus: cannot look for files that match the glob %s: %s; name them one by one",
                        pattern, result == GLOB_NOSPACE ? "out of memory" : "a folder cannot be read");
    for (size_t i = 0; i < matches.gl_pathc && status == DT_OK; i++)
        status = append(files, strdup(matches.gl_pathv[i]));
    globfree(&matches);
    return status;
}

dt_status dt_corpus_files_find(const char *const *names, int64_t count, char ***paths, size_t *found) {
    file_list files = {0};
    dt_status status = count == 0 ? find_default(&files) : DT_OK;
    for (int64_t i = 0; i < count && status == DT_OK; i++) {
        const bool is_glob = strpbrk(names[i], "*?[") != NULL && !dt_file_is_there(names[i]);
        status = is_glob ? append_glob(&files, names[i]) : append(&files, strdup(names[i]));
    }
    if (status != DT_OK) {
        dt_file_free_names(files.paths, files.count);
        files = (file_list){0};
    }
    *paths = files.paths;
    *found = files.count;
    return status;
}
