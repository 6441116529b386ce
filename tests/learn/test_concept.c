/* Concepts: the model stays as it is, a toy set is learned, scores are those of the model's own
 * logits over an extended table, and gradients those of differences. */
#include <math.h>

#include "base/hash.h"
#include "learn/trainee.h"
#include "math/logspace.h"
#include "learn/concept.h"

enum { CONCEPT = 3, GROUPS = 2, BATCH = 4, TEXT = 8, ANSWER = 2 };

static const icl_concepts_shape shape = { .concept_tokens = CONCEPT,
                                          .group_count = GROUPS,
                                          .batch_size = BATCH,
                                          .tokens_max = TEXT,
                                          .answer_max = ANSWER };

/* Two classes of prompts of token 0, then 10s or 20s; words 40 and 50 51; the concept of a class
 * tells it. */
static const int32_t first_tokens[] = { 0, 11, 12, 13, 40 };
static const int32_t second_tokens[] = { 0, 21, 22, 50, 51 };
static const icl_concept_sequence sequences[BATCH] = {
    { { first_tokens, 5, 1, 4 }, 0 },
    { { second_tokens, 5, 1, 3 }, 1 },
    { { first_tokens, 5, 1, 4 }, 0 },
    { { second_tokens, 5, 1, 3 }, 1 },
};

typedef struct world {
    icl_device *device;
    icl_transformer *model;
    icl_concepts *concepts;
} world;

static void open_world(world *w, bool tied)
{
    static const char *const all[] = { "", NULL };
    icl_transformer_config config = small_config();
    config.frozen = all;
    config.tied = tied;
    w->device = cpu_device(1, false);
    assert_ok(icl_transformer_new(&w->model, w->device, &config));
    assert_ok(icl_transformer_start(w->model, 7));
    scatter_weights(icl_transformer_parameters(w->model), 0.1);
    assert_ok(icl_concepts_new(&w->concepts, w->model, &shape, NULL));
}

static void close_world(world *w)
{
    icl_concepts_free(w->concepts);
    icl_transformer_free(w->model);
    icl_device_close(w->device);
}

static icl_hash128 hash_of_weights(const icl_transformer *model)
{
    const icl_parameters *parameters = icl_transformer_parameters(model);
    icl_hash_state hash;
    icl_hash_begin(&hash);
    for (size_t i = 0; i < icl_parameters_count(parameters); i++) {
        float *values = copy_weight(parameters, i);
        icl_hash_add(&hash, values, icl_parameters_at(parameters, i)->count * sizeof *values);
        free(values);
    }
    return icl_hash_end(&hash);
}

static icl_adamw_options rate_of(double rate)
{
    icl_adamw_options options = icl_adamw_options_default();
    options.rate = rate;
    return options;
}

static void test_concept__starts_as_the_first_rows(void **state)
{
    (void)state;
    world w;
    open_world(&w, true);
    const icl_parameters *parameters = icl_transformer_parameters(w.model);
    float *table = copy_weight(parameters, icl_parameters_find(parameters, "token_embd.weight"));
    assert_int_equal(icl_concepts_width(w.concepts), 32);
    assert_memory_equal(icl_concepts_vectors(w.concepts), table,
                        CONCEPT * GROUPS * 32 * sizeof *table);
    free(table);
    close_world(&w);
}

static void test_concept__the_loss_falls_and_the_model_stays(void **state)
{
    (void)state;
    world w;
    open_world(&w, true);
    const icl_hash128 before = hash_of_weights(w.model);
    const icl_adamw_options options = rate_of(1e-2);
    double first = 0.0, last = 0.0;
    assert_ok(icl_concepts_learn(&first, w.concepts, sequences, &options));
    for (size_t i = 0; i < 150; i++)
        assert_ok(icl_concepts_learn(&last, w.concepts, sequences, &options));
    assert_true(last < 0.5 * first);
    const icl_hash128 after = hash_of_weights(w.model);
    assert_true(before.low == after.low && before.high == after.high);
    close_world(&w);
}

/* With tied tables and with an output table of its own. */
static void test_concept__a_small_step_goes_downhill(void **state)
{
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        world w;
        open_world(&w, tied == 1);
        double before = 0.0, after = 0.0;
        const icl_adamw_options small = rate_of(1e-4), none = rate_of(0.0);
        assert_ok(icl_concepts_learn(&before, w.concepts, sequences, &small));
        assert_ok(icl_concepts_learn(&after, w.concepts, sequences, &none));
        assert_true(after < before);
        close_world(&w);
    }
}

