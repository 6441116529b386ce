/* Probing sets that a model writes through the service: the table model writes five random letters
 * and then the answer prefix, in the form of the template. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "order/probing_set.h"
#include "pipeline/ask_world.h"

enum { K = 2, WORDS = 5, LETTERS = 8 };

/* How many tokens stand after the last opening text "in:"; SIZE_MAX: none does. */
static size_t tokens_after_opening(const int32_t *context, size_t count)
{
    for (size_t i = count; i >= 3; i--)
        if (context[i - 3] == 'i' && context[i - 2] == 'n' && context[i - 1] == ':')
            return count - i;
    return SIZE_MAX;
}

/* " a b c d e:", any letter as likely as any other. */
static void writing_logits(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user;
    const size_t written = tokens_after_opening(context, count);
    for (size_t i = 0; i < VOCAB_COUNT; i++) out[i] = -99;
    if (written == 2 * WORDS)
        out[':'] = 0;
    else if (written % 2 == 0)
        out[' '] = 0;
    else
        for (size_t i = 0; i < LETTERS; i++) out['c' + i] = 0; /* no label has them */
}

static icl_options options_of(const char *name)
{
    const icl_order_method *method = NULL;
    icl_call call = { 0 };
    icl_options options = { 0 };
    assert_int_equal(icl_order_find(&method, name), ICL_OK);
    assert_int_equal(icl_call_parse(&call, name, strlen(name)), ICL_OK);
    assert_int_equal(icl_options_read(&options, &method->card, &call), ICL_OK);
    icl_call_deinit(&call);
    return options;
}

static void assert_of_form(const char *text)
{
    assert_int_equal(strlen(text), strlen("in: ") + 2 * WORDS - 1);
    assert_memory_equal(text, "in: ", 4);
    for (size_t i = 0; i + 1 < 2 * WORDS; i++)
        assert_true(i % 2 == 1 ? text[4 + i] == ' '
                               : text[4 + i] >= 'c' && text[4 + i] < 'c' + LETTERS);
}

static void test_probing_texts__are_new_inputs_of_the_templates_form(void **state)
{
    (void)state;
    static const char *const frame[] = { "in: ", "" };
    static const size_t selected[K] = { 0, 1 };
    icl_template_forms framed = forms;
    framed.frame = (char **)frame;
    framed.frame_count = 2;
    world w = open_with(writing_logits, NULL, 0, NULL);
    icl_ask_service_free(w.service);
    w.source.forms = &framed;
    assert_int_equal(icl_ask_service_new(&w.service, &w.source), ICL_OK);
    const icl_order_input input = { .query_count = 1,
                                    .k = K,
                                    .indices = selected,
                                    .pool_count = POOL,
                                    .label_count = LABELS,
                                    .pool_texts = pool_inputs,
                                    .query_texts = query_inputs,
                                    .pool_labels = pool_labels,
                                    .query_ids = query_ids,
                                    .task = "asking",
                                    .asker = icl_ask_service_asker(w.service) };
    icl_options options = options_of("global-e");
    icl_candidate_orders tried = { 0 };
    icl_probing_set probes = { 0 };
    assert_int_equal(icl_candidate_orders_make(&tried, &input, &options, ICL_GROUP_BY_SET), ICL_OK);
    assert_int_equal(icl_probing_set_write(&probes, &input, &tried, 0, &options), ICL_OK);
    /* Two orders, two draws; that two of the 8^5 texts are equal is not to be expected. */
    assert_int_equal(probes.count, 4);
    for (size_t i = 0; i < probes.count; i++) assert_of_form(probes.texts[i]);
    double rows[2 * 4 * LABELS];
    assert_int_equal(icl_probing_set_ask(rows, &probes, &tried, 0, &input, "global-e"), ICL_OK);
    icl_probing_set_deinit(&probes);
    icl_candidate_orders_deinit(&tried);
    icl_options_deinit(&options);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probing_texts__are_new_inputs_of_the_templates_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
