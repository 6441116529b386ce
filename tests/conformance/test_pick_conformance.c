/* The laws of picking items to label, for every registered method that picks and every value of its
 * switches and choices; those of showing the picks are in test_select_conformance.c. */
#include <math.h>
#include <stdio.h>

#include <icl/dataset.h>

#include "base/rng.h"
#include "base/text.h"
#include "fake_asker.h"
#include "select/annotate.h"

enum { POOL = 40, LABELS = 4, COLUMNS = 16, ASKS = ICL_NEEDS_LOGPROBS | ICL_NEEDS_GENERATION };

typedef struct world {
    char texts[POOL][32];
    const char *pool_texts[POOL];
    size_t labels[POOL];
    float vectors[POOL * COLUMNS];
    icl_select_input input; /* without queries */
} world;

/* Some vectors are equal and some are zero. */
static void fill(world *w)
{
    icl_rng rng = icl_rng_new(8, "conformance", "", "pick");
    for (size_t i = 0; i < POOL * COLUMNS; i++) w->vectors[i] = (float)icl_rng_normal(&rng);
    for (size_t i = 0; i < POOL; i++) {
        float *row = &w->vectors[i * COLUMNS];
        if (i % 11 == 5) memset(row, 0, COLUMNS * sizeof *row);
        if (i % 4 == 3) memcpy(row, row - COLUMNS, COLUMNS * sizeof *row);
        if (i % 9 != 4) snprintf(w->texts[i], sizeof w->texts[i], "item number %zu", i);
        w->pool_texts[i] = w->texts[i];
        w->labels[i] = i < 2 ? 3 : i % 3;
    }
    w->input = (icl_select_input){ .pool_count = POOL,
                                   .label_count = LABELS,
                                   .pool_texts = w->pool_texts,
                                   .pool_labels = w->labels,
                                   .pool_vectors = w->vectors,
                                   .vector_size = COLUMNS,
                                   .task = "conformance",
                                   .seed = 13 };
}

typedef struct call {
    const icl_select_method *method;
    icl_options options;
} call;

static icl_status pick_asking(size_t *out, size_t budget, const icl_select_input *input,
                              const call *c, fake_asker *fake)
{
    icl_select_input served = *input;
    const icl_status failure = fake->failure;
    fake_asker_serve(fake, &served, fake_hashed, NULL);
    fake->failure = failure;
    if ((c->method->card.needs & ASKS) == 0) served.asker = NULL;
    return c->method->pick(out, budget, &served, &c->options);
}

static icl_status pick(size_t *out, size_t budget, const icl_select_input *input, const call *c)
{
    fake_asker fake = { .failure = ICL_OK };
    return pick_asking(out, budget, input, c, &fake);
}

static void pick_well(size_t *out, size_t budget, const icl_select_input *input, const call *c)
{
    if (pick(out, budget, input, c) != ICL_OK)
        fail_msg("%s: %s", c->method->card.name, icl_error_message());
    bool seen[POOL] = { false };
    for (size_t i = 0; i < budget; i++) {
        assert_true(out[i] < input->pool_count);
        assert_false(seen[out[i]]);
        seen[out[i]] = true;
    }
}

/* ---- laws ---- */

typedef void law(world *w, const call *c);

static void the_budget_is_met_without_repeats(world *w, const call *c)
{
    const size_t budgets[] = { 1, 2, 7, 15, POOL - 1, POOL };
    size_t picks[POOL];
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++)
        pick_well(picks, budgets[i], &w->input, c);
}

static void the_same_seed_picks_the_same(world *w, const call *c)
{
    size_t picks[POOL], again[POOL];
    pick_well(picks, 20, &w->input, c);
    pick_well(again, 20, &w->input, c);
    assert_memory_equal(picks, again, 20 * sizeof *picks);
}

static void equal_vectors_are_no_trouble(world *w, const call *c)
{
    size_t picks[POOL];
    for (size_t i = 0; i < POOL * COLUMNS; i++) w->vectors[i] = 1;
    pick_well(picks, 20, &w->input, c);
    for (size_t i = 0; i < POOL * COLUMNS; i++) w->vectors[i] = 0;
    pick_well(picks, POOL, &w->input, c);
}

static void small_pools_and_one_class_are_no_trouble(world *w, const call *c)
{
    size_t picks[POOL];
    for (size_t i = 0; i < POOL; i++) w->labels[i] = 2;
    pick_well(picks, 20, &w->input, c);
    w->input.label_count = 3;
    w->input.pool_count = 1;
    pick_well(picks, 1, &w->input, c);
    w->input.pool_count = 2;
    pick_well(picks, 1, &w->input, c);
    pick_well(picks, 2, &w->input, c);
}

/* A method that asks wants labels of what it picked, one round after the other, and comes to the
 * picks of a pool whose labels were all there. */
