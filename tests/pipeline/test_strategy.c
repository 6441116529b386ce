/* The strategy line: defaults, canonical form, and sentences for what a person mistypes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <icl/methods.h>
#include <icl/run.h>

#include "pipeline/strategy.h"

static void expect(const char *line, const char *canonical)
{
    char *found = NULL, *again = NULL;
    if (icl_strategy_canonical(&found, line) != ICL_OK) fail_msg("%s", icl_error_message());
    assert_string_equal(found, canonical);
    /* The canonical form is a fixed point. */
    assert_int_equal(icl_strategy_canonical(&again, found), ICL_OK);
    assert_string_equal(again, canonical);
    free(found);
    free(again);
}

static void expect_refusal(const char *line, icl_status status, const char *sentence)
{
    char *found = NULL;
    assert_int_equal(icl_strategy_canonical(&found, line), status);
    assert_null(found);
    if (strstr(icl_error_message(), sentence) == NULL) fail_msg("%s", icl_error_message());
}

#define REST "score=direct(normalise=sum) calibrate=none"

static void test_strategy__parts_left_out_have_defaults(void **state)
{
    expect("", "select=knn(k=8,metric=cosine) order=nearest-last " REST);
    expect("select=knn", "select=knn(k=8,metric=cosine) order=nearest-last " REST);
    expect("order=given", "select=knn(k=8,metric=cosine) order=given " REST);
}

static void test_strategy__order_of_parts_and_blanks_do_not_matter(void **state)
{
    expect("  order=given   select=knn( k = 3 , metric = l2 ) ",
           "select=knn(k=3,metric=l2) order=given " REST);
    expect("calibrate=batch select=bm25(k=2)\n",
           "select=bm25(k=2,case=keep,k1=1.5,b=0.75) order=nearest-last "
           "score=direct(normalise=sum) "
           "calibrate=batch(space=log,strength=1,validation=0)");
}

static void test_strategy__mistakes_get_the_nearest_name(void **state)
{
    expect_refusal("select=kn", ICL_ENOTFOUND, "\"knn\"");
    expect_refusal("selct=knn", ICL_ENOTFOUND, "did you mean \"select\"?");
    expect_refusal("select=knn(K=8)", ICL_ENOTFOUND, "\"k\"");
    expect_refusal("select=knn(k=eight)", ICL_EINVAL, "eight");
    expect_refusal("select=knn(k=-1)", ICL_EINVAL, "-1");
    expect_refusal("select=knn(metric=cosin)", ICL_EINVAL, "cosin");
    expect_refusal("select=knn select=bm25", ICL_EPARSE, "\"select\" stands twice");
    expect_refusal("knn", ICL_EPARSE, "\"knn\" is not of the form stage=method");
    expect_refusal("select=knn(k=8", ICL_EPARSE, "knn(k=8");
}

static void test_strategy__every_registered_method_can_be_named(void **state)
{
    for (size_t s = 0; s < ICL_STAGE_COUNT; s++) {
        assert_true(icl_method_count(s) > 0);
        for (size_t m = 0; m < icl_method_count(s); m++) {
            const icl_method *method = icl_method_at(s, m);
            char line[128];
            char *canonical = NULL;
            snprintf(line, sizeof line, "%s=%s", method->stage, method->name);
            if (icl_strategy_canonical(&canonical, line) != ICL_OK)
                fail_msg("%s", icl_error_message());
            assert_non_null(strstr(canonical, line));
            assert_true(strlen(method->summary) > 0 && strlen(method->paper) > 0 &&
                        strlen(method->cost) > 0 && strlen(method->needs) > 0);
            free(canonical);
        }
    }
}

static void test_strategy__brief_form_says_the_same(void **state)
{
    (void)state;
    static const char *const briefs[] = {
        "select=knn(k=8) order=nearest-last score=direct calibrate=none",
        "select=bm25(k=4) order=nearest-last score=direct(normalise=bytes) calibrate=batch",
        "select=epr(k=2,file=\"my file\") order=random score=direct calibrate=contextual",
    };
    for (size_t i = 0; i < sizeof briefs / sizeof briefs[0]; i++) {
        char *full = NULL, *brief = NULL;
        if (icl_strategy_canonical(&full, briefs[i]) != ICL_OK) fail_msg("%s", icl_error_message());
        assert_int_equal(icl_strategy_brief(&brief, full), ICL_OK);
        assert_string_equal(brief, briefs[i]);
        free(full);
        free(brief);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strategy__brief_form_says_the_same),
        cmocka_unit_test(test_strategy__parts_left_out_have_defaults),
        cmocka_unit_test(test_strategy__order_of_parts_and_blanks_do_not_matter),
        cmocka_unit_test(test_strategy__mistakes_get_the_nearest_name),
        cmocka_unit_test(test_strategy__every_registered_method_can_be_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
