#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/card.h"

static const char *const metrics[] = { "cosine", "l2", NULL };
static const icl_option options_of_knn[] = {
    { .name = "k", .type = ICL_OPTION_INT, .fallback = "8", .minimum = 0, .maximum = 1000 },
    { .name = "metric", .type = ICL_OPTION_CHOICE, .fallback = "cosine", .choices = metrics },
    { .name = "weight", .type = ICL_OPTION_REAL, .fallback = "0.5", .minimum = -1, .maximum = 1 },
    { .name = "reverse", .type = ICL_OPTION_BOOL, .fallback = "false" },
    { .name = "file", .type = ICL_OPTION_TEXT, .fallback = "" },
};
static const icl_card knn = {
    .name = "knn",
    .options = options_of_knn,
    .option_count = sizeof options_of_knn / sizeof options_of_knn[0],
};
static const icl_card none = { .name = "none" };

static icl_status parse(icl_call *call, const char *text)
{
    return icl_call_parse(call, text, strlen(text));
}

/* Reads `text` against a card; on success writes the canonical form. */
static icl_status canonical(icl_text *out, const icl_card *card, const char *text)
{
    icl_call call;
    icl_options options;
    icl_status status = parse(&call, text);
    if (status != ICL_OK) return status;
    status = icl_options_read(&options, card, &call);
    icl_call_deinit(&call);
    if (status != ICL_OK) return status;
    icl_text_clear(out);
    icl_options_format(out, &options);
    icl_options_deinit(&options);
    return ICL_OK;
}

static void test_card__calls_split_into_name_and_arguments(void **state)
{
    icl_call call;
    assert_int_equal(parse(&call, " knn ( k = 8 ,file=\"a b,\\\"c\\\\\" ) "), ICL_OK);
    assert_string_equal(call.name, "knn");
    assert_int_equal(call.argument_count, 2);
    assert_string_equal(call.keys[0], "k");
    assert_string_equal(call.values[0], "8");
    assert_string_equal(call.keys[1], "file");
    assert_string_equal(call.values[1], "a b,\"c\\");
    icl_call_deinit(&call);

    assert_int_equal(parse(&call, "nearest-last"), ICL_OK);
    assert_string_equal(call.name, "nearest-last");
    assert_int_equal(call.argument_count, 0);
    icl_call_deinit(&call);
    assert_int_equal(parse(&call, "knn()"), ICL_OK);
    icl_call_deinit(&call);
    /* Only `length` bytes belong to the call. */
    assert_int_equal(icl_call_parse(&call, "knn order=x", 3), ICL_OK);
    assert_string_equal(call.name, "knn");
    icl_call_deinit(&call);
}

static void test_card__malformed_calls_name_the_place(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        { "", "\"\" ends where a name should stand" },
        { "(k=1)", "in \"(k=1)\", a name should stand at \"(k=1)\"" },
        { "knn(k=8", "\"knn(k=8\" ends where \",\" or \")\" should stand" },
        { "knn(k)", "in \"knn(k)\", \"=\" should stand at \")\"" },
        { "knn(k=)", "in \"knn(k=)\", a value should stand at \")\"" },
        { "knn(=3)", "in \"knn(=3)\", an option name should stand at \"=3)\"" },
        { "knn(k=1,)", "in \"knn(k=1,)\", an option name should stand at \")\"" },
        { "knn(k=1) x", "in \"knn(k=1) x\", the end should stand at \"x\"" },
        { "knn(k=1 2)", "in \"knn(k=1 2)\", \",\" or \")\" should stand at \"2)\"" },
        { "knn(f=\"a", "\"knn(f=\\\"a\" ends where a closing quote should stand" },
        { "knn(f=\"a\\", "\"knn(f=\\\"a\\\\\" ends where a closing quote should stand" },
        { "knn(k=1,k=2)", "\"knn(k=1,k=2)\" gives option \"k\" twice" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        icl_call call;
        assert_int_equal(parse(&call, cases[i].text), ICL_EPARSE);
        assert_string_equal(icl_error_message(), cases[i].sentence);
        assert_null(call.name);
        assert_int_equal(call.argument_count, 0);
    }
    icl_call call;
    assert_int_equal(icl_call_parse(&call, "knn\0(k=1)", 9), ICL_EPARSE);
    assert_int_equal(icl_call_parse(&call, "knn(f=\"\0\")", 10), ICL_EPARSE);
}

static void test_card__too_many_arguments_are_refused(void **state)
{
    icl_text text = { 0 };
    icl_text_append_string(&text, "m(");
    for (int i = 0; i <= ICL_OPTIONS_MAX; i++)
        icl_text_printf(&text, "%sa%d=1", i == 0 ? "" : ",", i);
    icl_text_append_char(&text, ')');
    icl_call call;
    assert_int_equal(icl_call_parse(&call, text.bytes, text.length), ICL_EPARSE);
    char sentence[32];
    snprintf(sentence, sizeof sentence, "more than %d options", ICL_OPTIONS_MAX);
    assert_non_null(strstr(icl_error_message(), sentence));
    icl_text_deinit(&text);
}

static void test_card__defaults_hold_where_nothing_is_said(void **state)
{
    icl_call call;
    icl_options options;
    assert_int_equal(parse(&call, "knn(weight=-0.25,reverse=true)"), ICL_OK);
    assert_int_equal(icl_options_read(&options, &knn, &call), ICL_OK);
    icl_call_deinit(&call);
    assert_int_equal(icl_options_int(&options, "k"), 8);
    assert_int_equal(icl_options_int(&options, "metric"), 0);
    assert_true(icl_options_real(&options, "weight") == -0.25);
    assert_true(icl_options_bool(&options, "reverse"));
    assert_string_equal(icl_options_text(&options, "file"), "");
    icl_options_deinit(&options);
}

