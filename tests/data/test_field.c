#include "data/field.h"
#include "rows.h"

static void test_field__numbers_and_texts_that_are_numbers(void **state)
{
    (void)state;
    static const double wanted[] = { 3, -0.5, 1200 };
    icl_dataset *rows = rows_of("a.jsonl", "{\"text\":\"a\",\"label\":\"x\",\"n\":3}\n"
                                           "{\"text\":\"b\",\"label\":\"x\",\"n\":-0.5}\n"
                                           "{\"text\":\"c\",\"label\":\"x\",\"n\":\"1.2e3\"}\n");
    for (size_t i = 0; i < 3; i++) {
        double number = 0;
        assert_int_equal(icl_field_number(&number, icl_dataset_at(rows, i), "n"), ICL_OK);
        assert_true(number == wanted[i]);
    }
    icl_dataset_close(rows);
    rows = rows_of("b.csv", "text,label,n\na,x,7\n");
    double number = 0;
    assert_int_equal(icl_field_number(&number, icl_dataset_at(rows, 0), "n"), ICL_OK);
    assert_true(number == 7);
    icl_dataset_close(rows);
}

static void test_field__says_which_item_has_no_number(void **state)
{
    (void)state;
    static const char *const sentences[] = {
        "item \"a-1\" has no field \"n\"",
        "field \"n\" of item \"a-2\" is \"hard\", not a number",
        "field \"n\" of item \"a-3\" is null, not a number",
        "field \"n\" of item \"a-4\" is a list or an object, not a number",
        "field \"n\" of item \"five\" is \"true\", not a number",
        "field \"n\" of item \"a-6\" is \"nan\", not a number",
    };
    icl_dataset *rows =
        rows_of("a.jsonl", "{\"text\":\"a\",\"label\":\"x\"}\n"
                           "{\"text\":\"b\",\"label\":\"x\",\"n\":\"hard\"}\n"
                           "{\"text\":\"c\",\"label\":\"x\",\"n\":null}\n"
                           "{\"text\":\"d\",\"label\":\"x\",\"n\":[1]}\n"
                           "{\"text\":\"e\",\"label\":\"x\",\"n\":true,\"id\":\"five\"}\n"
                           "{\"text\":\"f\",\"label\":\"x\",\"n\":\"nan\"}\n");
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        double number = 77;
        assert_int_equal(icl_field_number(&number, icl_dataset_at(rows, i), "n"), ICL_EINVAL);
        assert_string_equal(icl_error_message(), sentences[i]);
        assert_true(number == 77);
    }
    icl_dataset_close(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_field__numbers_and_texts_that_are_numbers),
        cmocka_unit_test(test_field__says_which_item_has_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
