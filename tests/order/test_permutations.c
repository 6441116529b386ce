#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "order/permutations.h"

static void assert_lawful(const icl_permutations *orders)
{
    for (size_t i = 0; i < orders->count; i++) {
        const size_t *row = &orders->rows[i * orders->k];
        uint64_t seen = 0;
        for (size_t p = 0; p < orders->k; p++) {
            assert_true(row[p] < orders->k);
            seen |= UINT64_C(1) << row[p];
        }
        assert_true(seen == (UINT64_C(1) << orders->k) - 1);
        size_t equal = 0;
        while (i > 0 && equal < orders->k && row[equal] == (row - orders->k)[equal]) equal++;
        if (i > 0) assert_true(equal < orders->k && row[equal] > (row - orders->k)[equal]);
    }
}

static void test_permutations__all_orders_ascend(void **state)
{
    (void)state;
    static const size_t three[] = { 0, 1, 2, 0, 2, 1, 1, 0, 2, 1, 2, 0, 2, 0, 1, 2, 1, 0 };
    icl_permutations orders = { 0 };
    assert_int_equal(icl_permutations_all(&orders, 3), 0);
    assert_int_equal(orders.count, 6);
    assert_memory_equal(orders.rows, three, sizeof three);
    icl_permutations_deinit(&orders);
    for (size_t k = 0; k <= 7; k++) {
        assert_int_equal(icl_permutations_all(&orders, k), 0);
        assert_int_equal(orders.count, icl_factorial(k));
        assert_lawful(&orders);
        icl_permutations_deinit(&orders);
    }
    assert_true(icl_factorial(20) == 2432902008176640000u && icl_factorial(21) == SIZE_MAX);
}

/* The table of all orders: a demonstration is read once for every distinct beginning. */
static void test_permutations__all_orders_have_e_times_factorial_segments(void **state)
{
    (void)state;
    static const size_t segments[] = { 15, 64, 325, 1956, 13699, 109600 };
    for (size_t k = 3; k <= 8; k++) {
        icl_permutations orders = { 0 };
        assert_int_equal(icl_permutations_all(&orders, k), 0);
        assert_int_equal(icl_permutations_segments(&orders), segments[k - 3]);
        assert_int_equal(segments[k - 3], (size_t)floor(exp(1) * (double)icl_factorial(k)) - 1);
        icl_permutations_deinit(&orders);
    }
}

static void test_permutations__a_sample_is_distinct_and_repeats_with_its_seed(void **state)
{
    (void)state;
    for (size_t k = 0; k <= 30; k += k < 6 ? 1 : 8)
        for (size_t count = 1; count <= 130; count += 43) {
            icl_permutations first = { 0 }, again = { 0 };
            icl_rng rng = icl_rng_new(5, "task", "", "test");
            assert_int_equal(icl_permutations_sample(&first, k, count, &rng), 0);
            const size_t all = icl_factorial(k);
            assert_int_equal(first.count, count < all ? count : all);
            assert_lawful(&first);
            rng = icl_rng_new(5, "task", "", "test");
            assert_int_equal(icl_permutations_sample(&again, k, count, &rng), 0);
            assert_memory_equal(first.rows, again.rows, first.count * k * sizeof *first.rows);
            icl_permutations_deinit(&again);
            icl_permutations_deinit(&first);
        }
}

/* Pairs of the six orders of three: each of the fifteen is drawn in a fifteenth of the trials,
 * whether a sample is drawn or thinned out of all. Chi-square with 14 degrees of freedom exceeds
 * 36.1 with probability 0.001. */
static void assert_uniform_sets(size_t count, size_t sets, double bound)
{
    enum { TRIALS = 15000 };
    size_t drawn[64] = { 0 };
    icl_permutations all = { 0 };
    assert_int_equal(icl_permutations_all(&all, 3), 0);
    icl_rng rng = icl_rng_new(count, "uniform", "", "test");
    for (size_t trial = 0; trial < TRIALS; trial++) {
        icl_permutations sample = { 0 };
        assert_int_equal(icl_permutations_sample(&sample, 3, count, &rng), 0);
        size_t set = 0;
        for (size_t i = 0; i < sample.count; i++)
            for (size_t j = 0; j < all.count; j++)
                if (memcmp(&sample.rows[i * 3], &all.rows[j * 3], 3 * sizeof *all.rows) == 0)
                    set |= (size_t)1 << j;
        drawn[set]++;
        icl_permutations_deinit(&sample);
    }
    icl_permutations_deinit(&all);
    const double expected = (double)TRIALS / (double)sets;
    double chi_square = 0;
    size_t kinds = 0;
    for (size_t set = 0; set < 64; set++) {
        if (drawn[set] == 0) continue;
        kinds++;
        chi_square += pow((double)drawn[set] - expected, 2) / expected;
    }
    assert_int_equal(kinds, sets);
    assert_true(chi_square < bound);
}

