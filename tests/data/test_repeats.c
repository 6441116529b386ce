/* Texts that stand twice in a pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <icl/dataset.h>

#include "data/repeats.h"

static void test_repeats__are_counted_from_the_second_on(void **state)
{
    (void)state;
    const char *const texts[] = { "a", "b", "a", "A", "a", "b", "", "" };
    const size_t labels[] = { 0, 1, 0, 0, 2, ICL_LABEL_NONE, ICL_LABEL_NONE, 1 };
    icl_repeats repeats = { 0 };
    assert_int_equal(icl_repeats_count(&repeats, texts, labels, 8), ICL_OK);
    assert_int_equal(repeats.count, 4);
    assert_int_equal(repeats.relabelled, 1);
    assert_int_equal(icl_repeats_count(&repeats, texts, labels, 2), ICL_OK);
    assert_int_equal(repeats.count, 0);
    assert_int_equal(icl_repeats_count(&repeats, NULL, NULL, 0), ICL_OK);
    assert_int_equal(repeats.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeats__are_counted_from_the_second_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
