/* The laws of the ordering stage, for every registered method and every value of its switches and
 * choices. A new method is covered by being registered; one that needs what this test's world lacks
 * fails test_order_conformance__the_world_serves_every_method until the world is extended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/text.h"
#include "fake_asker.h"
#include "fake_trainable.h"
#include "learn/fit_file.h"
#include "order/order.h"
#include "rows.h"

enum {
    POOL = 30,
    QUERIES = 10,
    LABELS = 3,
    K_MAX = 12,
    LONG_TEXT_BYTES = 40000,
    WORLD_GIVES = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS | ICL_NEEDS_GENERATION |
                  ICL_NEEDS_TRAINING | ICL_NEEDS_GRADIENTS,
    QUESTIONS = ICL_NEEDS_LOGPROBS | ICL_NEEDS_GENERATION,
    CONCEPT_TOKENS = 2,
    MODEL_WIDTH = 64, /* of fake_trainable.h's model */
};

typedef struct world {
    char *long_text;
    char texts[POOL + QUERIES][32], ids[QUERIES][32];
    const char *pool_texts[POOL], *query_texts[QUERIES], *query_ids[QUERIES];
    size_t labels[POOL], selves[QUERIES];
    size_t indices[QUERIES * K_MAX];
    double scores[QUERIES * K_MAX];
    icl_dataset *rows;
    icl_order_input input;
} world;

/* A number in every row's field "difficulty", with ties. */
static icl_dataset *rated_rows(void)
{
    icl_text text = { 0 };
    for (size_t i = 0; i < POOL; i++)
        icl_text_printf(&text, "{\"text\":\"%zu\",\"label\":\"x\",\"difficulty\":%zu}\n", i,
                        i * 7 % 11);
    icl_dataset *rows = rows_of("pool.jsonl", icl_text_string(&text));
    icl_text_deinit(&text);
    return rows;
}

static void fill_selections(world *w, icl_rng *rng)
{
    for (size_t q = 0; q < QUERIES; q++) {
        size_t pool[POOL];
        for (size_t i = 0; i < POOL; i++) pool[i] = i;
        icl_rng_shuffle(rng, pool, POOL);
        w->selves[q] = q % 3 == 0 ? pool[K_MAX] : SIZE_MAX;
        for (size_t i = 0; i < K_MAX; i++) {
            /* The last query has the set of the one before, the other way round. */
            w->indices[q * K_MAX + i] =
                q + 1 < QUERIES ? pool[i] : w->indices[(q - 1) * K_MAX + K_MAX - 1 - i];
            w->scores[q * K_MAX + i] = q == 3 ? 0 : -(double)(i / 2); /* with ties */
        }
    }
}

static int setup(void **state)
{
    world *w = calloc(1, sizeof *w);
    if (w == NULL) return -1;
    w->long_text = malloc(LONG_TEXT_BYTES + 1);
    if (w->long_text == NULL) return -1;
    memset(w->long_text, 'x', LONG_TEXT_BYTES);
    w->long_text[LONG_TEXT_BYTES] = 0;
    for (size_t i = 0; i < POOL + QUERIES; i++)
        snprintf(w->texts[i], sizeof w->texts[i], "text %zu", i);
    for (size_t i = 0; i < POOL; i++) {
        w->pool_texts[i] = i == 5 ? "" : i == 7 ? w->long_text : w->texts[i];
        w->labels[i] = i % LABELS;
    }
    for (size_t q = 0; q < QUERIES; q++) {
        snprintf(w->ids[q], sizeof w->ids[q], "query-%zu", q);
        w->query_ids[q] = w->ids[q];
        w->query_texts[q] = q == 1 ? "" : q == 2 ? w->long_text : w->texts[POOL + q];
    }
    icl_rng rng = icl_rng_new(7, "conformance", "", "order");
    fill_selections(w, &rng);
    w->rows = rated_rows();
    w->input = (icl_order_input){
        .query_count = QUERIES,
        .k = K_MAX,
        .indices = w->indices,
        .scores = w->scores,
        .pool_count = POOL,
        .label_count = LABELS,
        .pool_texts = w->pool_texts,
        .query_texts = w->query_texts,
        .pool_labels = w->labels,
        .pool_rows = w->rows,
        .query_ids = w->query_ids,
        .query_self = w->selves,
        .task = "conformance",
        .seed = 13,
        .model_identity = "small",
    };
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    icl_dataset_close(w->rows);
    free(w->long_text);
    free(w);
    return 0;
}

