/* Label spaces: names to indices and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "data/label_space.h"

static void test_label_space__finds_every_name(void **state)
{
    enum { COUNT = 150 };
    char texts[COUNT][16];
    const char *names[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "l%d", i);
        names[i] = texts[i];
    }
    icl_label_space *labels = NULL, *copy = NULL;
    assert_int_equal(icl_label_space_new(&labels, names, COUNT), ICL_OK);
    assert_int_equal(icl_label_space_copy(&copy, labels), ICL_OK);
    icl_label_space_free(labels);
    assert_int_equal(icl_label_space_count(copy), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(icl_label_space_find(copy, texts[i]), i);
        assert_string_equal(icl_label_space_name(copy, i), texts[i]);
    }
    assert_true(icl_label_space_find(copy, "l150") == ICL_LABEL_NONE);
    assert_true(icl_label_space_find(copy, "") == ICL_LABEL_NONE);
    icl_label_space_free(copy);
}

static void test_label_space__grows_by_new_names_only(void **state)
{
    icl_label_space *labels = NULL;
    size_t index = 9;
    assert_int_equal(icl_label_space_new(&labels, NULL, 0), ICL_OK);
    assert_true(icl_label_space_find(labels, "a") == ICL_LABEL_NONE);
    assert_int_equal(icl_label_space_add(labels, "a", &index), ICL_OK);
    assert_int_equal(index, 0);
    assert_int_equal(icl_label_space_add(labels, "b", &index), ICL_OK);
    assert_int_equal(index, 1);
    assert_int_equal(icl_label_space_add(labels, "a", &index), ICL_OK);
    assert_int_equal(index, 0);
    assert_int_equal(icl_label_space_count(labels), 2);
    icl_label_space_free(labels);
}

static void test_label_space__offers_the_nearest_name(void **state)
{
    static const char *const names[] = { "positive", "negative" };
    icl_label_space *labels = NULL;
    assert_int_equal(icl_label_space_new(&labels, names, 2), ICL_OK);
    assert_string_equal(icl_label_space_nearest(labels, "negatve"), "negative");
    assert_null(icl_label_space_nearest(labels, "q"));
    icl_label_space_free(labels);
}

static void test_label_space__refuses_empty_and_repeated_names(void **state)
{
    icl_label_space *labels = NULL;
    assert_int_equal(icl_label_space_new(&labels, (const char *const[]){ "a", "b", "a" }, 3),
                     ICL_EINVAL);
    assert_string_equal(icl_error_message(), "label \"a\" stands twice in the label space");
    assert_int_equal(icl_label_space_new(&labels, (const char *const[]){ "a", "" }, 2), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "label 2 has an empty name");
    assert_null(labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_label_space__finds_every_name),
        cmocka_unit_test(test_label_space__grows_by_new_names_only),
        cmocka_unit_test(test_label_space__offers_the_nearest_name),
        cmocka_unit_test(test_label_space__refuses_empty_and_repeated_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
