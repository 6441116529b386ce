/* The renderer against what Python's jinja2 gives (recipe in tests/golden/make_jinja_cases.py), and
 * by hand for what differs by choice: messages, bounds and the untouched output. ICL_JINJA_CASES
 * names another file of the recipe, for longer runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "template/jinja.h"

static icl_status render_with(icl_text *out, const char *source, size_t length,
                              const json_t *context, const icl_jinja_options *options)
{
    icl_jinja *tmpl = NULL;
    icl_status status = icl_jinja_parse_with(&tmpl, source, length, "t", options);
    if (status == ICL_OK) status = icl_jinja_render(out, tmpl, context);
    icl_jinja_free(tmpl);
    return status;
}

static icl_status render(icl_text *out, const char *source, const char *context)
{
    json_t *json = json_loads(context, 0, NULL);
    assert_non_null(json);
    const icl_status status =
        render_with(out, source, strlen(source), json, &(icl_jinja_options){ 0 });
    json_decref(json);
    return status;
}

static void assert_renders(const char *source, const char *context, const char *expected)
{
    icl_text out = { 0 };
    if (render(&out, source, context) != ICL_OK) fail_msg("%s: %s", source, icl_error_message());
    assert_string_equal(icl_text_string(&out), expected);
    icl_text_deinit(&out);
}

static void assert_fails(const char *source, const char *context, const char *message)
{
    icl_text out = { 0 };
    icl_text_append_string(&out, "before");
    assert_int_equal(render(&out, source, context), ICL_EPARSE);
    assert_string_equal(icl_error_message(), message);
    assert_string_equal(icl_text_string(&out), "before");
    assert_int_equal(out.length, strlen("before"));
    icl_text_deinit(&out);
}

/* ---- the golden file ---- */

static bool same_names(const icl_jinja *tmpl, const json_t *names)
{
    bool same = json_array_size(names) == icl_jinja_name_count(tmpl);
    for (size_t i = 0; same && i < icl_jinja_name_count(tmpl); i++) {
        bool found = false;
        for (size_t k = 0; k < json_array_size(names); k++)
            found |= strcmp(json_string_value(json_array_get(names, k)),
                            icl_jinja_name_at(tmpl, i)) == 0;
        same = found;
    }
    return same;
}

/* Renders one row; a sentence about the difference goes to stderr. */
static bool row_agrees(const json_t *row, const json_t *contexts)
{
    const json_t *source = json_object_get(row, "source"), *out = json_object_get(row, "out");
    const json_t *names = json_object_get(row, "names");
    const json_t *context =
        json_object_get(contexts, json_string_value(json_object_get(row, "context")));
    const bool chat = json_is_true(json_object_get(row, "chat"));
    const icl_jinja_options options = { .trim_blocks = chat,
                                        .lstrip_blocks = chat,
                                        .lenient_undefined = chat };
    icl_jinja *tmpl = NULL;
    icl_text text = { 0 };
    icl_status status = icl_jinja_parse_with(&tmpl, json_string_value(source),
                                             json_string_length(source), "t", &options);
    if (status == ICL_OK) status = icl_jinja_render(&text, tmpl, context);
    bool agrees = status == ICL_EPARSE && text.length == 0;
    if (out != NULL)
        agrees = status == ICL_OK && text.length == json_string_length(out) &&
                 memcmp(icl_text_string(&text), json_string_value(out), text.length) == 0;
    if (agrees && names != NULL) agrees = same_names(tmpl, names);
    if (!agrees)
        fprintf(stderr, "%s\n  expected: %s\n  got: %s\n", json_string_value(source),
                out != NULL ? json_string_value(out) : "an error",
                status == ICL_OK ? icl_text_string(&text) : icl_error_message());
    icl_jinja_free(tmpl);
    icl_text_deinit(&text);
    return agrees;
}

static void test_jinja__renders_as_python_does(void **state)
{
    (void)state;
    const char *path = getenv("ICL_JINJA_CASES");
    FILE *stream =
        fopen(path != NULL ? path : ICL_SOURCE_DIR "/tests/golden/jinja_cases.jsonl", "rb");
    assert_non_null(stream);
    const size_t flags = JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK;
    json_t *head = json_loadf(stream, flags, NULL), *row;
    const json_t *contexts = json_object_get(head, "contexts");
    assert_non_null(contexts);
    size_t count = 0, wrong = 0;
    while ((row = json_loadf(stream, flags, NULL)) != NULL) {
        wrong += !row_agrees(row, contexts);
        count++;
        json_decref(row);
    }
    json_decref(head);
    fclose(stream);
    assert_true(count >= 500);
    assert_int_equal(wrong, 0);
}

