/* Whole runs on the table model that copies labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <icl/run.h>

#include "near.h"
#include "pipeline/copying_world.h"

static int open_three(void **state)
{
    static test_world world;
    open_world(&world,
               "{\"text\":\"alpha beta\",\"label\":\"pos\"}\n"
               "{\"text\":\"gamma delta\",\"label\":\"neg\"}\n"
               "{\"text\":\"epsilon zeta\",\"label\":\"pos\"}\n",
               "{\"text\":\"beta beta\",\"label\":\"pos\"}\n"
               "{\"text\":\"delta one\",\"label\":\"neg\"}\n"
               "{\"text\":\"zeta two\",\"label\":\"neg\"}\n");
    *state = &world;
    return 0;
}

static icl_run *execute(test_world *world, const char *strategy)
{
    icl_run_options options = icl_run_options_default();
    options.task = world->task;
    options.strategy = strategy;
    icl_run *run = NULL;
    if (icl_run_new(&run, world->engine, &options) != ICL_OK || icl_run_execute(run) != ICL_OK)
        fail_msg("%s", icl_error_message());
    return run;
}

/* The nearest demonstration by words is the one whose label is copied: pos, neg, pos. */
static void test_run__predictions_follow_the_nearest_demonstration(void **state)
{
    test_world *world = *state;
    icl_run *run = execute(world, "select=bm25(k=2) order=nearest-last");
    static const char *const nearest[] = { "train-1", "train-2", "train-3" };
    const icl_run_summary *summary = icl_run_get_summary(run);
    for (size_t q = 0; q < 3; q++) {
        const icl_run_sample sample = icl_run_sample_at(run, q);
        assert_int_equal(sample.demonstration_count, 2);
        assert_string_equal(sample.demonstration_ids[1], nearest[q]);
    }
    assert_int_equal(summary->metrics.correct, 2);
    assert_near(summary->metrics.accuracy, 2.0 / 3, 1e-12);
    assert_near(summary->metrics.majority_accuracy, 1.0 / 3, 1e-12);
    /* Without demonstrations 'p' wins always. */
    assert_true(summary->has_zero_shot);
    assert_near(summary->zero_shot.accuracy, 1.0 / 3, 1e-12);
    icl_run_free(run);
}

/* " pos" under a "pos" demonstration: a sure blank, then 'p' at 5 nats, 'o' and 's' at chance. */
static void test_run__scores_are_the_models_log_probabilities(void **state)
{
    test_world *world = *state;
    icl_run *run = execute(world, "select=bm25(k=1)");
    const icl_run_sample sample = icl_run_sample_at(run, 0);
    const double blank = 20 - log(exp(20.0) + exp(1.0) + 255);
    const double after_blank = log(exp(5.0) + 256);
    const double inside_o = 0 - log(exp(20.0) + exp(1.0) + 255);
    /* Labels in order of first appearance: pos, neg. Float logits, double sums. */
    assert_near(sample.logprobs_nats[0], blank + (5 - after_blank) + 2 * inside_o, 1e-5);
    assert_near(sample.logprobs_nats[1], blank + (0 - after_blank) + 2 * inside_o, 1e-5);
    icl_run_free(run);
}

/* Content-free inputs see the same demonstrations, so contextual calibration takes away exactly
 * what the copying adds: all labels come out equal. */
static void test_run__contextual_calibration_removes_a_bias_of_the_demonstrations(void **state)
{
    test_world *world = *state;
    icl_run *run = execute(world, "select=bm25(k=1) calibrate=contextual");
    for (size_t q = 0; q < 3; q++) {
        const icl_run_sample sample = icl_run_sample_at(run, q);
        assert_near(sample.probabilities[0], 0.5, 1e-6);
    }
    icl_run_free(run);
}

static void test_run__batch_calibration_centres_the_scores(void **state)
{
    test_world *world = *state;
    icl_run *run = execute(world, "select=bm25(k=2) calibrate=batch");
    for (size_t label = 0; label < 2; label++) {
        double sum = 0;
        for (size_t q = 0; q < 3; q++) sum += icl_run_sample_at(run, q).scores[label];
        assert_near(sum, 0, 1e-9);
    }
    icl_run_free(run);
}

static void test_run__spec_hash_tells_what_changes_predictions(void **state)
{
    test_world *world = *state;
    icl_run *a = execute(world, "select=bm25(k=1)");
    icl_run *b = execute(world, "order=nearest-last select=bm25( k=1 )");
    icl_run *c = execute(world, "select=bm25(k=2)");
    assert_string_equal(icl_run_get_summary(a)->spec_hash, icl_run_get_summary(b)->spec_hash);
    assert_string_not_equal(icl_run_get_summary(a)->spec_hash, icl_run_get_summary(c)->spec_hash);
    icl_run_free(a);
    icl_run_free(b);
    icl_run_free(c);
}

