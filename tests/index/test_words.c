/* The documented word rules, one table of texts and the words they give (joined by '|'). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "index/words.h"

static void assert_words(const char *text, bool lower, const char *expected)
{
    icl_text word = { 0 }, joined = { 0 };
    icl_word_reader reader = icl_word_reader_new(text, lower);
    while (icl_word_next(&word, &reader)) {
        if (joined.length > 0) icl_text_append_char(&joined, '|');
        icl_text_append_string(&joined, icl_text_string(&word));
    }
    assert_int_equal(icl_text_status(&word), ICL_OK);
    assert_string_equal(icl_text_string(&joined), expected);
    icl_text_deinit(&joined);
    icl_text_deinit(&word);
}

static void test_words__letters_digits_and_connectors_run_together(void **state)
{
    (void)state;
    assert_words("", false, "");
    assert_words(" \t\n", false, "");
    assert_words("Play some_jazz mp3", false, "Play|some_jazz|mp3");
    assert_words("na\xc3\xafve \xd0\xbc\xd0\xb8\xd1\x80", false,
                 "na\xc3\xafve|\xd0\xbc\xd0\xb8\xd1\x80");
}

static void test_words__apostrophes_and_decimal_points_join(void **state)
{
    (void)state;
    assert_words("don't 'quote'", false, "don't|'|quote|'");
    assert_words("l\xe2\x80\x99"
                 "eau",
                 false,
                 "l\xe2\x80\x99"
                 "eau");
    assert_words("3.50, 1,000.", false, "3.50|,|1,000|.");
    assert_words("a.b 3.x x.3", false, "a|.|b|3|.|x|x|.|3");
}

static void test_words__punctuation_and_symbols_stand_alone(void **state)
{
    (void)state;
    assert_words("what?! (100%)", false, "what|?|!|(|100|%|)");
    assert_words("\xf0\x9f\x98\x80\xf0\x9f\x98\x80", false, "\xf0\x9f\x98\x80|\xf0\x9f\x98\x80");
}

static void test_words__unspaced_scripts_give_one_word_per_character(void **state)
{
    (void)state;
    /* Two Chinese characters, a kana, then Latin; Korean is written with spaces. */
    assert_words("\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x81\xae"
                 "ok",
                 false, "\xe4\xbd\xa0|\xe5\xa5\xbd|\xe3\x81\xae|ok");
    assert_words("\xed\x95\x9c\xea\xb5\xad \xec\x96\xb4", false,
                 "\xed\x95\x9c\xea\xb5\xad|\xec\x96\xb4");
}

static void test_words__combining_marks_stay_with_their_base(void **state)
{
    (void)state;
    assert_words("cafe\xcc\x81s", false, "cafe\xcc\x81s");
    assert_words("\xe3\x81\x8b\xe3\x82\x99\xe3\x81\x8b", false,
                 "\xe3\x81\x8b\xe3\x82\x99|\xe3\x81\x8b");
    assert_words("\xcc\x81"
                 "a",
                 false,
                 "\xcc\x81"
                 "a");
}

static void test_words__lower_maps_case_in_any_script(void **state)
{
    (void)state;
    assert_words("Play \xc3\x89T\xc3\x89 \xd0\x9c", true, "play|\xc3\xa9t\xc3\xa9|\xd0\xbc");
}

static void test_words__bytes_that_are_not_utf8_separate(void **state)
{
    (void)state;
    assert_words("a\xff\xfe"
                 "b \xe4\xbd",
                 false, "a|b");
}

/* Whatever the bytes, every word is a non-empty slice and the reader moves on to the end. */
static void test_words__any_bytes_are_read_to_the_end(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(5, "words", "", "test");
    icl_text word = { 0 };
    for (int round = 0; round < 2000; round++) {
        char text[33];
        const size_t length = icl_rng_below(&rng, 32);
        for (size_t i = 0; i < length; i++) text[i] = (char)(1 + icl_rng_below(&rng, 255));
        text[length] = 0;
        icl_word_reader reader = icl_word_reader_new(text, round % 2 == 1);
        size_t words = 0;
        while (icl_word_next(&word, &reader)) {
            assert_true(word.length > 0);
            assert_int_equal(icl_utf8_valid_length(word.bytes, word.length), word.length);
            assert_true(++words <= length);
        }
        assert_ptr_equal(reader.at, text + length);
    }
    icl_text_deinit(&word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words__letters_digits_and_connectors_run_together),
        cmocka_unit_test(test_words__apostrophes_and_decimal_points_join),
        cmocka_unit_test(test_words__punctuation_and_symbols_stand_alone),
        cmocka_unit_test(test_words__unspaced_scripts_give_one_word_per_character),
        cmocka_unit_test(test_words__combining_marks_stay_with_their_base),
        cmocka_unit_test(test_words__lower_maps_case_in_any_script),
        cmocka_unit_test(test_words__bytes_that_are_not_utf8_separate),
        cmocka_unit_test(test_words__any_bytes_are_read_to_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
