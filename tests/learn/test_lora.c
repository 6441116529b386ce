#include "trainee.h"

#include "gradient_check.h"

enum { BATCH = 2, LENGTH = 16, TOKENS = BATCH * LENGTH, VOCAB = 64 };

static const icl_lora_options rank4 = { .rank = 4, .alpha = 8.0f };

static bool is_adapter(const char *name)
{
    return strstr(name, ".lora_") != NULL;
}

static float *logits_of(trainee *self)
{
    float *logits = malloc(TOKENS * VOCAB * sizeof *logits);
    assert_non_null(logits);
    trainee_run_drawn(self, 1);
    icl_graph_get(self->graph, self->logits, logits);
    return logits;
}

static void test_lora__start_is_the_base_model(void **state)
{
    icl_device *device = cpu_device(1, false);
    for (int kind = 0; kind < 2; kind++) {
        const icl_transformer_config config = kind == 0 ? small_config() : small_gpt2_config();
        trainee base, adapted;
        trainee_open(&base, device, &config, NULL, BATCH, LENGTH);
        trainee_open(&adapted, device, &config, &rank4, BATCH, LENGTH);
        float *expected = logits_of(&base), *actual = logits_of(&adapted);
        assert_memory_equal(actual, expected, TOKENS * VOCAB * sizeof *actual);
        free(actual);
        free(expected);
        trainee_close(&adapted);
        trainee_close(&base);
    }
    icl_device_close(device);
}

static void test_lora__adapters_stand_beside_their_targets(void **state)
{
    icl_device *device = cpu_device(1, false);
    icl_transformer_config config = small_config();
    config.tied = false;
    const icl_lora_options lora = {
        .rank = 3, .alpha = 1.0f, .targets = (const char *const[]){ "attn_q", "output.w", NULL }
    };
    trainee self;
    trainee_open(&self, device, &config, &lora, BATCH, LENGTH);
    size_t adapters = 0;
    for (size_t i = 0; i < icl_parameters_count(self.parameters); i++) {
        const icl_parameter *item = icl_parameters_at(self.parameters, i);
        assert_true(item->frozen == !is_adapter(item->name));
        adapters += is_adapter(item->name);
    }
    assert_int_equal(adapters, 2 * (2 + 2 + 1)); /* queries, attention outputs, the output table */
    const size_t b = icl_parameters_find(self.parameters, "output.weight.lora_b");
    assert_int_equal(icl_parameters_at(self.parameters, b)->shape[0], 3);
    assert_int_equal(icl_parameters_at(self.parameters, b)->shape[1], VOCAB);
    assert_int_equal(icl_transformer_lora(self.model)->rank, 3);
    trainee_close(&self);
    icl_device_close(device);
}

/* On one batch, over and over. */
static void train(trainee *self, size_t steps)
{
    icl_optimizer_options options = icl_optimizer_options_default();
    options.shape = ICL_RATE_CONSTANT;
    options.rate = 1e-2;
    options.warmup_steps = 0;
    icl_optimizer *optimizer = NULL;
    assert_ok(icl_optimizer_new(&optimizer, self->parameters, &options));
    for (size_t step = 0; step < steps; step++) {
        trainee_run_drawn(self, 0);
        icl_optimizer_report report;
        assert_ok(icl_optimizer_step(optimizer, 1, &report));
    }
    icl_optimizer_free(optimizer);
}

/* The weights of the adapted model, merged, as a full model. */
static void open_merged(trainee *out, const trainee *adapted, const icl_transformer_config *config)
{
    trainee_open(out, adapted->device, config, NULL, BATCH, LENGTH);
    for (size_t i = 0; i < icl_parameters_count(out->parameters); i++) {
        const icl_parameter *item = icl_parameters_at(out->parameters, i);
        float *values = malloc(item->count * sizeof *values);
        assert_non_null(values);
        const size_t from = icl_parameters_find(adapted->parameters, item->name);
        assert_ok(icl_transformer_merged(adapted->model, from, values));
        icl_parameters_set(out->parameters, i, values);
        free(values);
    }
}

