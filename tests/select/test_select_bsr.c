/* bsr and its sets on made-up tokens: closed forms, and brute force over items and sets. */
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "math/matrix.h"
#include "near.h"
#include "select/select_call.h"

enum { POOL = 9, QUERIES = 6, COLUMNS = 3, WORDS = 7, TOKENS_MAX = 5 };

static const char *const texts[POOL] = { "", "", "", "", "", "", "", "", "" };
static const char *const query_ids[QUERIES] = { "a", "b", "c", "d", "e", "f" };

typedef struct world {
    size_t first[POOL + QUERIES + 1];
    int32_t ids[(POOL + QUERIES) * TOKENS_MAX];
    float vectors[(POOL + QUERIES) * TOKENS_MAX * COLUMNS];
    icl_select_input input;
} world;

static void add_text(world *w, size_t text, const float *words, const int32_t *ids, size_t count)
{
    w->first[text + 1] = w->first[text] + count;
    for (size_t t = 0; t < count; t++) {
        const size_t at = w->first[text] + t;
        w->ids[at] = ids[t];
        memcpy(&w->vectors[at * COLUMNS], &words[(size_t)ids[t] * COLUMNS],
               COLUMNS * sizeof *words);
    }
}

static void describe(world *w, size_t pool_count, size_t query_count)
{
    const icl_token_vectors all = { .first = w->first, .ids = w->ids, .vectors = w->vectors };
    w->input = (icl_select_input){ .pool_count = pool_count,
                                   .query_count = query_count,
                                   .pool_texts = texts,
                                   .query_texts = texts,
                                   .query_ids = query_ids,
                                   .pool_tokens = all,
                                   .query_tokens = all,
                                   .vector_size = COLUMNS,
                                   .task = "tokens" };
    w->input.query_tokens.first += pool_count;
}

static void fill(world *w, uint64_t seed)
{
    icl_rng rng = icl_rng_new(seed, "tokens", "", "test");
    float words[WORDS * COLUMNS];
    for (size_t i = 0; i < WORDS * COLUMNS; i++) words[i] = (float)icl_rng_normal(&rng);
    icl_matrix_normalise_rows(words, words, WORDS, COLUMNS);
    w->first[0] = 0;
    for (size_t text = 0; text < POOL + QUERIES; text++) {
        int32_t ids[TOKENS_MAX];
        const size_t count = icl_rng_below(&rng, TOKENS_MAX + 1);
        for (size_t t = 0; t < count; t++) ids[t] = (int32_t)icl_rng_below(&rng, WORDS);
        add_text(w, text, words, ids, count);
    }
    describe(w, POOL, QUERIES);
}

static size_t query_length(const world *w, size_t query)
{
    const size_t *first = &w->input.query_tokens.first[query];
    return first[1] - first[0];
}

/* Mean over the query's tokens of the best cosine with a token of any of the items. */
static double recall(const world *w, size_t query, const size_t *items, size_t count)
{
    const size_t from = w->input.query_tokens.first[query], length = query_length(w, query);
    double sum = 0;
    for (size_t t = 0; t < length; t++) {
        double best = -1;
        for (size_t i = 0; i < count; i++)
            for (size_t u = w->first[items[i]]; u < w->first[items[i] + 1]; u++)
                best = fmax(best, icl_vector_dot(&w->vectors[(from + t) * COLUMNS],
                                                 &w->vectors[u * COLUMNS], COLUMNS));
        sum += best;
    }
    return length > 0 ? sum / (double)length : 0;
}

static bool contains(const size_t *items, size_t count, size_t item)
{
    for (size_t i = 0; i < count; i++)
        if (items[i] == item) return true;
    return false;
}

static void test_select_bsr__recall_equals_brute_force(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        world w;
        fill(&w, seed);
        icl_selection all = select_well(&w.input, "bsr(k=9)");
        for (size_t i = 0; i < QUERIES * POOL; i++) {
            assert_near(all.scores[i], recall(&w, i / POOL, &all.indices[i], 1), 1e-6);
            assert_true(all.scores[i] <= 1 + 1e-6);
            if (i % POOL > 0) assert_true(all.scores[i] <= all.scores[i - 1]);
        }
        icl_selection_deinit(&all);
    }
}

