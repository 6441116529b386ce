/* Dots and intervals: what stands in the picture, and that no value is drawn outside of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/dot_plot.h"

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) count++;
    return count;
}

static const double halves[] = { 0.8, 1.0 };

static void test_dot_plot__rows_panels_and_a_mark(void **state)
{
    const icl_dot dots[] = {
        { "1 a <b>", 0.9, 0.85, 0.95, halves, 2 },
        { "2 c", 0.5, 0.25, 0.6, NULL, 0 },
    };
    const icl_dot_panel panels[] = {
        { "first & foremost", "accuracy", dots, 2, "majority", 0.3 },
        { "second", "macro-F1", dots + 1, 1, NULL, 0 },
    };
    icl_text svg = { 0 };
    assert_int_equal(icl_dot_plot_svg(&svg, "t", panels, 2), ICL_OK);
    const char *text = icl_text_string(&svg);
    assert_int_equal(strncmp(text, "<svg xmlns", 10), 0);
    assert_string_equal(text + svg.length - 7, "</svg>\n");
    assert_int_equal(count_of(text, "class=\"dot"), 3);
    assert_int_equal(count_of(text, "r=\"2\""), 2);
    assert_int_equal(count_of(text, "stroke-dasharray"), 1);
    assert_non_null(strstr(text, "first &amp; foremost"));
    assert_non_null(strstr(text, "1 a &lt;b&gt;<title>"));
    assert_non_null(strstr(text, "0.9000, 95 % interval 0.8500 to 0.9500"));
    assert_non_null(strstr(text, "prefers-color-scheme:dark"));
    assert_null(strstr(text, "<script"));
    icl_text_deinit(&svg);
}

/* Every "cx" is within the plot, whatever the values. */
static void check_inside(double value, double low, double high)
{
    const icl_dot dot = { .name = "x", .value = value, .low = low, .high = high };
    const icl_dot_panel panel = { .title = "t", .x_label = "x", .dots = &dot, .count = 1 };
    icl_text svg = { 0 };
    assert_int_equal(icl_dot_plot_svg(&svg, "t", &panel, 1), ICL_OK);
    const char *text = icl_text_string(&svg);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    const double x = atof(strstr(text, "cx=\"") + 4);
    assert_true(x >= 20 && x <= 420);
    icl_text_deinit(&svg);
}

static void test_dot_plot__one_value_zero_and_negative(void **state)
{
    check_inside(0, 0, 0);
    check_inside(1, 1, 1);
    check_inside(-0.25, -0.5, 0.1);
    check_inside(1e-9, 0, 1e-9);
    check_inside(1e6, 10, 1e6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dot_plot__rows_panels_and_a_mark),
        cmocka_unit_test(test_dot_plot__one_value_zero_and_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