/* The file of a learned method. */
static char fitted_path[] = "/tmp/icl-order-conformance-XXXXXX";

/* As `icl fit` would leave it, with vectors that nobody learned. */
static int write_fitted(void)
{
    const icl_fit_origin origin = {
        "latent-concept", "", "conformance", "", "small", "", POOL, 13
    };
    const float nats[POOL] = { 0 };
    float vectors[CONCEPT_TOKENS * MODEL_WIDTH];
    for (size_t i = 0; i < CONCEPT_TOKENS * MODEL_WIDTH; i++)
        vectors[i] = (float)(i * 37 % 101) / 101 - 0.5f;
    icl_fit_file *file = NULL;
    const int descriptor = mkstemp(fitted_path);
    if (descriptor < 0) return -1;
    close(descriptor);
    icl_status status = icl_fit_file_new(&file, &origin);
    if (status == ICL_OK)
        status = icl_fit_file_add(
            file, &(icl_fit_array){ "concepts", CONCEPT_TOKENS, MODEL_WIDTH, vectors });
    if (status == ICL_OK)
        status = icl_fit_file_add(file, &(icl_fit_array){ "nats", 1, POOL, nats });
    if (status == ICL_OK) status = icl_fit_file_save(file, fitted_path);
    icl_fit_file_free(file);
    return status == ICL_OK ? 0 : -1;
}

static int setup_fitted(void **state)
{
    return setup(state) == 0 ? write_fitted() : -1;
}

static int teardown_fitted(void **state)
{
    unlink(fitted_path);
    return teardown(state);
}

typedef void law(const world *w, const icl_order_method *method, const char *arguments);

/* A learned method gets its file, and few orders: it reads each of them in full. */
static icl_options options_of(const icl_order_method *method, const char *arguments)
{
    icl_text text = { 0 };
    icl_text_append_string(&text, method->card.name);
    if ((method->card.needs & ICL_NEEDS_TRAINING) != 0)
        icl_text_printf(&text, "(file=\"%s\",orders=4%s%s)", fitted_path,
                        *arguments == 0 ? "" : ",", arguments);
    else if (*arguments != 0)
        icl_text_printf(&text, "(%s)", arguments);
    icl_call call = { 0 };
    icl_options options = { 0 };
    if (icl_call_parse(&call, icl_text_string(&text), text.length) != ICL_OK ||
        icl_options_read(&options, &method->card, &call) != ICL_OK)
        fail_msg("%s: %s", icl_text_string(&text), icl_error_message());
    icl_call_deinit(&call);
    icl_text_deinit(&text);
    return options;
}

/* Answers that hang on the prompt alone; one text in four is of the template's form. */
static void writes_inputs(void *context, fake_answer *answer, const fake_data *data,
                          const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    fake_hashed(context, answer, data, prompt, how);
    const unsigned draw = (unsigned)(answer->draw >> 8 & 255);
    if (how != NULL && how->temperature > 0 && draw % 4 == 0)
        snprintf(answer->generation, sizeof answer->generation, " they play number %u in Rome%s",
                 draw, draw % 8 == 0 ? "\nLabel: play" : "\nLabel: jazz");
}

/* The input with a model to ask, where the card says that the method asks; its weights are those of
 * the last input that was served. */
static icl_order_input serve(fake_asker *fake, const icl_order_method *method,
                             const icl_order_input *input)
{
    static fake_trainable trainable;
    static const char *const frame[] = { "Text: ", "" };
    icl_order_input served = *input;
    fake_asker_serve(fake, &served, writes_inputs, NULL);
    fake->asker.frame = frame;
    fake->asker.frame_count = 2;
    fake->asker.answer_prefix = "\nLabel:";
    if ((method->card.needs & ICL_NEEDS_GENERATION) == 0) fake->asker.generate = NULL;
    if ((method->card.needs & QUESTIONS) == 0) served.asker = NULL;
    if ((method->card.needs & ICL_NEEDS_GRADIENTS) != 0) fake_trainable_serve(&trainable, &served);
    return served;
}