static void labels_may_come_in_rounds(world *w, const call *c)
{
    size_t whole[POOL], picks[POOL], labels[POOL], items[POOL], rounds = 0;
    pick_well(whole, 25, &w->input, c);
    for (size_t i = 0; i < POOL; i++) labels[i] = ICL_LABEL_NONE;
    w->input.pool_labels = labels;
    icl_label_wants wants = { .items = items };
    w->input.wants = &wants;
    while (pick(picks, 25, &w->input, c) != ICL_OK) {
        assert_true((c->method->card.needs & ASKS) != 0 && rounds++ < 25);
        assert_non_null(strstr(icl_error_message(), c->method->card.name));
        assert_non_null(strstr(icl_error_message(), "no label"));
        assert_true(wants.count > 0 && wants.count < 25);
        for (size_t i = 0; i < wants.count; i++) {
            assert_int_equal(items[i], whole[i]);
            labels[items[i]] = w->labels[items[i]];
        }
    }
    assert_memory_equal(picks, whole, 25 * sizeof *picks);
    w->input.wants = NULL;
    w->input.pool_labels = NULL;
    if (rounds > 0) assert_int_equal(pick(picks, 25, &w->input, c), ICL_EINVAL);
}

static void stops_when_asked(world *w, const call *c)
{
    const atomic_bool cancelled = true;
    size_t picks[POOL];
    w->input.cancelled = &cancelled;
    assert_int_equal(pick(picks, 20, &w->input, c), ICL_ECANCELLED);
}

static void passes_on_what_asking_returns(world *w, const call *c)
{
    fake_asker fake = { .failure = ICL_EMODEL };
    size_t picks[POOL];
    const icl_status status = pick_asking(picks, 25, &w->input, c, &fake);
    assert_int_equal(status, fake.calls > 0 ? ICL_EMODEL : ICL_OK);
    assert_int_equal(fake.calls, (c->method->card.needs & ASKS) != 0);
}

static void refuses_vectors_that_are_no_numbers(world *w, const call *c)
{
    size_t picks[POOL];
    w->vectors[17 * COLUMNS + 3] = NAN;
    assert_int_equal(pick(picks, 20, &w->input, c), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "17"));
}

/* ---- for every method and setting ---- */

static void try_call(law *holds, const icl_select_method *method, const char *arguments)
{
    icl_text text = { 0 };
    icl_call parsed = { 0 };
    call c = { .method = method };
    icl_text_printf(&text, "%s(%s)", method->card.name, arguments);
    if (icl_call_parse(&parsed, icl_text_string(&text), text.length) != ICL_OK ||
        icl_options_read(&c.options, &method->card, &parsed) != ICL_OK)
        fail_msg("%s: %s", icl_text_string(&text), icl_error_message());
    world w;
    memset(&w, 0, sizeof w);
    fill(&w);
    holds(&w, &c);
    icl_options_deinit(&c.options);
    icl_call_deinit(&parsed);
    icl_text_deinit(&text);
}

static void for_every_setting(law *holds, const icl_select_method *method)
{
    static const char *const switches[] = { "false", "true", NULL };
    try_call(holds, method, "k=8");
    for (size_t o = 0; o < method->card.option_count; o++) {
        const icl_option *option = &method->card.options[o];
        const char *const *values = option->type == ICL_OPTION_CHOICE ? option->choices
                                    : option->type == ICL_OPTION_BOOL ? switches
                                                                      : NULL;
        for (; values != NULL && *values != NULL; values++) {
            char arguments[128];
            snprintf(arguments, sizeof arguments, "%s=%s", option->name, *values);
            try_call(holds, method, arguments);
        }
    }
}

static void for_every_method(law *holds)
{
    size_t count = 0, picking = 0;
    const icl_select_method *const *methods = icl_select_methods(&count);
    for (size_t i = 0; i < count; i++) {
        if (methods[i]->pick == NULL) continue;
        for_every_setting(holds, methods[i]);
        picking++;
    }
    assert_true(picking > 0);
}

#define LAW_TEST(law)                                                                              \
    static void test_pick_conformance__##law(void **state)                                         \
    {                                                                                              \
        (void)state;                                                                               \
        for_every_method(law);                                                                     \
    }
LAW_TEST(the_budget_is_met_without_repeats)
LAW_TEST(the_same_seed_picks_the_same)
LAW_TEST(equal_vectors_are_no_trouble)
LAW_TEST(small_pools_and_one_class_are_no_trouble)
LAW_TEST(labels_may_come_in_rounds)
LAW_TEST(stops_when_asked)
LAW_TEST(passes_on_what_asking_returns)
LAW_TEST(refuses_vectors_that_are_no_numbers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pick_conformance__the_budget_is_met_without_repeats),
        cmocka_unit_test(test_pick_conformance__the_same_seed_picks_the_same),
        cmocka_unit_test(test_pick_conformance__equal_vectors_are_no_trouble),
        cmocka_unit_test(test_pick_conformance__small_pools_and_one_class_are_no_trouble),
        cmocka_unit_test(test_pick_conformance__labels_may_come_in_rounds),
        cmocka_unit_test(test_pick_conformance__stops_when_asked),
        cmocka_unit_test(test_pick_conformance__passes_on_what_asking_returns),
        cmocka_unit_test(test_pick_conformance__refuses_vectors_that_are_no_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
