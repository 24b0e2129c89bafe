/*
 * Wrong configs and command lines, one row each, through the real program: the exit code is 2, exactly one
 * line says what is wrong, and the folder holds what it held before. What a sentence must say is in the rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/command.h"
#include "support/text.h"

/* Small enough that a row which is wrongly accepted ends soon. */
#define TINY   "--max-steps 1 --n-layers 1 --d-model 4 --n-heads 1 --d-ff 4 --max-seq-len 8 --seed 1"
#define TRAIN  TINY " --data text.txt "
#define CONFIG TINY " --data text.txt --config c.yaml"

typedef struct row {
    const char *arguments; /* after the program's name */
    const char *sentence;  /* what the message must hold */
    const char *yaml;      /* what c.yaml holds, or NULL for no such file */
    const char *before;    /* what stands before the program's name, or NULL */
} row;

/* c.yaml is wrong. */
static const row yaml_rows[] = {
    {CONFIG, "c.yaml:1:1: unknown key max_step; did you mean max_steps?", "max_step: 3\n", NULL},
    {CONFIG, "c.yaml:2:1: unknown key colour; docs/config.md lists them all", "seed: 1\ncolour: red\n", NULL},
    {CONFIG, "c.yaml:1:1: unknown key max-steps; did you mean max_steps?", "max-steps: 3\n", NULL},
    {CONFIG, "n_layers is given twice, first on line 1", "n_layers: 1\nseed: 1\nn_layers: 2\n", NULL},
    {CONFIG, "c.yaml:1:11: n_layers must be an integer from 1 to 1024, but is many", "n_layers: many\n",
     NULL},
    {CONFIG, "but is the string \"4\"; remove the quotes", "n_layers: \"4\"\n", NULL},
    {CONFIG, "but is 2.5", "n_layers: 2.5\n", NULL},
    {CONFIG, "but is 1e2; write it as 100", "max_steps: 1e2\n", NULL},
    {CONFIG, "n_layers must be an integer from 1 to 1024, but is null", "n_layers: null\n", NULL},
    {CONFIG, "n_layers must be an integer from 1 to 1024, but is a map", "n_layers:\n  deep: 4\n", NULL},
    {CONFIG, "dropout must be a number from 0 to 1, but is a list", "dropout: [0.1]\n", NULL},
    {CONFIG, "hooks must be a map, or null, but is identity", "hooks: identity\n", NULL},
    {CONFIG, "hooks: expected the keys forward and update, found backward", "hooks: {backward: []}\n", NULL},
    {CONFIG, "hooks: entry 1 of update must have a name", "hooks: {update: [{enabled: true}]}\n", NULL},
    {CONFIG, "this is not YAML: found undefined alias", "n_layers: *nowhere\n", NULL},
    {CONFIG, "99999999999999999999, which no 64-bit integer holds", "seed: 99999999999999999999\n", NULL},
    {CONFIG, "1e999, which is too large", "learning_rate: 1e999\n", NULL},
    {CONFIG, "but is .nan, which is not finite", "learning_rate: .nan\n", NULL},
    {CONFIG, "but is -.inf, which is not finite", "grad_clip: -.inf\n", NULL},
    {CONFIG, "shuffle must be true or false, but is yes", "shuffle: yes\n", NULL},
    {CONFIG, "lr_schedule must be one of constant, cosine, wsd, but is linear", "lr_schedule: linear\n",
     NULL},
    {CONFIG, "sampling_prompt must be a string, but is empty", "sampling_prompt: \"\"\n", NULL},
    {CONFIG, "out_dir must be a string, but is null; a string that looks like null needs quotes",
     "out_dir: null\n", NULL},
    {CONFIG, "tags are not used here", "n_layers: !!int 4\n", NULL},
    {CONFIG, "expected lines of \"key: value\", found a list", "- n_layers\n", NULL},
    {CONFIG, "expected one document, found a second one", "seed: 1\n---\nseed: 2\n", NULL},
    {CONFIG, "this is not YAML", "n_layers: [1\n", NULL},
    {CONFIG, "this is not YAML", "\tn_layers: 1\n", NULL},
    {CONFIG, "this is not YAML text", "\xff\xfe\x01\x80 binary", NULL},
    {CONFIG, "beta1 must be a number of at least 0 and below 1, but is 1.5", "beta1: 1.5\n", NULL},
};