static icl_status run_served(icl_ordering *out, const icl_order_method *method,
                             const icl_order_input *input, const char *arguments)
{
    icl_options options = options_of(method, arguments);
    const icl_status status = icl_order_run(out, method, input, &options);
    icl_options_deinit(&options);
    return status;
}

static icl_status run(icl_ordering *out, const icl_order_method *method,
                      const icl_order_input *input, const char *arguments)
{
    fake_asker fake;
    const icl_order_input served = serve(&fake, method, input);
    return run_served(out, method, &served, arguments);
}

static icl_ordering run_well(const icl_order_method *method, const icl_order_input *input,
                             const char *arguments)
{
    icl_ordering ordering = { 0 };
    if (run(&ordering, method, input, arguments) != ICL_OK)
        fail_msg("%s(%s): %s", method->card.name, arguments, icl_error_message());
    assert_int_equal(ordering.query_count, input->query_count);
    assert_int_equal(ordering.k, input->k);
    return ordering;
}

/* Calls the law with the defaults and with each value of every switch and choice. */
static void for_every_setting(const world *w, const icl_order_method *method, law *holds)
{
    holds(w, method, "");
    for (size_t i = 0; i < method->card.option_count; i++) {
        const icl_option *option = &method->card.options[i];
        static const char *const switches[] = { "false", "true", NULL };
        const char *const *values = option->type == ICL_OPTION_BOOL     ? switches
                                    : option->type == ICL_OPTION_CHOICE ? option->choices
                                                                        : NULL;
        for (; values != NULL && *values != NULL; values++) {
            char arguments[128];
            snprintf(arguments, sizeof arguments, "%s=%s", option->name, *values);
            holds(w, method, arguments);
        }
    }
}

static void for_every_method(void **state, law *holds)
{
    size_t count = 0;
    const icl_order_method *const *methods = icl_order_methods(&count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) for_every_setting(*state, methods[i], holds);
}

static void assert_permutations(const icl_ordering *ordering)
{
    for (size_t q = 0; q < ordering->query_count; q++) {
        bool seen[POOL] = { false };
        for (size_t i = 0; i < ordering->k; i++) {
            const size_t rank = ordering->permutations[q * ordering->k + i];
            assert_true(rank < ordering->k);
            assert_false(seen[rank]);
            seen[rank] = true;
        }
    }
}

static void every_line_is_a_permutation(const world *w, const icl_order_method *method,
                                        const char *arguments)
{
    for (size_t k = 0; k <= K_MAX; k++) {
        /* The buffers hold more than k per query; any slice of them is a lawful selection. */
        icl_order_input input = w->input;
        size_t indices[QUERIES * K_MAX];
        double scores[QUERIES * K_MAX];
        for (size_t q = 0; q < QUERIES; q++) {
            memcpy(&indices[q * k], &w->indices[q * K_MAX], k * sizeof *indices);
            memcpy(&scores[q * k], &w->scores[q * K_MAX], k * sizeof *scores);
        }
        input.k = k;
        input.indices = indices;
        input.scores = scores;
        icl_ordering ordering = run_well(method, &input, arguments);
        assert_permutations(&ordering);
        icl_ordering_deinit(&ordering);
    }
}

static void whole_pool(const world *w, const icl_order_method *method, const char *arguments)
{
    size_t indices[POOL];
    double scores[POOL];
    for (size_t i = 0; i < POOL; i++) {
        indices[i] = POOL - 1 - i;
        scores[i] = -(double)i;
    }
    icl_order_input input = w->input;
    input.query_count = 1;
    input.k = POOL;
    input.indices = indices;
    input.scores = scores;
    input.query_self = NULL;
    icl_ordering ordering = run_well(method, &input, arguments);
    assert_permutations(&ordering);
    icl_ordering_deinit(&ordering);
}

static void same_seed_same_answer(const world *w, const icl_order_method *method,
                                  const char *arguments)
{
    icl_ordering first = run_well(method, &w->input, arguments);
    icl_ordering again = run_well(method, &w->input, arguments);
    assert_memory_equal(first.permutations, again.permutations,
                        QUERIES * K_MAX * sizeof *first.permutations);
    icl_ordering_deinit(&again);
    icl_ordering_deinit(&first);
}

