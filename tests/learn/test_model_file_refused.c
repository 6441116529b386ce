/* What a model file cannot say, what the trainer cannot hold, and files that are damaged: one
 * sentence each, nothing written, nothing changed. */
#include "learn/written_model.h"

#include <gguf.h>

#include "base/file.h"
#include "base/text.h"

static const icl_model_file_options f32_options = { .type = ICL_WEIGHT_F32, .name = "small" };

static void assert_says(icl_status actual, icl_status expected, const char *sentence)
{
    assert_string_equal(icl_error_message(), sentence);
    assert_int_equal(actual, expected);
}

/* ---- writing ---- */

static icl_status write_with(const icl_transformer_config *config, icl_weight_type type)
{
    const icl_model_file_options options = { .type = type };
    icl_device *device = open_cpu();
    icl_bpe *bpe = small_bpe();
    icl_transformer *model = NULL;
    assert_ok(icl_transformer_new(&model, device, config));
    const icl_status status = icl_model_file_write("model.gguf", model, bpe, &options);
    icl_transformer_free(model);
    icl_bpe_free(bpe);
    icl_device_close(device);
    return status;
}

static void check_unsayable(icl_transformer_config config, const char *feature)
{
    char sentence[128];
    snprintf(sentence, sizeof sentence, "a model file of architecture \"llama\" cannot say %s",
             feature);
    assert_says(write_with(&config, ICL_WEIGHT_F32), ICL_EUNSUPPORTED, sentence);
}

static void test_refused__features_that_the_format_lacks(void **state)
{
    const icl_transformer_config llama = written_config();
    icl_transformer_config config = llama;
    config.biases = true;
    check_unsayable(config, "biases");
    config = llama;
    config.norm = ICL_NORM_LAYER;
    check_unsayable(config, "a norm other than RMSNorm");
    config = llama;
    config.feed = ICL_FEED_GELU;
    check_unsayable(config, "a feed-forward part other than SwiGLU");
    config = llama;
    config.positions = ICL_POSITIONS_LEARNED;
    check_unsayable(config, "positions other than RoPE");
    config = llama;
    config.view = ICL_VIEW_FULL;
    check_unsayable(config, "a view that is not causal");
    config = llama;
    config.linear_attention = true;
    check_unsayable(config, "linear attention");
    config = llama;
    config.vocab_count = 0;
    check_unsayable(config, "a model without tokens");
    assert_int_not_equal(access("model.gguf", F_OK), 0);
}

static void test_refused__vocabularies_and_widths_that_do_not_fit(void **state)
{
    icl_transformer_config config = written_config();
    config.vocab_count = 301;
    assert_says(write_with(&config, ICL_WEIGHT_F32), ICL_EINVAL,
                "the tokenizer has 300 tokens, the model 301");
    config = written_config();
    assert_says(write_with(&config, ICL_WEIGHT_Q8_0), ICL_EUNSUPPORTED,
                "q8_0 packs 32 numbers together, but rows of blk.0.ffn_down.weight have 48");
    assert_int_not_equal(access("model.gguf", F_OK), 0);
}

static void test_refused__weights_that_are_not_finite(void **state)
{
    icl_device *device = open_cpu();
    icl_bpe *bpe = small_bpe();
    const icl_transformer_config config = written_config();
    icl_transformer *model = random_model(device, &config);
    icl_parameters *parameters = icl_transformer_parameters(model);
    assert_ok(icl_parameters_fill(parameters, icl_parameters_find(parameters, "output_norm.weight"),
                                  INFINITY));
    assert_ok(icl_file_write_atomic("model.gguf", "old", 3));
    assert_says(icl_model_file_write("model.gguf", model, bpe, &f32_options), ICL_EMODEL,
                "output_norm.weight holds inf at 0");
    icl_text kept = { 0 };
    assert_ok(icl_file_read(&kept, "model.gguf", 100));
    assert_string_equal(kept.bytes, "old");
    assert_ok(icl_parameters_fill(parameters, icl_parameters_find(parameters, "output_norm.weight"),
                                  1.0f));
    assert_says(icl_model_file_write("none/model.gguf", model, bpe, &f32_options), ICL_EIO,
                "cannot write \"none/model.gguf\": No such file or directory");
    assert_says(icl_model_file_write_adapter("model.gguf", model), ICL_EINVAL,
                "the model has no adapters to write");
    icl_text_deinit(&kept);
    icl_transformer_free(model);
    icl_bpe_free(bpe);
    icl_device_close(device);
}

/* ---- damaged files ---- */

