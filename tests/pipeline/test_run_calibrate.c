/* What a run asks for its calibration, on the table model that copies labels. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <icl/run.h>

#include "near.h"
#include "pipeline/copying_world.h"
#include "pipeline/domain_texts.h"
#include "pipeline/run_state.h"

/* A pool of twelve and five queries, of which the last also stands in the pool. */
static int open_twelve(void **state)
{
    static test_world world;
    icl_text pool = { 0 };
    for (size_t i = 0; i < 12; i++)
        icl_text_printf(&pool, "{\"text\":\"word%zu and more\",\"label\":\"%s\"}\n", i,
                        i % 3 == 0 ? "neg" : "pos");
    open_world(&world, icl_text_string(&pool),
               "{\"text\":\"word1 one\",\"label\":\"pos\"}\n"
               "{\"text\":\"word3 two\",\"label\":\"neg\"}\n"
               "{\"text\":\"word4 three\",\"label\":\"pos\"}\n"
               "{\"text\":\"word6 four\",\"label\":\"neg\"}\n"
               "{\"id\":\"train-2\",\"text\":\"word1 and more\",\"label\":\"pos\"}\n");
    icl_text_deinit(&pool);
    *state = &world;
    return 0;
}

static icl_run *made(test_world *world, const char *strategy, uint64_t seed)
{
    icl_run_options options = icl_run_options_default();
    options.task = world->task;
    options.strategy = strategy;
    options.seed = seed;
    options.zero_shot = false;
    icl_run *run = NULL;
    if (icl_run_new(&run, world->engine, &options) != ICL_OK)
        fail_msg("%s: %s", strategy, icl_error_message());
    return run;
}

static icl_run *executed(test_world *world, const char *strategy)
{
    icl_run *run = made(world, strategy, 1);
    if (icl_run_execute(run) != ICL_OK) fail_msg("%s: %s", strategy, icl_error_message());
    return run;
}

/* Two labels of one name: two requests a prompt. */
static size_t prompt_count(test_world *world, const char *strategy)
{
    icl_run *run = made(world, strategy, 1);
    const size_t count = icl_batch_count(icl_run_batch(run));
    icl_run_free(run);
    assert_int_equal(count % 2, 0);
    return count / 2;
}

static void test_run_calibrate__asks_once_for_each_set_of_demonstrations(void **state)
{
    test_world *world = *state;
    /* one set for all queries but the one in the pool, where it is chosen itself */
    icl_run *run = made(world, "select=random(k=3) calibrate=contextual", 1);
    const size_t groups = run->calibrating.group_count;
    assert_true(groups == 1 || groups == 2);
    assert_int_equal(icl_batch_count(icl_run_batch(run)), 2 * (5 + 3 * groups));
    icl_run_free(run);
    assert_int_equal(prompt_count(world, "select=random(k=0) calibrate=contextual"), 5 + 3);
    assert_int_equal(prompt_count(world, "select=bm25(k=1) calibrate=contextual"), 5 + 5 * 3);
    assert_int_equal(prompt_count(world, "select=random(k=0) calibrate=domain(texts=7)"), 5 + 7);
    assert_int_equal(prompt_count(world, "select=random(k=0) calibrate=batch"), 5);
    assert_int_equal(prompt_count(world, "select=random(k=0) calibrate=batch(validation=4)"),
                     5 + 4);
    assert_int_equal(prompt_count(world, "select=random(k=0) calibrate=temperature"), 5 + 12);
    assert_int_equal(
        prompt_count(world, "select=random(k=0) calibrate=temperature(of=contextual,validation=4)"),
        5 + 4 + 3);
}

/* The engine asks for a prompt that two rows share once. */
static void test_run_calibrate__content_free_prompts_are_evaluated_once(void **state)
{
    test_world *world = *state;
    const uint64_t before = icl_engine_get_meter(world->engine).requests;
    icl_run *run = executed(world, "select=random(k=0) calibrate=contextual");
    assert_int_equal(icl_engine_get_meter(world->engine).requests - before, 2 * (5 + 3));
    icl_run_free(run);
}

static void test_run_calibrate__requests_are_named_after_what_they_serve(void **state)
{
    test_world *world = *state;
    icl_run *run = made(world,
                        "select=bm25(k=1) calibrate=temperature(of=\"prior(of=domain)\","
                        "validation=2)",
                        1);
    char *id = NULL, expected[64];
    assert_int_equal(icl_run_request_id(&id, run, 10), ICL_OK);
    snprintf(expected, sizeof expected, "validation/%s/pos", run->query_ids[5]);
    if (strncmp(id, expected, strlen(expected) - 3) != 0) fail_msg("%s", id);
    free(id);
    assert_int_equal(icl_run_request_id(&id, run, 2 * 7 + 2), ICL_OK);
    if (strncmp(id, "domain-1/test-1/", 16) != 0) fail_msg("%s", id);
    free(id);
    icl_run_free(run);
    run = made(world, "select=bm25(k=1) calibrate=contextual", 1);
    assert_int_equal(icl_run_request_id(&id, run, 2 * 5 + 5), ICL_OK);
    if (strncmp(id, "content-free-2/test-1/", 22) != 0) fail_msg("%s", id);
    free(id);
    icl_run_free(run);
}