static void test_run__request_ids_name_query_label_and_purpose(void **state)
{
    test_world *world = *state;
    icl_run *run = execute(world, "select=bm25(k=1)");
    char *id = NULL;
    assert_int_equal(icl_batch_count(icl_run_batch(run)), 12);
    assert_int_equal(icl_run_request_id(&id, run, 1), ICL_OK);
    assert_string_equal(id, "test-1/neg");
    free(id);
    assert_int_equal(icl_run_request_id(&id, run, 6), ICL_OK);
    assert_string_equal(id, "zero-shot/test-1/pos");
    free(id);
    icl_run_free(run);
}

static void test_run__unlabelled_queries_are_labelled_without_metrics(void **state)
{
    test_world *world = *state;
    write_file(world->test, "{\"text\":\"beta beta\"}\n{\"text\":\"delta one\"}\n");
    icl_run *run = execute(world, "select=bm25(k=1)");
    assert_false(icl_run_get_summary(run)->labelled);
    assert_int_equal(icl_run_sample_at(run, 0).predicted, 0);
    assert_int_equal(icl_run_sample_at(run, 1).predicted, 1);
    assert_true(icl_run_sample_at(run, 0).gold == ICL_LABEL_NONE);
    icl_run_free(run);
}

/* The pool itself as queries: no query demonstrates itself. */
static void test_run__a_query_never_demonstrates_itself(void **state)
{
    test_world *world = *state;
    assert_int_equal(icl_task_set_text(world->task, ICL_TASK_TEST_PATH, world->train), ICL_OK);
    icl_run *run = execute(world, "select=bm25(k=2)");
    for (size_t q = 0; q < 3; q++) {
        const icl_run_sample sample = icl_run_sample_at(run, q);
        for (size_t d = 0; d < 2; d++)
            assert_string_not_equal(sample.demonstration_ids[d], sample.id);
    }
    icl_run_free(run);
}

static void expect_refusal(test_world *world, const char *strategy, icl_status status,
                           const char *part)
{
    icl_run_options options = icl_run_options_default();
    options.task = world->task;
    options.strategy = strategy;
    icl_run *run = NULL;
    assert_int_equal(icl_run_new(&run, world->engine, &options), status);
    assert_null(run);
    if (strstr(icl_error_message(), part) == NULL) fail_msg("%s", icl_error_message());
}

static void test_run__mistakes_are_refused_before_the_model_is_asked(void **state)
{
    test_world *world = *state;
    expect_refusal(world, "select=bm25(k=4)", ICL_EINVAL, "4");
    assert_int_equal(icl_task_set_text(world->task, ICL_TASK_TEMPLATE, "{{ txt }}"), ICL_OK);
    expect_refusal(world, "select=bm25(k=1)", ICL_EPARSE, "template:1:4: unknown name \"txt\"");
    assert_int_equal(icl_task_set_text(world->task, ICL_TASK_TEMPLATE, "fixed"), ICL_OK);
    expect_refusal(world, "select=bm25(k=1) calibrate=contextual", ICL_EINVAL,
                   "uses none of the input fields");
    assert_int_equal(icl_engine_get_meter(world->engine).tokens_evaluated, 0);
}

/* Two sets of one, each tried on the two other pool items, before the run itself asks. */
static void test_run__a_method_that_asks_is_answered_while_the_run_is_made(void **state)
{
    test_world *world = *state;
    icl_run_options options = icl_run_options_default();
    options.task = world->task;
    options.strategy = "select=mutual-information(k=1, sets=2, inputs=2)";
    options.zero_shot = false;
    icl_run *run = NULL;
    const uint64_t before = icl_engine_get_meter(world->engine).requests;
    assert_int_equal(icl_run_new(&run, world->engine, &options), ICL_OK);
    const uint64_t chosen = icl_engine_get_meter(world->engine).requests;
    const uint64_t asked = chosen - before;
    assert_true(asked == 8 || asked == 4); /* with two labels; the sets may be equal */
    assert_int_equal(icl_run_execute(run), ICL_OK);
    assert_int_equal(icl_engine_get_meter(world->engine).requests - chosen,
                     icl_batch_count(icl_run_batch(run)));
    for (size_t q = 0; q < 3; q++)
        assert_int_equal(icl_run_sample_at(run, q).demonstration_count, 1);
    icl_run_free(run);
}

static void assert_same_outcomes(const icl_run *a, const icl_run *b)
{
    const size_t labels = icl_run_get_summary(a)->label_count;
    for (size_t q = 0; q < icl_run_get_summary(a)->query_count; q++) {
        const icl_run_sample one = icl_run_sample_at(a, q), other = icl_run_sample_at(b, q);
        assert_string_equal(one.id, other.id);
        assert_memory_equal(one.logprobs_nats, other.logprobs_nats, labels * sizeof(double));
        assert_memory_equal(one.scores, other.scores, labels * sizeof(double));
        assert_int_equal(one.predicted, other.predicted);
    }
}