/* One value of each option that no run could use, and ways to misspell a flag. */
static const row flag_rows[] = {
    {"--max-step 3", "unknown flag --max-step; did you mean --max-steps?", NULL, NULL},
    {"--frobnicate", "unknown flag --frobnicate; --help lists them all", NULL, NULL},
    {"-c c.yaml", "unknown flag -c; flags have two dashes", NULL, NULL},
    {"--max-steps", "--max-steps needs a value", NULL, NULL},
    {"--max-steps --seed 1", "--max-steps needs a value; if \"--seed\" is the value, write", NULL, NULL},
    {"--no-dropout", "unknown flag --no-dropout", NULL, NULL},
    {"--no-shuffle=1", "--no-shuffle takes no value, but is given \"1\"", NULL, NULL},
    {"--print-config=now", "--print-config takes no value, but is given \"now\"", NULL, NULL},
    {TRAIN "--n-layers 0", "--n-layers: n_layers must be an integer from 1 to 1024, but is 0", NULL, NULL},
    {TRAIN "--d-model 65537", "d_model must be an integer from 1 to 65536, but is 65537", NULL, NULL},
    {TRAIN "--n-heads -1", "n_heads must be an integer from 1 to 65536, but is -1", NULL, NULL},
    {TRAIN "--d-ff x", "d_ff must be an integer from 1 to 262144, but is x", NULL, NULL},
    {TRAIN "--d-ff ''", "d_ff must be an integer from 1 to 262144, but is empty", NULL, NULL},
    {TRAIN "--dropout 1.01", "dropout must be a number from 0 to 1, but is 1.01", NULL, NULL},
    {TRAIN "--max-seq-len 0", "max_seq_len must be an integer from 1 to 1048576, but is 0", NULL, NULL},
    {TRAIN "--train-ratio 1", "train_ratio must be a number above 0 and below 1, but is 1", NULL, NULL},
    {TRAIN "--train-ratio 0", "train_ratio must be a number above 0 and below 1, but is 0", NULL, NULL},
    {TRAIN "--batch-size 0", "batch_size must be an integer from 1", NULL, NULL},
    {TRAIN "--micro-batch-size 0", "micro_batch_size must be an integer from 1", NULL, NULL},
    {TRAIN "--max-steps 4294967296", "max_steps must be an integer from 1 to 4294967295", NULL, NULL},
    {TRAIN "--learning-rate 0", "learning_rate must be a number above 0, but is 0", NULL, NULL},
    {TRAIN "--learning-rate nan", "learning_rate must be a number above 0, but is nan", NULL, NULL},
    {TRAIN "--weight-decay -1e-9", "weight_decay must be a number of at least 0, but is -1e-9", NULL, NULL},
    {TRAIN "--beta1 1", "beta1 must be a number of at least 0 and below 1, but is 1", NULL, NULL},
    {TRAIN "--beta2 -0.1", "beta2 must be a number of at least 0 and below 1, but is -0.1", NULL, NULL},
    {TRAIN "--lr-schedule Cosine", "lr_schedule must be one of constant, cosine, wsd", NULL, NULL},
    {TRAIN "--warmup-steps -1", "warmup_steps must be an integer from 0", NULL, NULL},
    {TRAIN "--decay-steps 0", "decay_steps must be an integer from 1 to 4294967295, or null", NULL, NULL},
    {TRAIN "--min-learning-rate -1", "min_learning_rate must be a number of at least 0", NULL, NULL},
    {TRAIN "--grad-clip 0", "grad_clip must be a number above 0, or null, but is 0", NULL, NULL},
    {TRAIN "--eval-cadence 0", "eval_cadence must be an integer from 1", NULL, NULL},
    {TRAIN "--eval-max-windows 0", "eval_max_windows must be an integer of at least 1, or null", NULL, NULL},
    {TRAIN "--eval-on rank1", "eval_on must be one of rank0, all, but is rank1", NULL, NULL},
    {TRAIN "--checkpoint-cadence 0", "checkpoint_cadence must be an integer from 1", NULL, NULL},
    {TRAIN "--sampling-cadence 1.5", "sampling_cadence must be an integer from 1", NULL, NULL},
    {TRAIN "--sampling-temperature 0", "sampling_temperature must be a number above 0", NULL, NULL},
    {TRAIN "--sampling-top-k 0", "sampling_top_k must be an integer of at least 1, or null", NULL, NULL},
    {TRAIN "--sampling-top-p 1.1", "sampling_top_p must be a number above 0 and at most 1", NULL, NULL},
    {TRAIN "--sampling-prompt ''", "sampling_prompt must be a string, but is empty", NULL, NULL},
    {TRAIN "--sampling-max-length 0", "sampling_max_length must be an integer from 1", NULL, NULL},
    {TRAIN "--sampling-seed -1", "sampling_seed must be an integer of at least 0", NULL, NULL},
    {TRAIN "--seed -1", "seed must be an integer of at least 0, or null, but is -1", NULL, NULL},
    {TRAIN "--shuffle=maybe", "shuffle must be true or false, but is maybe", NULL, NULL},
    {TRAIN "--log-cadence 0", "log_cadence must be an integer from 1", NULL, NULL},
    {TRAIN "--hooks '[1]'", "hooks must be a map, or null, but is [1]", NULL, NULL},
    {TRAIN "--hooks '{update: [{name: nix}]}'", "there is no built-in hook \"nix\"", NULL, NULL},
    {TRAIN "--hooks '{update: [{name: x, library: ./x.so}]}'", "hook x: cannot load its library", NULL, NULL},
};

