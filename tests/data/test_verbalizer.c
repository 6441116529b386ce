/* Verbalizers: the command line's words, and putting them into another label order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <icl/task.h>

static icl_verbalizer *parse_ok(const char *text)
{
    icl_verbalizer *verbalizer = NULL;
    if (icl_verbalizer_parse(&verbalizer, text) != ICL_OK) fail_msg("%s", icl_error_message());
    return verbalizer;
}

static icl_label_space *space_of(const char *const *names, size_t count)
{
    icl_label_space *labels = NULL;
    assert_int_equal(icl_label_space_new(&labels, names, count), ICL_OK);
    return labels;
}

static void test_verbalizer__parses_labels_words_and_escapes(void **state)
{
    icl_verbalizer *verbalizer =
        parse_ok(" pos = great | very good ,neg=bad, a\\,b\\=c = x\\|y=z\\ ");
    const icl_label_space *labels = icl_verbalizer_labels(verbalizer);
    assert_int_equal(icl_label_space_count(labels), 3);
    assert_string_equal(icl_label_space_name(labels, 0), "pos");
    assert_string_equal(icl_label_space_name(labels, 2), "a,b=c");
    assert_int_equal(icl_verbalizer_word_count(verbalizer, 0), 2);
    assert_string_equal(icl_verbalizer_word(verbalizer, 0, 0), "great");
    assert_string_equal(icl_verbalizer_word(verbalizer, 0, 1), "very good");
    assert_string_equal(icl_verbalizer_word(verbalizer, 1, 0), "bad");
    assert_string_equal(icl_verbalizer_word(verbalizer, 2, 0), "x|y=z ");
    icl_verbalizer_free(verbalizer);
}

static void test_verbalizer__bad_words_are_refused_by_place(void **state)
{
    static const char *const cases[][2] = {
        { "", "label words, column 1: expected name=words, found \"\"" },
        { "a=x,", "label words, column 5: expected name=words, found \"\"" },
        { "a=x,b", "label words, column 5: expected name=words, found \"b\"" },
        { "a=x, a=y", "label words, column 5: label \"a\" stands twice" },
        { "a=x,=y", "label words, column 5: a label has an empty name" },
        { "a=", "label words, column 1: the words of label \"a\" are empty" },
        { "a=x| |y", "label words, column 1: the words of label \"a\" are empty" },
        { "a=x,b=x", "label words, column 5: labels \"a\" and \"b\" have the same words \"x\"" },
        { "a=x|x", "label words, column 1: label \"a\" has the words \"x\" twice" },
        { "a=x\\", "label words: a backslash ends the text" },
        { "a=\xFF", "label words: invalid UTF-8 at byte offset 2" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        icl_verbalizer *verbalizer = NULL;
        assert_int_equal(icl_verbalizer_parse(&verbalizer, cases[i][0]), ICL_EPARSE);
        assert_string_equal(icl_error_message(), cases[i][1]);
        assert_null(verbalizer);
    }
}

static void test_verbalizer__identity_says_the_names(void **state)
{
    icl_label_space *labels = space_of((const char *const[]){ "yes", "no" }, 2);
    icl_verbalizer *verbalizer = NULL;
    assert_int_equal(icl_verbalizer_identity(&verbalizer, labels), ICL_OK);
    icl_label_space_free(labels);
    assert_int_equal(icl_verbalizer_word_count(verbalizer, 1), 1);
    assert_string_equal(icl_verbalizer_word(verbalizer, 1, 0), "no");
    icl_verbalizer_free(verbalizer);
}

static void test_verbalizer__aligns_to_another_order(void **state)
{
    icl_verbalizer *verbalizer = parse_ok("b=B|bee,a=A"), *aligned = NULL;
    icl_label_space *labels = space_of((const char *const[]){ "a", "b" }, 2);
    assert_int_equal(icl_verbalizer_align(&aligned, verbalizer, labels), ICL_OK);
    assert_string_equal(icl_verbalizer_word(aligned, 0, 0), "A");
    assert_string_equal(icl_verbalizer_word(aligned, 1, 1), "bee");
    icl_verbalizer_free(aligned);
    icl_verbalizer_free(verbalizer);
    icl_label_space_free(labels);
}

static void test_verbalizer__words_must_fit_the_label_space(void **state)
{
    icl_verbalizer *verbalizer = parse_ok("positive=good"), *aligned = NULL;
    icl_label_space *more = space_of((const char *const[]){ "positive", "negative" }, 2);
    icl_label_space *other = space_of((const char *const[]){ "positve" }, 1);
    assert_int_equal(icl_verbalizer_align(&aligned, verbalizer, more), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "label \"negative\" has no words");
    assert_int_equal(icl_verbalizer_align(&aligned, verbalizer, other), ICL_ENOTFOUND);
    assert_string_equal(icl_error_message(), "the label words name an unknown label \"positive\"; "
                                             "did you mean \"positve\"?");
    assert_null(aligned);
    icl_label_space_free(more);
    icl_label_space_free(other);
    icl_verbalizer_free(verbalizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verbalizer__parses_labels_words_and_escapes),
        cmocka_unit_test(test_verbalizer__bad_words_are_refused_by_place),
        cmocka_unit_test(test_verbalizer__identity_says_the_names),
        cmocka_unit_test(test_verbalizer__aligns_to_another_order),
        cmocka_unit_test(test_verbalizer__words_must_fit_the_label_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
