/* Written models in our engine and in the trainer again: the same logits, the same tokens, the same
 * bits. */
#include "learn/written_model.h"
#include "shipped_model.h"

#include <jansson.h>
#include <utf8proc.h>

#include <icl/sys/model.h>

#include "base/file.h"
#include "base/text.h"
#include "learn/bpe_model.h"

static const icl_model_file_options f32_options = { .type = ICL_WEIGHT_F32, .name = "small" };

static icl_model *open_model(const char *path)
{
    icl_model_options options = icl_model_options_default();
    options.thread_count = 1;
    icl_model *model = NULL;
    assert_ok(icl_model_open(&model, path, &options));
    return model;
}

/* Logits of the engine's back end, [TEXT_TOKENS][vocab_count], yours to free. */
static float *engine_logits(icl_model *model, const int32_t tokens[TEXT_TOKENS])
{
    const size_t vocab_count = icl_model_get_info(model)->vocab_count;
    const icl_decode_limits limits = { .cells = 256,
                                       .sequences = 2,
                                       .call_tokens = TEXT_TOKENS,
                                       .call_rows = TEXT_TOKENS,
                                       .sequence_tokens = 256 };
    icl_decode_token asked[TEXT_TOKENS];
    for (int32_t i = 0; i < TEXT_TOKENS; i++)
        asked[i] = (icl_decode_token){
            .token = tokens[i], .position = i, .leaf_first = 1, .leaf_last = 1, .row = true
        };
    const icl_decode_call call = {
        .begins_wave = true, .leaf_count = 1, .tokens = asked, .token_count = TEXT_TOKENS
    };
    assert_ok(icl_model_prepare(model, &limits));
    assert_ok(icl_model_decode(model, &call));
    float *out = malloc(TEXT_TOKENS * vocab_count * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < TEXT_TOKENS; i++)
        memcpy(out + i * vocab_count, icl_model_logits(model, i), vocab_count * sizeof *out);
    return out;
}

/* Largest difference of logits between the trainer's model and the file. */
static double compare_with_file(icl_transformer *trained, const char *path)
{
    const size_t vocab_count = icl_transformer_get_config(trained)->vocab_count;
    int32_t tokens[TEXT_TOKENS];
    draw_tokens(tokens, vocab_count);
    icl_model *model = open_model(path);
    assert_int_equal(icl_model_get_info(model)->vocab_count, vocab_count);
    float *expected = trainer_logits(trained, tokens, TEXT_TOKENS),
          *actual = engine_logits(model, tokens);
    const double difference = largest_difference(actual, expected, TEXT_TOKENS * vocab_count);
    free(expected);
    free(actual);
    icl_model_close(model);
    return difference;
}

static void check_logits(const icl_transformer_config *config)
{
    icl_device *device = open_cpu();
    icl_bpe *bpe = small_bpe();
    icl_transformer *trained = random_model(device, config);
    assert_ok(icl_model_file_write("model.gguf", trained, bpe, &f32_options));
    assert_near(compare_with_file(trained, "model.gguf"), 0.0, 1e-4);
    icl_transformer_free(trained);
    icl_bpe_free(bpe);
    icl_device_close(device);
}

static void test_model_file__the_engine_gives_the_trainers_logits(void **state)
{
    icl_transformer_config config = written_config();
    check_logits(&config);
    config.tied = false;
    config.rope_base = 500000.0f;
    config.norm_epsilon = 1e-6f;
    check_logits(&config);
    config.head_width = 16; /* heads wider than the stream */
    check_logits(&config);
    config.heads = config.kv_heads = 1;
    config.head_width = 0;
    check_logits(&config);
}

/* As far from the exact weights as these types round. */
static void test_model_file__smaller_types_stay_near(void **state)
{
    icl_device *device = open_cpu();
    icl_bpe *bpe = small_bpe();
    icl_transformer_config config = written_config();
    config.feed_width = 64;
    icl_transformer *trained = random_model(device, &config);
    icl_model_file_options options = f32_options;
    options.type = ICL_WEIGHT_F16;
    assert_ok(icl_model_file_write("f16.gguf", trained, bpe, &options));
    const double f16 = compare_with_file(trained, "f16.gguf");
    options.type = ICL_WEIGHT_Q8_0;
    assert_ok(icl_model_file_write("q8_0.gguf", trained, bpe, &options));
    const double q8_0 = compare_with_file(trained, "q8_0.gguf");
    assert_true(f16 > 0.0 && f16 < 0.02);
    assert_true(q8_0 > f16 && q8_0 < 0.5);
    icl_transformer_free(trained);
    icl_bpe_free(bpe);
    icl_device_close(device);
}