/* Options that do not go together, files that cannot be used, and the verbs. */
static const row other_rows[] = {
    {TRAIN "--d-model 6 --n-heads 4", "d_model must be a multiple of n_heads", NULL, NULL},
    {TRAIN "--micro-batch-size 17", "micro_batch_size must be at most batch_size", NULL, NULL},
    {TRAIN "--min-learning-rate 1", "min_learning_rate must be at most learning_rate", NULL, NULL},
    {TINY, "no corpus: expected data/uni-alg-int.txt or another *.txt in data/", NULL, NULL},
    {TINY " --data nope.txt", "cannot open nope.txt: No such file or directory; name a text", NULL, NULL},
    {TINY " --data folder", "cannot read folder: expected a regular file, found a folder", NULL, NULL},
    {TINY " --data empty.txt", "cannot use empty.txt: expected a text, found an empty file", NULL, NULL},
    {TINY " --data plain.txt",
     "the corpus is too small: found 7 tokens, 6 of them in the train split "
     "(train_ratio 0.95); expected at least 136 tokens",
     NULL, NULL},
    {TINY " --config nope.yaml", "--config: cannot open nope.yaml: No such file or directory", NULL, NULL},
    {TINY " --config folder", "--config: cannot read folder: Is a directory", NULL, NULL},
    {TINY " --config -", "standard input:1:1: unknown key n_layer; did", NULL, "echo n_layer: 1 |"},
    {TRAIN "--out-dir plain.txt/run", "out_dir: cannot make folder plain.txt/run: a file stands", NULL, NULL},
    {TRAIN "--checkpoint-dir plain.txt", "checkpoint_dir: cannot make folder plain.txt", NULL, NULL},
    {TRAIN "--resume nope", "nope is no checkpoint: expected a folder, found nothing there", NULL, NULL},
    {TRAIN "--resume latest", "there is no latest checkpoint to resume", NULL, NULL},
    {TRAIN "", "OMP_NUM_THREADS: expected a number of threads from 1 to 4096, found \"abc\"", NULL,
     "OMP_NUM_THREADS=abc"},
    {TRAIN "extra", "expected flags only, found the word \"extra\"", NULL, NULL},
    {"trian",
     "there is no verb \"trian\"; expected train, sample, eval, data, bench, plan, verify, progress or help",
     NULL, NULL},
    {"sample", "sample: expected one checkpoint folder, found 0", NULL, NULL},
    {"sample nope", "nope is no checkpoint: expected a folder, found nothing there", NULL, NULL},
    {"sample folder", "the folder holds no metadata.json", NULL, NULL},
    {"sample folder --temprature 1", "unknown flag --temprature; did you mean --temperature?", NULL, NULL},
    {"sample folder --count 0", "--count: expected a whole number of at least 1, found \"0\"", NULL, NULL},
    {"eval", "eval: expected one checkpoint folder, found 0", NULL, NULL},
    {"eval a b", "eval: expected one checkpoint folder, found 2", NULL, NULL},
    {"eval plain.txt", "plain.txt is no checkpoint: expected a folder, found a file", NULL, NULL},
    {"verify", "verify: expected one checkpoint folder, found 0", NULL, NULL},
    {"verify nope", "nope is no checkpoint: expected a folder, found nothing there", NULL, NULL},
    {"data --data text.txt", "data: expected a seed", NULL, NULL},
    {"data " TRAIN "--steps 0", "--steps: expected a whole number of at least 1, found \"0\"", NULL, NULL},
    {"help --html", "unknown flag --html", NULL, NULL},
};