static void test_lora__training_moves_adapters_alone(void **state)
{
    icl_device *device = cpu_device(1, false);
    const icl_transformer_config config = small_config();
    trainee adapted, base;
    trainee_open(&adapted, device, &config, &rank4, BATCH, LENGTH);
    trainee_open(&base, device, &config, NULL, BATCH, LENGTH);
    scatter_weights(adapted.parameters, 0.1);
    scatter_weights(base.parameters, 0.1);
    const float before = trainee_run_drawn(&adapted, 0);
    icl_parameters_zero_gradients(adapted.parameters);
    train(&adapted, 40);
    assert_true(trainee_run_drawn(&adapted, 0) < before - 1.0f);
    for (size_t i = 0; i < icl_parameters_count(base.parameters); i++) {
        const icl_parameter *item = icl_parameters_at(base.parameters, i);
        float *start = copy_weight(base.parameters, i);
        float *now =
            copy_weight(adapted.parameters, icl_parameters_find(adapted.parameters, item->name));
        assert_memory_equal(now, start, item->count * sizeof *now);
        free(now);
        free(start);
    }
    trainee_close(&base);
    trainee_close(&adapted);
    icl_device_close(device);
}

static void test_lora__merged_weights_answer_alike(void **state)
{
    icl_device *device = cpu_device(1, false);
    icl_transformer_config config = small_config();
    config.tied = false;
    const icl_lora_options everywhere = { .rank = 4,
                                          .alpha = 8.0f,
                                          .targets = (const char *const[]){ "attn_", "ffn_",
                                                                            "output", NULL } };
    trainee adapted, merged;
    trainee_open(&adapted, device, &config, &everywhere, BATCH, LENGTH);
    scatter_weights(adapted.parameters, 0.1);
    open_merged(&merged, &adapted, &config);
    float *expected = logits_of(&adapted), *actual = logits_of(&merged);
    double largest = 0.0;
    for (size_t i = 0; i < TOKENS * VOCAB; i++) {
        assert_near((double)actual[i], (double)expected[i], 1e-4);
        largest = fmax(largest, fabs((double)expected[i]));
    }
    assert_true(largest > 1.0);
    free(actual);
    free(expected);
    trainee_close(&merged);
    trainee_close(&adapted);
    icl_device_close(device);
}

static void test_lora__gradients_are_slopes_of_the_loss(void **state)
{
    icl_device *device = cpu_device(1, false);
    const icl_transformer_config config = small_config();
    trainee self;
    trainee_open(&self, device, &config, &rank4, BATCH, LENGTH);
    scatter_weights(self.parameters, 0.1);
    trainee_run_drawn(&self, 0);
    check_gradients(self.graph, self.loss, self.parameters, 4);
    trainee_close(&self);
    icl_device_close(device);
}

static void assert_refused(icl_device *device, const icl_lora_options *lora, const char *sentence)
{
    const icl_transformer_config config = small_config();
    icl_transformer *model = NULL;
    assert_int_equal(icl_transformer_new_lora(&model, device, &config, lora), ICL_EINVAL);
    assert_string_equal(icl_error_message(), sentence);
    assert_null(model);
}

static void test_lora__refuses_what_cannot_be(void **state)
{
    icl_device *device = cpu_device(1, false);
    assert_refused(device, &(icl_lora_options){ .rank = 0, .alpha = 1.0f },
                   "the rank of adapters must be in 1..4096, not 0");
    assert_refused(device, &(icl_lora_options){ .rank = 1, .alpha = -1.0f },
                   "alpha of adapters must be above 0, not -1");
    assert_refused(device,
                   &(icl_lora_options){ .rank = 1,
                                        .alpha = 1.0f,
                                        .targets = (const char *const[]){ "attn_q", "atn", NULL } },
                   "no linear map of the model has \"atn\" in its name");
    icl_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lora__start_is_the_base_model),
        cmocka_unit_test(test_lora__adapters_stand_beside_their_targets),
        cmocka_unit_test(test_lora__training_moves_adapters_alone),
        cmocka_unit_test(test_lora__merged_weights_answer_alike),
        cmocka_unit_test(test_lora__gradients_are_slopes_of_the_loss),
        cmocka_unit_test(test_lora__refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
