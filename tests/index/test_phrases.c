/* Phrases and the texts that hold them, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "index/phrases.h"

static const char *const texts[] = { "play some jazz", "Play some", "some jazz some jazz", "",
                                     "jazz" };

static icl_phrases *index_of(size_t words_max, bool lower)
{
    icl_phrases *index = NULL;
    const icl_phrases_options options = { .words_max = words_max, .lower = lower };
    assert_int_equal(icl_phrases_new(&index, texts, 5, &options, NULL), ICL_OK);
    return index;
}

/* `expected` is a line for each phrase: its length and its texts, SIZE_MAX at the end. */
static void expect(const icl_phrases *index, const char *query, const size_t expected[][5],
                   size_t count)
{
    icl_phrase *found = NULL;
    size_t found_count = 0;
    assert_int_equal(icl_phrases_find(&found, &found_count, index, query), ICL_OK);
    assert_int_equal(found_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(found[i].words, expected[i][0]);
        for (size_t t = 0; t < found[i].text_count; t++)
            assert_int_equal(found[i].texts[t], expected[i][t + 1]);
        assert_int_equal(expected[i][found[i].text_count + 1], SIZE_MAX);
    }
    free(found);
}

static void test_phrases__longest_first_then_by_place(void **state)
{
    (void)state;
    icl_phrases *index = index_of(3, true);
    expect(index, "play some jazz now",
           (const size_t[][5]){ { 3, 0, SIZE_MAX },
                                { 2, 0, 1, SIZE_MAX },
                                { 2, 0, 2, SIZE_MAX },
                                { 1, 0, 1, SIZE_MAX },
                                { 1, 0, 1, 2, SIZE_MAX },
                                { 1, 0, 2, 4, SIZE_MAX } },
           6);
    icl_phrases_free(index);
}

static void test_phrases__repetitions_count_once(void **state)
{
    (void)state;
    icl_phrases *index = index_of(2, true);
    expect(index, "jazz jazz Jazz", (const size_t[][5]){ { 1, 0, 2, 4, SIZE_MAX } }, 1);
    expect(index, "jazz some",
           (const size_t[][5]){
               { 2, 2, SIZE_MAX }, { 1, 0, 2, 4, SIZE_MAX }, { 1, 0, 1, 2, SIZE_MAX } },
           3);
    icl_phrases_free(index);
}

static void test_phrases__case_counts_when_it_is_kept(void **state)
{
    (void)state;
    icl_phrases *index = index_of(1, false);
    expect(index, "Play", (const size_t[][5]){ { 1, 1, SIZE_MAX } }, 1);
    expect(index, "", NULL, 0);
    expect(index, "unheard of", NULL, 0);
    icl_phrases_free(index);
}

static void test_phrases__stops_when_asked(void **state)
{
    (void)state;
    const atomic_bool cancelled = true;
    icl_phrases *index = NULL;
    const icl_phrases_options options = { .words_max = 2 };
    assert_int_equal(icl_phrases_new(&index, texts, 5, &options, &cancelled), ICL_ECANCELLED);
    assert_null(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phrases__longest_first_then_by_place),
        cmocka_unit_test(test_phrases__repetitions_count_once),
        cmocka_unit_test(test_phrases__case_counts_when_it_is_kept),
        cmocka_unit_test(test_phrases__stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