static void test_run_calibrate__a_validation_item_never_demonstrates_itself(void **state)
{
    test_world *world = *state;
    static const char *const selections[] = { "random(k=3)", "random(k=3,per_query=true)",
                                              "bm25(k=3)", "balanced(k=4)", "bm25(k=11)" };
    for (size_t s = 0; s < sizeof selections / sizeof *selections; s++) {
        char line[128];
        snprintf(line, sizeof line, "select=%s calibrate=temperature(validation=12)",
                 selections[s]);
        icl_run *run = executed(world, line);
        assert_int_equal(run->calibrating.item_count, 12);
        bool drawn[12] = { false };
        for (size_t v = 0; v < 12; v++) {
            const size_t item = run->calibrating.items[v];
            assert_false(drawn[item]);
            drawn[item] = true;
            assert_int_equal(run->calibrating.labels[v], run->pool_labels[item]);
            const run_query *asked = &run->queries[5 + v];
            for (size_t p = 0; p < asked->shown_count; p++)
                assert_int_not_equal(asked->shown[p], item);
        }
        icl_run_free(run);
    }
}

static void test_run_calibrate__items_are_drawn_by_seed_and_queries_keep_theirs(void **state)
{
    test_world *world = *state;
    icl_run *plain = executed(world, "select=bm25(k=2)");
    icl_run *run = executed(world, "select=bm25(k=2) calibrate=linear(validation=8)");
    icl_run *again = made(world, "select=bm25(k=2) calibrate=linear(validation=4)", 1);
    bool differs = false;
    for (uint64_t seed = 2; seed < 6; seed++) {
        icl_run *other = made(world, "select=bm25(k=2) calibrate=linear(validation=8)", seed);
        differs |= memcmp(other->calibrating.items, run->calibrating.items,
                          8 * sizeof *run->calibrating.items) != 0;
        icl_run_free(other);
    }
    assert_true(differs);
    /* fewer items are the first of more */
    assert_memory_equal(again->calibrating.items, run->calibrating.items,
                        4 * sizeof *run->calibrating.items);
    for (size_t q = 0; q < 5; q++) {
        const icl_run_sample a = icl_run_sample_at(plain, q), b = icl_run_sample_at(run, q);
        assert_memory_equal(a.logprobs_nats, b.logprobs_nats, 2 * sizeof(double));
        assert_string_equal(a.prompt_hash, b.prompt_hash);
        for (size_t p = 0; p < 2; p++)
            assert_string_equal(a.demonstration_ids[p], b.demonstration_ids[p]);
    }
    assert_int_equal(icl_run_get_summary(run)->query_count, 5);
    icl_run_free(again);
    icl_run_free(run);
    icl_run_free(plain);
}

/* Validation items are scored like queries: where a query stands in the pool too and both show the
 * same demonstrations, they have the same scores. */
static void test_run_calibrate__items_are_scored_like_queries(void **state)
{
    test_world *world = *state;
    icl_run *run = executed(world, "select=bm25(k=3) calibrate=temperature(validation=12)");
    size_t v = 0;
    while (run->calibrating.items[v] != 1) v++;
    assert_memory_equal(&run->scores_nats[(5 + v) * 2], &run->scores_nats[4 * 2],
                        2 * sizeof(double));
    icl_run_free(run);
}

/* The model copies the last demonstration's label whatever the input, so random words take the
 * whole of it away, as content-free inputs do. */
static void test_run_calibrate__domain_removes_a_bias_of_the_demonstrations(void **state)
{
    test_world *world = *state;
    icl_run *run = executed(world, "select=bm25(k=1) calibrate=domain(texts=3,words=2)");
    for (size_t q = 0; q < 5; q++)
        assert_near(icl_run_sample_at(run, q).probabilities[0], 0.5, 1e-6);
    icl_run_free(run);
}

static void test_run_calibrate__metrics_before_calibration_are_those_of_none(void **state)
{
    test_world *world = *state;
    icl_run *plain = executed(world, "select=bm25(k=2)");
    icl_run *run = executed(world, "select=bm25(k=2) calibrate=contextual");
    const icl_metrics *expected = &icl_run_get_summary(plain)->metrics;
    const icl_metrics *before = &icl_run_get_summary(run)->uncalibrated;
    assert_near(before->accuracy, expected->accuracy, 0);
    assert_near(before->ece, expected->ece, 0);
    assert_near(before->log_loss, expected->log_loss, 0);
    assert_near(before->label_bias, expected->label_bias, 0);
    assert_near(icl_run_get_summary(plain)->uncalibrated.brier, expected->brier, 0);
    icl_run_free(run);
    icl_run_free(plain);
}

static void expect_refusal(test_world *world, const char *strategy, const char *sentence)
{
    icl_run_options options = icl_run_options_default();
    options.task = world->task;
    options.strategy = strategy;
    icl_run *run = NULL;
    icl_status status = icl_run_new(&run, world->engine, &options);
    if (status == ICL_OK) status = icl_run_execute(run);
    assert_true(status != ICL_OK);
    if (strcmp(icl_error_message(), sentence) != 0) fail_msg("%s", icl_error_message());
    icl_run_free(run);
}