/* ---- back into the trainer ---- */

static void assert_same_config(const icl_transformer_config *a, const icl_transformer_config *b)
{
    assert_int_equal(a->vocab_count, b->vocab_count);
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->layers, b->layers);
    assert_int_equal(a->heads, b->heads);
    assert_int_equal(a->kv_heads, b->kv_heads);
    assert_int_equal(a->head_width, b->head_width);
    assert_int_equal(a->feed_width, b->feed_width);
    assert_int_equal(a->window, b->window);
    assert_int_equal(a->tied, b->tied);
    assert_near((double)a->rope_base, (double)b->rope_base, 0.0);
    assert_near((double)a->norm_epsilon, (double)b->norm_epsilon, 0.0);
}

/* Largest difference of weights; both have the same. */
static double compare_weights(const icl_transformer *a, const icl_transformer *b)
{
    const icl_parameters *ours = icl_transformer_parameters(a);
    const icl_parameters *theirs = icl_transformer_parameters(b);
    double largest = 0.0;
    assert_int_equal(icl_parameters_count(ours), icl_parameters_count(theirs));
    for (size_t i = 0; i < icl_parameters_count(ours); i++) {
        const icl_parameter *weight = icl_parameters_at(ours, i);
        const size_t other = icl_parameters_find(theirs, weight->name);
        float *left = copy_weight(ours, i), *right = copy_weight(theirs, other);
        largest = fmax(largest, largest_difference(left, right, weight->count));
        free(left);
        free(right);
    }
    return largest;
}

static icl_transformer *read_model(icl_device *device, const char *path)
{
    icl_transformer_config config;
    icl_transformer *model = NULL;
    assert_ok(icl_model_file_config(&config, path));
    assert_ok(icl_transformer_new(&model, device, &config));
    assert_ok(icl_model_file_read(model, path));
    return model;
}

static void test_model_file__what_is_written_is_read_back(void **state)
{
    static const struct {
        icl_weight_type type;
        double error;
    } cases[] = { { ICL_WEIGHT_F32, 0.0 }, { ICL_WEIGHT_F16, 1e-3 }, { ICL_WEIGHT_Q8_0, 1e-2 } };
    icl_device *device = open_cpu();
    icl_bpe *bpe = small_bpe();
    icl_transformer_config config = written_config();
    config.feed_width = 64;
    config.tied = false;
    config.head_width = 16;
    icl_transformer *written = random_model(device, &config);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        icl_model_file_options options = f32_options;
        options.type = cases[i].type;
        assert_ok(icl_model_file_write("model.gguf", written, bpe, &options));
        icl_transformer *read = read_model(device, "model.gguf");
        assert_same_config(icl_transformer_get_config(read), icl_transformer_get_config(written));
        assert_near(compare_weights(read, written), 0.0, cases[i].error);
        icl_transformer_free(read);
    }
    icl_transformer_free(written);
    icl_bpe_free(bpe);
    icl_device_close(device);
}

/* Largest difference of logits between the engine and the trainer, both from the file. */
static double compare_readers(const char *path)
{
    icl_device *device = open_cpu();
    icl_transformer *model = read_model(device, path);
    const double difference = compare_with_file(model, path);
    icl_transformer_free(model);
    icl_device_close(device);
    return difference;
}

static void test_model_file__a_model_trained_elsewhere_goes_on_here(void **state)
{
    assert_near(compare_readers(ICL_SOURCE_DIR "/tests/golden/foreign_model.gguf"), 0.0, 1e-4);
}

static void test_model_file__the_shipped_model_goes_on(void **state)
{
    assert_near(compare_readers(SHIPPED_MODEL), 0.0, 2e-3);
}

/* ---- tokenizers ---- */

