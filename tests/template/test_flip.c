/* Templates turned round: answer first, then input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "template/flip.h"
#include "template/jinja.h"

static void assert_flips(const char *template, const char *prefix, const char *text,
                         const char *flipped)
{
    icl_jinja *parsed = NULL;
    icl_text rendered = { 0 }, whole = { 0 };
    icl_flip flip = { 0 };
    size_t tail_length;
    assert_int_equal(icl_jinja_parse(&parsed, template, strlen(template), "t"), ICL_OK);
    json_t *row = json_pack("{s:s}", "text", text);
    assert_int_equal(icl_jinja_render(&rendered, parsed, row), ICL_OK);
    const char *tail = icl_jinja_tail(parsed, &tail_length);
    assert_int_equal(icl_flip_init(&flip, tail, tail_length, prefix), ICL_OK);
    char *answer = icl_flip_answer(&flip, "good");
    char *input = icl_flip_input(&flip, icl_text_string(&rendered));
    icl_text_printf(&whole, "%s%s%s", answer, flip.join, input);
    assert_string_equal(icl_text_string(&whole), flipped);
    free(input);
    free(answer);
    icl_flip_deinit(&flip);
    icl_text_deinit(&whole);
    icl_text_deinit(&rendered);
    json_decref(row);
    icl_jinja_free(parsed);
}

static void test_flip__cue_and_input_change_places(void **state)
{
    assert_flips("Text: {{ text }}\nLabel:", " ", "fine", "Label: good\nText: fine");
    assert_flips("Review: {{ text }}\n\nIt was", " ", "fine", "It was good\n\nReview: fine");
    assert_flips("{{ text }} It was", " ", "fine", "It was good fine");
    assert_flips("{{ text }}", "\nLabel: ", "fine", "Label: good\nfine");
    assert_flips("{{ text }}", " ", "fine", "good fine");
    assert_flips("{{ text }}: it is", " ", "fine", ": it is good fine");
    assert_flips("{{ text -}} \n Label:", " ", "fine", "Label: good fine");
    assert_flips("{% if text %}{{ text }}\nLabel:{% endif %}", " ", "fine", "good fine\nLabel:");
    assert_flips("Text: {{ text }}\nLabel:", " ", "", "Label: good\nText: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flip__cue_and_input_change_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
