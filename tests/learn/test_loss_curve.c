/* Training equals PyTorch's, step by step: tests/golden/loss_curve.tsv and the script beside it. */
#include "trainee.h"

#include <stdio.h>

enum { VOCAB = 64, ROWS = 2, LENGTH = 32, TOKENS = ROWS * LENGTH, MICRO = 2, STEPS = 50 };

/* Where a curve is computed, and how near to PyTorch's it must be, relative: on a card products
 * round their factors to 11 bits (TF32), and 1e-3 is what a curve may differ by at all. */
typedef enum form { FUSED, COMPOSED, ON_CARD } form;
static const struct {
    double loss, norm;
} nearness[] = { { 1e-5, 1e-4 }, { 1e-5, 1e-4 }, { 1e-3, 2e-2 } };

/* FNV-1a of the name, then lowbias32 of it and the counter. */
static uint32_t hashed(const char *name, size_t index)
{
    uint32_t x = 0x811C9DC5u;
    for (const char *byte = name; *byte != '\0'; byte++)
        x = (x ^ (uint32_t)(unsigned char)*byte) * 0x01000193u;
    x += (uint32_t)index;
    x = (x ^ x >> 16) * 0x7FEB352Du;
    x = (x ^ x >> 15) * 0x846CA68Bu;
    return x ^ x >> 16;
}

static float start_number(const char *name, size_t index)
{
    const float uniform = (float)(hashed(name, index) >> 8) / 16777216.0f - 0.5f;
    if (strstr(name, ".lora_b") != NULL) return 0.0f;
    if (strstr(name, "norm.weight") != NULL) return 1.0f + 0.25f * uniform;
    return (strstr(name, ".lora_a") != NULL ? 1.0f : 0.25f) * uniform;
}

static void start_weights(icl_parameters *parameters)
{
    for (size_t i = 0; i < icl_parameters_count(parameters); i++) {
        float *values = copy_weight(parameters, i);
        for (size_t j = 0; j < icl_parameters_at(parameters, i)->count; j++)
            values[j] = start_number(icl_parameters_at(parameters, i)->name, j);
        icl_parameters_set(parameters, i, values);
        free(values);
    }
}

static float run_micro_batch(trainee *self, size_t number)
{
    int32_t tokens[TOKENS], targets[TOKENS];
    float weights[TOKENS];
    for (size_t row = 0; row < ROWS; row++) {
        int32_t token = 0;
        for (size_t t = 0; t < LENGTH; t++) {
            const size_t i = row * LENGTH + t, at = number * TOKENS + i;
            token = (3 * token + (int32_t)(hashed("tokens", at) % 3)) % VOCAB;
            tokens[i] = token;
            targets[row * LENGTH + (t + LENGTH - 1) % LENGTH] = token;
            weights[i] = t + 1 < LENGTH ? (float)(hashed("weights", at) % 3) / 2.0f : 0.0f;
        }
    }
    return trainee_run(self, tokens, targets, weights);
}

/* The next line of the file must be this step of this case. */
static void assert_golden(FILE *golden, const char *name, form where, int step, double loss,
                          const icl_optimizer_report *report)
{
    char case_name[16];
    int golden_step;
    double golden_loss, golden_norm, golden_rate;
    assert_int_equal(fscanf(golden, "%15s %d %lf %lf %lf", case_name, &golden_step, &golden_loss,
                            &golden_norm, &golden_rate),
                     5);
    assert_string_equal(case_name, name);
    assert_int_equal(golden_step, step);
    assert_near(loss, golden_loss, nearness[where].loss * golden_loss);
    assert_near(report->gradient_norm, golden_norm, nearness[where].norm * golden_norm);
    assert_near(report->rate, golden_rate, 1e-8);
}

static FILE *open_golden(const char *name)
{
    FILE *golden = fopen(ICL_SOURCE_DIR "/tests/golden/loss_curve.tsv", "rb");
    assert_non_null(golden);
    long line = 0;
    char case_name[16] = "";
    while (fscanf(golden, "%15s%*[^\n]\n", case_name) == 1 && strcmp(case_name, name) != 0)
        line = ftell(golden);
    assert_int_equal(fseek(golden, line, SEEK_SET), 0);
    return golden;
}

static void check_curve(const char *name, form where, const icl_transformer_config *config,
                        const icl_lora_options *lora, const icl_optimizer_options *options)
{
    icl_device *device = where == ON_CARD ? card_device() : cpu_device(1, where == COMPOSED);
    if (device == NULL) skip();
    trainee self;
    trainee_open(&self, device, config, lora, ROWS, LENGTH);
    start_weights(self.parameters);
    icl_optimizer *optimizer = NULL;
    assert_ok(icl_optimizer_new(&optimizer, self.parameters, options));
    FILE *golden = open_golden(name);
    for (int step = 0; step < STEPS; step++) {
        double loss = 0.0;
        for (int micro = 0; micro < MICRO; micro++)
            loss += (double)run_micro_batch(&self, (size_t)(step * MICRO + micro)) / MICRO;
        icl_optimizer_report report;
        assert_ok(icl_optimizer_step(optimizer, MICRO, &report));
        assert_golden(golden, name, where, step, loss, &report);
    }
    fclose(golden);
    icl_optimizer_free(optimizer);
    trainee_close(&self);
    icl_device_close(device);
}

static icl_optimizer_options options_of(icl_rate_shape shape, double rate, double end, double clip)
{
    icl_optimizer_options options = icl_optimizer_options_default();
    options.shape = shape;
    options.rate = rate;
    options.rate_end = end;
    options.warmup_steps = shape == ICL_RATE_COSINE ? 10 : 0;
    options.step_count = STEPS;
    options.clip_norm = clip;
    return options;
}

static void check_llama(form where)
{
    const icl_transformer_config config = small_config();
    const icl_optimizer_options options = options_of(ICL_RATE_COSINE, 3e-3, 3e-4, 0.5);
    check_curve("llama", where, &config, NULL, &options);
}

static void check_gpt2(form where)
{
    const icl_transformer_config config = small_gpt2_config();
    const icl_optimizer_options options = options_of(ICL_RATE_LINEAR, 3e-3, 1e-3, 1.0);
    check_curve("gpt2", where, &config, NULL, &options);
}

static void check_lora(form where)
{
    const icl_transformer_config config = small_config();
    const icl_lora_options lora = { .rank = 4, .alpha = 8.0f };
    const icl_optimizer_options options = options_of(ICL_RATE_CONSTANT, 5e-3, 5e-3, 1.0);
    check_curve("lora", where, &config, &lora, &options);
}

static void test_loss_curve__llama_equals_pytorch(void **state)
{
    check_llama(FUSED);
    check_llama(COMPOSED);
}

static void test_loss_curve__gpt2_equals_pytorch(void **state)
{
    check_gpt2(FUSED);
    check_gpt2(COMPOSED);
}

static void test_loss_curve__lora_equals_pytorch(void **state)
{
    check_lora(FUSED);
    check_lora(COMPOSED);
}

static void test_loss_curve__on_a_card_equals_pytorch(void **state)
{
    check_llama(ON_CARD);
    check_gpt2(ON_CARD);
    check_lora(ON_CARD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_curve__llama_equals_pytorch),
        cmocka_unit_test(test_loss_curve__gpt2_equals_pytorch),
        cmocka_unit_test(test_loss_curve__lora_equals_pytorch),
        cmocka_unit_test(test_loss_curve__on_a_card_equals_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
