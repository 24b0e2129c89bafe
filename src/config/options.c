/* The rows. To add an option: a field in dt_config (fields.h), and a row at the same place here. */
#include "config/options.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "config/fields.h"

/* Upper bounds are far above what anyone trains and low enough that no product of sizes leaves 63 bits. */
#define MAX_LAYERS     1024
#define MAX_WIDTH      65536
#define MAX_HIDDEN     262144
#define MAX_CONTEXT    1048576
#define MAX_VOCABULARY 16777216
#define MAX_SEQUENCES  1073741824
#define MAX_COUNT      4294967295 /* steps and sampled tokens are 32-bit words of the random counter */

#define FIELD(name)           .key = #name, .offset = offsetof(dt_config, name)
#define INT(text, low, high)  .type = DT_OPTION_INT, .default_text = text, .low_int = low, .high_int = high
#define REAL(text, low, high) .type = DT_OPTION_REAL, .default_text = text, .low_real = low, .high_real = high
#define BOOL(text)            .type = DT_OPTION_BOOL, .default_text = text
#define CHOICE(text, names)   .type = DT_OPTION_CHOICE, .default_text = text, .choices = names
#define STRING(text)          .type = DT_OPTION_STRING, .default_text = text
#define LIST(text)            .type = DT_OPTION_LIST, .default_text = text
#define TREE(text)            .type = DT_OPTION_TREE, .default_text = text

#define ABOVE       .low_exclusive = true
#define BELOW       .high_exclusive = true
#define OR_NULL     .nullable = true
#define OR_AUTO     .nullable = true, .null_word = "auto"
#define OR_EMPTY    .may_be_empty = true
#define FIXED       .resume = DT_RESUME_FIXED
#define CHANGEABLE  .resume = DT_RESUME_CHANGEABLE
#define IRRELEVANT  .resume = DT_RESUME_IRRELEVANT
#define PRESENCE    .resume = DT_RESUME_PRESENCE
#define GROUP(name) .group = DT_GROUP_##name
#define UNIT(text)  .unit = text
#define HELP(text)  .help = text

