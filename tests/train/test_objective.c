/* The computation of a phase against the same numbers worked out by hand from its logits, and the
 * order in which a feeder brings sequences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "near.h"
#include "learn/optimizer.h"
#include "train/feeder.h"
#include "train/objective.h"
#include "train/source_world.h"

enum { VOCAB = 40, CONTEXT = 12, ROWS = 2, WIDTH = 16, READOUT = 4 };

static icl_device *device;
static icl_transformer *model;

static int set_up(void **state)
{
    const icl_device_options options = { .name = "cpu", .thread_count = 1 };
    icl_transformer_config config = icl_transformer_config_default();
    config.vocab_count = VOCAB;
    config.width = config.feed_width = WIDTH;
    config.layers = config.heads = 2;
    config.window = CONTEXT;
    config.readout_width = READOUT;
    if (icl_device_open(&device, &options) != ICL_OK ||
        icl_transformer_new(&model, device, &config) != ICL_OK)
        return -1;
    return icl_transformer_start(model, 3) == ICL_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    icl_transformer_free(model);
    icl_device_close(device);
    return 0;
}

static icl_objective_options all_options(icl_answers_over over)
{
    return (icl_objective_options){
        .limits = { .rows = ROWS,
                    .context = CONTEXT,
                    .answers_max = 6,
                    .texts_max = 10,
                    .meanings_max = 3,
                    .candidates_max = 8 },
        .backward = true,
        .answers_over = over,
        .answer_weight = 2,
        .text_weight = 0.5,
        .meaning_weight = 3,
        .meaning_layer = 1,
    };
}

static const float vector[READOUT] = { 0.5F, -0.5F, 0.5F, 0.5F };

/* Two answers, one of them heavier, three text tokens and a meaning; candidates 5, 9, 11. */
static void add_sequence(icl_train_batch *batch)
{
    icl_sequence sequence = { 0 };
    icl_sequence_clear(&sequence);
    for (int i = 0; i < 4; i++)
        icl_sequence_push(&sequence, i + 1, i > 0 ? ICL_TARGET_TEXT : ICL_TARGET_NONE, 1);
    icl_sequence_push(&sequence, 9, ICL_TARGET_ANSWER, 1);
    icl_sequence_push(&sequence, 2, ICL_TARGET_NONE, 0);
    icl_sequence_push(&sequence, 5, ICL_TARGET_ANSWER, 3);
    static const int32_t candidates[] = { 5, 9, 11 };
    for (size_t i = 0; i < 3; i++) icl_sequence_add_candidate(&sequence, candidates[i]);
    icl_sequence_add_meaning(&sequence, 3, vector);
    assert_true(icl_train_batch_add(batch, &sequence, 0));
    icl_sequence_deinit(&sequence);
}

/* -log softmax over some columns of a row. */
static double nats(const float *row, const size_t *columns, size_t count, size_t target)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += exp((double)row[columns[i]]);
    return log(sum) - (double)row[target];
}

static void run_by_hand(icl_answers_over over)
{
    icl_objective *objective = NULL;
    icl_train_batch *batch = NULL;
    icl_losses losses;
    const icl_objective_options options = all_options(over);
    assert_int_equal(icl_objective_new(&objective, model, &options), ICL_OK);
    assert_int_equal(icl_train_batch_new(&batch, &options.limits, READOUT), ICL_OK);
    add_sequence(batch);
    assert_int_equal(icl_objective_run(objective, batch, &losses), ICL_OK);

    size_t width = 0, all[VOCAB];
    for (size_t i = 0; i < VOCAB; i++) all[i] = i;
    const size_t shown = over == ICL_OVER_VOCABULARY ? VOCAB : 3;
    const float *logits = icl_objective_answer_logits(&width, objective);
    assert_int_equal(width, over == ICL_OVER_VOCABULARY ? VOCAB : 8);
    double expected = 0;
    for (size_t i = 0; i < 2; i++)
        expected +=
            (i == 0 ? 1 : 3) *
            nats(logits + i * width, all, shown, icl_objective_answer_column(objective, batch, i)) /
            4;
    assert_near(losses.answer, expected, 1e-5);
    logits = icl_objective_text_logits(&width, objective);
    expected = 0;
    for (size_t i = 0; i < 3; i++) expected += nats(logits + i * VOCAB, all, VOCAB, i + 2) / 3;
    assert_near(losses.text, expected, 1e-5);
    assert_true(losses.meaning > 0 && losses.meaning < 2);
    assert_near(losses.total, 2 * losses.answer + 0.5 * losses.text + 3 * losses.meaning, 1e-6);
    icl_train_batch_free(batch);
    icl_objective_free(objective);
}

static void test_objective__losses_are_those_worked_out_by_hand(void **state)
{
    run_by_hand(ICL_OVER_CANDIDATES);
    run_by_hand(ICL_OVER_VOCABULARY);
}

/* What the gradients of all weights add up to; they are zero afterwards. */
static double take_gradient_norm(icl_optimizer *optimizer)
{
    icl_optimizer_report report;
    assert_int_equal(icl_optimizer_step(optimizer, 1, &report), ICL_OK);
    return report.gradient_norm;
}

