/* Files of strategies: alternatives, comments, strategies that stand twice, and the place of what a
 * person mistypes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/strategy.h"
#include "pipeline/strategy_list.h"

/* The strategies of `text` are those of the lines, in this order. */
static void expect(const char *text, const char *const *lines, size_t count)
{
    icl_strategy_list list;
    if (icl_strategy_list_parse(&list, text, "space") != ICL_OK)
        fail_msg("%s", icl_error_message());
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++) {
        char *canonical = NULL;
        assert_int_equal(icl_strategy_canonical(&canonical, lines[i]), ICL_OK);
        assert_string_equal(list.lines[i], canonical);
        free(canonical);
    }
    icl_strategy_list_deinit(&list);
}

static void expect_refusal(const char *text, icl_status status, const char *sentence)
{
    icl_strategy_list list;
    assert_int_equal(icl_strategy_list_parse(&list, text, "space"), status);
    if (strstr(icl_error_message(), sentence) == NULL) fail_msg("%s", icl_error_message());
    assert_int_equal(list.count, 0);
    assert_null(list.lines);
}

#define EXPECT(text, ...)                                                                          \
    do {                                                                                           \
        static const char *const wanted[] = { __VA_ARGS__ };                                       \
        expect(text, wanted, sizeof wanted / sizeof wanted[0]);                                    \
    } while (0)

static void test_strategy_list__lines_and_comments(void **state)
{
    (void)state;
    EXPECT("# first\n\n  select=bm25(k=4)  # cheap\r\nselect=random(k=0)\n\t# last",
           "select=bm25(k=4)", "select=random(k=0)");
    EXPECT("\xEF\xBB\xBFselect=knn\r\n", "select=knn(k=8)");
    EXPECT("select=epr(k=0,file=\"a #{b|c}\")", "select=epr(k=0,file=\"a #{b|c}\")");
    EXPECT("select=epr(k=0,file=a#b)", "select=epr(k=0,file=\"a#b\")");
}

static void test_strategy_list__braces_give_the_product_leftmost_slowest(void **state)
{
    (void)state;
    EXPECT("select={knn(k=8)|random(k=8)|bm25(k=4)} calibrate={none|batch}",
           "select=knn(k=8) calibrate=none", "select=knn(k=8) calibrate=batch",
           "select=random(k=8) calibrate=none", "select=random(k=8) calibrate=batch",
           "select=bm25(k=4) calibrate=none", "select=bm25(k=4) calibrate=batch");
    EXPECT("select={knn(k={4|8})|bm25(k=1)}", "select=knn(k=4)", "select=knn(k=8)",
           "select=bm25(k=1)");
    EXPECT("select=knn(k=8){ calibrate=batch|}", "select=knn(k=8) calibrate=batch",
           "select=knn(k=8)");
}

static void test_strategy_list__a_strategy_counts_once_however_written(void **state)
{
    (void)state;
    EXPECT("calibrate=none select={knn(k=8)|knn|bm25(k=2)}\nselect=knn", "select=knn(k=8)",
           "select=bm25(k=2)");
}

static void test_strategy_list__refusals_name_the_line(void **state)
{
    (void)state;
    expect_refusal("", ICL_EINVAL, "space: no strategy in it");
    expect_refusal("# nothing\n\n", ICL_EINVAL, "space: no strategy in it");
    expect_refusal("select=knn\n\nselect=knm", ICL_ENOTFOUND, "space:3: unknown");
    expect_refusal("select={knn|bm25", ICL_EPARSE, "space:1: \"{\" without its \"}\"");
    expect_refusal("select=knn}", ICL_EPARSE, "space:1: \"}\" without its \"{\"");
    expect_refusal("select={knn(k={4|8}|bm25}}}", ICL_EPARSE, "space:1: ");
    expect_refusal("select={}", ICL_EPARSE, "space:1: ");
    expect_refusal("select=knn(k={1|-1})", ICL_EINVAL, "space:1: ");
    char many[64] = "select=knn(k=1)";
    for (int i = 0; i < 13; i++) strcat(many, "{|}");
    expect_refusal(many, ICL_EINVAL, "space:1: more than 4096 strategies");
    char *longer = malloc(5001);
    memset(longer, ' ', 5000);
    longer[5000] = '\0';
    expect_refusal(longer, ICL_EPARSE, "space:1: a line of 5000 bytes; 4096 are allowed");
    free(longer);
}

static void test_strategy_list__file(void **state)
{
    (void)state;
    icl_strategy_list list;
    char path[] = "/tmp/icl-space-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "wb");
    assert_non_null(file);
    fputs("select=bm25(k={1|2})\n", file);
    fclose(file);
    assert_int_equal(icl_strategy_list_open(&list, path), ICL_OK);
    assert_int_equal(list.count, 2);
    icl_strategy_list_deinit(&list);
    file = fopen(path, "wb");
    fwrite("select=knn\0", 1, 11, file);
    fclose(file);
    assert_int_equal(icl_strategy_list_open(&list, path), ICL_EPARSE);
    assert_non_null(strstr(icl_error_message(), "NUL"));
    remove(path);
    assert_int_equal(icl_strategy_list_open(&list, path), ICL_EIO);
    assert_non_null(strstr(icl_error_message(), path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strategy_list__lines_and_comments),
        cmocka_unit_test(test_strategy_list__braces_give_the_product_leftmost_slowest),
        cmocka_unit_test(test_strategy_list__a_strategy_counts_once_however_written),
        cmocka_unit_test(test_strategy_list__refusals_name_the_line),
        cmocka_unit_test(test_strategy_list__file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