static void assert_same_tokens(icl_model *model, const icl_bpe *bpe, const char *text,
                               size_t length)
{
    int32_t theirs[512];
    size_t count = 0;
    icl_tokens ours = { 0 };
    assert_ok(icl_bpe_encode(bpe, text, length, &ours));
    assert_ok(icl_model_tokenize(model, theirs, 512, &count, text, length, false));
    assert_int_equal(ours.count, count);
    if (count > 0) assert_memory_equal(ours.items, theirs, count * sizeof theirs[0]);
    icl_tokens_deinit(&ours);
}

/* Runs over every probe of golden/bpe_cases.jsonl. */
static void each_probe(icl_model *model, const icl_bpe *bpe)
{
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/bpe_cases.jsonl", "rb");
    icl_text line = { 0 };
    bool too_long = false;
    assert_non_null(file);
    while (icl_line_read(&line, file, &too_long)) {
        json_t *row = json_loadb(line.bytes, line.length, JSON_ALLOW_NUL, NULL);
        const json_t *probes = json_object_get(row, "probes");
        for (size_t i = 0; i < json_array_size(probes); i++) {
            const json_t *text = json_object_get(json_array_get(probes, i), "text");
            assert_same_tokens(model, bpe, json_string_value(text), json_string_length(text));
        }
        json_decref(row);
    }
    icl_text_deinit(&line);
    fclose(file);
}

static void test_model_file__the_engine_splits_texts_as_the_tokenizer_does(void **state)
{
    icl_device *device = open_cpu();
    icl_bpe *bpe = small_bpe();
    const icl_transformer_config config = written_config();
    icl_transformer *trained = random_model(device, &config);
    assert_ok(icl_model_file_write("model.gguf", trained, bpe, &f32_options));
    icl_model *model = open_model("model.gguf");
    assert_int_equal(icl_model_get_info(model)->bos, 0);
    assert_int_equal(icl_model_get_info(model)->eos, 0);
    each_probe(model, bpe);
    icl_model_close(model);
    icl_transformer_free(trained);
    icl_bpe_free(bpe);
    icl_device_close(device);
}

/* A tokenizer whose only merges are "a", "1", "!" or a blank with the first byte of a code point:
 * its tokens show whether the split took the code point for a letter, a number, neither or white
 * space. */
static icl_bpe *splitting_bpe(void)
{
    icl_bpe *bpe = NULL;
    icl_text joined = { 0 };
    assert_ok(icl_bpe_new(&bpe));
    assert_ok(icl_bpe_add_token(bpe, "<|endoftext|>", 13, true));
    bpe->end_of_text = 0;
    for (int byte = 0; byte < 256; byte++)
        assert_ok(icl_bpe_add_token(bpe, bpe->byte_spellings[byte],
                                    strnlen(bpe->byte_spellings[byte], 2), false));
    for (const char *left = "a1! "; *left != '\0'; left++)
        for (int lead = 0xC2; lead <= 0xF4; lead++) {
            const icl_pair pair = { bpe->byte_ids[(unsigned char)*left], bpe->byte_ids[lead] };
            assert_int_equal(icl_bpe_joined(bpe, pair, &joined), -1);
            assert_ok(icl_bpe_add_token(bpe, joined.bytes, joined.length, false));
            assert_ok(icl_bpe_add_merge(bpe, pair, (int32_t)icl_bpe_vocab_count(bpe) - 1));
        }
    assert_ok(icl_bpe_finish(bpe));
    icl_text_deinit(&joined);
    return bpe;
}

/* Every eighth code point beyond ASCII. Other versions of Unicode have other letters. */
static void test_model_file__the_engine_sees_the_same_letters_and_numbers(void **state)
{
    if (strcmp(utf8proc_unicode_version(), "15.0.0") != 0) skip();
    icl_device *device = open_cpu();
    icl_bpe *bpe = splitting_bpe();
    icl_transformer_config config = written_config();
    config.vocab_count = icl_bpe_vocab_count(bpe);
    icl_transformer *trained = random_model(device, &config);
    assert_ok(icl_model_file_write("model.gguf", trained, bpe, &f32_options));
    icl_model *model = open_model("model.gguf");
    icl_text text = { 0 };
    for (int32_t code = 0x80; code < 0x110000; code += 8) {
        utf8proc_uint8_t glyph[4];
        if (!utf8proc_codepoint_valid(code)) continue;
        const int length = (int)utf8proc_encode_char(code, glyph);
        icl_text_clear(&text);
        icl_text_printf(&text, "a%.*s1%.*s!%.*s %.*s\t", length, (char *)glyph, length,
                        (char *)glyph, length, (char *)glyph, length, (char *)glyph);
        assert_same_tokens(model, bpe, text.bytes, text.length);
    }
    icl_text_deinit(&text);
    icl_model_close(model);
    icl_transformer_free(trained);
    icl_bpe_free(bpe);
    icl_device_close(device);
}

