/* The methods that put questions about a query or about candidate sets: what they ask a fake model,
 * and that what they choose is the best of what it said, by brute force over its answers. */
#include <math.h>

#include "fake_asker.h"
#include "math/logspace.h"
#include "math/topk.h"
#include "near.h"
#include "select/candidate_sets.h"
#include "select/select_call.h"

enum { POOL = 24, QUERIES = 3, LABELS = 3, K = 3, HEARD_MAX = 4000 };

static char texts[POOL + QUERIES][8];
static const char *pool_texts[POOL], *query_texts[QUERIES];
static const char *const query_ids[QUERIES] = { "a", "b", "c" };
static size_t labels[POOL], selves[QUERIES] = { 5, SIZE_MAX, 0 };
static float vectors[(POOL + QUERIES) * 2];

/* Item i lies at angle i; queries stand on items 5, 11 and 0. */
static icl_select_input input_of(void)
{
    for (size_t i = 0; i < POOL + QUERIES; i++) {
        const double angle = i < POOL ? (double)i : i == POOL ? 5.1 : i == POOL + 1 ? 11.1 : 0.1;
        snprintf(texts[i], sizeof texts[i], "t%zu", i);
        vectors[2 * i] = (float)cos(angle * 0.1);
        vectors[2 * i + 1] = (float)sin(angle * 0.1);
        if (i < POOL) pool_texts[i] = texts[i];
        if (i < POOL) labels[i] = i % LABELS;
        if (i >= POOL) query_texts[i - POOL] = texts[i];
    }
    return (icl_select_input){ .pool_count = POOL,
                               .query_count = QUERIES,
                               .label_count = LABELS,
                               .pool_texts = pool_texts,
                               .query_texts = query_texts,
                               .pool_labels = labels,
                               .query_self = selves,
                               .query_ids = query_ids,
                               .pool_vectors = vectors,
                               .query_vectors = vectors + (size_t)POOL * 2,
                               .vector_size = 2,
                               .task = "asking",
                               .seed = 4 };
}

/* Everything that was asked, with what the hashed model said. */
typedef struct heard {
    size_t count;
    struct {
        size_t shown[POOL], shown_count, item;
        icl_ask_of of;
        double probabilities[LABELS];
        icl_ask_text input, text;
    } prompts[HEARD_MAX];
} heard;

static void listen(void *context, fake_answer *answer, const fake_data *data,
                   const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    heard *h = context;
    fake_hashed(NULL, answer, data, prompt, how);
    assert_true(h->count < HEARD_MAX);
    memcpy(h->prompts[h->count].shown, prompt->shown, prompt->shown_count * sizeof(size_t));
    h->prompts[h->count].shown_count = prompt->shown_count;
    h->prompts[h->count].item = prompt->item;
    h->prompts[h->count].of = prompt->of;
    icl_softmax(h->prompts[h->count].probabilities, answer->label_nats, LABELS);
    h->prompts[h->count].input = answer->input;
    h->prompts[h->count++].text = answer->text;
}

static heard record;
static fake_asker fake;

static icl_selection choose(const char *call, fake_model *model)
{
    icl_select_input input = input_of();
    memset(&record, 0, sizeof record);
    fake_asker_serve(&fake, &input, model, &record);
    return select_well(&input, call);
}

static const size_t *line_of(const icl_selection *selection, size_t query)
{
    return selection->indices + query * selection->k;
}

/* Rank 0 is the item shown last. */
static void assert_shows(const icl_selection *selection, size_t query, const size_t *shown)
{
    for (size_t i = 0; i < selection->k; i++)
        assert_int_equal(line_of(selection, query)[i], shown[selection->k - 1 - i]);
}

/* ---- mdl ---- */

static void test_select_mdl__one_subset_is_the_nearest(void **state)
{
    icl_selection mdl = choose("mdl(k=3, window=1)", listen);
    assert_int_equal(record.count, 0);
    icl_selection knn = choose("knn(k=3)", listen);
    assert_memory_equal(mdl.indices, knn.indices, QUERIES * K * sizeof *mdl.indices);
    icl_selection_deinit(&knn);
    icl_selection_deinit(&mdl);
}