/* A good file's bytes; file and text are the caller's. */
static void write_good_file(icl_text *out_bytes)
{
    icl_device *device = open_cpu();
    icl_bpe *bpe = small_bpe();
    const icl_transformer_config config = written_config();
    icl_transformer *model = random_model(device, &config);
    assert_ok(icl_model_file_write("good.gguf", model, bpe, &f32_options));
    assert_ok(icl_file_read(out_bytes, "good.gguf", 1 << 24));
    icl_transformer_free(model);
    icl_bpe_free(bpe);
    icl_device_close(device);
}

/* Tokenizer and shape alike say the same of it. */
static void check_unreadable(const char *path, icl_status status, const char *sentence)
{
    icl_transformer_config config;
    icl_bpe *bpe = NULL;
    assert_says(icl_model_file_config(&config, path), status, sentence);
    assert_says(icl_bpe_open_gguf(&bpe, path), status, sentence);
    assert_null(bpe);
}

static void test_refused__files_that_are_cut_off_or_no_models(void **state)
{
    icl_text good = { 0 };
    char sentence[200];
    write_good_file(&good);
    check_unreadable("none.gguf", ICL_EIO, "cannot open \"none.gguf\": No such file or directory");
    assert_ok(icl_file_write_atomic("text.gguf", "Once upon", 9));
    check_unreadable("text.gguf", ICL_EMODEL, "\"text.gguf\" is not a GGUF file");
    assert_ok(icl_file_write_atomic("cut.gguf", good.bytes, good.length - 100));
    snprintf(sentence, sizeof sentence,
             "\"cut.gguf\" is cut off: output_norm.weight ends at byte %zu of %zu in the file",
             good.length, good.length - 100);
    check_unreadable("cut.gguf", ICL_EMODEL, sentence);
    icl_text_deinit(&good);
}

/* Wherever the head is cut there is a sentence, and one alone. */
static void test_refused__heads_that_are_cut_off(void **state)
{
    icl_text good = { 0 };
    write_good_file(&good);
    for (size_t length = 0; length < 9000; length += 97) {
        icl_transformer_config config;
        assert_ok(icl_file_write_atomic("cut.gguf", good.bytes, length));
        assert_int_equal(icl_model_file_config(&config, "cut.gguf"), ICL_EMODEL);
        assert_null(strchr(icl_error_message(), '\n'));
        assert_non_null(strstr(icl_error_message(), "cut.gguf"));
    }
    icl_text_deinit(&good);
}