static void test_permutations__every_sample_is_equally_likely(void **state)
{
    (void)state;
    assert_uniform_sets(1, 6, 20.5);  /* 5 degrees of freedom */
    assert_uniform_sets(2, 15, 36.1); /* drawn */
    assert_uniform_sets(3, 20, 43.8); /* drawn; 19 degrees of freedom */
    assert_uniform_sets(4, 15, 36.1); /* thinned */
}

static void test_permutations__a_tree_shares_beginnings(void **state)
{
    (void)state;
    icl_permutations tree = { 0 }, sample = { 0 };
    icl_rng rng = icl_rng_new(1, "tree", "", "test");
    assert_int_equal(icl_permutations_sample_tree(&tree, 8, 0, 24, &rng), 0);
    assert_int_equal(tree.count, 24);
    assert_lawful(&tree);
    /* 4 + 4 x 3 + 4 x 3 x 2 beginnings, then 24 at each of the other five places. */
    assert_int_equal(icl_permutations_segments(&tree), 4 + 12 + 6 * 24);
    assert_int_equal(icl_permutations_sample(&sample, 8, 24, &rng), 0);
    assert_true(icl_permutations_segments(&sample) > icl_permutations_segments(&tree));
    icl_permutations_deinit(&sample);
    icl_permutations_deinit(&tree);

    /* Only the last four change: the four before are read once. */
    assert_int_equal(icl_permutations_sample_tree(&tree, 8, 4, 24, &rng), 0);
    assert_int_equal(tree.count, 24);
    assert_lawful(&tree);
    assert_int_equal(icl_permutations_segments(&tree), 4 + 64);
    icl_permutations_deinit(&tree);
}

static void test_permutations__a_tree_has_the_orders_it_was_asked_for(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(2, "tree", "", "test");
    for (size_t k = 1; k <= 12; k++)
        for (size_t head = 0; head <= k; head++)
            for (size_t count = 1; count <= 150; count += 7) {
                icl_permutations tree = { 0 };
                assert_int_equal(icl_permutations_sample_tree(&tree, k, head, count, &rng), 0);
                const size_t all = icl_factorial(k - head);
                assert_int_equal(tree.count, count < all ? count : all);
                assert_lawful(&tree);
                icl_permutations_deinit(&tree);
            }
}

/* Chi-square of the six orders of three, 5 degrees of freedom: above 20.5 with probability 0.001.
 */
static void test_permutations__each_order_of_a_tree_is_uniform(void **state)
{
    (void)state;
    enum { TRIALS = 6000 };
    size_t seen[6] = { 0 };
    icl_rng rng = icl_rng_new(3, "tree", "", "test");
    icl_permutations all = { 0 };
    assert_int_equal(icl_permutations_all(&all, 3), 0);
    for (size_t trial = 0; trial < TRIALS; trial++) {
        icl_permutations tree = { 0 };
        assert_int_equal(icl_permutations_sample_tree(&tree, 3, trial % 2, 2, &rng), 0);
        const size_t *row = &tree.rows[3 * icl_rng_below(&rng, tree.count)];
        for (size_t j = 0; j < 6; j++)
            if (memcmp(row, &all.rows[j * 3], 3 * sizeof *row) == 0) seen[j]++;
        icl_permutations_deinit(&tree);
    }
    icl_permutations_deinit(&all);
    double chi_square = 0;
    for (size_t j = 0; j < 6; j++)
        chi_square += pow((double)seen[j] - TRIALS / 6.0, 2) / (TRIALS / 6.0);
    assert_true(chi_square < 20.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permutations__all_orders_ascend),
        cmocka_unit_test(test_permutations__all_orders_have_e_times_factorial_segments),
        cmocka_unit_test(test_permutations__a_sample_is_distinct_and_repeats_with_its_seed),
        cmocka_unit_test(test_permutations__every_sample_is_equally_likely),
        cmocka_unit_test(test_permutations__a_tree_shares_beginnings),
        cmocka_unit_test(test_permutations__a_tree_has_the_orders_it_was_asked_for),
        cmocka_unit_test(test_permutations__each_order_of_a_tree_is_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
