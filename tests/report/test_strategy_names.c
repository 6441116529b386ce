/* Short names hold what differs and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <icl/run.h>

#include "report/strategy_names.h"

enum { LINES_MAX = 4 };

static void check(const char *const lines[LINES_MAX], const char *const expected[LINES_MAX])
{
    char *canonical[LINES_MAX];
    char **names = NULL;
    size_t count = 0;
    for (; count < LINES_MAX && lines[count] != NULL; count++)
        assert_int_equal(icl_strategy_canonical(&canonical[count], lines[count]), ICL_OK);
    assert_int_equal(icl_strategy_names_new(&names, (const char *const *)canonical, count), ICL_OK);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(names[i], expected[i]);
        free(canonical[i]);
    }
    icl_strategy_names_free(names, count);
}

static void test_strategy_names__a_stage_in_which_they_differ(void **state)
{
    check((const char *const[LINES_MAX]){ "select=bm25(k=4)", "select=bm25(k=4) calibrate=batch" },
          (const char *const[LINES_MAX]){ "calibrate=none", "calibrate=batch" });
}

static void test_strategy_names__options_in_which_users_of_a_method_differ(void **state)
{
    check((const char *const[LINES_MAX]){ "select=knn(k=4)", "select=knn(k=8)", "select=bm25(k=4)",
                                          "select=knn(k=8,metric=l2)" },
          (const char *const[LINES_MAX]){ "select=knn(k=4,metric=cosine)",
                                          "select=knn(k=8,metric=cosine)", "select=bm25",
                                          "select=knn(k=8,metric=l2)" });
}

static void test_strategy_names__several_stages(void **state)
{
    check((const char *const[LINES_MAX]){ "select=knn order=random", "select=bm25" },
          (const char *const[LINES_MAX]){ "select=knn order=random",
                                          "select=bm25 order=nearest-last" });
}

static void test_strategy_names__one_alone(void **state)
{
    check((const char *const[LINES_MAX]){ "select=bm25(k=4)" },
          (const char *const[LINES_MAX]){ "the strategy" });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strategy_names__a_stage_in_which_they_differ),
        cmocka_unit_test(test_strategy_names__options_in_which_users_of_a_method_differ),
        cmocka_unit_test(test_strategy_names__several_stages),
        cmocka_unit_test(test_strategy_names__one_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