/* ---- messages ---- */

static void test_jinja__syntax_errors_name_the_place(void **state)
{
    (void)state;
    assert_fails("a\n  {{ x + }}", "{}",
                 "t:2:10: expected an expression before the end of the tag");
    assert_fails("{% if x %}\nhi", "{}", "t:1:4: \"if\" is not closed by \"{% endif %}\"");
    assert_fails("{% for x in xs %}{% endif %}", "{}",
                 "t:1:21: tag \"endif\" does not belong to the open \"for\"");
    assert_fails("{% endfor %}", "{}", "t:1:4: tag \"endfor\" closes nothing");
    assert_fails("{{ x|uper }}", "{}", "t:1:6: unknown filter \"uper\"; did you mean \"upper\"?");
    assert_fails("{{ x is strin }}", "{}",
                 "t:1:9: unknown test \"strin\"; did you mean \"string\"?");
    assert_fails("{% fro x in y %}", "{}", "t:1:4: unknown tag \"fro\"; did you mean \"for\"?");
    assert_fails("{% include 'x' %}", "{}", "t:1:4: tag \"include\" is not supported");
    assert_fails("é {{ 'abc }}", "{}", "t:1:6: string is not closed");
    assert_fails("{{ f(*xs) }}", "{}",
                 "t:1:6: expected an argument (unpacking with * is not supported), found \"*\"");
    assert_fails("{% for x in xs recursive %}{% endfor %}", "{}",
                 "t:1:16: expected the end of the tag (recursive loops are not supported), found "
                 "\"recursive\"");
    assert_fails("{{ 99999999999999999999 }}", "{}", "t:1:4: integer does not fit 64 bits");
    assert_fails("ok\n\xff", "{}", "t:2:1: byte 0xff is not valid UTF-8");
    assert_fails("{% set x %}{% break %}{% endset %}", "{}", "t:1:15: break outside of a loop");
}

static void test_jinja__unknown_names_are_told_with_the_known_ones(void **state)
{
    (void)state;
    assert_fails("{{ txt }}", "{\"label\": 1, \"text\": 2}",
                 "t:1:4: unknown name \"txt\"; did you mean \"text\"? known: label, text");
    assert_fails("\n{% if zebra %}{% endif %}", "{\"a\": 1}",
                 "t:2:7: unknown name \"zebra\"; known: a");
    assert_fails("{{ q }}", "{}", "t:1:4: unknown name \"q\"; known: none");
    assert_fails("{{ d.b.c }}", "{\"d\": {\"a\": 1}}", "t:1:6: a mapping has no attribute \"b\"");
    assert_fails("{{ xs[3] }}", "{\"xs\": [1]}", "t:1:6: no item 3 in a list of 1");
    /* The place is that of the name, wherever the value is used. */
    assert_fails("{% set y = x %}\n\n{{ y }}", "{}", "t:1:12: unknown name \"x\"; known: none");
}

static void test_jinja__wrong_operands_are_told(void **state)
{
    (void)state;
    assert_fails("{{ 1 + 'a' }}", "{}", "t:1:6: \"+\" does not work on an integer and a string");
    assert_fails("{{ 9223372036854775807 + 1 }}", "{}",
                 "t:1:24: 9223372036854775807 + 1 does not fit 64 bits");
    assert_fails("{{ 3 ** 99 }}", "{}", "t:1:6: 3 ** 99 does not fit 64 bits");
    assert_fails("{{ 1 / 0 }}", "{}", "t:1:6: division by zero");
    assert_fails("{{ 'a'.upper }}", "{}",
                 "t:1:8: method \"upper\" is not called: write \"()\" after it");
    assert_fails("{{ 'a'.swapcase() }}", "{}",
                 "t:1:8: method \"swapcase\" of a string is not supported");
    assert_fails("{{ 'a'|replace('b') }}", "{}", "t:1:8: replace needs its argument \"new\"");
    assert_fails("{{ 'a'|trim(chars='b', x=1) }}", "{}",
                 "t:1:8: trim does not take an argument named \"x\"");
    assert_fails("{{ raise_exception('no system role') }}", "{}",
                 "t:1:4: the template reports: no system role");
}

/* ---- choices of ours ---- */

