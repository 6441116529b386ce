/* The service behind template/ask.h on the table model: answers against sums that are written out
 * here, what is asked and what is not, and what is refused. */
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

#include "near.h"
#include "pipeline/ask_world.h"

/* A label's probability is that of its first name or of its second. */
static void test_ask__labels_hold_the_mass_of_all_their_names(void **state)
{
    world w = open_world();
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_query(1, 0) };
    double nats[2 * LABELS];
    assert_int_equal(w.asker->labels(w.asker->user, nats, prompts, 2), ICL_OK);
    /* ": a" is ':' anywhere, ' ' after ':', 'a' after ' '; "an" goes on with 'n'. */
    const double first = log(0.5) * 2 - log(257), second = first - log(257);
    assert_near(nats[0], log(exp(first) + exp(second)), 1e-6);
    assert_near(nats[1], log(0.5) + log(0.5 / 256) - 2 * log(257), 1e-6); /* ": no" */
    assert_near(nats[2], nats[0], 1e-9); /* this model looks back one token only */
    assert_near(nats[3], nats[1], 1e-9);
    close_world(&w);
}

static void test_ask__inputs_are_scored_under_the_demonstrations(void **state)
{
    world w = open_world();
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_pool(1, 1), of_pool(2, 0) };
    icl_ask_text out[3];
    assert_int_equal(w.asker->inputs(w.asker->user, out, prompts, 3), ICL_OK);
    const char *const texts[] = { "two: no\nin: one: a\nin: a query", "two: no\nin: a a", "two" };
    const size_t firsts[] = { strlen("two: no\nin: one: a\n"), strlen("two: no\n"), 0 };
    for (size_t i = 0; i < 3; i++) {
        assert_near(out[i].nats, nats_of(texts[i], firsts[i]), 1e-5);
        assert_int_equal(out[i].tokens, strlen(texts[i]) - firsts[i]);
    }
    close_world(&w);
}

static void test_ask__texts_are_scored_from_the_first_token_after_bos(void **state)
{
    world w = open_world();
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_pool(2, 0) };
    icl_ask_text out[2];
    assert_int_equal(w.asker->texts(w.asker->user, out, prompts, 2), ICL_OK);
    const char whole[] = "two: no\nin: one: a\nin: a query";
    assert_near(out[0].nats, nats_of(whole, 0), 1e-5);
    assert_int_equal(out[0].tokens, sizeof whole - 1);
    assert_near(out[1].nats, -3 * log(257), 1e-5);
    assert_int_equal(out[1].tokens, 3);
    close_world(&w);
}

/* As if 'x' were the whole vocabulary: perplexity exp(-nats / tokens) is 1. */
static void one_token_logits(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user, (void)context, (void)count;
    for (size_t i = 0; i < VOCAB_COUNT; i++) out[i] = i == 'x' ? 0 : -INFINITY;
}

static void test_ask__the_only_possible_text_has_perplexity_one(void **state)
{
    static const char *const inputs[] = { "xxxxx" };
    world w = open_with(one_token_logits, NULL, 0, NULL);
    icl_ask_service_free(w.service);
    w.source.pool = (icl_ask_items){ .count = 1, .inputs = inputs, .ids = inputs };
    assert_int_equal(icl_ask_service_new(&w.service, &w.source), ICL_OK);
    w.asker = icl_ask_service_asker(w.service);
    const icl_ask_prompt prompt = of_pool(0, 0);
    icl_ask_text text;
    assert_int_equal(w.asker->texts(w.asker->user, &text, &prompt, 1), ICL_OK);
    assert_int_equal(text.tokens, 5);
    assert_near(exp(-text.nats / 5), 1, 0);
    close_world(&w);
}

/* log P(input | shown) = log P(shown, input) - log P(shown): item 4 is empty. */
static void test_ask__an_input_is_the_difference_of_two_texts(void **state)
{
    world w = open_world();
    const icl_ask_prompt with = of_query(0, 2), without = of_pool(4, 2);
    icl_ask_text input, both, alone;
    assert_int_equal(w.asker->inputs(w.asker->user, &input, &with, 1), ICL_OK);
    assert_int_equal(w.asker->texts(w.asker->user, &both, &with, 1), ICL_OK);
    assert_int_equal(w.asker->texts(w.asker->user, &alone, &without, 1), ICL_OK);
    assert_near(input.nats, both.nats - alone.nats, 1e-9);
    assert_int_equal(input.tokens, both.tokens - alone.tokens);
    close_world(&w);
}

