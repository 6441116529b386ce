#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "train/prose.h"

static void assert_normalised(const char *text, bool keep_lines, const char *expected)
{
    icl_text out = { 0 };
    icl_prose_normalise(&out, text, strlen(text), keep_lines);
    assert_string_equal(icl_text_string(&out), expected);
    icl_text_deinit(&out);
}

static void test_prose__blanks_are_normalised(void **state)
{
    assert_normalised("  a \t b\r\n\r\n c\x01 ", false, "a b c");
    assert_normalised("  a \t b \r\n \n c ", true, "a b\nc");
    assert_normalised("a\xC2\xA0\xE3\x80\x80"
                      "b",
                      false, "a b"); /* U+00A0, U+3000 */
    assert_normalised("\xC3\xA9t\xC3\xA9", false, "\xC3\xA9t\xC3\xA9");
    assert_normalised(" \n ", true, "");
}

static void test_prose__words_are_counted_and_cut(void **state)
{
    static const struct {
        const char *text;
        size_t words;
        const char *first_two;
    } cases[] = {
        { "", 0, "" },
        { "one", 1, "one" },
        { "one two", 2, "one two" },
        { "one, two-three four", 3, "one, two-three" },
        { "\xE4\xBD\xA0\xE5\xA5\xBD\xE4\xB8\x96", 3, "\xE4\xBD\xA0\xE5\xA5\xBD" },
        { "\xE4\xBD\xA0\xE5\xA5\xBD\xE3\x80\x82", 2, "\xE4\xBD\xA0\xE5\xA5\xBD\xE3\x80\x82" },
        { "a\xE4\xBD\xA0 b", 3, "a\xE4\xBD\xA0" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t length = strlen(cases[i].text);
        assert_int_equal(icl_prose_word_count(cases[i].text, length), cases[i].words);
        const size_t bytes = icl_prose_words(cases[i].text, length, 2);
        assert_int_equal(bytes, strlen(cases[i].first_two));
        assert_memory_equal(cases[i].text, cases[i].first_two, bytes);
    }
}

/* The sentences of `line`, joined by "|". */
static void assert_sentences(const char *line, const char *expected)
{
    icl_text out = { 0 };
    const size_t length = strlen(line);
    for (size_t start = 0; start < length;) {
        const size_t end = icl_prose_sentence_end(line, length, start);
        assert_true(end > start && end <= length);
        if (start > 0) icl_text_append_char(&out, '|');
        icl_text_append(&out, line + start, end - start);
        start = end + (end < length && line[end] == ' ');
    }
    assert_string_equal(icl_text_string(&out), expected);
    icl_text_deinit(&out);
}

static void test_prose__sentences_end_where_readers_end_them(void **state)
{
    assert_sentences("It rained. We stayed!", "It rained.|We stayed!");
    assert_sentences("No stop at all", "No stop at all");
    assert_sentences("Why? \"Because.\" He left.", "Why?|\"Because.\"|He left.");
    assert_sentences("\"Barney!\" he cried out. \"A child!\" \"Alone!\"",
                     "\"Barney!\" he cried out.|\"A child!\"|\"Alone!\"");
    assert_sentences("\xE2\x80\x9CYes.\xE2\x80\x9D \xE2\x80\x9CNo?\xE2\x80\x9D So he went.",
                     "\xE2\x80\x9CYes.\xE2\x80\x9D|\xE2\x80\x9CNo?\xE2\x80\x9D|So he went.");
    assert_sentences("He paused... and went on. Then...", "He paused... and went on.|Then...");
    assert_sentences("It costs 3.50 now. 12 people came.", "It costs 3.50 now.|12 people came.");
}

static void test_prose__abbreviations_do_not_end_a_sentence(void **state)
{
    assert_sentences("Mr. Smith met Mrs. Jones. Dr. No left.",
                     "Mr. Smith met Mrs. Jones.|Dr. No left.");
    assert_sentences("J. S. Mill wrote it. It was I. Then all slept.",
                     "J. S. Mill wrote it.|It was I.|Then all slept.");
    assert_sentences("The U.S. Army came. We saw St. Paul's.",
                     "The U.S. Army came.|We saw St. Paul's.");
    assert_sentences("See No. 5 there. She said no. But he stayed.",
                     "See No. 5 there.|She said no.|But he stayed.");
}

static void test_prose__wide_stops_end_a_sentence_without_a_blank(void **state)
{
    assert_sentences("\xE4\xBD\xA0\xE5\xA5\xBD\xE3\x80\x82\xE5\x86\x8D\xE8\xA7\x81\xEF\xBC\x81",
                     "\xE4\xBD\xA0\xE5\xA5\xBD\xE3\x80\x82|\xE5\x86\x8D\xE8\xA7\x81\xEF\xBC\x81");
}

/* Whatever the text: sentences cover it, end between characters, and words add up. */
static void test_prose__random_texts_are_cut_between_characters(void **state)
{
    static const char *const parts[] = { "a",        "Mr",           ".",           "!",   "?\"",
                                         " ",        "\n",           "U.S.",        "No.", "3",
                                         "\xC3\xA9", "\xE2\x80\x9D", "I",           "...", "(",
                                         "\x01",     "\xE4\xBD\xA0", "\xE3\x80\x82" };
    icl_rng rng = icl_rng_new(1, "prose", "", "");
    for (int round = 0; round < 3000; round++) {
        icl_text raw = { 0 }, line = { 0 }, again = { 0 };
        for (size_t i = icl_rng_below(&rng, 30) + 1; i > 0; i--)
            icl_text_append_string(&raw, parts[icl_rng_below(&rng, sizeof parts / sizeof *parts)]);
        icl_prose_normalise(&line, raw.bytes, raw.length, round % 2 == 0);
        const char *text = icl_text_string(&line);
        icl_prose_normalise(&again, text, line.length, round % 2 == 0);
        assert_string_equal(icl_text_string(&again), text);
        for (size_t start = 0; start < line.length;) {
            const size_t end = icl_prose_sentence_end(text, line.length, start);
            assert_true(end > start && end <= line.length);
            assert_int_equal(icl_utf8_valid_length(text + start, end - start), end - start);
            start = end;
        }
        const size_t words = icl_prose_word_count(text, line.length);
        for (size_t some = 0; some <= words; some++) {
            const size_t bytes = icl_prose_words(text, line.length, some);
            assert_int_equal(icl_utf8_valid_length(text, bytes), bytes);
            assert_int_equal(icl_prose_word_count(text, bytes), some);
        }
        icl_text_deinit(&again);
        icl_text_deinit(&line);
        icl_text_deinit(&raw);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prose__blanks_are_normalised),
        cmocka_unit_test(test_prose__words_are_counted_and_cut),
        cmocka_unit_test(test_prose__sentences_end_where_readers_end_them),
        cmocka_unit_test(test_prose__abbreviations_do_not_end_a_sentence),
        cmocka_unit_test(test_prose__wide_stops_end_a_sentence_without_a_blank),
        cmocka_unit_test(test_prose__random_texts_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
