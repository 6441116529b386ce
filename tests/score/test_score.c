/* The list of scoring methods and their common option. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "score/score.h"

static void test_score__every_card_is_complete_and_found_by_name(void **state)
{
    (void)state;
    size_t count = 0, card_count = 0;
    const icl_score_method *const *methods = icl_score_methods(&count);
    const icl_card *const *cards = icl_score_cards(&card_count);
    assert_int_equal(count, card_count);
    assert_true(count > 0);
    assert_string_equal(cards[0]->name, "direct");
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(&methods[i]->card, cards[i]);
        assert_true(strlen(cards[i]->summary) > 0 && strlen(cards[i]->paper) > 0);
        assert_true(strlen(cards[i]->cost) > 0);
        assert_true((cards[i]->needs & ICL_NEEDS_LOGPROBS) != 0);
        const icl_score_method *found = NULL;
        assert_int_equal(icl_score_find(&found, cards[i]->name), ICL_OK);
        assert_ptr_equal(found, methods[i]);
    }
    const icl_score_method *found = NULL;
    assert_int_equal(icl_score_find(&found, "dircet"), ICL_ENOTFOUND);
    assert_string_equal(icl_error_message(),
                        "unknown score method \"dircet\"; did you mean \"direct\"?");
}

static void test_score__normalise_is_read_from_the_call(void **state)
{
    (void)state;
    static const char *const calls[] = { "direct(normalise=sum)", "direct(normalise=tokens)",
                                         "direct(normalise=chars)", "direct(normalise=bytes)" };
    for (int n = ICL_NORMALISE_SUM; n <= ICL_NORMALISE_BYTES; n++) {
        icl_call call = { 0 };
        icl_options options = { 0 };
        assert_int_equal(icl_call_parse(&call, calls[n], strlen(calls[n])), ICL_OK);
        assert_int_equal(icl_options_read(&options, &icl_score_direct.card, &call), ICL_OK);
        assert_int_equal(icl_score_normalise(&options), n);
        icl_options_deinit(&options);
        icl_call_deinit(&call);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score__every_card_is_complete_and_found_by_name),
        cmocka_unit_test(test_score__normalise_is_read_from_the_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
