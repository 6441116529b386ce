#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/array.h"

static void test_array__grows_by_doubling_and_keeps_its_items(void **state)
{
    int *items = NULL;
    size_t capacity = 0, moves = 0;
    for (size_t i = 0; i < 100000; i++) {
        const size_t before = capacity;
        assert_int_equal(icl_array_reserve(&items, &capacity, i + 1), ICL_OK);
        moves += capacity != before;
        items[i] = (int)i;
    }
    assert_in_range(moves, 1, 20);
    for (size_t i = 0; i < 100000; i++) assert_int_equal(items[i], i);
    free(items);
}

static void test_array__impossible_sizes_leave_it_as_it_was(void **state)
{
    int *items = NULL;
    size_t capacity = 0;
    assert_int_equal(icl_array_reserve(&items, &capacity, 3), ICL_OK);
    int *const kept = items;
    const size_t kept_capacity = capacity;
    const size_t impossible[] = { SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / sizeof *items,
                                  SIZE_MAX / 2 / sizeof *items + 1 };
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
        assert_int_equal(icl_array_reserve(&items, &capacity, impossible[i]), ICL_ENOMEM);
        assert_ptr_equal(items, kept);
        assert_int_equal(capacity, kept_capacity);
    }
    free(items);
}

static void test_array__sizes_sort_ascending(void **state)
{
    (void)state;
    size_t items[] = { 3, SIZE_MAX, 0, 3, 1 };
    const size_t sorted[] = { 0, 1, 3, 3, SIZE_MAX };
    qsort(items, 5, sizeof *items, icl_array_compare_sizes);
    assert_memory_equal(items, sorted, sizeof sorted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_array__grows_by_doubling_and_keeps_its_items),
        cmocka_unit_test(test_array__impossible_sizes_leave_it_as_it_was),
        cmocka_unit_test(test_array__sizes_sort_ascending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
