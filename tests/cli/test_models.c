/* Models that come and go: runs that start from a folder of Hugging Face's library or from another run's
 * checkpoint, and folders that leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/model_folder.h"
#include "support/verb.h"

/* A model of 300 tokens, as many as bytes need and some more. */
static void write_model(const char *folder, const model_folder_form *form) {
    dt_layout layout;
    const dt_shape shape = {.n_layers = 2, .C = 32, .H = 2, .F = 48, .T = 64, .V = 300};
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    float *parameters = dt_memory_alloc(layout.elements, sizeof(float), "test");
    dt_layout_init_parameters(&layout, 11, parameters);
    model_folder_write(folder, &layout, parameters, form);
    dt_memory_free(parameters);
    dt_layout_free(&layout);
}

/* Lines of Chinese and of C, in an order without a pattern. */
static void write_text(const char *path) {
    static const char *const lines[] = {
        "\xe5\xa4\xa9\xe5\x9c\xb0\xe7\x8e\x84\xe9\xbb\x84\xef\xbc\x8c\xe5\xae\x87\xe5\xae\x99\xe6\xb4\xaa\xe8\x8d\x92"
        "\xe3\x80\x82\n",
        "\xe6\x97\xa5\xe6\x9c\x88\xe7\x9b\x88\xe6\x98\x83\xef\xbc\x8c\xe8\xbe\xb0\xe5\xae\xbf\xe5\x88\x97\xe5\xbc\xa0"
        "\xe3\x80\x82\n",
        "for (int i = 0; i < count; i++)\n\tsum += values[i];\n",
        "static int next(void) {\n    return state = state * 5 + 1;\n}\n",
        "\n",
        "# \xe6\xb1\x89\xe5\xad\x97 and code\n",
    };
    FILE *file = fopen(path, "w");
    uint32_t draw = 7;
    for (int i = 0; i < 1500; i++) {
        draw = draw * 1664525u + 1013904223u;
        fputs(lines[(draw >> 16) % 6], file);
    }
    assert_int_equal(fclose(file), 0);
}

#define FROM_GPT2                                                                                            \
    "--init-from gpt2 --data mixed.txt --max-seq-len 48 --batch-size 8 "                                     \
    "--micro-batch-size 1 --learning-rate 1e-2 --seed 3 --eval-cadence 4 --checkpoint-cadence 4 "

/* With a BPE of its own, in the folder. Rank 0 alone reads that; all ranks go on from the same bits, and so
 * does a run that stops. */
static void a_run_starts_from_a_model_folder(void **state) {
    (void)state;
    write_text("mixed.txt");
    write_model("gpt2",
                &(model_folder_form){
                    .element = DT_ELEMENT_BF16, .prefix = "transformer.", .masks = true, .shards = 3});
    free(verb_output("", "tokenizer train mixed.txt --vocab-size 290 --out gpt2/tokenizer.json"));
    training_done(TRAINING_ALONE, 1, "one", FROM_GPT2 "--max-steps 8");
    training_done(2, 2, "two", FROM_GPT2 "--max-steps 8");
    training_same_run("one", "two", 8);
    training_same_metric("one", "two", "val_loss");
    command_result r = training_run(3, 1, "parts", FROM_GPT2 "--max-steps 4 --resume auto");
    assert_int_equal(r.exit_code, 0);
    command_says(&r, "\nweights   from gpt2, a model folder\n");
    command_free(&r);
    /* The folder has served: what the checkpoint says goes on without it. */
    r = command_run("mv gpt2 away");
    command_free(&r);
    r = training_run(2, 1, "parts", FROM_GPT2 "--max-steps 8 --resume auto");
    if (r.exit_code != 0)
        fail_msg("%s", r.err);
    command_says(&r, "\nresume    from parts/checkpoints/checkpoint_step_4");
    assert_null(strstr(r.out, "weights   from"));
    command_free(&r);
    training_same_run("one", "parts", 8);
    r = command_run("grep -c '\"init_from\":\"gpt2\"' parts/metrics.jsonl; "
                    "grep '\"init_from\"' parts/checkpoints/latest/metadata.json; mv away gpt2");
    assert_non_null(strstr(r.out, "2\n"));
    assert_non_null(strstr(r.out, "\"init_from\": \"gpt2\""));
    command_free(&r);
}

/* All forms of a folder are one model: the first loss, before any step has changed it, is the same. */
static void forms_make_no_difference(void **state) {
    (void)state;
    static const model_folder_form forms[] = {
        {.prefix = "transformer."}, {.masks = true, .shards = 2}, {.shards = 5, .prefix = "transformer."}};
    write_text("mixed.txt");
    write_model("plain", &(model_folder_form){0});
    training_done(TRAINING_ALONE, 1, "plain_run",
                  "--init-from plain --tokenizer bytes --data mixed.txt --seed 3 --max-steps 2");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char name[16], out_dir[16], flags[128];
        snprintf(name, sizeof name, "form%zu", i);
        snprintf(out_dir, sizeof out_dir, "run%zu", i);
        write_model(name, &forms[i]);
        snprintf(flags, sizeof flags,
                 "--init-from %s --tokenizer bytes --data mixed.txt --seed 3 --max-steps 2", name);
        training_done(TRAINING_ALONE, 1, out_dir, flags);
        training_same_weights("plain_run", out_dir, 2);
    }
}