static void test_run_calibrate__mistakes_are_one_sentence(void **state)
{
    test_world *world = *state;
    expect_refusal(world, "select=bm25(k=1) calibrate=temperature(of=contextal)",
                   "option of of temperature: unknown calibrate method \"contextal\"; did you mean "
                   "\"contextual\"?");
    expect_refusal(world, "select=bm25(k=1) calibrate=linear(validation=1)",
                   "calibrate method \"linear\": none of 1 validation items has label \"pos\"; "
                   "raise validation=, or merge labels");
    assert_int_equal(icl_task_set_text(world->task, ICL_TASK_TEMPLATE, "fixed"), ICL_OK);
    static const char *const methods[] = { "contextual", "domain" };
    for (size_t i = 0; i < 2; i++) {
        char line[64], sentence[256];
        snprintf(line, sizeof line, "select=bm25(k=1) calibrate=%s", methods[i]);
        snprintf(sentence, sizeof sentence,
                 "calibrate=%s: task \"%s\": content-free prompts cannot be made, since the "
                 "template uses none of the input fields",
                 methods[i], icl_task_text(world->task, ICL_TASK_NAME));
        expect_refusal(world, line, sentence);
    }
}

/* ---- random texts ---- */

static icl_domain_texts drawn(test_world *world, size_t count, size_t words, uint64_t seed)
{
    icl_task_data data = { 0 };
    icl_domain_texts texts = { 0 };
    assert_int_equal(icl_task_load(&data, world->task), ICL_OK);
    assert_int_equal(icl_domain_texts_init(&texts, data.train, world->task, count, words, seed),
                     ICL_OK);
    icl_task_data_deinit(&data);
    return texts;
}

static size_t word_count(const char *text)
{
    size_t count = 0;
    for (const char *at = text; *at != '\0'; at++)
        count += *at != ' ' && (at == text || at[-1] == ' ');
    return count;
}

static void test_domain_texts__are_words_of_the_pool_by_seed(void **state)
{
    test_world *world = *state;
    icl_domain_texts texts = drawn(world, 8, 0, 1), more = drawn(world, 20, 0, 1);
    icl_domain_texts other = drawn(world, 8, 0, 2), longer = drawn(world, 8, 40, 1);
    bool differs = false;
    for (size_t t = 0; t < 8; t++) {
        const char *text = icl_domain_text(&texts, t)[0];
        assert_int_equal(word_count(text), 3); /* as all texts of the pool */
        assert_string_equal(text, icl_domain_text(&more, t)[0]);
        differs |= strcmp(text, icl_domain_text(&other, t)[0]) != 0;
        assert_int_equal(word_count(icl_domain_text(&longer, t)[0]), 40);
        char *copy = strdup(text);
        for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
            assert_true(strcmp(word, "and") == 0 || strcmp(word, "more") == 0 ||
                        strncmp(word, "word", 4) == 0);
        free(copy);
    }
    assert_true(differs);
    icl_domain_texts_deinit(&longer);
    icl_domain_texts_deinit(&other);
    icl_domain_texts_deinit(&more);
    icl_domain_texts_deinit(&texts);
}

/* A corpus of one word, one word long: the text is that word, as a content-free input is. */
static void test_domain_texts__one_word_is_that_word(void **state)
{
    test_world *world = *state;
    write_file(world->train, "{\"text\":\" N/A \",\"label\":\"pos\"}\n"
                             "{\"text\":\"\",\"label\":\"neg\"}\n");
    icl_domain_texts texts = drawn(world, 3, 1, 1);
    for (size_t t = 0; t < 3; t++) assert_string_equal(icl_domain_text(&texts, t)[0], "N/A");
    icl_domain_texts_deinit(&texts);
    write_file(world->train,
               "{\"text\":\"\",\"label\":\"pos\"}\n{\"text\":\" \",\"label\":\"neg\"}\n");
    texts = drawn(world, 2, 0, 1);
    assert_string_equal(icl_domain_text(&texts, 1)[0], "");
    icl_domain_texts_deinit(&texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_twelve, close_world)
        TEST(test_run_calibrate__asks_once_for_each_set_of_demonstrations),
        TEST(test_run_calibrate__content_free_prompts_are_evaluated_once),
        TEST(test_run_calibrate__requests_are_named_after_what_they_serve),
        TEST(test_run_calibrate__a_validation_item_never_demonstrates_itself),
        TEST(test_run_calibrate__items_are_drawn_by_seed_and_queries_keep_theirs),
        TEST(test_run_calibrate__items_are_scored_like_queries),
        TEST(test_run_calibrate__domain_removes_a_bias_of_the_demonstrations),
        TEST(test_run_calibrate__metrics_before_calibration_are_those_of_none),
        TEST(test_run_calibrate__mistakes_are_one_sentence),
        TEST(test_domain_texts__are_words_of_the_pool_by_seed),
        TEST(test_domain_texts__one_word_is_that_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