static void test_select_mdl__the_surest_of_all_asked_is_chosen(void **state)
{
    enum { WINDOW = 8 };
    icl_selection knn = choose("knn(k=3)", listen);
    icl_selection near = choose("knn(k=6)", listen);
    icl_selection mdl = choose("mdl(k=3, window=8, candidates=6)", listen);
    assert_int_equal(fake.calls, 1);
    assert_int_equal(record.count, QUERIES * WINDOW);
    for (size_t q = 0; q < QUERIES; q++) {
        double lowest = INFINITY;
        size_t best = 0;
        for (size_t p = q * WINDOW; p < (q + 1) * WINDOW; p++) {
            assert_true(record.prompts[p].of == ICL_ASK_QUERY && record.prompts[p].item == q);
            for (size_t i = 0; i < K; i++) { /* of the six nearest */
                bool known = false;
                for (size_t n = 0; n < 6; n++)
                    known |= line_of(&near, q)[n] == record.prompts[p].shown[i];
                assert_true(known);
            }
            const double entropy = icl_entropy_nats(record.prompts[p].probabilities, LABELS);
            if (entropy < lowest) best = p;
            if (entropy < lowest) lowest = entropy;
        }
        assert_shows(&mdl, q, record.prompts[best].shown);
        assert_shows(&knn, q, record.prompts[q * WINDOW].shown); /* the nearest are among them */
    }
    icl_selection_deinit(&mdl);
    icl_selection_deinit(&near);
    icl_selection_deinit(&knn);
}

static void constant_added(void *context, fake_answer *answer, const fake_data *data,
                           const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    fake_hashed(context, answer, data, prompt, how);
    for (size_t label = 0; label < LABELS; label++)
        answer->label_nats[label] -= 3.5 * (double)(1 + prompt->shown[0]);
}

static void test_select_mdl__a_constant_added_to_all_labels_changes_nothing(void **state)
{
    icl_selection plain = choose("mdl(k=3, window=8)", fake_hashed);
    icl_selection moved = choose("mdl(k=3, window=8)", constant_added);
    assert_memory_equal(plain.indices, moved.indices, QUERIES * K * sizeof *plain.indices);
    icl_selection_deinit(&moved);
    icl_selection_deinit(&plain);
}

/* Sure of one label where the item shown first is even, of none else. */
static void sure_of_even(void *context, fake_answer *answer, const fake_data *data,
                         const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    if (prompt->shown[0] % 2 == 0) answer->label_nats[1] = 700;
}

static void test_select_mdl__one_sure_label_wins(void **state)
{
    icl_selection mdl = choose("mdl(k=3, window=20)", sure_of_even);
    for (size_t q = 0; q < QUERIES; q++) assert_int_equal(line_of(&mdl, q)[K - 1] % 2, 0);
    icl_selection_deinit(&mdl);
}

static void indifferent(void *context, fake_answer *answer, const fake_data *data,
                        const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
}

static void test_select_mdl__of_equals_the_nearest_are_chosen(void **state)
{
    icl_selection knn = choose("knn(k=3)", indifferent);
    icl_selection mdl = choose("mdl(k=3)", indifferent);
    assert_memory_equal(mdl.indices, knn.indices, QUERIES * K * sizeof *mdl.indices);
    icl_selection_deinit(&mdl);
    icl_selection_deinit(&knn);
}

/* ---- cone ---- */

static void test_select_cone__the_likeliest_inputs_of_the_near_win(void **state)
{
    enum { CANDIDATES = 7 };
    icl_selection near = choose("knn(k=7)", listen);
    icl_selection cone = choose("cone(k=3, candidates=7)", listen);
    assert_int_equal(fake.calls, 1);
    assert_int_equal(record.count, QUERIES * CANDIDATES);
    for (size_t q = 0; q < QUERIES; q++) {
        icl_scored expected[CANDIDATES];
        for (size_t i = 0; i < CANDIDATES; i++) {
            const size_t p = q * CANDIDATES + i;
            assert_int_equal(record.prompts[p].shown_count, 1);
            assert_int_equal(record.prompts[p].shown[0], line_of(&near, q)[i]);
            expected[i] = (icl_scored){ .score = record.prompts[p].input.nats, .index = i };
        }
        icl_topk(expected, CANDIDATES, K);
        for (size_t i = 0; i < K; i++) {
            assert_int_equal(line_of(&cone, q)[i], line_of(&near, q)[expected[i].index]);
            assert_near(cone.scores[q * K + i], expected[i].score, 0);
        }
    }
    icl_selection_deinit(&cone);
    icl_selection_deinit(&near);
}

static void test_select_cone__of_equals_the_nearer_wins(void **state)
{
    icl_selection knn = choose("knn(k=3)", indifferent);
    icl_selection cone = choose("cone(k=3)", indifferent);
    assert_memory_equal(cone.indices, knn.indices, QUERIES * K * sizeof *cone.indices);
    icl_selection_deinit(&cone);
    icl_selection_deinit(&knn);
}