static void test_model_file__a_tokenizer_is_read_back(void **state)
{
    icl_device *device = open_cpu();
    icl_bpe *written = small_bpe(), *read = NULL;
    const icl_transformer_config config = written_config();
    icl_transformer *trained = random_model(device, &config);
    assert_ok(icl_model_file_write("model.gguf", trained, written, &f32_options));
    assert_ok(icl_bpe_open_gguf(&read, "model.gguf"));
    assert_int_equal(icl_bpe_vocab_count(read), icl_bpe_vocab_count(written));
    assert_int_equal(icl_bpe_end_of_text(read), icl_bpe_end_of_text(written));
    for (int32_t token = 0; (size_t)token < icl_bpe_vocab_count(read); token++) {
        size_t read_length = 0, written_length = 0;
        const char *read_piece = icl_bpe_piece(read, token, &read_length);
        const char *written_piece = icl_bpe_piece(written, token, &written_length);
        assert_int_equal(read_length, written_length);
        assert_memory_equal(read_piece, written_piece, read_length);
        assert_int_equal(icl_bpe_is_special(read, token), icl_bpe_is_special(written, token));
    }
    assert_int_equal(icl_bpe_merge_count(read), icl_bpe_merge_count(written));
    for (size_t i = 0; i < icl_bpe_merge_count(read); i++) {
        int32_t read_pair[2], written_pair[2];
        icl_bpe_merge(read, i, read_pair);
        icl_bpe_merge(written, i, written_pair);
        assert_memory_equal(read_pair, written_pair, sizeof read_pair);
    }
    icl_transformer_free(trained);
    icl_bpe_free(written);
    icl_bpe_free(read);
    icl_device_close(device);
}

/* Ids of another package's tokenizer, by way of the file. */
static void test_model_file__the_shipped_tokenizer_gives_the_reference_ids(void **state)
{
    icl_bpe *bpe = NULL;
    assert_ok(icl_bpe_open_gguf(&bpe, SHIPPED_MODEL));
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/parity_tokenize.jsonl", "rb");
    icl_text line = { 0 };
    icl_tokens ids = { 0 };
    bool too_long = false;
    size_t count = 0;
    assert_non_null(file);
    for (; icl_line_read(&line, file, &too_long); count++) {
        json_t *row = json_loadb(line.bytes, line.length, 0, NULL);
        const json_t *text = json_object_get(row, "text"),
                     *expected = json_object_get(row, "tokens");
        ids.count = 0;
        assert_ok(icl_bpe_encode(bpe, json_string_value(text), json_string_length(text), &ids));
        assert_int_equal(ids.count, json_array_size(expected));
        for (size_t i = 0; i < ids.count; i++)
            assert_int_equal(ids.items[i], json_integer_value(json_array_get(expected, i)));
        json_decref(row);
    }
    assert_int_equal(count, 200);
    icl_tokens_deinit(&ids);
    icl_text_deinit(&line);
    fclose(file);
    icl_bpe_free(bpe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_file__the_engine_gives_the_trainers_logits),
        cmocka_unit_test(test_model_file__smaller_types_stay_near),
        cmocka_unit_test(test_model_file__what_is_written_is_read_back),
        cmocka_unit_test(test_model_file__a_model_trained_elsewhere_goes_on_here),
        cmocka_unit_test(test_model_file__the_shipped_model_goes_on),
        cmocka_unit_test(test_model_file__the_engine_splits_texts_as_the_tokenizer_does),
        cmocka_unit_test(test_model_file__the_engine_sees_the_same_letters_and_numbers),
        cmocka_unit_test(test_model_file__a_tokenizer_is_read_back),
        cmocka_unit_test(test_model_file__the_shipped_tokenizer_gives_the_reference_ids),
    };
    return cmocka_run_group_tests(tests, enter_scratch, leave_scratch);
}
