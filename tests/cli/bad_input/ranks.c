/* What goes wrong on one rank, on rank 0 or on all: said once. */
#include "rows.h"
#include "support/command.h"

static const bad_row rows[] = {
    {ROW("--max-step 3", "unknown flag --max-step; did you mean --max-steps?")},
    {ROW(CONFIG, "c.yaml:1:11: n_layers must be an integer"), .yaml = "n_layers: 0\n"},
    {ROW(TINY " --config nope.yaml", "--config: cannot open nope.yaml")},
    {ROW(TINY " --data nope.txt", "cannot open nope.txt")},
    {ROW(TINY " --data plain.txt", "the corpus is too small")},
    {ROW(TRAIN "--batch-size 2 --micro-batch-size 1",
         "3 ranks for 2 micro-batches: expected at most one rank per micro-batch")},
    {ROW(TRAIN "--micro-batch-size 1 --out-dir plain.txt/run", "out_dir: cannot make folder")},
    {ROW(TRAIN "--resume nope", "nope is no checkpoint")},
    {ROW("eval nope", "nope is no checkpoint")},
    {ROW(CONFIG " :: " DTRAIN " --bogus", "expected one command line for all ranks"),
     .yaml = "n_layers: 1\n"},
    {ROW(TRAIN " :: " DTRAIN " " TRAIN "--max-steps 2", "expected one command line for all ranks")},
    {ROW(TRAIN
         "--sampling-prompt 'a long word that is the same on all ranks, and ends as it began, so that what "
         "differs stands far behind it' --seed 3 :: " DTRAIN " " TRAIN
         "--sampling-prompt 'a long word that is the same on all ranks, and ends as it began, so that what "
         "differs stands far behind it' --seed 4",
         "far behind it --seed 4 ")},
    {ROW("eval nope :: " DTRAIN " eval", "expected one command line for all ranks")},
    {ROW(TINY " --data nope.txt --batch-size 2 --micro-batch-size 1",
         "3 ranks for 2 micro-batches: expected at most one rank per micro-batch")},
    {ROW(TRAIN "--n-layers 1000 --d-model 65536", "B available for 3 ranks, of which rank 0 takes ")},
    {ROW("bench " TINY " --batch-size 2 --micro-batch-size 1",
         "3 ranks for 2 micro-batches: expected at most one rank per micro-batch")},
    {ROW("bench " TINY " --algorithms --repetitions 0", "--repetitions: expected a whole number")},
    {ROW("bench " TINY " --algorithms --threads-per-core much",
         "--threads-per-core: expected the threads that take turns on a core")},
    {ROW("bench " TINY " --algorithms --threads-per-core 1e308", "from 1 to 4096, found \"1e308\"")},
    {ROW("bench " TINY " --algorithms --threads-per-core nan", "from 1 to 4096, found \"nan\"")},
    {ROW("bench " TINY " --algorithms --json nope/x.json",
         "--json: cannot write nope/x.json: No such file or directory; name a file")},
};

const bad_table bad_ranks = {"ranks", BAD_ROWS(rows),
                             .launcher = DTRAIN_MPIRUN " -np 3 --oversubscribe " DTRAIN_SOURCE_DIR
                                                       "/tests/support/mismatch"};