/* ---- sets for all queries ---- */

enum { SETS = 5, INPUTS = 6 };

/* The best set of what was asked, by a figure of each; the first of equals. */
static size_t best_set(double figure_of(size_t first))
{
    size_t best = 0;
    assert_int_equal(record.count, SETS * INPUTS);
    for (size_t s = 1; s < SETS; s++)
        if (figure_of(s * INPUTS) > figure_of(best * INPUTS)) best = s;
    return best * INPUTS;
}

/* Every query is given the set; the one that is in it, an item more. */
static void assert_given(const icl_selection *selection, const size_t *set)
{
    for (size_t q = 0; q < QUERIES; q++)
        for (size_t i = 0; i < K; i++) {
            const size_t item = line_of(selection, q)[K - 1 - i];
            if (set[i] != selves[q])
                assert_int_equal(item, set[i]);
            else
                assert_true(item != set[0] && item != set[1] && item != set[2]);
        }
}

static void assert_asked_of_pool_items_outside_the_set(void)
{
    for (size_t p = 0; p < record.count; p++) {
        assert_true(record.prompts[p].of == ICL_ASK_POOL);
        for (size_t i = 0; i < K; i++)
            assert_true(record.prompts[p].shown[i] != record.prompts[p].item);
    }
}

static double information_of(size_t first)
{
    double rows[INPUTS * LABELS], mean[LABELS];
    for (size_t p = 0; p < INPUTS; p++)
        memcpy(rows + p * LABELS, record.prompts[first + p].probabilities, LABELS * sizeof *rows);
    return icl_mutual_information_nats(rows, INPUTS, LABELS, mean);
}

static void test_select_mutual_information__the_most_informative_set_is_given_to_all(void **state)
{
    icl_selection chosen = choose("mutual-information(k=3, sets=5, inputs=6)", listen);
    assert_asked_of_pool_items_outside_the_set();
    assert_given(&chosen, record.prompts[best_set(information_of)].shown);
    icl_selection_deinit(&chosen);
}

static double negative_mean_perplexity_of(size_t first)
{
    double sum = 0;
    for (size_t p = first; p < first + INPUTS; p++)
        sum += exp(-record.prompts[p].text.nats / (double)record.prompts[p].text.tokens);
    return -sum / INPUTS;
}

static void test_select_perplexity__the_least_perplexing_set_is_given_to_all(void **state)
{
    icl_selection chosen = choose("perplexity(k=3, sets=5, inputs=6)", listen);
    assert_asked_of_pool_items_outside_the_set();
    assert_given(&chosen, record.prompts[best_set(negative_mean_perplexity_of)].shown);
    icl_selection_deinit(&chosen);
}

/* Set 0: perplexities e^0 and e^3; set 1: e^2 and e^2; set 2: e^4, in fewer nats. Sets are told
 * apart by the order in which they come. */
static void uneven(void *context, fake_answer *answer, const fake_data *data,
                   const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    static const icl_ask_text said[] = { { 0, 10 },   { -30, 10 }, { -20, 10 },
                                         { -20, 10 }, { -8, 2 },   { -8, 2 } };
    heard *h = context;
    listen(context, answer, data, prompt, how);
    answer->text = said[h->count - 1];
}

static void test_select_perplexity__perplexities_are_averaged_per_token_each(void **state)
{
    icl_selection chosen = choose("perplexity(k=3, sets=3, inputs=2)", uneven);
    assert_given(&chosen, record.prompts[2].shown);
    icl_selection_deinit(&chosen);
}

static void test_select_sets__of_equals_the_first_is_chosen(void **state)
{
    icl_selection first = choose("perplexity(k=3, sets=1)", indifferent);
    assert_int_equal(fake.calls, 0); /* nothing to choose among */
    icl_selection of_many = choose("perplexity(k=3, sets=9, inputs=2)", indifferent);
    assert_memory_equal(first.indices, of_many.indices, QUERIES * K * sizeof *first.indices);
    icl_selection_deinit(&of_many);
    icl_selection_deinit(&first);
}

static void not_a_number(void *context, fake_answer *answer, const fake_data *data,
                         const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    answer->label_nats[2] = answer->input.nats = NAN;
}