/* Fine-tuning: the weights of another run, with another text, seed, schedule and a shorter context. What is
 * not given comes from there, and the new run knows its parent. */
static void a_run_starts_from_a_checkpoint(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "tuned",
                  "--init-from run --data other.txt --seed 99 --lr-schedule cosine "
                  "--max-seq-len 16 --max-steps 2 --dropout 0");
    training_done(2, 1, "again",
                  "--init-from run/checkpoints/checkpoint_step_40 --data other.txt --seed 99 --lr-schedule "
                  "cosine --max-seq-len 16 --n-layers 2 --vocab-size 99 --max-steps 2 --dropout 0");
    training_same_run("tuned", "again", 2);
    command_result r =
        command_run("grep -o '\"run_id\":\"[0-9a-f]*\"' run/metrics.jsonl | head -1 | tr -d '\\n' "
                    "&& grep -o '\"parent_run_id\":\"[0-9a-f]*\"' tuned/metrics.jsonl");
    char *parent = strstr(r.out, "parent_run_id");
    assert_non_null(parent);
    assert_memory_equal(strstr(r.out, ":\""), strstr(parent, ":\""), 2 + 16);
    command_free(&r);
    /* The loss of the first step is that of a model which has learned, not of a new one. */
    char *first = training_metric("tuned", "loss");
    assert_true(strtod(strchr(first, ' '), NULL) < 3.5);
    free(first);
    r = command_run("%s plan --init-from run/checkpoints/latest --batch-size 4 --ranks 1", DTRAIN);
    if (r.exit_code != 0)
        fail_msg("%s", r.err);
    command_free(&r);
    /* Going on, it has begun where it has, whatever is named now; so has one that began with initial weights.
     */
    static const char *const runs[][2] = {{"tuned", "run"}, {"run", NULL}};
    for (size_t i = 0; i < 2; i++) {
        char line[256];
        snprintf(line, sizeof line, "--out-dir %s --resume auto --max-steps 50 --init-from again",
                 runs[i][0]);
        r = training_goes_on(2, line);
        snprintf(
            line, sizeof line,
            "resume: init_from: again has no effect, since the run goes on from a checkpoint; it began %s\n",
            runs[i][1] ? "from run" : "with initial weights");
        command_says(&r, line);
        command_free(&r);
        r = command_run("tail -n 99 %s/metrics.jsonl | grep -c '\"init_from\":\"again\"'", runs[i][0]);
        assert_string_equal(r.out, "0\n");
        command_free(&r);
        r = command_run("grep -c again %s/checkpoints/latest/metadata.json", runs[i][0]);
        assert_string_equal(r.out, "0\n");
        command_free(&r);
    }
}

/* What the model says of a text is the same, whichever folder it is in. */
static void a_model_leaves(void **state) {
    (void)state;
    char *own = verb_output("", "eval " VERB_CHECKPOINT " --data text.txt --split all --windows 40");
    free(verb_output("", "export " VERB_CHECKPOINT " --out out/full"));
    free(verb_output("", "export out/full/ --dtype bf16 --out half"));
    char *full = verb_output("mpirun -np 2", "eval out/full --data text.txt --windows 40");
    assert_non_null(strstr(full, "out/full on text.txt, all of the text: 40 windows of 32 tokens\n"));
    assert_string_equal(strstr(own, "\nloss "), strstr(full, "\nloss "));
    char *half = verb_output("", "eval half --data text.txt --windows 40");
    const double exact = strtod(strstr(own, "\nloss ") + 6, NULL),
                 rounded = strtod(strstr(half, "\nloss ") + 6, NULL);
    assert_true(rounded != exact && rounded - exact < 0.02 && exact - rounded < 0.02);
    char *text = verb_output("", "sample " VERB_CHECKPOINT " --max-length 20 --temperature 0"),
         *same = verb_output("", "sample out/full --max-length 20 --temperature 0");
    assert_string_equal(text, same);
    char *whole = verb_output("", "verify half");
    assert_non_null(strstr(whole, "half: complete; a model of "));
    free(own);
    free(full);
    free(half);
    free(text);
    free(same);
    free(whole);
    command_result r = command_run("ls -a . out out/full");
    assert_null(strstr(r.out, ".tmp"));
    assert_null(strstr(r.out, "optimizer"));
    command_free(&r);
}