/* What goes wrong on one rank, on rank 0, or on all: printed once. */
static const row rank_rows[] = {
    {"--max-step 3", "unknown flag --max-step; did you mean --max-steps?", NULL, NULL},
    {CONFIG, "c.yaml:1:11: n_layers must be an integer", "n_layers: 0\n", NULL},
    {TINY " --config nope.yaml", "--config: cannot open nope.yaml", NULL, NULL},
    {TINY " --data nope.txt", "cannot open nope.txt", NULL, NULL},
    {TINY " --data plain.txt", "the corpus is too small", NULL, NULL},
    {TRAIN "--batch-size 2 --micro-batch-size 1", "3 ranks for 2 leaves: expected at most one rank a leaf",
     NULL, NULL},
    {TRAIN "--micro-batch-size 1 --out-dir plain.txt/run", "out_dir: cannot make folder", NULL, NULL},
    {TRAIN "--resume nope", "nope is no checkpoint", NULL, NULL},
    {"trian", "there is no verb \"trian\"", NULL, NULL},
    {"eval nope", "nope is no checkpoint", NULL, NULL},
    /* Here one rank has something to wait for and another has not. */
    {CONFIG " : -np 1 " DTRAIN " --bogus", "expected one command line for all ranks", "n_layers: 1\n", NULL},
    {TRAIN " : -np 1 " DTRAIN " " TRAIN "--max-steps 2", "expected one command line for all ranks", NULL,
     NULL},
    {"eval nope : -np 1 " DTRAIN " eval", "expected one command line for all ranks", NULL, NULL},
};

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Names, sizes and times of all there is. */
static char *list_folder(void) {
    command_result listed = command_run("find . -printf '%%p %%s %%T@\\n' | sort");
    free(listed.err);
    return listed.out;
}

static int64_t count_lines(const char *text, const char *start) {
    int64_t count = 0;
    for (const char *line = text; *line != 0; line += strcspn(line, "\n"), line += *line == '\n')
        count += strncmp(line, start, strlen(start)) == 0;
    return count;
}

static void expect_refusal(const row *r, const char *launcher) {
    if (r->yaml)
        put("c.yaml", r->yaml);
    char *before = list_folder();
    command_result result =
        command_run("%s %s %s %s", r->before ? r->before : "", launcher, DTRAIN, r->arguments);
    char *after = list_folder();
    if (result.exit_code != 2 || count_lines(result.err, "dtrain: error: ") != 1 ||
        strstr(result.err, r->sentence) == NULL || strcmp(before, after) != 0)
        fail_msg(
            "dtrain %s, c.yaml \"%s\": expected exit code 2 and one sentence with \"%s\", found %d and\n%s\n"
            "the folder before:\n%safter:\n%s",
            r->arguments, r->yaml ? r->yaml : "", r->sentence, result.exit_code, result.err, before, after);
    free(before);
    free(after);
    command_free(&result);
    if (r->yaml)
        assert_int_equal(remove("c.yaml"), 0);
}

#define EXPECT_REFUSALS(rows, launcher)                                                                      \
    for (size_t i = 0; i < sizeof(rows) / sizeof *(rows); i++)                                               \
    expect_refusal(&(rows)[i], launcher)

static void test_yaml(void **state) {
    (void)state;
    EXPECT_REFUSALS(yaml_rows, "");
}

static void test_flags(void **state) {
    (void)state;
    EXPECT_REFUSALS(flag_rows, "");
}

static void test_others(void **state) {
    (void)state;
    EXPECT_REFUSALS(other_rows, "");
}

static void test_ranks(void **state) {
    (void)state;
    EXPECT_REFUSALS(rank_rows, DTRAIN_MPIRUN " -np 3 --oversubscribe");
}

/* The first rank that leaves with a failure makes mpirun end the others; by then rank 0 must have spoken. */
static void test_sentence_is_in_time(void **state) {
    (void)state;
    const row wrong = {"--n-layers 0", "--n-layers: n_layers must be an integer", NULL, NULL};
    for (int i = 0; i < 10; i++)
        expect_refusal(&wrong, DTRAIN_MPIRUN " -np 8 --oversubscribe");
}

/* Identity: what the rows build upon is accepted, so that each is refused for its own reason. */
static void test_base_is_accepted(void **state) {
    (void)state;
    put("c.yaml", "n_layers: 1\n");
    command_result result = command_run("%s %s --out-dir run", DTRAIN, CONFIG);
    if (result.exit_code != 0)
        fail_msg("exit code %d: %s", result.exit_code, result.err);
    command_free(&result);
    result = command_run("rm -r run c.yaml");
    assert_int_equal(result.exit_code, 0);
    command_free(&result);
}

static int enter(void **state) {
    *state = command_enter_folder();
    text_write("text.txt", 20000, 1);
    put("plain.txt", "7 bytes");
    put("empty.txt", "");
    command_result made = command_run("mkdir folder");
    command_free(&made);
    return 0;
}

static int leave(void **state) {
    command_leave_folder(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_is_accepted),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_sentence_is_in_time),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