static void test_objective__an_empty_batch_has_no_loss_and_no_gradient(void **state)
{
    icl_objective *objective = NULL;
    icl_train_batch *batch = NULL;
    icl_losses losses;
    const icl_objective_options options = all_options(ICL_OVER_CANDIDATES);
    assert_int_equal(icl_objective_new(&objective, model, &options), ICL_OK);
    assert_int_equal(icl_train_batch_new(&batch, &options.limits, READOUT), ICL_OK);
    const icl_optimizer_options still = { .shape = ICL_RATE_CONSTANT,
                                          .step_count = 9,
                                          .epsilon = 1e-8 };
    icl_parameters_zero_gradients(icl_transformer_parameters(model));
    icl_optimizer *optimizer = NULL;
    assert_int_equal(icl_optimizer_new(&optimizer, icl_transformer_parameters(model), &still),
                     ICL_OK);
    assert_int_equal(icl_objective_run(objective, batch, &losses), ICL_OK);
    assert_true(isnan(losses.answer) && isnan(losses.text) && isnan(losses.meaning));
    assert_near(losses.total, 0, 0);
    assert_near(take_gradient_norm(optimizer), 0, 0);
    add_sequence(batch);
    assert_int_equal(icl_objective_run(objective, batch, &losses), ICL_OK);
    assert_true(take_gradient_norm(optimizer) > 0);
    icl_optimizer_free(optimizer);
    icl_train_batch_free(batch);
    icl_objective_free(objective);
}

/* --- the feeder --- */

static void fill(icl_feeder *feeder, icl_train_batch *batch)
{
    if (icl_feeder_fill(feeder, batch) != ICL_OK) fail_msg("%s", icl_error_message());
}

static icl_recipe_phase mixed_phase(void)
{
    static char name[] = "a";
    static char short_call[] = "repeats(length=6,period=2-3)";
    static char long_call[] = "repeats(length=9,period=2-4)";
    static icl_recipe_source sources[] = { { .call = short_call, .weight = 3 },
                                           { .call = long_call, .weight = 1 } };
    return (icl_recipe_phase){
        .name = name,
        .limits = { .rows = 3,
                    .context = 20,
                    .answers_max = 1,
                    .texts_max = 60,
                    .candidates_max = 2 },
        .text_weight = 1,
        .sources = sources,
        .source_count = 2,
    };
}

static void test_feeder__goes_on_from_any_number(void **state)
{
    void *made = NULL;
    assert_int_equal(source_world_setup(&made), 0);
    const source_world *w = made;
    const icl_recipe_phase phase = mixed_phase();
    icl_feeder *whole = NULL, *part = NULL;
    icl_train_batch *left = NULL, *right = NULL;
    assert_int_equal(icl_train_batch_new(&left, &phase.limits, 0), ICL_OK);
    assert_int_equal(icl_train_batch_new(&right, &phase.limits, 0), ICL_OK);
    assert_int_equal(icl_feeder_new(&whole, &phase, &w->world, 0), ICL_OK);
    size_t second = 0, total = 0;
    for (int i = 0; i < 40; i++) {
        const uint64_t next = icl_feeder_next(whole);
        fill(whole, left);
        assert_int_equal(icl_feeder_new(&part, &phase, &w->world, next), ICL_OK);
        fill(part, right);
        assert_memory_equal(left->tokens, right->tokens, 60 * sizeof *left->tokens);
        assert_int_equal(icl_feeder_next(part), icl_feeder_next(whole));
        icl_feeder_free(part);
        for (size_t t = 0; t < left->text_count; t++) second += left->text_sources[t];
        total += left->sequence_count;
    }
    assert_int_equal(icl_feeder_next(whole), total);
    /* A quarter of the sequences, each with 9 text tokens. */
    assert_near((double)second / 9 / (double)total, 0.25, 0.08);
    icl_feeder_free(whole);
    icl_train_batch_free(right);
    icl_train_batch_free(left);
    source_world_teardown(&made);
}

static void test_feeder__what_fits_no_batch_is_named(void **state)
{
    void *made = NULL;
    assert_int_equal(source_world_setup(&made), 0);
    const source_world *w = made;
    icl_recipe_phase phase = mixed_phase();
    phase.limits.texts_max = 4;
    icl_feeder *feeder = NULL;
    icl_train_batch *batch = NULL;
    assert_int_equal(icl_train_batch_new(&batch, &phase.limits, 0), ICL_OK);
    assert_int_equal(icl_feeder_new(&feeder, &phase, &w->world, 0), ICL_OK);
    assert_int_equal(icl_feeder_fill(feeder, batch), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "phase \"a\": a sequence of repeats("));
    assert_non_null(strstr(icl_error_message(), "the `room` of a batch is 1, 4, 0 and 2"));
    icl_feeder_free(feeder);
    icl_train_batch_free(batch);
    source_world_teardown(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objective__losses_are_those_worked_out_by_hand),
        cmocka_unit_test(test_objective__an_empty_batch_has_no_loss_and_no_gradient),
        cmocka_unit_test(test_feeder__goes_on_from_any_number),
        cmocka_unit_test(test_feeder__what_fits_no_batch_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