/* Each choice adds most to the recall of the set; when none adds anything a new set begins. */
static void test_select_bsr__sets_are_greedy_by_brute_force(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        world w;
        fill(&w, seed);
        icl_selection chosen = select_well(&w.input, "bsr(k=9, set=true)");
        for (size_t q = 0; q < QUERIES; q++) {
            const size_t *line = &chosen.indices[q * POOL];
            size_t layer = 0; /* where the current set begins */
            for (size_t step = 0; step < POOL; step++) {
                size_t trial[POOL];
                memcpy(trial, line, sizeof trial);
                double best = -2;
                const double before = step > layer ? recall(&w, q, line + layer, step - layer) : -2;
                for (int pass = 0; pass < 2 && best <= before + 1e-7; pass++) {
                    if (pass == 1) layer = step;
                    best = -2;
                    for (size_t i = 0; i < POOL; i++) {
                        trial[step] = i;
                        if (contains(line, step, i)) continue;
                        best = fmax(best, recall(&w, q, trial + layer, step - layer + 1));
                    }
                }
                assert_near(recall(&w, q, line + layer, step - layer + 1), best, 1e-6);
            }
        }
        icl_selection_deinit(&chosen);
    }
}

static void test_select_bsr__a_set_of_one_is_the_best_alone(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        world w;
        fill(&w, seed);
        icl_selection set = select_well(&w.input, "bsr(k=1, set=true)");
        icl_selection alone = select_well(&w.input, "bsr(k=1)");
        assert_memory_equal(set.indices, alone.indices, QUERIES * sizeof *set.indices);
        icl_selection_deinit(&alone);
        icl_selection_deinit(&set);
    }
}

/* Recall of a set, one added, is monotone, submodular and 0 for none: greedy reaches 1 - 1/e. */
static void test_select_bsr__sets_reach_the_greedy_bound(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        world w;
        fill(&w, seed);
        icl_selection chosen = select_well(&w.input, "bsr(k=3, set=true)");
        for (size_t q = 0; q < QUERIES; q++) {
            double best = -1;
            for (size_t i = 0; i < POOL; i++)
                for (size_t j = 0; j < i; j++)
                    for (size_t l = 0; l < j; l++) {
                        const size_t items[] = { i, j, l };
                        const double all = recall(&w, q, items, 3);
                        const double one = recall(&w, q, items, 1), two = recall(&w, q, items, 2);
                        const size_t others[] = { i, l };
                        assert_true(one <= two + 1e-9 && two <= all + 1e-9);
                        assert_true(all - two <= recall(&w, q, others, 2) - one + 1e-9);
                        best = fmax(best, all);
                    }
            const double reached = recall(&w, q, &chosen.indices[q * 3], 3);
            assert_true(reached + 1 >= (1 - exp(-1)) * (best + 1) - 1e-6);
        }
        icl_selection_deinit(&chosen);
    }
}

/* Unit vectors along three axes. Items: x, xy, y, z, y; query: x y. */
static void fill_axes(world *w)
{
    static const float words[] = { 1, 0, 0, 0, 1, 0, 0, 0, 1 };
    const int32_t x = 0, xy[] = { 0, 1 }, y = 1, z = 2;
    w->first[0] = 0;
    add_text(w, 0, words, &x, 1);
    add_text(w, 1, words, xy, 2);
    add_text(w, 2, words, &y, 1);
    add_text(w, 3, words, &z, 1);
    add_text(w, 4, words, &y, 1);
    add_text(w, 5, words, xy, 2);
    add_text(w, 6, words, NULL, 0);
    describe(w, 5, 2);
}

