/* Line charts: what stands in them, and that any name and any number gives a picture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "near.h"
#include "report/chart.h"

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) count++;
    return count;
}

static void draw(icl_text *out, const icl_chart *chart)
{
    icl_text_clear(out);
    if (icl_chart_svg(out, chart) != ICL_OK) fail_msg("%s", icl_error_message());
    const char *svg = icl_text_string(out);
    assert_int_equal(strncmp(svg, "<svg xmlns", 10), 0);
    assert_string_equal(svg + out->length - 7, "</svg>\n");
    assert_null(strstr(svg, "nan"));
    assert_null(strstr(svg, "inf"));
}

static void test_chart__lines_labels_and_legend(void **state)
{
    icl_chart chart = { .title = "A <b> & c", .x_label = "step", .y_label = "nats" };
    icl_text svg = { 0 };
    for (int i = 0; i < 5; i++) {
        icl_chart_add(&chart, "one", i * 100, 4.0 / (i + 1));
        icl_chart_add(&chart, "two", i * 100, -1);
    }
    icl_chart_add(&chart, "one", 500, NAN);
    icl_chart_add(&chart, "one", INFINITY, 1);
    draw(&svg, &chart);
    const char *text = icl_text_string(&svg);
    assert_non_null(strstr(text, "A &lt;b&gt; &amp; c"));
    assert_int_equal(count_of(text, "<circle"), 10);
    assert_non_null(strstr(text, ">step</text>"));
    assert_non_null(strstr(text, ">nats</text>"));
    assert_non_null(strstr(text, ">one<title>one</title></text>"));
    assert_non_null(strstr(text, ">400</text>"));
    assert_non_null(strstr(text, "prefers-color-scheme:dark"));
    assert_null(strstr(text, "var(")); /* unknown to some viewers, which then paint all black */
    icl_text_deinit(&svg);
    icl_chart_deinit(&chart);
}

static void test_chart__nothing_one_point_and_long_names(void **state)
{
    icl_chart chart = { .title = "t", .x_label = "x", .y_label = "y" };
    icl_text svg = { 0 };
    char name[400];
    draw(&svg, &chart);
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    icl_chart_add(&chart, name, 0, 0);
    draw(&svg, &chart);
    assert_non_null(strstr(icl_text_string(&svg), "nnn...<title>nnn"));
    for (int i = 0; i < 12; i++) { /* more lines than colours */
        snprintf(name, sizeof name, "line %d", i);
        icl_chart_add(&chart, name, 1e9, 1e-9 * i);
    }
    draw(&svg, &chart);
    assert_non_null(strstr(icl_text_string(&svg), "stroke-dasharray=\"7 4\""));
    icl_text_deinit(&svg);
    icl_chart_deinit(&chart);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chart__lines_labels_and_legend),
        cmocka_unit_test(test_chart__nothing_one_point_and_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
