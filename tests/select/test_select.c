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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select__methods_are_listed_in_order),
        cmocka_unit_test(test_select__unknown_name_offers_the_nearest_or_all),
        cmocka_unit_test(test_select__label_outside_the_space_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