static void test_ask__answers_are_first_names_with_their_tokens(void **state)
{
    world w = open_world();
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_query(0, 2), of_query(1, 0),
                                       of_query(0, 2) };
    const size_t labels[] = { 0, 1, 1, 0 };
    icl_ask_text out[4];
    assert_int_equal(w.asker->answers(w.asker->user, out, prompts, labels, 4), ICL_OK);
    assert_int_equal(asked(&w), 3);                          /* the last repeats the first */
    assert_near(out[0].nats, log(0.5) * 2 - log(257), 1e-6); /* ": a" */
    assert_near(out[1].nats, log(0.5) + log(0.5 / 256) - 2 * log(257), 1e-6); /* ": no" */
    assert_near(out[2].nats, out[1].nats, 1e-9);
    assert_near(out[3].nats, out[0].nats, 0);
    assert_int_equal(out[0].tokens, 3);
    assert_int_equal(out[1].tokens, 4);
    double nats[LABELS];
    assert_int_equal(w.asker->labels(w.asker->user, nats, prompts, 1), ICL_OK);
    assert_near(out[1].nats, nats[1], 0); /* a label of one name */
    close_world(&w);
}

/* The content-free forms are asked as if a method had written them. */
static void test_ask__content_free_and_written_inputs_read_as_they_stand(void **state)
{
    world w = open_world();
    const icl_ask_prompt prompts[] = { of_content_free(0, 2), of_content_free(1, 0),
                                       of_text("in: N/A", 2), of_text("in: a a", 1),
                                       of_pool(1, 1) };
    icl_ask_text out[5];
    assert_int_equal(w.asker->inputs(w.asker->user, out, prompts, 5), ICL_OK);
    assert_int_equal(asked(&w), 3);
    const char whole[] = "two: no\nin: one: a\nin: N/A";
    assert_near(out[0].nats, nats_of(whole, strlen("two: no\nin: one: a\n")), 1e-5);
    assert_int_equal(out[0].tokens, strlen("in: N/A"));
    assert_near(out[1].nats, nats_of("in: ", 0), 1e-5);
    assert_near(out[2].nats, out[0].nats, 0);
    assert_near(out[3].nats, out[4].nats, 0);
    double nats[LABELS];
    char *text = NULL;
    assert_int_equal(w.asker->labels(w.asker->user, nats, &prompts[0], 1), ICL_OK);
    assert_near(nats[1], log(0.5) + log(0.5 / 256) - 2 * log(257), 1e-6);
    assert_int_equal(w.asker->generate(w.asker->user, &text, &prompts[1], 1,
                                       &(icl_ask_generation){ .tokens_max = 1 }),
                     ICL_OK);
    assert_string_equal(text, "a"); /* after the blank */
    free(text);
    close_world(&w);
}

static void test_ask__refused_content_free_inputs_are_told_to_who_asks(void **state)
{
    world w = open_world();
    const icl_template_forms none = { .content_free = { "in: N/A" }, .refusal = "no such field" };
    icl_ask_service_free(w.service);
    w.source.forms = &none;
    assert_int_equal(icl_ask_service_new(&w.service, &w.source), ICL_OK);
    w.asker = icl_ask_service_asker(w.service);
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_content_free(1, 2) };
    icl_ask_text out[2] = { { 7, 7 }, { 7, 7 } };
    char *texts[2] = { NULL };
    assert_int_equal(w.asker->texts(w.asker->user, out, prompts, 2), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "no such field");
    assert_int_equal(w.asker->generate(w.asker->user, texts, prompts, 2,
                                       &(icl_ask_generation){ .tokens_max = 1 }),
                     ICL_EINVAL);
    assert_true(out[0].nats == 7 && out[1].tokens == 7 && texts[0] == NULL);
    assert_int_equal(asked(&w), 0);
    assert_int_equal(w.asker->texts(w.asker->user, out, prompts, 1), ICL_OK);
    close_world(&w);
}