/* clang-format off */
static const dt_option table[] = {
    {FIELD(n_layers), INT("4", 1, MAX_LAYERS), GROUP(MODEL), FIXED, UNIT("layers"),
     HELP("Transformer blocks in the model")},
    {FIELD(d_model), INT("256", 1, MAX_WIDTH), GROUP(MODEL), FIXED, UNIT("channels"),
     HELP("Width of the model; a multiple of n_heads")},
    {FIELD(n_heads), INT("4", 1, MAX_WIDTH), GROUP(MODEL), FIXED, UNIT("heads"),
     HELP("Attention heads in a block; each is d_model / n_heads wide")},
    {FIELD(d_ff), INT("1024", 1, MAX_HIDDEN), GROUP(MODEL), FIXED, UNIT("channels"),
     HELP("Width of the hidden layer of a block's MLP, usually 4 * d_model")},
    {FIELD(dropout), REAL("0.1", 0, 1), GROUP(MODEL), CHANGEABLE,
     HELP("Probability that training drops an activation; 0 switches dropout off")},
    {FIELD(max_seq_len), INT("256", 1, MAX_CONTEXT), GROUP(MODEL), FIXED, UNIT("tokens"),
     HELP("Length of the context, and so of a training window and its stride")},
    {FIELD(vocab_size), INT("null", 1, MAX_VOCABULARY), OR_NULL, GROUP(MODEL), FIXED, UNIT("tokens"),
     HELP("Rows of the embedding: at least the tokenizer's number of tokens, which null stands for; what is more pads "
          "the model")},
    {FIELD(train_ratio), REAL("0.95", 0, 1), ABOVE, BELOW, GROUP(DATA), FIXED,
     HELP("Part of the text, from its start, that is trained on; the rest is for validation")},
    {FIELD(batch_size), INT("16", 1, MAX_SEQUENCES), GROUP(DATA), FIXED, UNIT("sequences"),
     HELP("Sequences in one step, all ranks together")},
    {FIELD(micro_batch_size), INT("2", 1, MAX_SEQUENCES), GROUP(DATA), FIXED, UNIT("sequences"),
     HELP("Sequences that a thread, or a team of threads, computes at once; batch_size / micro_batch_size is the most "
          "ranks that can share a step")},
    {FIELD(max_steps), INT("10000", 1, MAX_COUNT), OR_NULL, GROUP(TRAINING), CHANGEABLE, UNIT("steps"),
     HELP("Step at which training ends; null, or not given beside max_tokens or max_epochs, leaves it to those")},
    {FIELD(max_tokens), INT("null", 1, INT64_MAX), OR_NULL, GROUP(TRAINING), CHANGEABLE, UNIT("tokens"),
     HELP("Tokens trained on at which training ends, rounded up to whole steps; of max_steps, max_tokens and "
          "max_epochs the one that comes first counts")},
    {FIELD(max_epochs), REAL("null", 0, HUGE_VAL), ABOVE, OR_NULL, GROUP(TRAINING), CHANGEABLE, UNIT("epochs"),
     HELP("Passes over the train split at which training ends, such as 0.5 or 3, rounded up to whole steps")},
    {FIELD(learning_rate), REAL("3e-4", 0, HUGE_VAL), ABOVE, GROUP(TRAINING), CHANGEABLE,
     HELP("Highest learning rate of the schedule")},
    {FIELD(weight_decay), REAL("0.1", 0, HUGE_VAL), GROUP(TRAINING), CHANGEABLE,
     HELP("AdamW's decoupled weight decay, on matrices only")},
    {FIELD(beta1), REAL("0.9", 0, 1), BELOW, GROUP(TRAINING), CHANGEABLE,
     HELP("AdamW's decay of the mean of the gradient")},
    {FIELD(beta2), REAL("0.95", 0, 1), BELOW, GROUP(TRAINING), CHANGEABLE,
     HELP("AdamW's decay of the mean of the squared gradient")},
    {FIELD(lr_schedule), CHOICE("constant", dt_choices_lr_shape), GROUP(TRAINING), CHANGEABLE,
     HELP("Course of the learning rate after warm-up: constant, half a cosine down, or stable then "
          "linear decay (wsd)")},
    {FIELD(warmup_steps), INT("0", 0, MAX_COUNT), GROUP(TRAINING), CHANGEABLE, UNIT("steps"),
     HELP("Length of the linear rise of the learning rate at the start")},
    {FIELD(decay_steps), INT("null", 1, MAX_COUNT), OR_NULL, GROUP(TRAINING), CHANGEABLE, UNIT("steps"),
     HELP("Length of the linear decay at the end of wsd; null is a tenth of max_steps")},
    {FIELD(min_learning_rate), REAL("0", 0, HUGE_VAL), GROUP(TRAINING), CHANGEABLE,
     HELP("Learning rate at step max_steps under cosine and wsd; with 0 that last step changes no weight")},
    {FIELD(grad_clip), REAL("null", 0, HUGE_VAL), ABOVE, OR_NULL, GROUP(TRAINING), CHANGEABLE,
     HELP("Largest global norm of the gradient; a larger gradient is scaled down to it; null never clips")},
    {FIELD(on_nonfinite), CHOICE("stop", dt_choices_on_nonfinite), GROUP(TRAINING), CHANGEABLE,
     HELP("What to do about a loss, gradient or val_loss that is not finite: stop the run, or skip the "
          "update of that step")},
    {FIELD(max_nonfinite), INT("10", 1, MAX_COUNT), GROUP(TRAINING), CHANGEABLE, UNIT("steps"),
     HELP("Non-finite steps, or evaluations, in a row that stop a run with on_nonfinite: skip")},
    {FIELD(eval_cadence), INT("null", 1, MAX_COUNT), OR_NULL, GROUP(EVALUATION), CHANGEABLE, UNIT("steps"),
     HELP("Steps between evaluations on the validation split; the last step is evaluated too; null never "
          "evaluates")},
    {FIELD(eval_max_windows), INT("null", 1, INT64_MAX), OR_NULL, GROUP(EVALUATION), CHANGEABLE, UNIT("windows"),
     HELP("Validation windows to use, from the first; null is all")},
    {FIELD(eval_on), CHOICE("rank0", dt_choices_eval_on), GROUP(EVALUATION), CHANGEABLE,
     HELP("Who evaluates: rank 0, or all ranks together with the same result bit for bit")},
    {FIELD(checkpoint_cadence), INT("1000", 1, MAX_COUNT), OR_NULL, GROUP(CHECKPOINTS), CHANGEABLE, UNIT("steps"),
     HELP("Steps between checkpoints; null writes only the final one")},
    {FIELD(sampling_cadence), INT("null", 1, MAX_COUNT), OR_NULL, GROUP(SAMPLING), CHANGEABLE, UNIT("steps"),
     HELP("Steps between samples of generated text; null never samples")},
    {FIELD(sampling_temperature), REAL("1.0", 0, HUGE_VAL), GROUP(SAMPLING), CHANGEABLE,
     HELP("Divides the logits: below 1 the text is more predictable, above 1 more varied; 0 always takes "
          "the likeliest token (greedy)")},
    {FIELD(sampling_top_k), INT("null", 1, INT64_MAX), OR_NULL, GROUP(SAMPLING), CHANGEABLE, UNIT("tokens"),
     HELP("Draw from this many of the likeliest tokens only; null is all")},
    {FIELD(sampling_top_p), REAL("null", 0, 1), ABOVE, OR_NULL, GROUP(SAMPLING), CHANGEABLE,
     HELP("Draw from the fewest likeliest tokens whose probabilities reach this sum; null is all")},
    {FIELD(sampling_prompt), STRING("The"), OR_EMPTY, GROUP(SAMPLING), CHANGEABLE,
     HELP("Text that a sample continues; an empty one counts as a newline, which is not printed")},
    {FIELD(sampling_max_length), INT("100", 1, MAX_COUNT), GROUP(SAMPLING), CHANGEABLE, UNIT("tokens"),
     HELP("Tokens to generate after the prompt")},
    {FIELD(sampling_seed), INT("42", 0, INT64_MAX), GROUP(SAMPLING), CHANGEABLE,
     HELP("Seed of the samples; the same seed and weights give the same text")},
    {FIELD(seed), INT("null", 0, INT64_MAX), OR_NULL, GROUP(TRAINING), FIXED,
     HELP("Seed of weights, order and dropout; null draws one, which is logged and saved")},
    {FIELD(shuffle), BOOL("true"), GROUP(DATA), FIXED,
     HELP("Draw the windows of each stream in a shuffled order, another one every epoch")},
    {FIELD(leftover_windows), CHOICE("drop", dt_choices_leftover), GROUP(DATA), FIXED,
     HELP("What to do with the windows that are left over when batch_size does not divide the number of "
          "windows in the train split: drop leaves them out of every epoch, spread gives them to as many "
          "streams, one each, so that all are used")},
    {FIELD(bucket_bytes), INT("1048576", 4096, (int64_t)1 << 30), GROUP(TRAINING), IRRELEVANT, UNIT("bytes"),
     HELP("Gradient that travels between ranks in one piece, as soon as it is complete")},
    {FIELD(hang_timeout_seconds), REAL("600", 0, HUGE_VAL), ABOVE, OR_NULL, GROUP(TRAINING), IRRELEVANT,
     UNIT("seconds"),
     HELP("Time without progress of any rank after which dtrain names the missing ranks and ends the job; "
          "null waits for ever")},
    {FIELD(stop_after_seconds), REAL("null", 0, HUGE_VAL), ABOVE, OR_NULL, GROUP(TRAINING), IRRELEVANT,
     UNIT("seconds"),
     HELP("Time from the start within which the run saves and ends, done or not; null is none, and under "
          "Slurm the job's own end always counts too; a run that goes on has it only where it is given anew")},
    {FIELD(check_cadence), INT("100", 1, MAX_COUNT), OR_NULL, GROUP(TRAINING), IRRELEVANT, UNIT("steps"),
     HELP("Steps between comparisons of all ranks' weights, also made before a save; null never compares")},
    {FIELD(allreduce), CHOICE("auto", dt_choices_algorithm), GROUP(TRAINING), IRRELEVANT,
     HELP("How gradients travel: flat, hierarchical (through shared memory inside hosts), or auto by the hosts; "
          "library is MPI_Allreduce, for comparisons only")},
    {FIELD(gradient_dtype), CHOICE("fp32", dt_dtype_names), GROUP(TRAINING), CHANGEABLE,
     HELP("Numbers in which gradients are summed and travel; bf16 halves the bytes and rounds every node of the sum")},
    {FIELD(compute_dtype), CHOICE("fp32", dt_dtype_names), GROUP(TRAINING), CHANGEABLE,
     HELP("Numbers that matrix products and attention multiply; they add in fp32, and weights, sums of gradients and "
          "the residual stream stay fp32")},
    {FIELD(products), CHOICE("own", dt_choices_products), GROUP(TRAINING), CHANGEABLE,
     HELP("Whose matrix products training computes with in fp32; blas is OpenBLAS's, for processors that it has tuned "
          "kernels for and dtrain has none")},
    {FIELD(threads_per_micro_batch), INT("auto", 1, 4096), OR_AUTO, GROUP(TRAINING), IRRELEVANT, UNIT("threads"),
     HELP("Threads of a rank that compute a micro-batch together; auto is 1, or as many more as it takes for the rank's "
          "memory to suffice; where a rank has fewer micro-batches than threads, these share them; the bits are the "
          "same")},
    {FIELD(recompute), CHOICE("none", dt_choices_recompute), GROUP(TRAINING), IRRELEVANT,
     HELP("What the backward pass computes again to save memory: none, or layer, the forward pass of each layer, of "
          "which only the input is kept then; the bits are the same")},
    {FIELD(shard_optimizer), BOOL("false"), GROUP(TRAINING), IRRELEVANT,
     HELP("Share AdamW's moments out among the ranks: each gets the sum of its part of the gradient, updates that part "
          "of the weights and sends it to all, so that moments take 8 / ranks bytes per parameter; the bits are the "
          "same")},
    {FIELD(data), LIST("null"), OR_NULL, GROUP(DATA), IRRELEVANT,
     HELP("Files to train on, in this order: texts, also packed by gzip or zstd, or files of tokens; names and "
          "globs, or - for standard input; null is data/uni-alg-int.txt, or else the first *.txt in data/. A resumed "
          "run takes the same text, wherever it is")},
    {FIELD(validation_data), LIST("null"), OR_NULL, GROUP(DATA), PRESENCE,
     HELP("Files to evaluate on, named as those of data, all of which is trained on then; null is what train_ratio "
          "leaves of data")},
    {FIELD(data_format), CHOICE("auto", dt_choices_data_format), GROUP(DATA), IRRELEVANT,
     HELP("What files without a known beginning hold: auto is text, uint16 and uint32 are tokens of that width and "
          "nothing else, as in nanoGPT's train.bin")},
    {FIELD(join_documents), BOOL("true"), GROUP(DATA), FIXED,
     HELP("Put the tokenizer's end-of-text token, where it has one, between texts that are several files")},
    {FIELD(token_cache), STRING("auto"), OR_NULL, GROUP(DATA), IRRELEVANT,
     HELP("Folder for the tokens of texts, for the next run to read; auto is tokens/ in out_dir where the tokenizer "
          "is a BPE or a text is packed; null keeps none")},
    {FIELD(tokenizer), STRING("ascii"), OR_NULL, GROUP(DATA), FIXED,
     HELP("How text becomes tokens: ascii (99 characters), bytes (256), chars (every character of the text), or the path "
          "of a tokenizer.json with a byte-level BPE, as GPT-2, Llama 3 and Qwen have it; null for files of tokens alone")},
    {FIELD(out_dir), STRING("."), GROUP(OUTPUT), IRRELEVANT,
     HELP("Folder for metrics.jsonl and checkpoints/")},
    {FIELD(checkpoint_dir), STRING("null"), OR_NULL, GROUP(CHECKPOINTS), IRRELEVANT,
     HELP("Folder for checkpoints; null is checkpoints/ in out_dir")},
    {FIELD(checkpoint_on_error), CHOICE("stop", dt_choices_on_error), GROUP(CHECKPOINTS), CHANGEABLE,
     HELP("When a checkpoint or a line of metrics.jsonl cannot be written: stop after the step and fail, or "
          "warn and go on")},
    {FIELD(keep_last), INT("null", 1, MAX_COUNT), OR_NULL, GROUP(CHECKPOINTS), CHANGEABLE, UNIT("checkpoints"),
     HELP("Newest checkpoints to keep, beside the best; older ones are removed; null keeps all")},
    {FIELD(keep_every), INT("null", 1, MAX_COUNT), OR_NULL, GROUP(CHECKPOINTS), CHANGEABLE, UNIT("steps"),
     HELP("Keep checkpoints of steps that are multiples of this, whatever keep_last says; null leaves it "
          "to keep_last")},
    {FIELD(save_best), BOOL("false"), GROUP(CHECKPOINTS), CHANGEABLE,
     HELP("Save a checkpoint, due or not, after every evaluation with a lower val_loss than any checkpoint "
          "has")},
    {FIELD(resume), STRING("null"), OR_NULL, GROUP(CHECKPOINTS), IRRELEVANT,
     HELP("Checkpoint to go on from: its path, latest, best, or auto (the newest whole one, or the start "
          "if there is none)")},
    {FIELD(init_from), STRING("null"), OR_NULL, GROUP(CHECKPOINTS), IRRELEVANT,
     HELP("Model that a run starts from when it does not resume: the folder of a checkpoint, or a GPT-2 of Hugging "
          "Face's; its shape and tokenizer count where none are given; null draws initial weights")},
    {FIELD(log_cadence), INT("null", 1, MAX_COUNT), OR_NULL, GROUP(OUTPUT), IRRELEVANT, UNIT("steps"),
     HELP("Steps between lines on the console, which also has the first step and the last; null is a fiftieth of "
          "max_steps")},
    {FIELD(metrics_cadence), INT("1", 1, MAX_COUNT), GROUP(OUTPUT), IRRELEVANT, UNIT("steps"),
     HELP("Steps between step lines in metrics.jsonl, about 190 bytes each; the last step and all other "
          "events always get a line")},
    {FIELD(loss_spike_window), INT("100", 2, 1000000), OR_NULL, GROUP(OUTPUT), IRRELEVANT, UNIT("steps"),
     HELP("Earlier losses that a loss is compared with to find a spike; null looks for none")},
    {FIELD(loss_spike_threshold), REAL("6.0", 0, HUGE_VAL), ABOVE, GROUP(OUTPUT), IRRELEVANT,
     HELP("Standard deviations above the mean of the window at which a loss is logged as a spike")},
    {FIELD(tensorboard), BOOL("false"), GROUP(OUTPUT), IRRELEVANT,
     HELP("Also write what metrics.jsonl gets, and the config as hyperparameters, into event files that TensorBoard "
          "reads: OUT_DIR/tensorboard")},
    {FIELD(hooks), TREE("null"), OR_NULL, GROUP(HOOKS), CHANGEABLE,
     HELP("Hooks to call: {forward: [..], update: [..]}, each a list of {name: .., enabled: true, ..}")},
};
/* clang-format on */

