/* What a template writes whatever the item: content-free inputs and its frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/prompting.h"

typedef struct world {
    icl_task *task;
    icl_dataset *examples;
    icl_jinja *template;
    icl_template_forms forms;
} world;

static const char *const fields[] = { "premise", "hypothesis" };

static world open_world(const char *template)
{
    static char rows[] =
        "{\"premise\":\"it rains\",\"hypothesis\":\"it is wet\",\"domain\":\"sky\","
        "\"label\":\"yes\"}\n"
        "{\"premise\":\"b\",\"hypothesis\":\"c\",\"domain\":\"d\",\"label\":\"no\"}\n";
    world w = { 0 };
    icl_dataset_options options = icl_dataset_options_default();
    options.format = ICL_FORMAT_JSONL;
    options.input_fields = fields;
    options.input_field_count = 2;
    FILE *stream = fmemopen(rows, strlen(rows), "r");
    assert_non_null(stream);
    assert_int_equal(icl_dataset_read(&w.examples, stream, "pairs", &options), ICL_OK);
    fclose(stream);
    assert_int_equal(icl_task_default(&w.task), ICL_OK);
    assert_int_equal(icl_task_set_input_fields(w.task, fields, 2), ICL_OK);
    assert_int_equal(icl_task_set_text(w.task, ICL_TASK_TEMPLATE, template), ICL_OK);
    assert_int_equal(icl_prompting_template(&w.template, w.task), ICL_OK);
    assert_int_equal(icl_template_forms_init(&w.forms, w.template, w.task, w.examples), ICL_OK);
    return w;
}

static void close_world(world *w)
{
    icl_template_forms_deinit(&w->forms);
    icl_jinja_free(w->template);
    icl_dataset_close(w->examples);
    icl_task_free(w->task);
}

static void assert_frame(const char *template, size_t count, const char *const *parts)
{
    world w = open_world(template);
    assert_int_equal(w.forms.frame_count, count);
    for (size_t i = 0; i < count; i++) assert_string_equal(w.forms.frame[i], parts[i]);
    close_world(&w);
}

/* Other fields are those of the first example. */
static void test_prompting__content_free_inputs_replace_every_input_field(void **state)
{
    world w = open_world("[{{ domain }}] {{ premise }} => {{ hypothesis | upper }}?");
    assert_string_equal(w.forms.content_free[0], "[sky] N/A => N/A?");
    assert_string_equal(w.forms.content_free[1], "[sky]  => ?");
    assert_string_equal(w.forms.content_free[2], "[sky] [MASK] => [MASK]?");
    assert_null(w.forms.refusal);
    close_world(&w);
}

static void test_prompting__a_template_without_input_fields_has_no_content_free_inputs(void **state)
{
    world w = open_world("{{ domain }}");
    for (size_t i = 0; i < ICL_CONTENT_FREE_COUNT; i++) assert_null(w.forms.content_free[i]);
    assert_non_null(strstr(w.forms.refusal, "the template uses none of the input fields"));
    close_world(&w);
}

/* The empty text has no first letter; a run that asks for nothing content-free does not care. */
static void test_prompting__what_the_template_refuses_is_kept_as_a_sentence(void **state)
{
    world w = open_world("{{ premise[0] }} {{ hypothesis }}");
    assert_string_equal(w.forms.content_free[0], "N N/A");
    assert_null(w.forms.content_free[1]);
    assert_string_equal(
        w.forms.refusal,
        "content-free input \"\": pairs:1: template:1:11: no item 0 in a string of 0");
    close_world(&w);
}

static void test_prompting__the_frame_is_what_stands_around_the_fields(void **state)
{
    assert_frame("Premise: {{ premise }}\nHypothesis: {{ hypothesis }}\n({{ domain }})", 3,
                 (const char *const[]){ "Premise: ", "\nHypothesis: ", "\n(sky)" });
    assert_frame("{{ premise }}{{ hypothesis }}", 3, (const char *const[]){ "", "", "" });
    assert_frame("{{ premise }} {{ premise }}.", 3, (const char *const[]){ "", " ", "." });
    assert_frame("{{ premise | length }}", 0, NULL);
    assert_frame("fixed", 0, NULL);
    assert_frame("{{ premise[1] }}", 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prompting__content_free_inputs_replace_every_input_field),
        cmocka_unit_test(
            test_prompting__a_template_without_input_fields_has_no_content_free_inputs),
        cmocka_unit_test(test_prompting__what_the_template_refuses_is_kept_as_a_sentence),
        cmocka_unit_test(test_prompting__the_frame_is_what_stands_around_the_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