/* A byte of the head is wrong: either the file still makes sense, or there is a sentence. */
static void test_refused__heads_with_a_wrong_byte(void **state)
{
    enum { DAMAGES = 400, HEAD_BYTES = 8000 };
    icl_text good = { 0 };
    icl_rng rng = icl_rng_new(1, "damage", NULL, NULL);
    write_good_file(&good);
    for (int i = 0; i < DAMAGES; i++) {
        const size_t at = icl_rng_below(&rng, HEAD_BYTES);
        const char kept = good.bytes[at];
        icl_transformer_config config;
        icl_bpe *bpe = NULL;
        good.bytes[at] = (char)icl_rng_u32(&rng);
        FILE *file = fopen("damaged.gguf", "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(good.bytes, 1, good.length, file), good.length);
        assert_int_equal(fclose(file), 0);
        const icl_status status = icl_model_file_config(&config, "damaged.gguf");
        if (status == ICL_OK) assert_ok(icl_transformer_config_check(&config));
        if (icl_bpe_open_gguf(&bpe, "damaged.gguf") != ICL_OK)
            assert_null(strchr(icl_error_message(), '\n'));
        icl_bpe_free(bpe);
        good.bytes[at] = kept;
    }
    icl_text_deinit(&good);
}

/* ---- files of other models ---- */

typedef void change(struct gguf_context *head);

/* The good file's head with a change, no tensors but token_embd.weight. */
static void write_changed_file(const char *path, change *apply)
{
    struct gguf_context *head =
        gguf_init_from_file("good.gguf", (struct gguf_init_params){ .no_alloc = true });
    struct gguf_context *changed = gguf_init_empty();
    struct ggml_context *tensors = ggml_init((struct ggml_init_params){ .mem_size = 1 << 20 });
    assert_true(head != NULL && changed != NULL && tensors != NULL);
    gguf_set_kv(changed, head);
    struct ggml_tensor *table = ggml_new_tensor_2d(tensors, GGML_TYPE_F32, 32, 300);
    ggml_set_name(table, "token_embd.weight");
    memset(ggml_get_data(table), 0, ggml_nbytes(table));
    gguf_add_tensor(changed, table);
    apply(changed);
    assert_true(gguf_write_to_file(changed, path, false));
    gguf_free(head);
    gguf_free(changed);
    ggml_free(tensors);
}

static void make_gpt2(struct gguf_context *head)
{
    gguf_set_val_str(head, "general.architecture", "gpt2");
}
static void make_scaled(struct gguf_context *head)
{
    gguf_set_val_str(head, "llama.rope.scaling.type", "yarn");
}
static void make_mixture(struct gguf_context *head)
{
    gguf_set_val_u32(head, "llama.expert_count", 8);
}
static void make_uneven_layers(struct gguf_context *head)
{
    const int32_t widths[] = { 48, 64 };
    gguf_set_arr_data(head, "llama.feed_forward_length", GGUF_TYPE_INT32, widths, 2);
}
static void make_partly_rotary(struct gguf_context *head)
{
    gguf_set_val_u32(head, "llama.rope.dimension_count", 4);
}
static void make_headless(struct gguf_context *head)
{
    gguf_set_val_u32(head, "llama.attention.head_count", 0);
}
static void make_undividing(struct gguf_context *head)
{
    gguf_set_val_u32(head, "llama.attention.head_count_kv", 3);
}

static void test_refused__models_that_the_trainer_cannot_hold(void **state)
{
    static const struct {
        change *apply;
        icl_status status;
        const char *sentence;
    } cases[] = {
        { make_gpt2, ICL_EUNSUPPORTED, "architecture \"gpt2\" cannot be trained, only \"llama\"" },
        { make_scaled, ICL_EUNSUPPORTED, "scaled rotary positions (\"yarn\") cannot be trained" },
        { make_mixture, ICL_EUNSUPPORTED, "a mixture of 8 experts cannot be trained" },
        { make_uneven_layers, ICL_EUNSUPPORTED,
          "llama.feed_forward_length is not one whole number" },
        { make_partly_rotary, ICL_EUNSUPPORTED,
          "llama.rope.dimension_count is 4; only 8, the width of a head, can be trained" },
        { make_headless, ICL_EMODEL, "0 heads and 2 key/value heads" },
        { make_undividing, ICL_EINVAL, "kv_heads 3 does not divide heads 4" },
    };
    icl_text good = { 0 };
    write_good_file(&good);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sentence[200];
        icl_transformer_config config = { .width = 77 };
        write_changed_file("other.gguf", cases[i].apply);
        snprintf(sentence, sizeof sentence, "\"other.gguf\": %s", cases[i].sentence);
        assert_says(icl_model_file_config(&config, "other.gguf"), cases[i].status, sentence);
        assert_int_equal(config.width, 77);
    }
    icl_text_deinit(&good);
}

static void make_other_split(struct gguf_context *head)
{
    gguf_set_val_str(head, "tokenizer.ggml.pre", "llama-bpe");
}
static void make_sentencepiece(struct gguf_context *head)
{
    gguf_set_val_str(head, "tokenizer.ggml.model", "llama");
}
static void make_bad_merge(struct gguf_context *head)
{
    const char *merges[] = { "h e", "qq zz" };
    gguf_set_arr_str(head, "tokenizer.ggml.merges", merges, 2);
}
static void make_few_types(struct gguf_context *head)
{
    const int32_t types[] = { 3, 1 };
    gguf_set_arr_data(head, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, types, 2);
}
static void make_two_ends(struct gguf_context *head)
{
    gguf_set_val_u32(head, "tokenizer.ggml.bos_token_id", 5);
}
static void make_far_end(struct gguf_context *head)
{
    gguf_set_val_u32(head, "tokenizer.ggml.bos_token_id", 300);
    gguf_set_val_u32(head, "tokenizer.ggml.eos_token_id", 300);
}
static void make_few_tokens(struct gguf_context *head)
{
    const char *tokens[] = { "a", "b" };
    const int32_t types[] = { 1, 1 };
    gguf_set_arr_str(head, "tokenizer.ggml.tokens", tokens, 2);
    gguf_set_arr_data(head, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, types, 2);
    gguf_set_arr_str(head, "tokenizer.ggml.merges", tokens, 0);
    gguf_set_val_u32(head, "tokenizer.ggml.bos_token_id", 0);
    gguf_set_val_u32(head, "tokenizer.ggml.eos_token_id", 0);
}