static void test_select_asking__a_score_that_is_no_number_is_named(void **state)
{
    icl_selection selection = { .k = 77 };
    icl_select_input input = input_of();
    fake_asker_serve(&fake, &input, not_a_number, NULL);
    assert_int_equal(select_status(&selection, &input, "mdl(k=3)"), ICL_EMODEL);
    assert_string_equal(icl_error_message(),
                        "method \"mdl\": the model's score for query \"a\" is nan");
    assert_int_equal(select_status(&selection, &input, "cone(k=3)"), ICL_EMODEL);
    assert_string_equal(icl_error_message(),
                        "method \"cone\": the model's score for query \"a\" is nan");
    assert_int_equal(select_status(&selection, &input, "mutual-information(k=3)"), ICL_EMODEL);
    assert_non_null(strstr(icl_error_message(), "the model's score for pool item "));
    assert_int_equal(selection.k, 77);
}

static void test_select_asking__one_label_leaves_nothing_to_choose_by(void **state)
{
    static const size_t one_label[POOL];
    icl_select_input input = input_of();
    input.label_count = 1;
    input.pool_labels = one_label;
    fake_asker_serve(&fake, &input, fake_hashed, NULL);
    icl_selection knn = select_well(&input, "knn(k=3)");
    icl_selection mdl = select_well(&input, "mdl(k=3)");
    assert_memory_equal(mdl.indices, knn.indices, QUERIES * K * sizeof *mdl.indices);
    icl_selection first = select_well(&input, "mutual-information(k=3, sets=1)");
    icl_selection of_many = select_well(&input, "mutual-information(k=3, inputs=4)");
    assert_memory_equal(first.indices, of_many.indices, QUERIES * K * sizeof *first.indices);
    icl_selection_deinit(&of_many);
    icl_selection_deinit(&first);
    icl_selection_deinit(&mdl);
    icl_selection_deinit(&knn);
}

static void test_candidate_sets__are_different_draws_with_probes_outside(void **state)
{
    const icl_select_input input = input_of();
    icl_candidate_sets sets = { 0 };
    const icl_candidate_sets_shape shape = {
        .set_count = 50, .k = 6, .probe_count = 12, .purpose = "test"
    };
    assert_int_equal(icl_candidate_sets_draw(&sets, &input, &shape), ICL_OK);
    assert_int_equal(sets.row, 7);
    size_t uses[POOL] = { 0 };
    for (size_t s = 0; s < sets.set_count; s++) {
        bool seen[POOL] = { false };
        for (size_t i = 0; i < sets.row; i++) {
            assert_false(seen[sets.items[s * 7 + i]]);
            seen[sets.items[s * 7 + i]] = true;
            uses[sets.items[s * 7 + i]]++;
        }
        seen[sets.items[s * 7 + 6]] = false; /* the spare may be a probe */
        for (size_t p = 0; p < sets.probe_count; p++) {
            assert_false(seen[sets.probes[s * 12 + p]]);
            seen[sets.probes[s * 12 + p]] = true;
        }
    }
    for (size_t i = 0; i < POOL; i++) assert_true(uses[i] > 0);
    icl_candidate_sets_deinit(&sets);
}

static void test_candidate_sets__a_set_of_the_whole_pool_leaves_no_probes(void **state)
{
    icl_select_input input = input_of();
    input.query_self = NULL;
    fake_asker_serve(&fake, &input, fake_hashed, NULL);
    icl_selection chosen = select_well(&input, "mutual-information(k=24)");
    assert_int_equal(fake.calls, 0);
    icl_selection_deinit(&chosen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_mdl__one_subset_is_the_nearest),
        cmocka_unit_test(test_select_mdl__the_surest_of_all_asked_is_chosen),
        cmocka_unit_test(test_select_mdl__a_constant_added_to_all_labels_changes_nothing),
        cmocka_unit_test(test_select_mdl__one_sure_label_wins),
        cmocka_unit_test(test_select_mdl__of_equals_the_nearest_are_chosen),
        cmocka_unit_test(test_select_cone__the_likeliest_inputs_of_the_near_win),
        cmocka_unit_test(test_select_cone__of_equals_the_nearer_wins),
        cmocka_unit_test(test_select_mutual_information__the_most_informative_set_is_given_to_all),
        cmocka_unit_test(test_select_perplexity__the_least_perplexing_set_is_given_to_all),
        cmocka_unit_test(test_select_perplexity__perplexities_are_averaged_per_token_each),
        cmocka_unit_test(test_select_sets__of_equals_the_first_is_chosen),
        cmocka_unit_test(test_select_asking__a_score_that_is_no_number_is_named),
        cmocka_unit_test(test_select_asking__one_label_leaves_nothing_to_choose_by),
        cmocka_unit_test(test_candidate_sets__are_different_draws_with_probes_outside),
        cmocka_unit_test(test_candidate_sets__a_set_of_the_whole_pool_leaves_no_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
