/* One row per word of ours, with what nanoGPT, llm.c, Megatron-LM and Hugging Face's Trainer say for it. */
#include "config/synonyms.h"

#include <ctype.h>
#include <string.h>

/* The words stand between spaces. */
static const struct {
    const char *ours, *theirs;
} rows[] = {
    {"max_seq_len", " block_size ctx context n_ctx ctx_len context_length context_size seq_len seq_length "
                    "sequence_length max_length max_position_embeddings n_positions "},
    {"d_model", " n_embd n_embed embd embed_dim embedding_dim hidden_size model_dim dim width "},
    {"n_layers", " n_layer layers num_layers num_hidden_layers depth "},
    {"n_heads", " n_head heads num_heads num_attention_heads "},
    {"d_ff", " n_inner ffn_hidden_size intermediate_size ff_dim mlp_dim "},
    {"max_steps", " max_iters iters iterations num_iterations train_iters num_steps total_steps "},
    {"max_epochs", " epochs num_epochs n_epochs num_train_epochs "},
    {"max_tokens", " num_tokens train_tokens "},
    {"learning_rate", " lr max_lr base_lr "},
    {"min_learning_rate", " min_lr lr_min "},
    {"lr_schedule", " lr_scheduler lr_scheduler_type lr_decay_style scheduler "},
    {"warmup_steps", " warmup_iters lr_warmup_iters num_warmup_steps "},
    {"weight_decay", " wd "},
    {"beta1", " adam_beta1 "},
    {"beta2", " adam_beta2 "},
    {"grad_clip", " clip_grad clip_grad_norm max_grad_norm gradient_clipping "},
    {"batch_size", " bs global_batch_size total_batch_size train_batch_size "},
    {"micro_batch_size", " mbs device_batch_size per_device_train_batch_size gradient_accumulation_steps "
                         "grad_accum "},
    {"data", " dataset input input_bin train_data train_file data_path "},
    {"validation_data", " val_data val_file input_val_bin validation_file valid_data_path "},
    {"out_dir", " output output_dir save_dir "},
    {"compute_dtype", " dtype precision mixed_precision bf16 "},
    {"eval_cadence", " eval_interval eval_every eval_steps val_every val_loss_every "},
    {"eval_max_windows", " eval_iters val_max_steps "},
    {"log_cadence", " log_interval log_every logging_steps "},
    {"checkpoint_cadence", " save_interval save_every save_steps checkpoint_every checkpoint_interval "},
    {"sampling_cadence", " sample_every sample_interval "},
    {"keep_last", " save_total_limit "},
    {"resume", " load load_checkpoint resume_from resume_from_checkpoint "},
    {"init_from", " pretrained model_name_or_path from_pretrained finetune "},
    {"recompute", " gradient_checkpointing activation_checkpointing recompute_activations "},
    {"shard_optimizer", " zero zero_stage use_distributed_optimizer "},
    /* flags of sample */
    {"max-length", " max_new_tokens num_tokens length n_tokens "},
    {"count", " num_samples num_return_sequences n_samples "},
    {"prompt", " start "},
    /* verbs */
    {"sample", " generate inference complete "},
    {"eval", " test perplexity validate "},
    {"verify", " check "},
    {"report", " plot "},
    {"runs", " list ls "},
    {"progress", " status "},
};

static char plain(char letter) {
    return letter == '-' ? '_' : (char)tolower((unsigned char)letter);
}

static bool spells(const char *known, const char *word, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (plain(known[i]) != plain(word[i]))
            return false;
    return known[length] == ' ';
}

bool dt_synonyms_has(const char *word, size_t length, const char *candidate) {
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        if (strcmp(rows[row].ours, candidate) != 0)
            continue;
        for (const char *at = strchr(rows[row].theirs, ' '); at[1] != 0; at = strchr(at + 1, ' '))
            if (length > 0 && spells(at + 1, word, length))
                return true;
    }
    return false;
}