_Static_assert(sizeof table / sizeof table[0] <= DT_CONFIG_MAX_OPTIONS, "dt_config.given is too short");

int64_t dt_options_count(void) {
    return (int64_t)(sizeof table / sizeof table[0]);
}

const dt_option *dt_options_at(int64_t index) {
    DT_ASSERT(index >= 0 && index < dt_options_count());
    return &table[index];
}

static char letter(char c, bool as_flag) {
    return as_flag && c == '-' ? '_' : c;
}

bool dt_options_spells(const char *known, const char *word, size_t length, bool as_flag) {
    if (strlen(known) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (letter(known[i], as_flag) != letter(word[i], as_flag))
            return false;
    return true;
}

const dt_option *dt_options_find(const char *key, size_t length, bool as_flag) {
    for (int64_t i = 0; i < dt_options_count(); i++)
        if (dt_options_spells(table[i].key, key, length, as_flag))
            return &table[i];
    return NULL;
}

const char *dt_options_heading(dt_option_group group) {
    DT_ASSERT(group < DT_GROUP_COUNT);
    static const char *const headings[DT_GROUP_COUNT] = {
        [DT_GROUP_MODEL] = "Model",       [DT_GROUP_DATA] = "Data",
        [DT_GROUP_TRAINING] = "Training", [DT_GROUP_EVALUATION] = "Evaluation",
        [DT_GROUP_SAMPLING] = "Sampling", [DT_GROUP_CHECKPOINTS] = "Checkpoints",
        [DT_GROUP_OUTPUT] = "Output",     [DT_GROUP_HOOKS] = "Hooks"};
    return headings[group];
}

/*
 * Four shapes serve every row: "from a to b", "of at least a" or "above a", and both ends named where they
 * differ.
 */
static void describe_real(const dt_option *option, char *text, size_t text_bytes) {
    const char *low = option->low_exclusive ? "above" : "of at least";
    if (isinf(option->high_real))
        snprintf(text, text_bytes, "number %s %g", low, option->low_real);
    else if (!option->low_exclusive && !option->high_exclusive)
        snprintf(text, text_bytes, "number from %g to %g", option->low_real, option->high_real);
    else
        snprintf(text, text_bytes, "number %s %g and %s %g", low, option->low_real,
                 option->high_exclusive ? "below" : "at most", option->high_real);
}

static void describe_choices(const dt_option *option, char *text, size_t text_bytes) {
    snprintf(text, text_bytes, "one of");
    for (int i = 0; option->choices[i]; i++) {
        size_t used = strlen(text);
        snprintf(text + used, text_bytes - used, "%s %s", i == 0 ? "" : ",", option->choices[i]);
    }
}

const char *dt_options_describe(const dt_option *option, char text[DT_OPTION_TEXT_BYTES]) {
    switch (option->type) {
    case DT_OPTION_INT:
        if (option->high_int == INT64_MAX)
            snprintf(text, DT_OPTION_TEXT_BYTES, "integer of at least %" PRId64, option->low_int);
        else
            snprintf(text, DT_OPTION_TEXT_BYTES, "integer from %" PRId64 " to %" PRId64, option->low_int,
                     option->high_int);
        break;
    case DT_OPTION_REAL:
        describe_real(option, text, DT_OPTION_TEXT_BYTES);
        break;
    case DT_OPTION_CHOICE:
        describe_choices(option, text, DT_OPTION_TEXT_BYTES);
        break;
    case DT_OPTION_BOOL:
        snprintf(text, DT_OPTION_TEXT_BYTES, "true or false");
        break;
    case DT_OPTION_STRING:
        snprintf(text, DT_OPTION_TEXT_BYTES, "string");
        break;
    case DT_OPTION_LIST:
        snprintf(text, DT_OPTION_TEXT_BYTES, "string or list of strings");
        break;
    case DT_OPTION_TREE:
        snprintf(text, DT_OPTION_TEXT_BYTES, "map");
        break;
    }
    size_t used = strlen(text);
    if (option->nullable)
        snprintf(text + used, DT_OPTION_TEXT_BYTES - used, ", or %s",
                 option->null_word ? option->null_word : "null");
    return text;
}

const char *dt_options_dash(const char *key, char text[DT_OPTION_TEXT_BYTES]) {
    snprintf(text, DT_OPTION_TEXT_BYTES, "%s", key);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '_')
            *c = '-';
    return text;
}

const char *dt_options_placeholder(const dt_option *option) {
    static const char *const words[] = {
        [DT_OPTION_INT] = "INTEGER",   [DT_OPTION_REAL] = "NUMBER",   [DT_OPTION_BOOL] = NULL,
        [DT_OPTION_CHOICE] = "CHOICE", [DT_OPTION_STRING] = "STRING", [DT_OPTION_LIST] = "STRING",
        [DT_OPTION_TREE] = "MAP"};
    return words[option->type];
}

const char *dt_options_flag(const dt_option *option, char text[DT_OPTION_TEXT_BYTES]) {
    char name[DT_OPTION_TEXT_BYTES - 8];
    snprintf(name, sizeof name, "--%s%s", option->type == DT_OPTION_BOOL ? "[no-]" : "", option->key);
    return dt_options_dash(name, text);
}