static void assert_line(const icl_selection *selection, size_t query, const size_t *expected)
{
    for (size_t i = 0; i < selection->k; i++)
        assert_int_equal(selection->indices[query * selection->k + i], expected[i]);
}

static void test_select_bsr__layers_and_closed_forms(void **state)
{
    (void)state;
    world w;
    fill_axes(&w);
    icl_selection alone = select_well(&w.input, "bsr(k=5)");
    assert_line(&alone, 0, (const size_t[]){ 1, 0, 2, 4, 3 });
    assert_line(&alone, 1, (const size_t[]){ 0, 1, 2, 3, 4 }); /* no tokens: all alike */
    assert_near(alone.scores[0], 1, 1e-7);
    assert_near(alone.scores[1], 0.5, 1e-7);
    assert_near(alone.scores[4], 0, 1e-7);
    icl_selection_deinit(&alone);
    /* xy covers all; then x and y together; then y, and z only when nothing else is left. */
    icl_selection set = select_well(&w.input, "bsr(k=5, set=true)");
    assert_line(&set, 0, (const size_t[]){ 1, 0, 2, 4, 3 });
    for (size_t i = 0; i < 5; i++) assert_near(set.scores[i], 0, 0);
    icl_selection_deinit(&set);
    icl_selection ranked = select_well(&w.input, "bsr(k=3, set=true, rank=recall)");
    assert_line(&ranked, 0, (const size_t[]){ 1, 0, 2 });
    assert_near(ranked.scores[2], 0.5, 1e-7);
    icl_selection_deinit(&ranked);
}

/* x stands in 2 of 5 items, y in 3: weights log(6/3) and log(6/4), scaled to sum 1. */
static void test_select_bsr__idf_favours_rare_tokens(void **state)
{
    (void)state;
    world w;
    fill_axes(&w);
    icl_selection selection = select_well(&w.input, "bsr(k=3, weights=idf)");
    const double x = log(2), y = log(1.5);
    assert_line(&selection, 0, (const size_t[]){ 1, 0, 2 });
    assert_near(selection.scores[0], 1, 1e-7);
    assert_near(selection.scores[1], x / (x + y), 1e-7);
    assert_near(selection.scores[2], y / (x + y), 1e-7);
    icl_selection_deinit(&selection);
}

static void test_select_bsr__asks_for_token_vectors(void **state)
{
    (void)state;
    world w;
    fill_axes(&w);
    w.input.pool_tokens = (icl_token_vectors){ 0 };
    icl_selection selection = { 0 };
    assert_int_equal(select_status(&selection, &w.input, "bsr(k=1)"), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "select method \"bsr\" needs token vectors");
}

static void test_select_bsr__refuses_vectors_that_are_no_numbers(void **state)
{
    (void)state;
    world w;
    fill_axes(&w);
    float *number = &w.vectors[w.first[1] * COLUMNS];
    icl_selection selection = { .k = 77 };
    *number = NAN;
    assert_int_equal(select_status(&selection, &w.input, "bsr(k=1)"), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "the vector of token 0 of pool item 1 is not finite");
    *number = 1;
    w.vectors[w.input.query_tokens.first[0] * COLUMNS] = INFINITY;
    assert_int_equal(select_status(&selection, &w.input, "bsr(k=1)"), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "the vector of token 0 of query 0 is not finite");
    assert_true(selection.k == 77 && selection.indices == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_bsr__recall_equals_brute_force),
        cmocka_unit_test(test_select_bsr__sets_are_greedy_by_brute_force),
        cmocka_unit_test(test_select_bsr__a_set_of_one_is_the_best_alone),
        cmocka_unit_test(test_select_bsr__sets_reach_the_greedy_bound),
        cmocka_unit_test(test_select_bsr__layers_and_closed_forms),
        cmocka_unit_test(test_select_bsr__idf_favours_rare_tokens),
        cmocka_unit_test(test_select_bsr__asks_for_token_vectors),
        cmocka_unit_test(test_select_bsr__refuses_vectors_that_are_no_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
