/* `dtrain sample CHECKPOINT`: text from a trained model, streamed as it is made. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "checkpoint/checkpoint.h"
#include "infer/model_file.h"
#include "infer/sample.h"
#include "verb/verb.h"

static dt_status apply(dt_config *config, const char *key, const char *text, const char *flag) {
    return text ? dt_config_set(config, key, text, flag) : DT_OK;
}

/* The sampling options of the table, whose flags are called here as there but for "sampling-". */
static dt_status apply_all(dt_config *config, const dt_verb_flags *f) {
    DT_TRY(apply(config, "sampling_prompt", f->prompt, "--prompt"));
    DT_TRY(apply(config, "sampling_max_length", f->max_length, "--max-length"));
    DT_TRY(apply(config, "sampling_temperature", f->temperature, "--temperature"));
    DT_TRY(apply(config, "sampling_top_k", f->top_k, "--top-k"));
    DT_TRY(apply(config, "sampling_top_p", f->top_p, "--top-p"));
    return apply(config, "sampling_seed", f->seed, "--seed");
}

/* Texts that are made side by side, and what they may take for their contexts. */
#define STREAMS_MAX ((int64_t)16)
#define CACHE_BYTES ((int64_t)256 << 20)

static void print(void *context, int64_t stream, const char *text) {
    (void)context;
    (void)stream;
    dt_log_output(text);
}

static void keep(void *context, int64_t stream, const char *text) {
    FILE **memory = context;
    fputs(text, memory[stream]);
}

/* An empty line between samples, and the prompt. */
static void open_sample(const dt_sample_options *options, int64_t stream) {
    dt_log_output(options->index + stream > 0 ? "\n" : "");
    dt_log_output(options->prompt);
}

/* Makes decoder->streams texts at once, and prints them one after the other. */
static dt_status print_together(dt_decoder *decoder, const dt_sample_options *options) {
    FILE *memory[STREAMS_MAX] = {0};
    char *text[STREAMS_MAX] = {0};
    size_t length;
    dt_status status = DT_OK;
    for (int64_t s = 0; status == DT_OK && s < decoder->streams; s++)
        if ((memory[s] = open_memstream(&text[s], &length)) == NULL)
            status = dt_fail("out of memory for the samples");
    if (status == DT_OK)
        status = dt_sample_run(decoder, options, keep, memory);
    for (int64_t s = 0; s < decoder->streams; s++) {
        if (memory[s] && fclose(memory[s]) != 0 && status == DT_OK)
            status = dt_fail("out of memory for the samples");
        if (status == DT_OK) {
            open_sample(options, s);
            dt_log_output(text[s]);
            dt_log_output("\n");
        }
        free(text[s]);
    }
    return status;
}

/* Samples [first, first + streams): a single one is shown as it grows. */
static dt_status print_samples(const dt_model_file *model, dt_sample_options *options, int64_t first,
                               int64_t streams) {
    dt_decoder decoder;
    dt_status status = dt_decode_create(&decoder, &model->gpt, &model->weights, streams);
    options->index = (uint32_t)first;
    if (status == DT_OK && streams > 1)
        status = print_together(&decoder, options);
    else if (status == DT_OK) {
        open_sample(options, 0);
        status = dt_sample_run(&decoder, options, print, NULL);
        dt_log_output("\n");
    }
    dt_decode_free(&decoder);
    return status;
}

static dt_status stream(const dt_model_file *model, const dt_config *config, const char *stop,
                        int64_t count) {
    dt_sample_options options = {
        .tokenizer = &model->tokenizer,
        .prompt = config->sampling_prompt,
        .max_length = config->sampling_max_length,
        .rule = {config->sampling_temperature, config->sampling_top_k, config->sampling_top_p},
        .seed = (uint64_t)config->sampling_seed,
        .stop = stop};
    const int64_t fit = CACHE_BYTES / dt_decode_stream_bytes(&model->gpt);
    const int64_t together = fit < 1 ? 1 : fit < STREAMS_MAX ? fit : STREAMS_MAX;
    DT_TRY(dt_sample_warn(options.tokenizer, options.prompt));
    for (int64_t i = 0; i < count; i += together)
        DT_TRY(print_samples(model, &options, i, count - i < together ? count - i : together));
    return dt_verb_printed("the sample");
}

/* Whether there is a "--", which a text is likely to follow. */
static bool ends_flags(int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--") == 0)
            return true;
    return false;
}

dt_status dt_verb_sample(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags f;
    const char *path, *text;
    int64_t count = 1;
    dt_model_file model;
    dt_log_open(true, dt_log_find_terminal());
    DT_TRY(dt_verb_checkpoint(verb, argc, argv, &f, &path, &text));
    if (text && f.prompt)
        return dt_usage("sample: expected one prompt, found two: --prompt \"%s\" and \"%s\"", f.prompt, text);
    f.prompt = text ? text : f.prompt;
    if (f.stop && *f.stop == 0)
        return dt_usage("--stop: expected the text before which a sample is to end, found an empty one");
    if (f.count)
        DT_TRY(dt_verb_count("count", f.count, &count));
    dt_status status = dt_model_file_load(&model, path, &(dt_model_file_flags){f.compute_dtype, f.tokenizer});
    if (status == DT_USAGE && text == NULL && ends_flags(argc, argv))
        status =
            dt_usage("%s; a prompt comes after the checkpoint: dtrain sample CHECKPOINT -- TEXT", dt_error());
    if (status == DT_OK && model.tokenizer.kind == NULL)
        status = dt_usage(
            "sample: %s was trained on tokens alone, without a tokenizer; name the one that made them "
            "by --tokenizer",
            model.path);
    if (status == DT_OK)
        status = apply_all(&model.about.config, &f);
    if (status == DT_OK)
        status = stream(&model, &model.about.config, f.stop, count);
    dt_model_file_free(&model);
    return status;
}
