/* `dtrain sample CHECKPOINT`: text from a trained model, streamed as it is made. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "train/checkpoint.h"
#include "train/model_file.h"
#include "train/sample.h"
#include "verb/verb.h"

/* The verb's flags: those of the table's sampling options, without "sampling-". */
typedef struct flags {
    const char *prompt, *max_length, *temperature, *top_k, *top_p, *seed, *count;
} flags;

static dt_status apply(dt_config *config, const char *key, const char *text, const char *flag) {
    return text ? dt_config_set(config, key, text, flag) : DT_OK;
}

static dt_status apply_all(dt_config *config, const flags *f) {
    DT_TRY(apply(config, "sampling_prompt", f->prompt, "--prompt"));
    DT_TRY(apply(config, "sampling_max_length", f->max_length, "--max-length"));
    DT_TRY(apply(config, "sampling_temperature", f->temperature, "--temperature"));
    DT_TRY(apply(config, "sampling_top_k", f->top_k, "--top-k"));
    DT_TRY(apply(config, "sampling_top_p", f->top_p, "--top-p"));
    return apply(config, "sampling_seed", f->seed, "--seed");
}

static void print(void *context, const char *text) {
    (void)context;
    fputs(text, stdout);
    fflush(stdout);
}

static dt_status stream(const dt_model_file *model, const dt_config *config, int64_t count) {
    dt_decoder decoder;
    dt_sample_options options = {.prompt = config->sampling_prompt,
                                 .max_length = config->sampling_max_length,
                                 .temperature = config->sampling_temperature,
                                 .top_k = config->sampling_top_k,
                                 .top_p = config->sampling_top_p,
                                 .seed = (uint64_t)config->sampling_seed};
    dt_status status = dt_decode_create(&decoder, &model->gpt, &model->weights);
    for (int64_t i = 0; status == DT_OK && i < count; i++) {
        options.index = (uint32_t)i;
        fputs(options.prompt, stdout);
        status = dt_sample_run(&decoder, &options, print, NULL);
        fputs(i + 1 < count ? "\n\n" : "\n", stdout);
    }
    if (status == DT_OK)
        status = dt_verb_printed("the sample");
    dt_decode_free(&decoder);
    return status;
}

dt_status dt_verb_sample(int argc, char **argv) {
    flags f = {0};
    const dt_flag own[] = {{"prompt", true, &f.prompt},
                           {"max-length", true, &f.max_length},
                           {"temperature", true, &f.temperature},
                           {"top-k", true, &f.top_k},
                           {"top-p", true, &f.top_p},
                           {"seed", true, &f.seed},
                           {"count", true, &f.count},
                           {NULL, false, NULL}};
    const char *path;
    int64_t count = 1;
    dt_model_file model;
    DT_TRY(dt_verb_checkpoint("sample", argc, argv, own, &path));
    if (f.count)
        DT_TRY(dt_verb_count("count", f.count, &count));
    dt_status status = dt_model_file_load(&model, path);
    if (status == DT_OK)
        status = apply_all(&model.about.config, &f);
    if (status == DT_OK)
        status = stream(&model, &model.about.config, count);
    dt_model_file_free(&model);
    return status;
}
