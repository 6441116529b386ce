/* The string map finds what was put in, through every growth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/string_map.h"

static void test_string_map__finds_what_was_added(void **state)
{
    enum { COUNT = 1000 };
    static char keys[COUNT][16];
    icl_string_map map = { 0 };
    for (size_t i = 0; i < COUNT; i++) {
        size_t index = i;
        snprintf(keys[i], sizeof keys[i], "key-%zu", i * 7919);
        assert_true(icl_string_map_find(&map, keys[i]) == SIZE_MAX);
        assert_int_equal(icl_string_map_add(&map, keys[i], &index), ICL_OK);
        assert_int_equal(index, i);
    }
    for (size_t i = 0; i < COUNT; i++) assert_int_equal(icl_string_map_find(&map, keys[i]), i);
    assert_int_equal(map.count, COUNT);
    assert_true(map.count * 2 <= map.capacity);
    icl_string_map_deinit(&map);
    assert_true(icl_string_map_find(&map, keys[0]) == SIZE_MAX);
}

static void test_string_map__keeps_the_first_index_of_a_key(void **state)
{
    icl_string_map map = { 0 };
    size_t index = 5;
    assert_int_equal(icl_string_map_add(&map, "a", &index), ICL_OK);
    index = 6;
    assert_int_equal(icl_string_map_add(&map, (const char[]){ 'a', '\0' }, &index), ICL_OK);
    assert_int_equal(index, 5);
    assert_int_equal(map.count, 1);
    icl_string_map_deinit(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_string_map__finds_what_was_added),
        cmocka_unit_test(test_string_map__keeps_the_first_index_of_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
