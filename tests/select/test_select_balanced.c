/* Counts per class, shortages, and the share of the remainder. */
#include <stdio.h>

#include "select/select_call.h"

enum { POOL = 30, QUERIES = 200, LABELS = 4 };

static char ids[QUERIES][32];
static const char *query_ids[QUERIES];
static size_t labels[POOL];

/* Labels 0, 1 and 3 stand in the pool, label 2 does not; label 3 has two members. */
static icl_select_input input_of(size_t queries)
{
    for (size_t i = 0; i < POOL; i++) labels[i] = i < 2 ? 3 : i % 2;
    for (size_t q = 0; q < queries; q++) {
        snprintf(ids[q], sizeof ids[q], "%zu", q);
        query_ids[q] = ids[q];
    }
    return (icl_select_input){ .pool_count = POOL,
                               .query_count = queries,
                               .label_count = LABELS,
                               .pool_labels = labels,
                               .query_ids = query_ids,
                               .task = "balanced",
                               .seed = 1 };
}

static void count_labels(size_t counts[LABELS], const icl_selection *selection, size_t query)
{
    memset(counts, 0, LABELS * sizeof *counts);
    for (size_t i = 0; i < selection->k; i++)
        counts[labels[selection->indices[query * selection->k + i]]]++;
}

static void test_select_balanced__every_class_gets_the_same(void **state)
{
    (void)state;
    const icl_select_input input = input_of(QUERIES);
    icl_selection selection = select_well(&input, "balanced(k=6, per_query=true)");
    for (size_t q = 0; q < QUERIES; q++) {
        size_t counts[LABELS];
        count_labels(counts, &selection, q);
        assert_true(counts[0] == 2 && counts[1] == 2 && counts[2] == 0 && counts[3] == 2);
    }
    icl_selection_deinit(&selection);
}

static void test_select_balanced__the_remainder_goes_to_random_classes(void **state)
{
    (void)state;
    const icl_select_input input = input_of(QUERIES);
    icl_selection selection = select_well(&input, "balanced(k=4, per_query=true)");
    size_t extra[LABELS] = { 0 };
    for (size_t q = 0; q < QUERIES; q++) {
        size_t counts[LABELS];
        count_labels(counts, &selection, q);
        for (size_t label = 0; label < LABELS; label++) {
            assert_true(label == 2 || counts[label] == 1 || counts[label] == 2);
            if (counts[label] == 2) extra[label]++;
        }
    }
    assert_int_equal(extra[0] + extra[1] + extra[3], QUERIES);
    /* A third of 200 each; below 40 or above 95 is more than four standard deviations off. */
    assert_in_range(extra[0], 40, 95);
    assert_in_range(extra[1], 40, 95);
    assert_in_range(extra[3], 40, 95);
    icl_selection_deinit(&selection);
}

static void test_select_balanced__what_a_class_lacks_the_others_share(void **state)
{
    (void)state;
    const icl_select_input input = input_of(1);
    size_t counts[LABELS];
    icl_selection selection = select_well(&input, "balanced(k=12)");
    count_labels(counts, &selection, 0);
    assert_true(counts[0] == 5 && counts[1] == 5 && counts[3] == 2);
    icl_selection_deinit(&selection);
}

/* A member of the small class sees one less of its own class, and one more of another. */
static void test_select_balanced__a_query_in_the_pool_does_not_count_for_its_class(void **state)
{
    (void)state;
    icl_select_input input = input_of(1);
    const size_t self[] = { 0 };
    input.query_self = self;
    size_t counts[LABELS];
    icl_selection selection = select_well(&input, "balanced(k=6)");
    count_labels(counts, &selection, 0);
    assert_int_equal(counts[3], 1);
    assert_int_equal(counts[0] + counts[1], 5);
    icl_selection_deinit(&selection);
}

static void test_select_balanced__is_fixed_for_all_queries_by_default(void **state)
{
    (void)state;
    const icl_select_input input = input_of(20);
    icl_selection selection = select_well(&input, "balanced(k=8)");
    for (size_t q = 1; q < 20; q++)
        assert_memory_equal(&selection.indices[q * 8], selection.indices,
                            8 * sizeof *selection.indices);
    icl_selection_deinit(&selection);
}

/* Dealt class by class and not shuffled, the first three would always be of three classes. */
static void test_select_balanced__the_hand_is_shuffled(void **state)
{
    (void)state;
    const icl_select_input input = input_of(QUERIES);
    icl_selection selection = select_well(&input, "balanced(k=6, per_query=true)");
    size_t same = 0;
    for (size_t q = 0; q < QUERIES; q++)
        same += labels[selection.indices[q * 6]] == labels[selection.indices[q * 6 + 1]];
    assert_in_range(same, 15, 70); /* one in five expected: 40 of 200 */
    icl_selection_deinit(&selection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_balanced__every_class_gets_the_same),
        cmocka_unit_test(test_select_balanced__the_remainder_goes_to_random_classes),
        cmocka_unit_test(test_select_balanced__what_a_class_lacks_the_others_share),
        cmocka_unit_test(test_select_balanced__a_query_in_the_pool_does_not_count_for_its_class),
        cmocka_unit_test(test_select_balanced__is_fixed_for_all_queries_by_default),
        cmocka_unit_test(test_select_balanced__the_hand_is_shuffled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