static void test_jinja__integers_have_64_bits(void **state)
{
    (void)state;
    assert_renders("{{ -9223372036854775807 - 1 }} {{ '-9223372036854775808'|int }}", "{}",
                   "-9223372036854775808 -9223372036854775808");
    assert_fails("{{ '9223372036854775808'|int }}", "{}",
                 "t:1:26: \"9223372036854775808\" does not fit a 64-bit integer");
    assert_fails("{{ (-9223372036854775807 - 1) // -1 }}", "{}",
                 "t:1:31: -9223372036854775808 // -1 does not fit 64 bits");
    assert_renders("{{ (-9223372036854775807 - 1) % -1 }}", "{}", "0");
}

static void test_jinja__tojson_is_plain_and_in_order(void **state)
{
    (void)state;
    assert_renders("{{ d|tojson }}", "{\"d\": {\"z\": \"<é'>\", \"a\": [1, 2.0, null]}}",
                   "{\"z\": \"<é'>\", \"a\": [1, 2.0, null]}");
}

static void test_jinja__time_is_what_the_options_say(void **state)
{
    (void)state;
    static const char source[] = "{{ strftime_now('%d %b %Y') }}|{{ strftime_now('') }}|";
    icl_text out = { 0 };
    json_t *context = json_object();
    const icl_jinja_options options = { .now_seconds = 86400 * 365 };
    assert_int_equal(render_with(&out, source, strlen(source), context, &options), ICL_OK);
    assert_string_equal(icl_text_string(&out), "01 Jan 1971||");
    json_decref(context);
    icl_text_deinit(&out);
    assert_renders("{{ strftime_now is defined }}", "{}", "False");
}

static void test_jinja__lenient_templates_fail_only_where_they_go(void **state)
{
    (void)state;
    static const char source[] =
        "{% if deep %}{{ 1|from_json }}{{ 1 is odder }}{% endif %}[{{ x }}]";
    const icl_jinja_options options = { .lenient_undefined = true };
    icl_text out = { 0 };
    json_t *context = json_object();
    assert_int_equal(render_with(&out, source, strlen(source), context, &options), ICL_OK);
    assert_string_equal(icl_text_string(&out), "[]");
    json_object_set_new(context, "deep", json_true());
    assert_int_equal(render_with(&out, source, strlen(source), context, &options), ICL_EPARSE);
    assert_string_equal(icl_error_message(),
                        "t:1:19: unknown filter \"from_json\"; did you mean \"tojson\"?");
    json_decref(context);
    icl_text_deinit(&out);
}

static void test_jinja__text_may_hold_zero_bytes(void **state)
{
    (void)state;
    icl_text out = { 0 };
    json_t *context = json_pack("{s:o}", "x", json_stringn("a\0b", 3));
    assert_int_equal(render_with(&out, "{{ x }}|\0|", 10, context, &(icl_jinja_options){ 0 }),
                     ICL_OK);
    assert_int_equal(out.length, 6);
    assert_memory_equal(out.bytes, "a\0b|\0|", 6);
    json_decref(context);
    icl_text_deinit(&out);
}

static void test_jinja__renders_append_and_repeat(void **state)
{
    (void)state;
    icl_jinja *tmpl = NULL;
    icl_text out = { 0 };
    json_t *context = json_pack("{s:[i,i]}", "xs", 1, 2);
    const char *source = "{% set _ = xs.append(3) %}{{ xs }}";
    assert_int_equal(icl_jinja_parse(&tmpl, source, strlen(source), "t"), ICL_OK);
    assert_int_equal(icl_jinja_render(&out, tmpl, context), ICL_OK);
    assert_int_equal(icl_jinja_render(&out, tmpl, context), ICL_OK);
    /* A template changes its own copy: the context and the next rendering do not see it. */
    assert_string_equal(icl_text_string(&out), "[1, 2, 3][1, 2, 3]");
    assert_int_equal(json_array_size(json_object_get(context, "xs")), 2);
    icl_jinja_free(tmpl);
    json_decref(context);
    icl_text_deinit(&out);
}

static void test_jinja__names_are_those_of_the_context(void **state)
{
    (void)state;
    static const char source[] = "{{ text }}{% for x in rows %}{{ x.a }}{{ loop.index }}{{ text }}"
                                 "{% endfor %}{% if a %}{% set b = 1 %}{% else %}{% set b = c %}"
                                 "{% endif %}{{ b }}{{ range(3) }}{% if a %}{% set late = 1 %}"
                                 "{% endif %}{{ late }}";
    static const char *const expected[] = { "text", "rows", "a", "c", "late" };
    icl_jinja *tmpl = NULL;
    assert_int_equal(icl_jinja_parse(&tmpl, source, strlen(source), "t"), ICL_OK);
    assert_int_equal(icl_jinja_name_count(tmpl), sizeof expected / sizeof *expected);
    for (size_t i = 0; i < icl_jinja_name_count(tmpl); i++)
        assert_string_equal(icl_jinja_name_at(tmpl, i), expected[i]);
    icl_jinja_free(tmpl);
}

