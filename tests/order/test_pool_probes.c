#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "order/pool_probes.h"

enum { POOL = 12, QUERIES = 3, K = 3 };

static const size_t selected[QUERIES * K] = { 7, 2, 9, /**/ 9, 7, 2, /**/ 7, 2, 8 };
static const char *const ids[QUERIES] = { "a", "b", "c" };
static const size_t selves[QUERIES] = { SIZE_MAX, 5, SIZE_MAX };

static icl_order_input input(void)
{
    return (icl_order_input){ .query_count = QUERIES,
                              .k = K,
                              .indices = selected,
                              .pool_count = POOL,
                              .query_ids = ids,
                              .query_self = selves };
}

/* As many as are asked for or are left, without repeats, demonstrations and the query itself. */
static void assert_lawful(const icl_order_input *given, icl_group_by by, size_t wanted)
{
    icl_order_groups groups = { 0 };
    icl_pool_probes probes = { 0 };
    assert_int_equal(icl_order_groups_make(&groups, given, by), 0);
    assert_int_equal(icl_pool_probes_draw(&probes, given, &groups, wanted), 0);
    const size_t left = POOL - K - 1;
    assert_int_equal(probes.count, wanted < left ? wanted : left);
    for (size_t g = 0; g < groups.count; g++) {
        bool taken[POOL] = { false };
        for (size_t i = 0; i < K; i++) taken[groups.sets[g * K + i]] = true;
        if (groups.selves[g] != SIZE_MAX) taken[groups.selves[g]] = true;
        for (size_t i = 0; i < probes.count; i++) {
            const size_t item = probes.items[g * probes.count + i];
            assert_true(item < POOL);
            assert_false(taken[item]);
            taken[item] = true;
        }
    }
    icl_pool_probes_deinit(&probes);
    icl_order_groups_deinit(&groups);
}

static void test_pool_probes__are_neither_shown_nor_the_query(void **state)
{
    (void)state;
    const icl_order_input given = input();
    for (size_t wanted = 0; wanted <= POOL; wanted++) {
        assert_lawful(&given, ICL_GROUP_BY_SET, wanted);
        assert_lawful(&given, ICL_GROUP_BY_SET_SELF, wanted);
        assert_lawful(&given, ICL_GROUP_BY_QUERY, wanted);
    }
}

static void test_pool_probes__a_pool_that_is_all_shown_has_none(void **state)
{
    (void)state;
    icl_order_input given = input();
    given.pool_count = K;
    given.query_count = 1;
    given.indices = (const size_t[]){ 2, 0, 1 };
    icl_order_groups groups = { 0 };
    icl_pool_probes probes = { 0 };
    assert_int_equal(icl_order_groups_make(&groups, &given, ICL_GROUP_BY_SET), 0);
    assert_int_equal(icl_pool_probes_draw(&probes, &given, &groups, 5), 0);
    assert_int_equal(probes.count, 0);
    icl_pool_probes_deinit(&probes);
    icl_order_groups_deinit(&groups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_probes__are_neither_shown_nor_the_query),
        cmocka_unit_test(test_pool_probes__a_pool_that_is_all_shown_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
