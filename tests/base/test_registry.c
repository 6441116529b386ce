#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cancel.h"
#include "base/cpu.h"
#include "base/registry.h"

static const icl_card first = { .name = "random" }, second = { .name = "knn" };
static const icl_card *const cards[] = { &first, &second };

static void test_registry__finds_by_name(void **state)
{
    size_t index = 99;
    assert_int_equal(icl_registry_find(&index, cards, 2, "selection", "knn"), ICL_OK);
    assert_int_equal(index, 1);
}

static void test_registry__a_wrong_name_is_answered_usefully(void **state)
{
    size_t index = 99;
    assert_int_equal(icl_registry_find(&index, cards, 2, "selection", "knm"), ICL_ENOTFOUND);
    assert_string_equal(icl_error_message(),
                        "unknown selection method \"knm\"; did you mean \"knn\"?");
    assert_int_equal(icl_registry_find(&index, cards, 2, "selection", "votek-like"), ICL_ENOTFOUND);
    assert_string_equal(icl_error_message(),
                        "unknown selection method \"votek-like\"; known: random, knn");
    assert_int_equal(icl_registry_find(&index, cards, 0, "selection", "knn"), ICL_ENOTFOUND);
    assert_int_equal(index, 99);
}

static void test_cancel__a_set_flag_stops_and_none_does_not(void **state)
{
    atomic_bool flag = false;
    assert_int_equal(icl_cancel_check(NULL), ICL_OK);
    assert_int_equal(icl_cancel_check(&flag), ICL_OK);
    atomic_store(&flag, true);
    assert_int_equal(icl_cancel_check(&flag), ICL_ECANCELLED);
    assert_string_equal(icl_error_message(), "stopped on request");
}

static void test_cpu__at_least_one_core_and_some_memory(void **state)
{
    assert_in_range(icl_cpu_free_cores(), 1, 4096);
    assert_true(icl_memory_available_bytes() > 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry__finds_by_name),
        cmocka_unit_test(test_registry__a_wrong_name_is_answered_usefully),
        cmocka_unit_test(test_cancel__a_set_flag_stops_and_none_does_not),
        cmocka_unit_test(test_cpu__at_least_one_core_and_some_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