static void batches_do_not_matter(const world *w, const icl_order_method *method,
                                  const char *arguments)
{
    icl_ordering all = run_well(method, &w->input, arguments);
    for (size_t q = 0; q < QUERIES; q++) {
        icl_order_input input = w->input;
        input.query_count = 1;
        input.indices += q * K_MAX;
        input.scores += q * K_MAX;
        input.query_texts += q;
        input.query_ids += q;
        input.query_self += q;
        icl_ordering one = run_well(method, &input, arguments);
        assert_memory_equal(one.permutations, &all.permutations[q * K_MAX],
                            K_MAX * sizeof *one.permutations);
        icl_ordering_deinit(&one);
    }
    icl_ordering_deinit(&all);
}

static void no_queries_no_answers(const world *w, const icl_order_method *method,
                                  const char *arguments)
{
    icl_order_input input = w->input;
    input.query_count = 0;
    icl_ordering ordering = run_well(method, &input, arguments);
    icl_ordering_deinit(&ordering);
}

static void stops_when_asked(const world *w, const icl_order_method *method, const char *arguments)
{
    const atomic_bool cancelled = true;
    fake_asker fake;
    icl_order_input input = w->input;
    input.cancelled = &cancelled;
    input = serve(&fake, method, &input);
    icl_ordering ordering = { .k = 77 };
    assert_int_equal(run_served(&ordering, method, &input, arguments), ICL_ECANCELLED);
    assert_true(ordering.k == 77 && ordering.permutations == NULL);

    /* The method's own loop looks at the flag too, not only icl_order_run. */
    size_t permutations[QUERIES * K_MAX] = { 0 };
    icl_ordering raw = { .query_count = QUERIES, .k = K_MAX, .permutations = permutations };
    icl_options options = options_of(method, arguments);
    assert_int_equal(method->run(&raw, &input, &options), ICL_ECANCELLED);
    icl_options_deinit(&options);
}

/* A question that fails, the first or the last of a run, ends the run with its status. */
static void passes_on_what_asking_returns(const world *w, const icl_order_method *method,
                                          const char *arguments)
{
    fake_asker fake;
    icl_order_input input = serve(&fake, method, &w->input);
    icl_ordering ordering = { 0 };
    assert_int_equal(run_served(&ordering, method, &input, arguments), ICL_OK);
    icl_ordering_deinit(&ordering);
    if (fake.calls == 0) return;
    const size_t asked = fake.calls, fails_from[] = { 0, asked - 1 };
    const icl_status failures[] = { ICL_EMODEL, ICL_ECANCELLED };
    for (size_t i = 0; i < 4; i++) {
        input = serve(&fake, method, &w->input);
        fake.failure = failures[i / 2];
        fake.fails_from = fails_from[i % 2];
        assert_int_equal(run_served(&ordering, method, &input, arguments), fake.failure);
        assert_non_null(strstr(icl_error_message(), "the fake model fails"));
        assert_null(ordering.permutations);
        assert_int_equal(fake.calls, fake.fails_from + 1); /* and nothing is asked after it */
    }
}

static void not_a_number(void *context, fake_answer *answer, const fake_data *data,
                         const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    writes_inputs(context, answer, data, prompt, how);
    if (how != NULL) return;
    answer->label_nats[1] = NAN;
    answer->input.nats = answer->text.nats = NAN;
}

static void refuses_scores_that_are_no_numbers(const world *w, const icl_order_method *method,
                                               const char *arguments)
{
    fake_asker fake;
    const icl_order_input input = serve(&fake, method, &w->input);
    fake.model = not_a_number;
    icl_ordering ordering = { 0 };
    const icl_status status = run_served(&ordering, method, &input, arguments);
    if (status == ICL_OK && fake.calls == 0) { /* this setting asks nothing */
        icl_ordering_deinit(&ordering);
        return;
    }
    assert_int_equal(status, ICL_EMODEL);
    assert_non_null(strstr(icl_error_message(), method->card.name));
    assert_null(ordering.permutations);
}