/* Where nothing says what text is, tokens are told apart by nobody but their numbers. */
static void tokens_need_no_tokenizer(void **state) {
    (void)state;
    uint16_t ids[2 * 64 + 1];
    for (int i = 0; i < 2 * 64 + 1; i++)
        ids[i] = (uint16_t)(i * 71 % 300);
    scratch_put("ids.bin", ids, sizeof ids);
    write_model("numbers", &(model_folder_form){.element = DT_ELEMENT_FP16});
    char *out =
        verb_output("", "eval numbers --tokenizer null --data ids.bin --data-format uint16 --losses l");
    assert_non_null(strstr(out, "numbers on ids.bin, all of the text: 2 windows of 64 tokens\n"));
    free(out);
    size_t length;
    free(scratch_get("l", &length));
    assert_int_equal(length, 2 * 64 * sizeof(float));
    training_done(2, 1, "of_numbers",
                  "--init-from numbers --tokenizer null --data ids.bin --data-format uint16 --max-seq-len 8 "
                  "--batch-size 2 --micro-batch-size 1 --max-steps 2");
}

static void refused(const char *flags, const char *sentence) {
    char line[512];
    snprintf(line, sizeof line, "--data text.txt --max-steps 1 %s", flags);
    training_refused(TRAINING_ALONE, "refused", line, 2, sentence);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    write_model("model", &(model_folder_form){0});
    refused(
        "--init-from model --tokenizer bytes --n-layers 3",
        "init_from: n_layers is 3 in this run and 2 in model, whose weights decide it; leave n_layers out");
    refused("--init-from model --tokenizer bytes --vocab-size 256",
            "init_from: vocab_size is 256 in this run and 300 in model, whose weights decide it");
    refused("--init-from model --tokenizer bytes --max-seq-len 65",
            "init_from: max_seq_len is 65 in this run, but model has 64 positions; give at most that");
    refused("--init-from model", "init_from: model has no tokenizer.json to say what text is to its model; "
                                 "name a tokenizer by --tokenizer, or null where only tokens are read");
    refused("--init-from nowhere", "init_from: nowhere is no checkpoint: expected a folder, found nothing "
                                   "there; name one such as checkpoints/checkpoint_step_1000, a run's "
                                   "folder (its latest is taken) or RUN/best, or a model "
                                   "folder with a config.json and a model.safetensors");
    refused(
        "--init-from " VERB_CHECKPOINT " --tokenizer bytes",
        "vocab_size: expected at least the 256 tokens of the tokenizer bytes, found 99 in " VERB_CHECKPOINT
        "; give the tokenizer of that model, or one of at most as many tokens, or leave init_from out");
    verb_refused(
        "eval model --tokenizer bytes", 2,
        "dtrain: error: eval: model is no checkpoint of dtrain and names no text; give one by --data "
        "FILE\n");
    verb_refused(
        "eval model --tokenizer bytes --data text.txt --split train", 2,
        "dtrain: error: --split: model is no checkpoint of dtrain and does not say what it was trained "
        "on; give --split all, or leave it out\n");
    verb_refused("sample model", 2,
                 "dtrain: error: model has no tokenizer.json to say what text is to its model; name a "
                 "tokenizer by --tokenizer, or null where only tokens are read\n");
    verb_refused("sample " VERB_CHECKPOINT " --tokenizer bytes", 2,
                 "dtrain: error: the tokenizer bytes has 256 tokens, but the model in " VERB_CHECKPOINT
                 " knows only 99; name the one that it was trained with by --tokenizer\n");
    verb_refused("export model", 2,
                 "dtrain: error: export: expected the name of a new folder, as in --out model, found none\n");
    verb_refused(
        "export model --out model", 2,
        "dtrain: error: cannot write model: expected the name of a new folder, found a folder of that "
        "name\n");
    verb_refused("export model --dtype fp8 --out new", 2,
                 "dtrain: error: --dtype: expected fp32, fp16 or bf16, found \"fp8\"\n");
    assert_false(dt_file_exists("refused/metrics.jsonl"));
}

/* Found when the weights are read, by rank 0; all ranks end. */
static void damage_is_refused(void **state) {
    (void)state;
    command_result r = command_run("cp -r run/checkpoints/checkpoint_step_40 copy");
    command_free(&r);
    training_damage("copy/model.safetensors", -20);
    training_refused(3, "refused", "--data text.txt --max-steps 1 --init-from copy", 1,
                     "copy/model.safetensors is damaged");
    write_model("torn", &(model_folder_form){.shards = 3});
    r = command_run("truncate -s -8 torn/model-00002-of-00003.safetensors");
    command_free(&r);
    training_refused(3, "refused", "--data text.txt --max-steps 1 --tokenizer bytes --init-from torn", 1,
                     "cannot use torn/model-00002-of-00003.safetensors");
    assert_false(dt_file_exists("refused/metrics.jsonl"));
}

static int set_up_trained(void **state) {
    verb_set_up(state);
    command_result r = command_run("tail -c 15000 text.txt >other.txt");
    command_free(&r);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_run_starts_from_a_model_folder),
                                       cmocka_unit_test(forms_make_no_difference),
                                       cmocka_unit_test(a_run_starts_from_a_checkpoint),
                                       cmocka_unit_test(a_model_leaves),
                                       cmocka_unit_test(tokens_need_no_tokenizer),
                                       cmocka_unit_test(what_does_not_fit_is_refused),
                                       cmocka_unit_test(damage_is_refused)};
    return cmocka_run_group_tests(tests, set_up_trained, command_tear_down);
}
