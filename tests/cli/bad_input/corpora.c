/* Texts that cannot be trained on. */
#include "rows.h"

static const bad_row rows[] = {
    {ROW(TINY, "no corpus: expected data/uni-alg-int.txt or another *.txt in data/")},
    {ROW(TINY " --data nope.txt", "cannot open nope.txt: No such file or directory; name a text")},
    {ROW(TINY " --data folder", "cannot read folder: expected a regular file, found a folder")},
    {ROW(TINY " --data empty.txt", "cannot use empty.txt: expected a text, found an empty file")},
    {ROW(
        TINY " --data plain.txt",
        "the corpus is too small: found 7 tokens, 6 of them in the train split (train_ratio 0.95); expected at least 136 tokens")},
    {ROW(TINY " --data /dev/null",
         "no corpus: cannot read /dev/null: expected a regular file, found something else")},
    {ROW(TINY " --data case/pipe", "cannot read case/pipe: expected a regular file, found something else"),
     .prepare = "mkdir case && mkfifo case/pipe"},
    {ROW(TINY " --data case/loop", "cannot open case/loop: Too many levels of symbolic links"),
     .prepare = "mkdir case && ln -s loop case/loop"},
    {ROW(TINY " --data plain.txt/x", "cannot open plain.txt/x: Not a directory")},
    {ROW(TINY " --data $(printf %0300d 7)", "File name too long; name a text file with --data FILE")},
    {ROW("data " TINY " --data case/text.txt", "cannot open case/text.txt: Permission denied"),
     .prepare = "mkdir case && cp text.txt case && chmod 0 case/text.txt", .as_nobody = true},
    {ROW(TINY " --data case/unicode.txt", "the corpus is too small: found 100 tokens"),
     .prepare = "mkdir case && { yes é | head -n 100 | tr -d \"\\n\" >case/unicode.txt; }"},
    {ROW(TINY " --data case/newlines.txt", "the corpus is too small: found 100 tokens"),
     .prepare = "mkdir case && { yes | tr \"y\\n\" \"\\r\\n\" | head -c 200 >case/newlines.txt; }"},
    {ROW(TINY " --data case/text.gz",
         "cannot use case/text.gz: expected a text in UTF-8, found a file packed by gzip; unpack it"),
     .prepare = "mkdir case && gzip -c text.txt >case/text.gz"},
    {ROW(TINY " --data case/wide.txt",
         "cannot use case/wide.txt: expected a text in UTF-8, found one in UTF-16LE; convert it"),
     .prepare = "mkdir case && iconv -t UTF-16LE text.txt >case/wide.txt"},
    {ROW("data " TINY " --seed 1 --data $(command -v sh)", "found a compiled program (ELF); name a text")},
    {ROW(TINY " --data case/hole.txt", "found a NUL byte at offset 20000, which a text does not have"),
     .prepare = "mkdir case && { cat text.txt && printf \"\\000\"; } >case/hole.txt"},
    {ROW(
        TRAIN "--batch-size 1000000",
        "the corpus is too small: found 20000 tokens, 19000 of them in the train split (train_ratio 0.95); expected at least 8421054 tokens")},
    {ROW(TRAIN "--max-seq-len 100000",
         "one window of max_seq_len 100000 for each sequence of batch_size 16; use a smaller batch_size")},
    {ROW(TRAIN "--train-ratio 1e-9", "0 of them in the train split (train_ratio 1e-09)")},
    {ROW(TRAIN "--batch-size 1073741824", "for each sequence of batch_size 1073741824;")},
    {ROW(
        TINY " --data text.txt --eval-cadence 1 --max-seq-len 2000 --batch-size 1 --micro-batch-size 1",
        "the text to evaluate on has 1000 tokens, but one window needs 2001 (max_seq_len + 1); use a longer text")},
};

const bad_table bad_corpora = {"corpora", BAD_ROWS(rows), .launcher = ""};