static void says_that_it_needs_labels(const world *w, const icl_order_method *method,
                                      const char *arguments)
{
    icl_order_input input = w->input;
    input.pool_labels = NULL;
    icl_ordering ordering = { 0 };
    const bool needs = (method->card.needs & ICL_NEEDS_LABELS) != 0;
    assert_int_equal(run(&ordering, method, &input, arguments), needs ? ICL_EINVAL : ICL_OK);
    icl_ordering_deinit(&ordering);
}

/* What a query of the pool is labelled with may not decide on its own prompt. */
static void own_labels_do_not_matter(const world *w, const icl_order_method *method,
                                     const char *arguments)
{
    for (size_t q = 0; q < QUERIES; q += 3) {
        size_t labels[POOL];
        icl_order_input input = w->input;
        input.query_count = 1;
        input.indices += q * K_MAX;
        input.scores += q * K_MAX;
        input.query_texts += q;
        input.query_ids += q;
        input.query_self += q;
        icl_ordering before = run_well(method, &input, arguments);
        memcpy(labels, w->labels, sizeof labels);
        labels[*input.query_self] = (labels[*input.query_self] + 1) % LABELS;
        input.pool_labels = labels;
        icl_ordering after = run_well(method, &input, arguments);
        assert_memory_equal(before.permutations, after.permutations,
                            K_MAX * sizeof *after.permutations);
        icl_ordering_deinit(&after);
        icl_ordering_deinit(&before);
    }
}

static void test_order_conformance__the_world_serves_every_method(void **state)
{
    (void)state;
    size_t count = 0;
    const icl_card *const *cards = icl_order_cards(&count);
    for (size_t i = 0; i < count; i++) {
        if ((cards[i]->needs & ~(unsigned)WORLD_GIVES) != 0)
            fail_msg("method %s needs what the conformance world does not give", cards[i]->name);
    }
}

static void test_order_conformance__every_card_is_complete_and_found_by_name(void **state)
{
    (void)state;
    size_t count = 0;
    const icl_card *const *cards = icl_order_cards(&count);
    for (size_t i = 0; i < count; i++) {
        const icl_card *card = cards[i];
        assert_true(strlen(card->name) > 0 && strlen(card->summary) > 0);
        assert_true(strlen(card->paper) > 0 && strlen(card->cost) > 0);
        const icl_order_method *found = NULL;
        assert_int_equal(icl_order_find(&found, card->name), ICL_OK);
        assert_ptr_equal(&found->card, card); /* names are unique */
    }
}

#define LAW_TEST(law)                                                                              \
    static void test_order_conformance__##law(void **state)                                        \
    {                                                                                              \
        for_every_method(state, law);                                                              \
    }
LAW_TEST(every_line_is_a_permutation)
LAW_TEST(whole_pool)
LAW_TEST(same_seed_same_answer)
LAW_TEST(batches_do_not_matter)
LAW_TEST(no_queries_no_answers)
LAW_TEST(stops_when_asked)
LAW_TEST(passes_on_what_asking_returns)
LAW_TEST(refuses_scores_that_are_no_numbers)
LAW_TEST(says_that_it_needs_labels)
LAW_TEST(own_labels_do_not_matter)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_conformance__the_world_serves_every_method),
        cmocka_unit_test(test_order_conformance__every_card_is_complete_and_found_by_name),
        cmocka_unit_test(test_order_conformance__every_line_is_a_permutation),
        cmocka_unit_test(test_order_conformance__whole_pool),
        cmocka_unit_test(test_order_conformance__same_seed_same_answer),
        cmocka_unit_test(test_order_conformance__batches_do_not_matter),
        cmocka_unit_test(test_order_conformance__no_queries_no_answers),
        cmocka_unit_test(test_order_conformance__stops_when_asked),
        cmocka_unit_test(test_order_conformance__passes_on_what_asking_returns),
        cmocka_unit_test(test_order_conformance__refuses_scores_that_are_no_numbers),
        cmocka_unit_test(test_order_conformance__says_that_it_needs_labels),
        cmocka_unit_test(test_order_conformance__own_labels_do_not_matter),
    };
    return cmocka_run_group_tests(tests, setup_fitted, teardown_fitted);
}