static void test_card__canonical_form_is_complete_and_reads_back(void **state)
{
    icl_text form = { 0 }, again = { 0 };
    assert_int_equal(canonical(&form, &knn, "knn(metric=l2, weight=1e-1)"), ICL_OK);
    assert_string_equal(form.bytes, "knn(k=8,metric=l2,weight=0.1,reverse=false,file=\"\")");
    assert_int_equal(canonical(&form, &knn, "knn(file=\"a \\\"b\\\\\",k=+3)"), ICL_OK);
    assert_string_equal(form.bytes,
                        "knn(k=3,metric=cosine,weight=0.5,reverse=false,file=\"a \\\"b\\\\\")");
    assert_int_equal(canonical(&again, &knn, form.bytes), ICL_OK);
    assert_string_equal(again.bytes, form.bytes);
    assert_int_equal(canonical(&form, &knn, "knn(file=/a/b.gguf)"), ICL_OK);
    assert_non_null(strstr(form.bytes, "file=/a/b.gguf"));
    assert_int_equal(canonical(&form, &none, "none()"), ICL_OK);
    assert_string_equal(form.bytes, "none");
    icl_text_deinit(&form);
    icl_text_deinit(&again);
}

static void test_card__numbers_are_written_as_a_person_would(void **state)
{
    static const icl_option rho[] = { { .name = "rho",
                                        .type = ICL_OPTION_REAL,
                                        .fallback = "10",
                                        .minimum = -1e30,
                                        .maximum = 1e30 } };
    static const icl_card votek = { .name = "votek", .options = rho, .option_count = 1 };
    static const char *const same[] = { "votek(rho=10)",      "votek(rho=-150)",
                                        "votek(rho=1000000)", "votek(rho=12.5)",
                                        "votek(rho=0)",       "votek(rho=1e+20)",
                                        "votek(rho=0.0001)",  "votek(rho=1e-06)" };
    icl_text form = { 0 };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_int_equal(canonical(&form, &votek, same[i]), ICL_OK);
        assert_string_equal(form.bytes, same[i]);
    }
    icl_text_deinit(&form);
}

static void test_card__wrong_values_name_option_value_and_range(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        { "knn(k=-1)", "option k of knn: \"-1\" is not a whole number in 0..1000" },
        { "knn(k=1001)", "option k of knn: \"1001\" is not a whole number in 0..1000" },
        { "knn(k=2.5)", "option k of knn: \"2.5\" is not a whole number in 0..1000" },
        { "knn(k=99999999999999999999)",
          "option k of knn: \"99999999999999999999\" is not a whole number in 0..1000" },
        { "knn(k=\" 3\")", "option k of knn: \" 3\" is not a whole number in 0..1000" },
        { "knn(weight=nan)", "option weight of knn: \"nan\" is not a number in -1..1" },
        { "knn(weight=0x1)", "option weight of knn: \"0x1\" is not a number in -1..1" },
        { "knn(weight=1.5)", "option weight of knn: \"1.5\" is not a number in -1..1" },
        { "knn(reverse=yes)", "option reverse of knn: \"yes\" is not true or false" },
        { "knn(metric=cos)", "option metric of knn: \"cos\" is not one of cosine, l2" },
        { "knn(k=\"\")", "option k of knn: \"\" is not a whole number in 0..1000" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        icl_text form = { 0 };
        assert_int_equal(canonical(&form, &knn, cases[i].text), ICL_EINVAL);
        assert_string_equal(icl_error_message(), cases[i].sentence);
        icl_text_deinit(&form);
    }
}

static void test_card__unknown_options_offer_the_nearest(void **state)
{
    icl_text form = { 0 };
    assert_int_equal(canonical(&form, &knn, "knn(metrik=l2)"), ICL_ENOTFOUND);
    assert_string_equal(icl_error_message(),
                        "knn has no option \"metrik\"; did you mean \"metric\"?");
    assert_int_equal(canonical(&form, &knn, "knn(temperature=1)"), ICL_ENOTFOUND);
    assert_string_equal(icl_error_message(), "knn has no option \"temperature\"; known: k, metric, "
                                             "weight, reverse, file");
    assert_int_equal(canonical(&form, &none, "none(k=1)"), ICL_ENOTFOUND);
    assert_string_equal(icl_error_message(), "none has no options, so not \"k\"");
    icl_text_deinit(&form);
}

static void test_card__failure_leaves_the_options_untouched(void **state)
{
    icl_call good, bad;
    icl_options options;
    assert_int_equal(parse(&good, "knn(k=3,file=x)"), ICL_OK);
    assert_int_equal(parse(&bad, "knn(file=y,k=-3)"), ICL_OK);
    assert_int_equal(icl_options_read(&options, &knn, &good), ICL_OK);
    assert_int_equal(icl_options_read(&options, &knn, &bad), ICL_EINVAL);
    assert_int_equal(icl_options_int(&options, "k"), 3);
    assert_string_equal(icl_options_text(&options, "file"), "x");
    icl_options_deinit(&options);
    icl_call_deinit(&good);
    icl_call_deinit(&bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_card__calls_split_into_name_and_arguments),
        cmocka_unit_test(test_card__malformed_calls_name_the_place),
        cmocka_unit_test(test_card__too_many_arguments_are_refused),
        cmocka_unit_test(test_card__defaults_hold_where_nothing_is_said),
        cmocka_unit_test(test_card__canonical_form_is_complete_and_reads_back),
        cmocka_unit_test(test_card__numbers_are_written_as_a_person_would),
        cmocka_unit_test(test_card__wrong_values_name_option_value_and_range),
        cmocka_unit_test(test_card__unknown_options_offer_the_nearest),
        cmocka_unit_test(test_card__failure_leaves_the_options_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
