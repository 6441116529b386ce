#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void test_error__every_code_has_a_name_of_its_own(void **state)
{
    for (int code = ICL_EBUDGET; code <= ICL_OK; code++) {
        const char *name = icl_status_name((icl_status)code);
        assert_true(strlen(name) > 0);
        assert_string_not_equal(name, "unknown status");
        for (int other = ICL_EBUDGET; other < code; other++)
            assert_string_not_equal(name, icl_status_name((icl_status)other));
    }
}

static void test_error__the_sentence_is_stored_and_the_status_returned(void **state)
{
    assert_int_equal(icl_error_set(ICL_EIO, "no \"%s\" at %d", "file", 7), ICL_EIO);
    assert_string_equal(icl_error_message(), "no \"file\" at 7");
}

static void test_error__a_sentence_may_quote_the_one_before(void **state)
{
    icl_error_set(ICL_EPARSE, "first");
    assert_int_equal(icl_error_set(ICL_EPARSE, "second after %s", icl_error_message()), ICL_EPARSE);
    assert_string_equal(icl_error_message(), "second after first");
    assert_int_equal(icl_error_prefix(ICL_EINVAL, "line %d", 3), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "line 3: second after first");
}

static void test_error__long_sentences_are_cut_and_stay_terminated(void **state)
{
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    icl_error_set(ICL_EPARSE, "%s", text);
    const size_t length = strlen(icl_error_message());
    assert_in_range(length, 500, sizeof text - 1);
    icl_error_prefix(ICL_EPARSE, "%s", text);
    assert_int_equal(strlen(icl_error_message()), length);
}

static void *other_thread(void *out)
{
    *(int *)out = strcmp(icl_error_message(), "") == 0;
    icl_error_set(ICL_EIO, "of the other thread");
    return NULL;
}

static void test_error__each_thread_has_its_own_sentence(void **state)
{
    pthread_t thread;
    int empty_there = 0;
    icl_error_set(ICL_EIO, "of this thread");
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &empty_there), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(empty_there);
    assert_string_equal(icl_error_message(), "of this thread");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error__every_code_has_a_name_of_its_own),
        cmocka_unit_test(test_error__the_sentence_is_stored_and_the_status_returned),
        cmocka_unit_test(test_error__a_sentence_may_quote_the_one_before),
        cmocka_unit_test(test_error__long_sentences_are_cut_and_stay_terminated),
        cmocka_unit_test(test_error__each_thread_has_its_own_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