/* Runs with other methods for the same prompts, as one batch: what they found alone, for less. */
static void test_run__runs_together_share_what_they_ask(void **state)
{
    test_world *world = *state;
    static const char *const strategies[] = { "select=bm25(k=2) score=direct",
                                              "select=bm25(k=2) score=ppl calibrate=contextual",
                                              "select=bm25(k=1) score=channel" };
    enum { COUNT = 3 };
    icl_run *alone[COUNT], *joint[COUNT];
    icl_run_options options = icl_run_options_default();
    options.task = world->task;
    for (size_t i = 0; i < COUNT; i++) {
        options.strategy = strategies[i];
        alone[i] = execute(world, strategies[i]);
        assert_int_equal(icl_run_new(&joint[i], world->engine, &options), ICL_OK);
    }
    const uint64_t separately = icl_engine_get_meter(world->engine).tokens_trie;
    assert_int_equal(icl_run_execute_all(joint, COUNT), ICL_OK);
    assert_true(icl_engine_get_meter(world->engine).tokens_trie - separately < separately);
    for (size_t i = 0; i < COUNT; i++) {
        assert_same_outcomes(alone[i], joint[i]);
        icl_run_free(alone[i]);
        icl_run_free(joint[i]);
    }
}

/* Data from the caller stand for the task's files, which need not even be there. */
static void test_run__data_may_come_from_the_caller(void **state)
{
    test_world *world = *state;
    static const size_t rows[] = { 2, 0 };
    icl_run *whole = execute(world, "select=bm25(k=1)");
    icl_task_data data = { 0 };
    assert_int_equal(icl_task_load(&data, world->task), ICL_OK);
    icl_dataset *all = data.test;
    assert_int_equal(icl_dataset_subset(&data.test, all, rows, 2), ICL_OK);
    icl_run_options options = icl_run_options_default();
    options.task = world->task;
    options.strategy = "select=bm25(k=1)";
    options.data = &data;
    assert_int_equal(unlink(world->test), 0);
    for (int again = 0; again < 2; again++) { /* the run borrows the data */
        icl_run *run = NULL;
        assert_int_equal(icl_run_new(&run, world->engine, &options), ICL_OK);
        assert_int_equal(icl_run_execute(run), ICL_OK);
        assert_int_equal(icl_run_get_summary(run)->query_count, 2);
        const icl_run_sample sample = icl_run_sample_at(run, 0);
        assert_string_equal(sample.id, "test-3");
        assert_memory_equal(sample.scores, icl_run_sample_at(whole, 2).scores, 2 * sizeof(double));
        icl_run_free(run);
    }
    icl_run_free(whole);
    icl_dataset_close(all);
    icl_task_data_deinit(&data);
}

/* Demonstrations of several tasks, each with its own instruction: a field like any other. */
static void test_run__demonstrations_carry_their_own_instructions(void **state)
{
    test_world *world = *state;
    static const char expected[] = "Who did it?\nText: gamma delta\nLabel: neg\n\n"
                                   "Is it warm?\nText: alpha beta\nLabel: pos\n\n"
                                   "Good or bad?\nText: epsilon\nLabel:";
    write_file(world->train,
               "{\"text\":\"gamma delta\",\"label\":\"neg\",\"instruction\":\"Who did it?\"}\n"
               "{\"text\":\"alpha beta\",\"label\":\"pos\",\"instruction\":\"Is it warm?\"}\n");
    write_file(world->test, "{\"text\":\"epsilon\",\"instruction\":\"Good or bad?\"}\n");
    assert_int_equal(icl_task_set_text(world->task, ICL_TASK_TEMPLATE,
                                       "{{ instruction }}\nText: {{ text }}\nLabel:"),
                     ICL_OK);
    icl_run *run = execute(world, "select=bm25(k=2) order=given score=mix calibrate=contextual");
    size_t count;
    const icl_batch *batch = icl_run_batch(run);
    const int32_t *tokens = icl_batch_prefix(batch, icl_batch_request_prefix(batch, 0), &count);
    char shown[sizeof expected] = "";
    assert_int_equal(count, sizeof expected); /* BOS for NUL */
    for (size_t i = 1; i < count; i++) shown[i - 1] = (char)tokens[i];
    assert_string_equal(shown, expected);
    icl_run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_three, close_world)
        TEST(test_run__predictions_follow_the_nearest_demonstration),
        TEST(test_run__scores_are_the_models_log_probabilities),
        TEST(test_run__contextual_calibration_removes_a_bias_of_the_demonstrations),
        TEST(test_run__batch_calibration_centres_the_scores),
        TEST(test_run__spec_hash_tells_what_changes_predictions),
        TEST(test_run__request_ids_name_query_label_and_purpose),
        TEST(test_run__unlabelled_queries_are_labelled_without_metrics),
        TEST(test_run__a_query_never_demonstrates_itself),
        TEST(test_run__a_method_that_asks_is_answered_while_the_run_is_made),
        TEST(test_run__runs_together_share_what_they_ask),
        TEST(test_run__data_may_come_from_the_caller),
        TEST(test_run__demonstrations_carry_their_own_instructions),
        TEST(test_run__mistakes_are_refused_before_the_model_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
