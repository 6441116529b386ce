/* The split of the pool into candidates and development items, and the way from scores to
 * demonstrations. */
#include <math.h>

#include "near.h"
#include "select/corpus.h"
#include "select/select_call.h"

enum { POOL = 31, LABELS = 4, QUERIES = 2 };

static size_t labels[POOL];
static const char *const query_ids[QUERIES] = { "a", "b" };

/* Label 2 does not occur, label 3 has a single item, labels 0 and 1 fifteen each. */
static icl_select_input input_of(void)
{
    for (size_t i = 0; i < POOL; i++) labels[i] = i == 12 ? 3 : i < 12 ? i % 2 : (i + 1) % 2;
    return (icl_select_input){ .pool_count = POOL,
                               .query_count = QUERIES,
                               .label_count = LABELS,
                               .pool_labels = labels,
                               .query_ids = query_ids,
                               .task = "corpus",
                               .seed = 2 };
}

static void count_labels(size_t counts[LABELS], const size_t *items, size_t count)
{
    memset(counts, 0, LABELS * sizeof *counts);
    for (size_t i = 0; i < count; i++) counts[labels[items[i]]]++;
}

static icl_split draw(const icl_select_input *input, size_t candidates_max, size_t dev_max)
{
    icl_split split = { 0 };
    const icl_split_sizes sizes = { .candidates_max = candidates_max, .dev_max = dev_max };
    assert_int_equal(icl_split_draw(&split, input, "test", &sizes), ICL_OK);
    return split;
}

static void test_corpus__a_split_is_disjoint_and_balanced(void **state)
{
    (void)state;
    const icl_select_input input = input_of();
    icl_split split = draw(&input, 11, 8);
    assert_int_equal(split.candidate_count, 11);
    assert_int_equal(split.dev_count, 8);
    bool seen[POOL] = { false };
    for (size_t i = 0; i < 11; i++) {
        assert_true(i == 0 || split.candidates[i] > split.candidates[i - 1]);
        seen[split.candidates[i]] = true;
    }
    for (size_t i = 0; i < 8; i++) {
        assert_true(i == 0 || split.dev[i] > split.dev[i - 1]);
        assert_false(seen[split.dev[i]]);
    }
    size_t counts[LABELS];
    count_labels(counts, split.dev, 8);
    assert_true(counts[0] == 4 && counts[1] == 4 && counts[3] == 0);
    count_labels(counts, split.candidates, 11);
    assert_true(counts[0] == 5 && counts[1] == 5 && counts[3] == 1);
    icl_split_deinit(&split);
}

/* However many are wanted, a class keeps the larger half of its items as candidates. */
static void test_corpus__a_class_gives_at_most_half(void **state)
{
    (void)state;
    const icl_select_input input = input_of();
    icl_split split = draw(&input, 0, 1000);
    size_t counts[LABELS];
    count_labels(counts, split.dev, split.dev_count);
    assert_true(counts[0] == 7 && counts[1] == 7 && counts[3] == 0);
    assert_int_equal(split.candidate_count, POOL - 14);
    icl_split_deinit(&split);

    split = draw(&input, 0, 0); /* nothing to measure on: everyone is a candidate */
    assert_int_equal(split.candidate_count, POOL);
    assert_int_equal(split.dev_count, 0);
    icl_split_deinit(&split);
}

static void test_corpus__the_seed_decides_the_split(void **state)
{
    (void)state;
    icl_select_input input = input_of();
    icl_split first = draw(&input, 8, 8), again = draw(&input, 8, 8);
    assert_memory_equal(first.dev, again.dev, 8 * sizeof *first.dev);
    input.seed++;
    icl_split other = draw(&input, 8, 8);
    assert_memory_not_equal(first.dev, other.dev, 8 * sizeof *first.dev);
    icl_split_deinit(&other);
    icl_split_deinit(&again);
    icl_split_deinit(&first);
}

static void test_corpus__unmeasured_items_rank_last(void **state)
{
    (void)state;
    const double scores[] = { NAN, 1, 3, NAN, 3, -5 };
    size_t ranking[6];
    assert_int_equal(icl_corpus_measured(scores, 6), 4);
    assert_int_equal(icl_corpus_rank(ranking, scores, 6), ICL_OK);
    assert_memory_equal(ranking, ((const size_t[]){ 2, 4, 1, 5, 0, 3 }), sizeof ranking);
}

static void test_corpus__balance_takes_quotas_then_the_best(void **state)
{
    (void)state;
    const size_t classes[] = { 0, 0, 0, 0, 1, 1, 2 };
    const struct {
        size_t keep, front[7];
    } cases[] = {
        { 3, { 0, 4, 6, 1, 2, 3, 5 } }, /* one each */
        { 5, { 0, 1, 2, 4, 6, 3, 5 } }, /* one each, then the two best */
        { 7, { 0, 1, 2, 3, 4, 5, 6 } },
        { 0, { 0, 1, 2, 3, 4, 5, 6 } },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t ranking[] = { 0, 1, 2, 3, 4, 5, 6 };
        assert_int_equal(icl_corpus_balance(ranking, 7, cases[c].keep, classes, 3), ICL_OK);
        assert_memory_equal(ranking, cases[c].front, sizeof ranking);
    }
}

/* The second query is the best item itself: it goes on to the next ones. */
static void test_corpus__a_query_in_the_pool_gets_the_next_best(void **state)
{
    (void)state;
    icl_select_input input = input_of();
    const size_t self[] = { SIZE_MAX, 7 };
    input.query_self = self;
    double scores[POOL];
    for (size_t i = 0; i < POOL; i++) scores[i] = NAN;
    scores[7] = 0.5, scores[3] = 0.25;
    size_t indices[4];
    double given[4];
    icl_selection out = { .query_count = 2, .k = 2, .indices = indices, .scores = given };
    assert_int_equal(icl_corpus_choose(&out, &input, scores, &(icl_corpus_choice){ 0 }), ICL_OK);
    assert_memory_equal(indices, ((const size_t[]){ 7, 3, 3, 0 }), sizeof indices);
    assert_near(given[0], 0.5, 0);
    assert_near(given[2], 0.25, 0);
    assert_near(given[3], -0.75, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus__a_split_is_disjoint_and_balanced),
        cmocka_unit_test(test_corpus__a_class_gives_at_most_half),
        cmocka_unit_test(test_corpus__the_seed_decides_the_split),
        cmocka_unit_test(test_corpus__unmeasured_items_rank_last),
        cmocka_unit_test(test_corpus__balance_takes_quotas_then_the_best),
        cmocka_unit_test(test_corpus__a_query_in_the_pool_gets_the_next_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