/* ---- bounds ---- */

static void test_jinja__bounds_end_in_a_sentence(void **state)
{
    (void)state;
    assert_fails("{% for i in range(9000) %}{% for j in range(9000) %}{% endfor %}{% endfor %}",
                 "{}", "t:1:39: takes more than 20000000 steps");
    assert_fails(
        "{% set s = 'ab' * 9999999 %}{% for i in range(9999) %}{{ s.find('x') }}{% endfor %}", "{}",
        "t:1:60: takes more than 20000000 steps");
    assert_fails("{{ range(99999999999) }}", "{}", "t:1:4: takes more than 20000000 steps");
    assert_fails("{{ 'abcdefgh' * 99999999 }}", "{}", "t:1:15: output is longer than 64 MiB");
    assert_fails("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{}",
                 "t:1:16: nests deeper than 400 levels");
    assert_fails("{% set l = [] %}{% set _ = l.append(l) %}{{ l }}", "{}",
                 "t:1:45: nests deeper than 400 levels");
    assert_fails("{% set l = [] %}{% set _ = l.append(l) %}{{ l == [l] }}", "{}",
                 "t:1:47: nests deeper than 400 levels");
}

static void assert_too_deep(const char *open, size_t count)
{
    icl_text source = { 0 }, out = { 0 };
    for (size_t i = 0; i < count; i++) icl_text_append_string(&source, open);
    json_t *context = json_object();
    assert_int_equal(render_with(&out, icl_text_string(&source), source.length, context,
                                 &(icl_jinja_options){ 0 }),
                     ICL_EPARSE);
    json_decref(context);
    icl_text_deinit(&source);
    icl_text_deinit(&out);
}

static void test_jinja__deep_and_long_sources_are_refused(void **state)
{
    (void)state;
    assert_too_deep("{{ (", 1);
    assert_too_deep("{% if x %}", 100000);
    assert_too_deep("{% filter upper %}", 500);
    assert_too_deep("{{ 1 }}", 200000); /* 1.4 MB */
    icl_text source = { 0 };
    static const char *const parts[] = { "(", "not ", "-", "[", "x[", "1 ~ ", "1 if ", "f(" };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        icl_text_clear(&source);
        icl_text_append_string(&source, "{{ ");
        for (size_t k = 0; k < 100000; k++) icl_text_append_string(&source, parts[i]);
        assert_too_deep(icl_text_string(&source), 1);
    }
    icl_text_deinit(&source);
}

static void test_jinja__long_chains_of_branches_are_fine(void **state)
{
    (void)state;
    icl_text source = { 0 };
    icl_text_append_string(&source, "{% if n == 0 %}0");
    for (int i = 1; i < 3000; i++) icl_text_printf(&source, "{%% elif n == %d %%}%d", i, i);
    icl_text_append_string(&source, "{% endif %}");
    assert_renders(icl_text_string(&source), "{\"n\": 2999}", "2999");
    icl_text_deinit(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jinja__renders_as_python_does),
        cmocka_unit_test(test_jinja__syntax_errors_name_the_place),
        cmocka_unit_test(test_jinja__unknown_names_are_told_with_the_known_ones),
        cmocka_unit_test(test_jinja__wrong_operands_are_told),
        cmocka_unit_test(test_jinja__integers_have_64_bits),
        cmocka_unit_test(test_jinja__tojson_is_plain_and_in_order),
        cmocka_unit_test(test_jinja__time_is_what_the_options_say),
        cmocka_unit_test(test_jinja__lenient_templates_fail_only_where_they_go),
        cmocka_unit_test(test_jinja__text_may_hold_zero_bytes),
        cmocka_unit_test(test_jinja__renders_append_and_repeat),
        cmocka_unit_test(test_jinja__names_are_those_of_the_context),
        cmocka_unit_test(test_jinja__bounds_end_in_a_sentence),
        cmocka_unit_test(test_jinja__deep_and_long_sources_are_refused),
        cmocka_unit_test(test_jinja__long_chains_of_branches_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
