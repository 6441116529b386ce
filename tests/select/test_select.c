/* The registry's answers and the checks that every selection passes first. */
#include "select/select_call.h"

static void test_select__methods_are_listed_in_order(void **state)
{
    (void)state;
    const char *const names[] = { "random", "balanced", "knn", "bm25" };
    size_t count = 0, card_count = 0;
    const icl_select_method *const *methods = icl_select_methods(&count);
    const icl_card *const *cards = icl_select_cards(&card_count);
    assert_int_equal(count, card_count);
    assert_true(count >= 4);
    for (size_t i = 0; i < 4; i++) assert_string_equal(cards[i]->name, names[i]);
    for (size_t i = 0; i < count; i++) assert_ptr_equal(&methods[i]->card, cards[i]);
}

static void test_select__unknown_name_offers_the_nearest_or_all(void **state)
{
    (void)state;
    const icl_select_method *method = NULL;
    assert_int_equal(icl_select_find(&method, "kn"), ICL_ENOTFOUND);
    assert_string_equal(icl_error_message(), "unknown select method \"kn\"; did you mean \"knn\"?");
    assert_int_equal(icl_select_find(&method, "zzzzzzzz"), ICL_ENOTFOUND);
    assert_non_null(strstr(icl_error_message(), "random, balanced, knn, bm25"));
    assert_null(method);
}

static void test_select__label_outside_the_space_is_refused(void **state)
{
    (void)state;
    const char *const texts[] = { "a", "b" }, *const queries[] = { "q" }, *const ids[] = { "q" };
    const size_t labels[] = { 0, 2 };
    const icl_select_input input = { .pool_count = 2,
                                     .query_count = 1,
                                     .label_count = 2,
                                     .pool_texts = texts,
                                     .query_texts = queries,
                                     .pool_labels = labels,
                                     .query_ids = ids,
                                     .task = "t" };
    icl_selection selection = { 0 };
    assert_int_equal(select_status(&selection, &input, "random(k=1)"), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "pool item 1 has label 2, but the label space has 2 labels");
}

/* Rows of a pool of five: the first in order with equal scores, with unequal ones, others than the
 * first, and the first but for the query itself. */
static void test_select__rows_that_the_pools_order_decided_are_counted(void **state)
{
    (void)state;
    const size_t selves[] = { SIZE_MAX, SIZE_MAX, SIZE_MAX, 1 };
    size_t indices[] = { 0, 1, 0, 1, 1, 2, 0, 2 };
    double scores[] = { 0, 0, 2, 1, 3, 3, 7, 7 };
    const icl_selection selection = {
        .query_count = 4, .k = 2, .indices = indices, .scores = scores
    };
    icl_select_input input = { .pool_count = 5, .query_count = 4, .query_self = selves };
    const icl_select_method *knn = NULL, *drawn = NULL;
    assert_int_equal(icl_select_find(&knn, "knn"), ICL_OK);
    assert_int_equal(icl_select_find(&drawn, "random"), ICL_OK);
    assert_int_equal(icl_select_undecided(&selection, knn, &input, 4), 2);
    assert_int_equal(icl_select_undecided(&selection, knn, &input, 3), 1);
    assert_int_equal(icl_select_undecided(&selection, drawn, &input, 4), 0);
    input.pool_count = 2; /* nothing to choose from; the last query has itself in it */
    assert_int_equal(icl_select_undecided(&selection, knn, &input, 3), 0);
    const icl_selection single = { .query_count = 4, .k = 1, .indices = indices, .scores = scores };
    input.pool_count = 5;
    assert_int_equal(icl_select_undecided(&single, knn, &input, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select__methods_are_listed_in_order),
        cmocka_unit_test(test_select__unknown_name_offers_the_nearest_or_all),
        cmocka_unit_test(test_select__label_outside_the_space_is_refused),
        cmocka_unit_test(test_select__rows_that_the_pools_order_decided_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
