/* Files and folders that cannot be used, and models that no host holds. */
#include "rows.h"

static const bad_row rows[] = {
    {ROW(TINY " --config nope.yaml", "--config: cannot open nope.yaml: No such file or directory")},
    {ROW(TINY " --config folder", "--config: cannot read folder: Is a directory")},
    {ROW(TINY " --config -", "standard input:1:1: unknown key n_layer; did"), .before = "echo n_layer: 1 |"},
    {ROW(TRAIN "--out-dir plain.txt/run",
         "out_dir: cannot make folder plain.txt/run: it, or a folder above it, is a file")},
    {ROW(TRAIN "--checkpoint-dir plain.txt", "checkpoint_dir: cannot make folder plain.txt")},
    {ROW(TRAIN "--config empty.txt --n-layers 0", "--n-layers: n_layers must be")},
    {ROW(TRAIN "--config plain.txt", "plain.txt:1:1: expected lines of \"key: value\"")},
    {ROW(TRAIN "--config /dev/zero",
         "--config: cannot read /dev/zero: expected at most 1048576 bytes, found more")},
    {ROW(TRAIN "--config case/big.yaml", "expected at most 1048576 bytes, found more"),
     .prepare = "mkdir case && { yes \"# a comment\" | head -c 2000000 >case/big.yaml; }"},
    {ROW(TRAIN "--config case/loop", "cannot open case/loop: Too many levels of symbolic links"),
     .prepare = "mkdir case && ln -s loop case/loop"},
    {ROW(TRAIN "--config plain.txt/c.yaml", "cannot open plain.txt/c.yaml: Not a directory")},
    {ROW("data " TRAIN "--config case/c.yaml", "--config: cannot open case/c.yaml: Permission denied"),
     .prepare = "mkdir case && echo seed: 1 >case/c.yaml && chmod 0 case/c.yaml", .as_nobody = true},
    {ROW(TRAIN "--out-dir plain.txt",
         "out_dir: cannot make folder plain.txt: it, or a folder above it, is a file; name a folder that "
         "you can write to")},
    {ROW(TRAIN "--out-dir /proc/run",
         "out_dir: cannot make folder /proc/run: No such file or directory; name a folder")},
    {ROW(TRAIN "--out-dir case",
         "out_dir: expected case/metrics.jsonl to be a file or nothing yet, found a folder; move it away"),
     .prepare = "mkdir -p case/metrics.jsonl"},
    {ROW(TRAIN "--out-dir case",
         "cannot open case/metrics.jsonl to append: it is a pipe or a device, not a file; move it away"),
     .prepare = "mkdir -p case/checkpoints/checkpoint_step_4 && mkfifo case/metrics.jsonl"},
    {ROW(TRAIN "--resume good --out-dir case", "cannot open case/metrics.jsonl to append: Permission denied"),
     .prepare = "mkdir -p -m 777 case case/checkpoints case/checkpoints/checkpoint_step_4 && "
                ">case/metrics.jsonl && chmod 444 case/metrics.jsonl",
     .as_nobody = true},
    {ROW(TRAIN "--out-dir case", "cannot lock case/run.lock: Permission denied; name a folder that you can"),
     .prepare = "mkdir -m 755 case", .as_nobody = true},
    {ROW(TRAIN "--out-dir case", "out_dir: cannot make folder case/checkpoints: it, or a folder above it, "
                                 "is a file"),
     .prepare = "mkdir case && touch case/checkpoints"},
    {ROW(TRAIN "--out-dir case", "expected case/checkpoints/latest to be a symbolic link to a checkpoint"),
     .prepare = "mkdir -p case/checkpoints/latest"},
    {ROW(TRAIN "--out-dir folder --checkpoint-dir /dev/null/x",
         "checkpoint_dir: cannot make folder /dev/null/x")},
    {ROW(TRAIN "--n-layers 1024 --d-model 65536 --d-ff 262144 --n-heads 1", "not enough memory on host")},
    {ROW(TRAIN "--n-layers 1000 --d-model 65536", "B available for 1 rank, of which rank 0 takes ")},
    {ROW(
        TINY
        " --data text.txt --batch-size 1 --micro-batch-size 1 --d-model 65536 --max-seq-len 1000 --d-ff 262144 --n-layers 100",
        "neither recompute: layer nor shard_optimizer: true is enough; use a smaller model, micro_batch_size or "
        "bucket_bytes, or fewer ranks per host")},
    {ROW("bench " TINY " --n-layers 1000 --d-model 65536", "not enough memory on host")},
    {ROW("bench " TINY " --batch-size 1073741824 --micro-batch-size 1", "not enough memory on host")},
    {ROW("bench " TINY
         " --batch-size 1073741824 --micro-batch-size 1073741824 --max-seq-len 1048576 --n-layers 1024",
         "expected more than 4.5 PB available")},
    {ROW("bench " TINY " --n-layers 1000 --d-model 65536 --json empty.txt", "not enough memory on host")},
    {ROW("bench " TINY " --scaling strong --n-layers 1000 --d-model 65536 --json x.json --report x.html",
         "not enough memory on host")},
    {ROW("plan " TINY " --n-layers 1000 --d-model 65536 --json empty.txt", "not enough memory on host")},
    {ROW("plan " TINY " --batch-size 1073741824 --micro-batch-size 1",
         "out of memory for the schedule of a rank\'s micro-batches: it needs 77309411328 bytes"),
     .failed = true},
};

const bad_table bad_paths = {"paths", BAD_ROWS(rows), .launcher = ""};