/* What the header promises besides answers. */
static void test_ask__the_asker_tells_labels_ids_and_frame(void **state)
{
    static char before[] = "in: ", after[] = ".";
    char *frame[] = { before, after };
    const icl_template_forms framed = { .frame = frame, .frame_count = 2 };
    world w = open_world();
    assert_int_equal(w.asker->label_count, LABELS);
    assert_string_equal(w.asker->query_ids[1], "q1");
    assert_int_equal(w.asker->frame_count, 0);
    assert_null(w.asker->answer_prefix);
    icl_ask_service_free(w.service);
    w.source.forms = &framed;
    assert_int_equal(icl_ask_service_new(&w.service, &w.source), ICL_OK);
    w.asker = icl_ask_service_asker(w.service);
    assert_int_equal(w.asker->frame_count, 2);
    assert_string_equal(w.asker->frame[1], ".");
    assert_string_equal(w.asker->answer_prefix, ": ");
    close_world(&w);
}

static void test_ask__equal_prompts_are_asked_once(void **state)
{
    world w = open_world();
    /* Pool items 1 and 3 and query 1 read alike. */
    const icl_ask_prompt prompts[] = { of_pool(1, 2), of_query(1, 2), of_pool(3, 2),
                                       of_pool(1, 1) };
    icl_ask_text out[4];
    assert_int_equal(w.asker->texts(w.asker->user, out, prompts, 4), ICL_OK);
    assert_int_equal(asked(&w), 2);
    assert_memory_equal(&out[0].nats, &out[1].nats, sizeof(double));
    assert_memory_equal(&out[0].nats, &out[2].nats, sizeof(double));
    assert_true(out[3].tokens < out[0].tokens);
    assert_int_equal(w.asker->labels(w.asker->user, NULL, NULL, 0), ICL_OK);
    assert_int_equal(asked(&w), 2);
    close_world(&w);
}

static void test_ask__what_the_journal_holds_is_not_asked_again(void **state)
{
    char path[] = "/tmp/icl-test-ask-XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_pool(1, 1) };
    double nats[2][2 * LABELS];
    char *texts[2][2];
    for (size_t i = 0; i < 2; i++) {
        world w = open_with(logits_of, NULL, 0, path);
        assert_int_equal(w.asker->labels(w.asker->user, nats[i], prompts, 2), ICL_OK);
        assert_int_equal(w.asker->generate(w.asker->user, texts[i], prompts, 2,
                                           &(icl_ask_generation){ .cue = " ", .tokens_max = 6 }),
                         ICL_OK);
        if (i == 1) assert_int_equal(asked(&w), 0);
        close_world(&w);
    }
    assert_memory_equal(nats[0], nats[1], sizeof nats[0]);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(texts[0][i], texts[1][i]);
        free(texts[0][i]);
        free(texts[1][i]);
    }
    char beside[64];
    unlink(path);
    snprintf(beside, sizeof beside, "%s-wal", path);
    unlink(beside);
    snprintf(beside, sizeof beside, "%s-shm", path);
    unlink(beside);
}

/* Prompts of more tokens than a batch may have: the answers are those of each prompt alone. */
static void test_ask__long_calls_are_cut_without_a_trace(void **state)
{
    enum { LONG = 3000, COUNT = 200 };
    world w = open_world();
    char *demonstration = malloc(LONG + 1);
    static char inputs[COUNT][16];
    const char *pool[COUNT + 1], *ids[COUNT + 1];
    static size_t labels[COUNT + 1];
    icl_ask_prompt prompts[COUNT];
    static double all[COUNT][LABELS];
    const size_t last = COUNT;
    memset(demonstration, 'x', LONG);
    demonstration[LONG] = '\0';
    pool[COUNT] = demonstration;
    ids[COUNT] = "long";
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(inputs[i], sizeof inputs[i], "in %zu", i);
        pool[i] = ids[i] = inputs[i];
        prompts[i] = (icl_ask_prompt){ .shown = &last, .shown_count = 1, .item = i };
    }
    icl_ask_service_free(w.service);
    w.source.pool = (icl_ask_items){ .count = COUNT + 1, .inputs = pool, .ids = ids };
    w.source.pool_labels = labels;
    assert_int_equal(icl_ask_service_new(&w.service, &w.source), ICL_OK);
    w.asker = icl_ask_service_asker(w.service);
    assert_int_equal(w.asker->labels(w.asker->user, &all[0][0], prompts, COUNT), ICL_OK);
    const uint64_t tokens = icl_engine_get_meter(w.engine).tokens_trie;
    assert_true(tokens > 2 * LONG && tokens < 3 * LONG + COUNT * 16); /* the start, in both parts */
    double one[LABELS];
    for (size_t i = 0; i < COUNT; i += 99) {
        assert_int_equal(w.asker->labels(w.asker->user, one, &prompts[i], 1), ICL_OK);
        assert_memory_equal(one, all[i], sizeof one);
    }
    free(demonstration);
    close_world(&w);
}

