/* Cover of hard items by their votes, on a graph small enough to draw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "near.h"
#include "select/hard_cover.h"

/* Voters 0: 1 2; 1: 3; 2: 3 4; 3: none; 4: 0; 5: 4. Item 2 is easy. */
static size_t first[] = { 0, 2, 3, 5, 5, 6, 7 };
static uint32_t supporters[] = { 1, 2, 3, 3, 4, 0, 4 };
static const icl_neighbour_graph graph = {
    .count = 6, .k = 2, .first = first, .supporters = supporters
};
static const size_t hard[] = { 0, 1, 3, 4, 5 };

static icl_hard_cover cover_of(bool two_hops, double decay)
{
    icl_hard_cover cover = { 0 };
    assert_int_equal(icl_hard_cover_init(&cover, &graph, hard, 5), ICL_OK);
    cover.two_hops = two_hops;
    cover.decay = decay;
    return cover;
}

static void assert_gains(icl_hard_cover *cover, const double *expected)
{
    for (size_t i = 0; i < 6; i++)
        if (i != 2) assert_near(icl_hard_cover_gain(cover, i), expected[i], 1e-12);
}

static void test_hard_cover__one_hop_counts_hard_voters(void **state)
{
    (void)state;
    icl_hard_cover cover = cover_of(false, 0);
    assert_gains(&cover, (const double[]){ 1, 1, 0, 0, 1, 1 });
    icl_hard_cover_deinit(&cover);
}

/* 0 is voted for by 1 and by the easy 2, which leads nowhere; 1 by 3. 5 by 4, and 4 by 0. */
static void test_hard_cover__two_hops_go_on_through_hard_voters(void **state)
{
    (void)state;
    icl_hard_cover cover = cover_of(true, 0);
    assert_gains(&cover, (const double[]){ 2, 1, 0, 0, 2, 2 });
    icl_hard_cover_deinit(&cover);
}

static void test_hard_cover__what_is_covered_counts_no_more(void **state)
{
    (void)state;
    icl_hard_cover cover = cover_of(true, 0);
    bool picked[6] = { false };
    assert_int_equal(icl_hard_cover_best(&cover, picked), 0); /* covers 1 and 3 */
    picked[0] = true;
    icl_hard_cover_choose(&cover, 0);
    assert_gains(&cover, (const double[]){ 0, 0, 0, 0, 1, 2 });
    assert_int_equal(icl_hard_cover_best(&cover, picked), 5); /* covers 4 and 0 */
    picked[5] = true;
    icl_hard_cover_choose(&cover, 5);
    assert_int_equal(icl_hard_cover_best(&cover, picked), SIZE_MAX);
    icl_hard_cover_deinit(&cover);
}

static void test_hard_cover__weights_fall_with_every_cover(void **state)
{
    (void)state;
    icl_hard_cover cover = cover_of(true, 0.1);
    icl_hard_cover_choose(&cover, 0);
    assert_gains(&cover, (const double[]){ 0.2, 0.1, 0, 0, 1.1, 2 });
    icl_hard_cover_choose(&cover, 0);
    assert_gains(&cover, (const double[]){ 0.02, 0.01, 0, 0, 1.01, 2 });
    icl_hard_cover_deinit(&cover);
}

static void test_hard_cover__gains_never_rise(void **state)
{
    (void)state;
    const double decays[] = { 0, 0.1 };
    for (size_t d = 0; d < 2; d++) {
        icl_hard_cover cover = cover_of(true, decays[d]);
        const size_t chosen[] = { 4, 0, 5, 1 };
        double before[6];
        for (size_t i = 0; i < 6; i++) before[i] = icl_hard_cover_gain(&cover, i);
        for (size_t c = 0; c < 4; c++) {
            icl_hard_cover_choose(&cover, chosen[c]);
            for (size_t i = 0; i < 6; i++) {
                const double gain = icl_hard_cover_gain(&cover, i);
                assert_true(gain <= before[i] + 1e-15);
                before[i] = gain;
            }
        }
        icl_hard_cover_deinit(&cover);
    }
}

static void test_hard_cover__a_vanishing_weight_covers_as_none(void **state)
{
    (void)state;
    icl_hard_cover none = cover_of(true, 0), vanishing = cover_of(true, 1e-12);
    const size_t chosen[] = { 4, 0, 5, 1 };
    for (size_t c = 0; c < 4; c++) {
        for (size_t i = 0; i < 6; i++)
            assert_near(icl_hard_cover_gain(&vanishing, i), icl_hard_cover_gain(&none, i), 1e-10);
        icl_hard_cover_choose(&vanishing, chosen[c]);
        icl_hard_cover_choose(&none, chosen[c]);
    }
    icl_hard_cover_deinit(&vanishing);
    icl_hard_cover_deinit(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hard_cover__one_hop_counts_hard_voters),
        cmocka_unit_test(test_hard_cover__two_hops_go_on_through_hard_voters),
        cmocka_unit_test(test_hard_cover__what_is_covered_counts_no_more),
        cmocka_unit_test(test_hard_cover__weights_fall_with_every_cover),
        cmocka_unit_test(test_hard_cover__gains_never_rise),
        cmocka_unit_test(test_hard_cover__a_vanishing_weight_covers_as_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
