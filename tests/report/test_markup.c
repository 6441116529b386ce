/* Any text becomes text: what is escaped ends no element and no attribute, is UTF-8 without control
 * characters, and reads back as it was where it was printable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "report/html.h"

static const char *escaped(icl_text *out, const char *text)
{
    icl_text_clear(out);
    icl_markup_escape(out, text);
    assert_int_equal(icl_text_status(out), ICL_OK);
    return icl_text_string(out);
}

static void test_markup__each_kind_of_character(void **state)
{
    static const char *const cases[][2] = {
        { "plain, \xC3\xA9\xE2\x82\xAC \xD7\xA9\n\t", "plain, \xC3\xA9\xE2\x82\xAC \xD7\xA9\n\t" },
        { "<script>alert(\"x\")</script>", "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" },
        { "' onload='", "&#39; onload=&#39;" },
        { "&amp;", "&amp;amp;" },
        { "a\rb", "a&#13;b" },
        { "\x01\x1B\x7F", "\xE2\x90\x81\xE2\x90\x9B\xE2\x90\xA1" },
        { "\xC2\x85 \xC2\xA0", "\xEF\xBF\xBD \xC2\xA0" },
        { "\xFFok\xE2\x82", "\xEF\xBF\xBDok\xEF\xBF\xBD\xEF\xBF\xBD" },
    };
    icl_text out = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(escaped(&out, cases[i][0]), cases[i][1]);
    icl_text_deinit(&out);
}

static void test_markup__random_bytes_stay_text(void **state)
{
    enum { ROUNDS = 2000, BYTES = 40 };
    static const char entities[][6] = { "&lt;", "&gt;", "&amp;", "&quot;", "&#39;", "&#13;" };
    icl_rng rng = icl_rng_new(7, "", "", "markup");
    icl_text out = { 0 };
    for (int round = 0; round < ROUNDS; round++) {
        char text[BYTES + 1];
        for (size_t i = 0; i < BYTES; i++) text[i] = (char)(1 + icl_rng_below(&rng, 255));
        text[BYTES] = '\0';
        const char *shown = escaped(&out, text);
        assert_null(strpbrk(shown, "<>\"'\r\x01\x1F\x7F"));
        assert_int_equal(icl_utf8_valid_length(shown, out.length), out.length);
        for (const char *at = shown; (at = strchr(at, '&')) != NULL; at++) {
            bool known = false;
            for (size_t e = 0; e < sizeof entities / sizeof *entities; e++)
                known |= strncmp(at, entities[e], strnlen(entities[e], 6)) == 0;
            assert_true(known);
        }
    }
    icl_text_deinit(&out);
}

static void test_markup__a_long_name_is_cut_between_characters(void **state)
{
    icl_text out = { 0 };
    icl_html_name(&out, "\xE2\x82\xAC\xE2\x82\xAC\"", 4);
    assert_string_equal(icl_text_string(&out),
                        "<bdi title=\"\xE2\x82\xAC\xE2\x82\xAC&quot;\">\xE2\x82\xAC...</bdi>");
    icl_text_clear(&out);
    icl_html_name(&out, "<b>", 3);
    assert_string_equal(icl_text_string(&out), "<bdi>&lt;b&gt;</bdi>");
    icl_text_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markup__each_kind_of_character),
        cmocka_unit_test(test_markup__random_bytes_stay_text),
        cmocka_unit_test(test_markup__a_long_name_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
