/* Adapters in stock llama.cpp: base and adapter together give the logits of the trainer's model,
 * and of the file in which they are merged. */
#include "learn/written_model.h"

#include <llama.h>

enum { RANK = 3 };

static void be_silent(enum ggml_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

/* Logits of stock llama.cpp, [TEXT_TOKENS][vocab_count], yours to free; `adapter` may be NULL. */
static float *llama_logits(const char *path, const char *adapter, const int32_t tokens[TEXT_TOKENS])
{
    struct llama_model *model = llama_model_load_from_file(path, llama_model_default_params());
    assert_non_null(model);
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = 64;
    params.n_threads = params.n_threads_batch = 1;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    struct llama_context *context = llama_init_from_model(model, params);
    assert_non_null(context);
    if (adapter != NULL) {
        struct llama_adapter_lora *lora = llama_adapter_lora_init(model, adapter);
        float scale = 1.0f;
        assert_non_null(lora);
        assert_int_equal(llama_set_adapters_lora(context, &lora, 1, &scale), 0);
    }
    struct llama_batch batch = llama_batch_init(TEXT_TOKENS, 0, 1);
    batch.n_tokens = TEXT_TOKENS;
    for (int32_t i = 0; i < TEXT_TOKENS; i++) {
        batch.token[i] = tokens[i];
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = 1;
    }
    assert_int_equal(llama_decode(context, batch), 0);
    const size_t vocab_count = (size_t)llama_vocab_n_tokens(llama_model_get_vocab(model));
    float *out = malloc(TEXT_TOKENS * vocab_count * sizeof *out);
    assert_non_null(out);
    for (int32_t i = 0; i < TEXT_TOKENS; i++)
        memcpy(out + (size_t)i * vocab_count, llama_get_logits_ith(context, i),
               vocab_count * sizeof *out);
    llama_batch_free(batch);
    llama_free(context);
    llama_model_free(model);
    return out;
}

/* A LoRA model over the file's weights; its adapters change the logits by whole nats. */
static icl_transformer *adapted_model(icl_device *device, const icl_transformer_config *config,
                                      const char *base)
{
    const icl_lora_options lora = { .rank = RANK, .alpha = 6.0f };
    icl_transformer *model = NULL;
    assert_ok(icl_transformer_new_lora(&model, device, config, &lora));
    assert_ok(icl_transformer_start(model, 3));
    assert_ok(icl_model_file_read(model, base));
    icl_parameters *parameters = icl_transformer_parameters(model);
    for (size_t i = 0; i < icl_parameters_count(parameters); i++) {
        const char *name = icl_parameters_at(parameters, i)->name;
        if (strstr(name, ".lora_b") != NULL)
            assert_ok(icl_parameters_fill_normal(parameters, i, 9, 0.2));
    }
    return model;
}

static void test_adapter__llama_cpp_applies_it_as_the_trainer_does(void **state)
{
    const icl_model_file_options options = { .type = ICL_WEIGHT_F32, .name = "small" };
    icl_device *device = open_cpu();
    icl_bpe *bpe = small_bpe();
    icl_transformer_config config = written_config();
    config.tied = false;
    config.head_width = 16; /* no adapted map is square */
    icl_transformer *base = random_model(device, &config);
    assert_ok(icl_model_file_write("base.gguf", base, bpe, &options));
    icl_transformer *adapted = adapted_model(device, &config, "base.gguf");
    assert_ok(icl_model_file_write_adapter("adapter.gguf", adapted));
    assert_ok(icl_model_file_write("merged.gguf", adapted, bpe, &options));

    int32_t tokens[TEXT_TOKENS];
    draw_tokens(tokens, config.vocab_count);
    llama_log_set(be_silent, NULL);
    const size_t count = TEXT_TOKENS * config.vocab_count;
    float *trainer = trainer_logits(adapted, tokens, TEXT_TOKENS);
    float *plain = llama_logits("base.gguf", NULL, tokens);
    float *together = llama_logits("base.gguf", "adapter.gguf", tokens);
    float *merged = llama_logits("merged.gguf", NULL, tokens);
    assert_true(largest_difference(plain, trainer, count) > 1.0);
    assert_near(largest_difference(together, trainer, count), 0.0, 1e-3);
    assert_near(largest_difference(merged, trainer, count), 0.0, 1e-3);
    free(trainer);
    free(plain);
    free(together);
    free(merged);
    icl_transformer_free(adapted);
    icl_transformer_free(base);
    icl_bpe_free(bpe);
    icl_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_adapter__llama_cpp_applies_it_as_the_trainer_does,
                                        enter_scratch, leave_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
