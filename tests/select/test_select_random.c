/* What random promises beyond the stage's laws: one draw for all queries or one for each, uniform,
 * and the same on every platform. */
#include <stdio.h>

#include "select/select_call.h"

enum { POOL = 5, QUERIES = 3000, K = 2 };

static char ids[QUERIES][32];
static const char *query_ids[QUERIES];
static size_t self[QUERIES];

static icl_select_input input_of(size_t queries)
{
    for (size_t q = 0; q < queries; q++) {
        snprintf(ids[q], sizeof ids[q], "%zu", q);
        query_ids[q] = ids[q];
        self[q] = SIZE_MAX;
    }
    return (icl_select_input){ .pool_count = POOL,
                               .query_count = queries,
                               .query_self = self,
                               .query_ids = query_ids,
                               .task = "random",
                               .seed = 1 };
}

static void test_select_random__is_fixed_for_all_queries_by_default(void **state)
{
    (void)state;
    const icl_select_input input = input_of(50);
    icl_selection selection = select_well(&input, "random(k=2)");
    for (size_t q = 1; q < 50; q++)
        assert_memory_equal(&selection.indices[q * K], selection.indices,
                            K * sizeof *selection.indices);
    icl_selection_deinit(&selection);
}

/* A query that was drawn itself sees the next of the sequence; the others' places do not move. */
static void test_select_random__a_query_in_the_draw_takes_the_next(void **state)
{
    (void)state;
    icl_select_input input = input_of(2);
    icl_selection three = select_well(&input, "random(k=3)");
    self[1] = three.indices[0];
    icl_selection two = select_well(&input, "random(k=2)");
    assert_int_equal(two.indices[0], three.indices[0]);
    assert_int_equal(two.indices[1], three.indices[1]);
    assert_int_equal(two.indices[2], three.indices[1]);
    assert_int_equal(two.indices[3], three.indices[2]);
    icl_selection_deinit(&two);
    icl_selection_deinit(&three);
}

/* Chi-square over the 20 ordered pairs, 19 degrees of freedom: 43.8 is exceeded once in 1000. */
static void test_select_random__per_query_draws_are_uniform(void **state)
{
    (void)state;
    const icl_select_input input = input_of(QUERIES);
    icl_selection selection = select_well(&input, "random(k=2, per_query=true)");
    size_t counts[POOL][POOL] = { { 0 } };
    for (size_t q = 0; q < QUERIES; q++)
        counts[selection.indices[q * K]][selection.indices[q * K + 1]]++;
    const double expected = (double)QUERIES / (POOL * (POOL - 1));
    double chi_square = 0;
    for (size_t a = 0; a < POOL; a++) {
        assert_int_equal(counts[a][a], 0);
        for (size_t b = 0; b < POOL; b++) {
            const double off = (double)counts[a][b] - expected;
            if (a != b) chi_square += off * off / expected;
        }
    }
    assert_true(chi_square < 43.8);
    icl_selection_deinit(&selection);
}

static void test_select_random__seed_and_task_change_the_draw(void **state)
{
    (void)state;
    icl_select_input input = input_of(100);
    icl_selection one = select_well(&input, "random(k=4, per_query=true)");
    input.seed = 2;
    icl_selection two = select_well(&input, "random(k=4, per_query=true)");
    input.seed = 1;
    input.task = "other";
    icl_selection three = select_well(&input, "random(k=4, per_query=true)");
    const size_t bytes = 100 * 4 * sizeof *one.indices;
    assert_memory_not_equal(one.indices, two.indices, bytes);
    assert_memory_not_equal(one.indices, three.indices, bytes);
    icl_selection_deinit(&three);
    icl_selection_deinit(&two);
    icl_selection_deinit(&one);
}

/* Stored draws: a change of the generator or of its keys would change every published result. */
static void test_select_random__draws_stay_what_they_were(void **state)
{
    (void)state;
    const icl_select_input input = input_of(2);
    icl_selection fixed = select_well(&input, "random(k=5)");
    icl_selection own = select_well(&input, "random(k=5, per_query=true)");
    const size_t expected_fixed[] = { 2, 3, 4, 0, 1, 2, 3, 4, 0, 1 };
    const size_t expected_own[] = { 3, 2, 1, 0, 4, 1, 0, 4, 3, 2 };
    assert_memory_equal(fixed.indices, expected_fixed, sizeof expected_fixed);
    assert_memory_equal(own.indices, expected_own, sizeof expected_own);
    icl_selection_deinit(&own);
    icl_selection_deinit(&fixed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_random__is_fixed_for_all_queries_by_default),
        cmocka_unit_test(test_select_random__a_query_in_the_draw_takes_the_next),
        cmocka_unit_test(test_select_random__per_query_draws_are_uniform),
        cmocka_unit_test(test_select_random__seed_and_task_change_the_draw),
        cmocka_unit_test(test_select_random__draws_stay_what_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