static void test_ask__demonstrations_are_dropped_to_fit_the_window(void **state)
{
    world w = open_with(logits_of, NULL, 24, NULL);
    const icl_ask_prompt prompts[] = { of_pool(1, 2), of_query(0, 0) };
    icl_ask_text out[2];
    assert_int_equal(w.asker->texts(w.asker->user, out, prompts, 2), ICL_OK);
    assert_near(out[0].nats, nats_of("in: one: a\nin: a a", 0), 1e-5); /* the far one went */
    close_world(&w);
}

static void test_ask__failures_touch_nothing(void **state)
{
    world w = open_with(logits_of, NULL, 14, NULL);
    const icl_ask_prompt prompts[] = { of_pool(2, 0), of_query(0, 0), of_pool(4, 0) };
    double nats[2 * LABELS] = { 7, 7, 7, 7 };
    icl_ask_text text = { 7, 7 };
    char *generated = NULL;
    assert_int_equal(w.asker->labels(w.asker->user, nats, prompts, 2), ICL_ECONTEXT);
    assert_non_null(strstr(icl_error_message(), "q0: a prompt of 12 tokens"));
    assert_int_equal(w.asker->inputs(w.asker->user, &text, &prompts[2], 1), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "\"p4\": its input has no token that can be predicted");
    assert_int_equal(w.asker->generate(w.asker->user, &generated, prompts, 1,
                                       &(icl_ask_generation){ .cue = "", .tokens_max = 99 }),
                     ICL_ECONTEXT);
    icl_model_interrupt(w.model);
    assert_int_equal(w.asker->labels(w.asker->user, nats, prompts, 1), ICL_ECANCELLED);
    assert_int_equal(w.asker->generate(w.asker->user, &generated, prompts, 1,
                                       &(icl_ask_generation){ .cue = "", .tokens_max = 3 }),
                     ICL_ECANCELLED);
    assert_true(nats[0] == 7 && nats[3] == 7 && text.nats == 7 && generated == NULL);
    assert_int_equal(asked(&w), 0);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask__labels_hold_the_mass_of_all_their_names),
        cmocka_unit_test(test_ask__inputs_are_scored_under_the_demonstrations),
        cmocka_unit_test(test_ask__texts_are_scored_from_the_first_token_after_bos),
        cmocka_unit_test(test_ask__the_only_possible_text_has_perplexity_one),
        cmocka_unit_test(test_ask__an_input_is_the_difference_of_two_texts),
        cmocka_unit_test(test_ask__answers_are_first_names_with_their_tokens),
        cmocka_unit_test(test_ask__content_free_and_written_inputs_read_as_they_stand),
        cmocka_unit_test(test_ask__refused_content_free_inputs_are_told_to_who_asks),
        cmocka_unit_test(test_ask__the_asker_tells_labels_ids_and_frame),
        cmocka_unit_test(test_ask__equal_prompts_are_asked_once),
        cmocka_unit_test(test_ask__what_the_journal_holds_is_not_asked_again),
        cmocka_unit_test(test_ask__long_calls_are_cut_without_a_trace),
        cmocka_unit_test(test_ask__demonstrations_are_dropped_to_fit_the_window),
        cmocka_unit_test(test_ask__failures_touch_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
