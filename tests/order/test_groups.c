#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "order/groups.h"

enum { QUERIES = 4, K = 3 };

static const size_t selected[QUERIES * K] = { 7, 2, 9, /**/ 9, 7, 2, /**/ 7, 2, 8, /**/ 2, 7, 9 };
static const char *const ids[QUERIES] = { "a", "b", "c", "d" };
static const size_t selves[QUERIES] = { SIZE_MAX, SIZE_MAX, SIZE_MAX, 5 };

static icl_order_input input(void)
{
    return (icl_order_input){
        .query_count = QUERIES, .k = K, .indices = selected, .query_ids = ids, .query_self = selves
    };
}

static void test_groups__equal_sets_are_one_group(void **state)
{
    (void)state;
    const icl_order_input given = input();
    icl_order_groups groups = { 0 };
    assert_int_equal(icl_order_groups_make(&groups, &given, ICL_GROUP_BY_SET), 0);
    assert_int_equal(groups.count, 2);
    assert_memory_equal(groups.of, ((size_t[]){ 0, 0, 1, 0 }), sizeof(size_t[4]));
    assert_memory_equal(groups.sets, ((size_t[]){ 2, 7, 9, 2, 7, 8 }), sizeof(size_t[6]));
    assert_string_equal(groups.keys[0], "2,7,9");
    assert_int_equal(groups.first[1], 2);
    icl_order_groups_deinit(&groups);
}

static void test_groups__a_query_of_the_pool_stands_alone_where_labels_are_seen(void **state)
{
    (void)state;
    const icl_order_input given = input();
    icl_order_groups groups = { 0 };
    assert_int_equal(icl_order_groups_make(&groups, &given, ICL_GROUP_BY_SET_SELF), 0);
    assert_int_equal(groups.count, 3);
    assert_string_equal(groups.keys[2], "2,7,9@5");
    icl_order_groups_deinit(&groups);
    assert_int_equal(icl_order_groups_make(&groups, &given, ICL_GROUP_BY_QUERY), 0);
    assert_int_equal(groups.count, QUERIES);
    assert_string_equal(groups.keys[1], "b");
    icl_order_groups_deinit(&groups);
}

static void test_groups__a_decision_is_written_in_every_query_s_own_ranks(void **state)
{
    (void)state;
    const icl_order_input given = input();
    icl_order_groups groups = { 0 };
    assert_int_equal(icl_order_groups_make(&groups, &given, ICL_GROUP_BY_SET), 0);
    /* Items 9, 2, 7 are shown to the first group, 2, 7, 8 to the second. */
    const size_t orders[] = { 2, 0, 1, 0, 1, 2 };
    size_t lines[QUERIES * K] = { 0 };
    icl_ordering out = { .query_count = QUERIES, .k = K, .permutations = lines };
    icl_order_groups_write(&out, &groups, orders);
    for (size_t q = 0; q < QUERIES; q++)
        for (size_t p = 0; p < K; p++)
            assert_int_equal(selected[q * K + lines[q * K + p]],
                             groups.sets[groups.of[q] * K + orders[groups.of[q] * K + p]]);
    icl_order_groups_deinit(&groups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups__equal_sets_are_one_group),
        cmocka_unit_test(test_groups__a_query_of_the_pool_stands_alone_where_labels_are_seen),
        cmocka_unit_test(test_groups__a_decision_is_written_in_every_query_s_own_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