static void test_refused__tokenizers_of_another_kind(void **state)
{
    static const struct {
        change *apply;
        icl_status status;
        const char *sentence;
    } cases[] = {
        { make_other_split, ICL_EUNSUPPORTED,
          "\"other.gguf\": tokenizer.ggml.pre is \"llama-bpe\"; only \"gpt-2\" can be used" },
        { make_sentencepiece, ICL_EUNSUPPORTED,
          "\"other.gguf\": tokenizer.ggml.model is \"llama\"; only \"gpt2\" can be used" },
        { make_bad_merge, ICL_EPARSE,
          "the tokenizer of \"other.gguf\": merge 1, \"qq zz\", does not join two tokens to a "
          "third" },
        { make_few_types, ICL_EPARSE, "the tokenizer of \"other.gguf\": 300 tokens have 2 types" },
        { make_two_ends, ICL_EUNSUPPORTED,
          "the tokenizer of \"other.gguf\": BOS (5) and EOS (0) are different tokens" },
        { make_far_end, ICL_EPARSE,
          "the tokenizer of \"other.gguf\": no token of the vocabulary is BOS or EOS" },
        { make_few_tokens, ICL_EINVAL,
          "the tokenizer of \"other.gguf\": the vocabulary has no token for byte 0x00" },
    };
    icl_text good = { 0 };
    write_good_file(&good);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        icl_bpe *bpe = NULL;
        write_changed_file("other.gguf", cases[i].apply);
        assert_says(icl_bpe_open_gguf(&bpe, "other.gguf"), cases[i].status, cases[i].sentence);
        assert_null(bpe);
    }
    icl_text_deinit(&good);
}

/* ---- weights into a model of another shape ---- */

static void check_other_model(icl_transformer_config config, const char *complaint)
{
    char sentence[200];
    icl_device *device = open_cpu();
    icl_transformer *model = NULL;
    assert_ok(icl_transformer_new(&model, device, &config));
    snprintf(sentence, sizeof sentence, "\"good.gguf\": %s", complaint);
    assert_says(icl_model_file_read(model, "good.gguf"), ICL_EINVAL, sentence);
    float *table = copy_weight(icl_transformer_parameters(model), 0);
    assert_near((double)table[0], 0.0, 0.0);
    free(table);
    icl_transformer_free(model);
    icl_device_close(device);
}

static void test_refused__models_of_another_shape_stay_as_they_were(void **state)
{
    const icl_transformer_config same = written_config();
    icl_text good = { 0 };
    write_good_file(&good);
    icl_transformer_config config = same;
    config.layers = 1;
    check_other_model(config, "the file has 2 layers, the model 1");
    config = same;
    config.heads = 2;
    check_other_model(config, "the file has 4 heads, the model 2");
    config = same;
    config.kv_heads = 4;
    check_other_model(config, "blk.0.attn_k.weight is 32 x 16 in the file, 32 x 32 in the model");
    config = same;
    config.vocab_count = 299;
    check_other_model(config, "token_embd.weight is 32 x 300 in the file, 32 x 299 in the model");
    config = same;
    config.tied = false;
    check_other_model(config, "the model has an output table of its own, the file has not");
    config = same;
    config.rope_base = 20000.0f;
    check_other_model(config, "the file's rotary base is 10000, the model's 20000");
    icl_text_deinit(&good);
}

static void keep(struct gguf_context *head)
{
    (void)head;
}

static void test_refused__files_without_some_weight(void **state)
{
    icl_text good = { 0 };
    write_good_file(&good);
    write_changed_file("good.gguf", keep);
    check_other_model(written_config(), "the file has no blk.0.attn_norm.weight");
    icl_text_deinit(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused__features_that_the_format_lacks, enter_scratch,
                                        leave_scratch),
        cmocka_unit_test_setup_teardown(test_refused__vocabularies_and_widths_that_do_not_fit,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(test_refused__weights_that_are_not_finite, enter_scratch,
                                        leave_scratch),
        cmocka_unit_test_setup_teardown(test_refused__files_that_are_cut_off_or_no_models,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(test_refused__heads_that_are_cut_off, enter_scratch,
                                        leave_scratch),
        cmocka_unit_test_setup_teardown(test_refused__heads_with_a_wrong_byte, enter_scratch,
                                        leave_scratch),
        cmocka_unit_test_setup_teardown(test_refused__models_that_the_trainer_cannot_hold,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(test_refused__tokenizers_of_another_kind, enter_scratch,
                                        leave_scratch),
        cmocka_unit_test_setup_teardown(test_refused__models_of_another_shape_stay_as_they_were,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(test_refused__files_without_some_weight, enter_scratch,
                                        leave_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
