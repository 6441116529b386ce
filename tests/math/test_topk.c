/* icl_topk against a full sort, with many ties: the answer is one sequence, whatever the input
 * order. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "math/topk.h"

static int by_rank(const void *a, const void *b)
{
    const icl_scored *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static void fill(icl_scored *items, size_t count, icl_rng *rng)
{
    size_t order[64];
    for (size_t i = 0; i < count; i++) order[i] = i;
    icl_rng_shuffle(rng, order, count);
    for (size_t i = 0; i < count; i++)
        items[i] = (icl_scored){ .score = (double)icl_rng_below(rng, 5), .index = order[i] };
}

static void test_topk__equals_a_full_sort(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(1, "topk", "", "test");
    for (int round = 0; round < 200; round++) {
        icl_scored items[64], sorted[64];
        const size_t count = icl_rng_below(&rng, 64) + 1;
        fill(items, count, &rng);
        memcpy(sorted, items, sizeof items);
        qsort(sorted, count, sizeof *sorted, by_rank);
        const size_t k = icl_rng_below(&rng, count + 1);
        icl_topk(items, count, k);
        for (size_t i = 0; i < k; i++) {
            assert_true(items[i].score == sorted[i].score);
            assert_int_equal(items[i].index, sorted[i].index);
        }
        qsort(items, count, sizeof *items, by_rank);
        for (size_t i = 0; i < count; i++) assert_int_equal(items[i].index, sorted[i].index);
    }
}

static void test_topk__equal_scores_come_by_lowest_index(void **state)
{
    (void)state;
    icl_scored items[] = { { 1, 9 }, { 1, 2 }, { 1, 7 }, { 1, 0 }, { 1, 4 } };
    icl_topk(items, 5, 3);
    assert_int_equal(items[0].index, 0);
    assert_int_equal(items[1].index, 2);
    assert_int_equal(items[2].index, 4);
}

static void test_topk__infinities_have_their_place(void **state)
{
    (void)state;
    const double infinity = (double)INFINITY;
    icl_scored items[] = { { -infinity, 0 }, { 3, 1 }, { infinity, 2 }, { -infinity, 3 } };
    icl_topk(items, 4, 4);
    const size_t expected[] = { 2, 1, 0, 3 };
    for (size_t i = 0; i < 4; i++) assert_int_equal(items[i].index, expected[i]);
}

static void test_topk__nothing_asked_changes_nothing(void **state)
{
    (void)state;
    icl_scored items[] = { { 1, 1 }, { 2, 0 } };
    icl_topk(items, 2, 0);
    assert_int_equal(items[0].index, 1);
    icl_topk(NULL, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topk__equals_a_full_sort),
        cmocka_unit_test(test_topk__equal_scores_come_by_lowest_index),
        cmocka_unit_test(test_topk__infinities_have_their_place),
        cmocka_unit_test(test_topk__nothing_asked_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