/* --- against a model whose table really holds the concepts --- */

/* The same model with six more tokens, those of the concepts. */
static icl_transformer *extended_model(const world *w, icl_device *device)
{
    icl_transformer_config config = *icl_transformer_get_config(w->model);
    icl_transformer *model = NULL;
    config.vocab_count += CONCEPT * GROUPS;
    config.frozen = NULL;
    assert_ok(icl_transformer_new(&model, device, &config));
    icl_parameters *to = icl_transformer_parameters(model);
    const icl_parameters *from = icl_transformer_parameters(w->model);
    for (size_t i = 0; i < icl_parameters_count(from); i++) {
        const icl_parameter *weight = icl_parameters_at(to, i);
        float *values = copy_weight(from, i);
        const size_t count = icl_parameters_at(from, i)->count;
        if (weight->count > count) {
            values = realloc(values, weight->count * sizeof *values);
            assert_non_null(values);
            memcpy(values + count, icl_concepts_vectors(w->concepts),
                   (weight->count - count) * sizeof *values);
        }
        icl_parameters_set(to, i, values);
        free(values);
    }
    return model;
}

/* Sum of log P(tokens[i]) over first <= i < count. */
static double log_likelihood(icl_transformer *model, const int32_t *tokens, size_t count,
                             size_t first)
{
    const size_t vocab_count = icl_transformer_get_config(model)->vocab_count;
    float *rows = trainer_logits(model, tokens, count);
    double *row = malloc(vocab_count * sizeof *row), sum = 0.0;
    assert_non_null(row);
    for (size_t i = first; i < count; i++) {
        for (size_t v = 0; v < vocab_count; v++) row[v] = (double)rows[(i - 1) * vocab_count + v];
        icl_log_softmax(row, row, vocab_count);
        sum += row[tokens[i]];
    }
    free(row);
    free(rows);
    return sum;
}

static void test_concept__loss_and_score_are_those_of_an_extended_model(void **state)
{
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        world w;
        open_world(&w, tied == 1);
        double loss = 0.0, score = 0.0;
        const icl_adamw_options options = rate_of(1e-2), none = rate_of(0.0);
        for (size_t i = 0; i < 5; i++)
            assert_ok(icl_concepts_learn(&loss, w.concepts, sequences, &options));
        icl_transformer *model = extended_model(&w, w.device);
        assert_ok(icl_concepts_learn(&loss, w.concepts, sequences, &none));
        const int32_t first[] = { 0, 64, 65, 66, 11, 12, 13, 40 };
        const int32_t second[] = { 0, 67, 68, 69, 21, 22, 50, 51 };
        assert_near(loss,
                    -0.5 * log_likelihood(model, first, 8, 7) -
                        0.25 * log_likelihood(model, second, 8, 6),
                    1e-5);
        const int32_t after[] = { 0, 21, 22, 50, 51, 67, 68, 69 };
        assert_ok(icl_concepts_score(&score, w.concepts, &sequences[1].example, 1));
        assert_near(score, log_likelihood(model, after, 8, 5) / CONCEPT, 1e-5);
        const int32_t other[] = { 0, 21, 22, 50, 51, 64, 65, 66 };
        assert_ok(icl_concepts_score(&score, w.concepts, &sequences[1].example, 0));
        assert_near(score, log_likelihood(model, other, 8, 5) / CONCEPT, 1e-5);
        icl_transformer_free(model);
        close_world(&w);
    }
}

static void test_concept__refuses_more_concepts_than_tokens(void **state)
{
    (void)state;
    world w;
    open_world(&w, true);
    icl_concepts *none = NULL;
    icl_concepts_shape wide = shape;
    wide.group_count = 30;
    assert_int_equal(icl_concepts_new(&none, w.model, &wide, NULL), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "30 x 3 concept tokens start as rows of the vocabulary, which has 64");
    assert_null(none);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concept__starts_as_the_first_rows),
        cmocka_unit_test(test_concept__the_loss_falls_and_the_model_stays),
        cmocka_unit_test(test_concept__a_small_step_goes_downhill),
        cmocka_unit_test(test_concept__loss_and_score_are_those_of_an_extended_model),
        cmocka_unit_test(test_concept__refuses_more_concepts_than_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
