/* The registry's answers, and what each order promises beyond the stage's laws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "order/order.h"
#include "order_call.h"

enum { QUERIES = 6000, K = 3 };

static size_t indices[QUERIES * K];
static double scores[QUERIES * K];
static char ids[QUERIES][32];
static const char *query_ids[QUERIES];

static icl_order_input input_of(size_t queries, size_t k)
{
    for (size_t q = 0; q < queries; q++) {
        snprintf(ids[q], sizeof ids[q], "%zu", q);
        query_ids[q] = ids[q];
    }
    return (icl_order_input){ .query_count = queries,
                              .k = k,
                              .indices = indices,
                              .scores = scores,
                              .pool_count = 100000,
                              .query_ids = query_ids,
                              .task = "order",
                              .seed = 1 };
}

static void test_order__methods_are_listed_and_found(void **state)
{
    (void)state;
    const char *const names[] = { "given", "random", "nearest-last" };
    size_t count = 0, card_count = 0;
    const icl_order_method *const *methods = icl_order_methods(&count);
    const icl_card *const *cards = icl_order_cards(&card_count);
    assert_int_equal(count, card_count);
    assert_true(count >= 3);
    for (size_t i = 0; i < 3; i++) assert_string_equal(cards[i]->name, names[i]);
    for (size_t i = 0; i < count; i++) assert_ptr_equal(&methods[i]->card, cards[i]);
    const icl_order_method *method = NULL;
    assert_int_equal(icl_order_find(&method, "nearest_last"), ICL_ENOTFOUND);
    assert_string_equal(icl_error_message(),
                        "unknown order method \"nearest_last\"; did you mean \"nearest-last\"?");
}

static void test_order_given__keeps_the_selected_sequence(void **state)
{
    (void)state;
    const icl_order_input input = input_of(2, K);
    icl_ordering ordering = order_well(&input, "given");
    const size_t expected[] = { 0, 1, 2, 0, 1, 2 };
    assert_memory_equal(ordering.permutations, expected, sizeof expected);
    icl_ordering_deinit(&ordering);
}

static void test_order_nearest_last__the_best_score_stands_last(void **state)
{
    (void)state;
    const icl_order_input input = input_of(3, K);
    const double given[] = { 0.9, 0.5, 0.1, -3, -1, -2, 0.5, 0.7, 0.5 };
    memcpy(scores, given, sizeof given);
    icl_ordering ordering = order_well(&input, "nearest-last");
    /* In the last line two are equal: the one selected earlier stands nearer to the query. */
    const size_t expected[] = { 2, 1, 0, 0, 2, 1, 2, 0, 1 };
    assert_memory_equal(ordering.permutations, expected, sizeof expected);
    icl_ordering_deinit(&ordering);
}

static void test_order_random__same_demonstrations_get_the_same_order(void **state)
{
    (void)state;
    const icl_order_input input = input_of(40, K);
    for (size_t i = 0; i < 40 * K; i++) indices[i] = i % K + 10 * (i / K % 2);
    icl_ordering ordering = order_well(&input, "random");
    for (size_t q = 2; q < 40; q++)
        assert_memory_equal(&ordering.permutations[q * K], &ordering.permutations[q % 2 * K],
                            K * sizeof *ordering.permutations);
    icl_ordering_deinit(&ordering);

    ordering = order_well(&input, "random(per_query=true)");
    size_t differing = 0;
    for (size_t q = 2; q < 40; q++)
        differing += memcmp(&ordering.permutations[q * K], &ordering.permutations[q % 2 * K],
                            K * sizeof *ordering.permutations) != 0;
    assert_true(differing > 10);
    icl_ordering_deinit(&ordering);
}

/* Chi-square over the six orders of three, five degrees of freedom: 20.5 is exceeded once in 1000.
 */
static void assert_uniform(const icl_order_input *input, const char *text)
{
    icl_ordering ordering = order_well(input, text);
    size_t counts[K][K] = { { 0 } };
    for (size_t q = 0; q < QUERIES; q++)
        counts[ordering.permutations[q * K]][ordering.permutations[q * K + 1]]++;
    double chi_square = 0;
    for (size_t a = 0; a < K; a++) {
        for (size_t b = 0; b < K; b++) {
            const double off = (double)counts[a][b] - QUERIES / 6.0;
            if (a != b) chi_square += off * off / (QUERIES / 6.0);
        }
    }
    assert_true(chi_square < 20.5);
    icl_ordering_deinit(&ordering);
}

static void test_order_random__orders_are_uniform(void **state)
{
    (void)state;
    const icl_order_input input = input_of(QUERIES, K);
    for (size_t i = 0; i < QUERIES * K; i++) indices[i] = i;
    assert_uniform(&input, "random");
    assert_uniform(&input, "random(per_query=true)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order__methods_are_listed_and_found),
        cmocka_unit_test(test_order_given__keeps_the_selected_sequence),
        cmocka_unit_test(test_order_nearest_last__the_best_score_stands_last),
        cmocka_unit_test(test_order_random__same_demonstrations_get_the_same_order),
        cmocka_unit_test(test_order_random__orders_are_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
