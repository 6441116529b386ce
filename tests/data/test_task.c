/* Task files: what they say, what they leave to defaults, and the sentence for each mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "data/task_parts.h"

static icl_task *parse_ok(const char *text)
{
    icl_task *task = NULL;
    if (icl_task_parse(&task, text, strlen(text), "folder/a.yaml") != ICL_OK)
        fail_msg("%s", icl_error_message());
    return task;
}

static void test_task__a_full_file_says_everything(void **state)
{
    icl_task *task =
        parse_ok("# a comment\n"
                 "name: nli\n"
                 "description: >\n  folded\n  text\n"
                 "data: {train: t.csv, test: /abs/u.tsv, validation: v/w.jsonl, format: csv}\n"
                 "fields:\n  input: [premise, hypothesis]\n  label: gold\n  id: key\n"
                 "template: \"{{ premise }}\\n{{ hypothesis }}?\"\n"
                 "answer_prefix: ''\n"
                 "separator: \"\\n###\\n\"\n"
                 "instruction: Answer yes or no.\n"
                 "labels:\n  0: 'yes'\n  1: [no, nope]\n"
                 "metric: macro_f1\n"
                 "shots: 0\n"
                 "strategy: select=random(k=4) score=direct\n"
                 "licence: CC0-1.0\n"
                 "source: made up\n");
    static const struct {
        icl_task_key key;
        const char *value;
    } texts[] = {
        { ICL_TASK_NAME, "nli" },
        { ICL_TASK_DESCRIPTION, "folded text\n" },
        { ICL_TASK_TRAIN_PATH, "folder/t.csv" },
        { ICL_TASK_TEST_PATH, "/abs/u.tsv" },
        { ICL_TASK_VALIDATION_PATH, "folder/v/w.jsonl" },
        { ICL_TASK_LABEL_FIELD, "gold" },
        { ICL_TASK_ID_FIELD, "key" },
        { ICL_TASK_TEMPLATE, "{{ premise }}\n{{ hypothesis }}?" },
        { ICL_TASK_ANSWER_PREFIX, "" },
        { ICL_TASK_SEPARATOR, "\n###\n" },
        { ICL_TASK_INSTRUCTION, "Answer yes or no." },
        { ICL_TASK_STRATEGY, "select=random(k=4) score=direct" },
        { ICL_TASK_LICENCE, "CC0-1.0" },
        { ICL_TASK_SOURCE, "made up" },
    };
    assert_int_equal(sizeof texts / sizeof texts[0], ICL_TASK_KEY_COUNT);
    for (size_t i = 0; i < ICL_TASK_KEY_COUNT; i++)
        assert_string_equal(icl_task_text(task, texts[i].key), texts[i].value);
    assert_int_equal(icl_task_format(task), ICL_FORMAT_CSV);
    assert_int_equal(icl_task_metric(task), ICL_METRIC_MACRO_F1);
    assert_int_equal(icl_task_shots(task), 0);
    assert_int_equal(icl_task_input_field_count(task), 2);
    assert_string_equal(icl_task_input_field(task, 1), "hypothesis");
    const icl_verbalizer *words = icl_task_verbalizer(task);
    assert_string_equal(icl_label_space_name(icl_verbalizer_labels(words), 0), "0");
    assert_string_equal(icl_verbalizer_word(words, 0, 0), "yes");
    assert_string_equal(icl_verbalizer_word(words, 1, 1), "nope");
    icl_task_free(task);
}

static void test_task__everything_may_be_left_out(void **state)
{
    icl_task *read = parse_ok("{}"), *made = NULL;
    assert_int_equal(icl_task_default(&made), ICL_OK);
    assert_string_equal(icl_task_text(read, ICL_TASK_NAME), "a");
    assert_string_equal(icl_task_text(made, ICL_TASK_NAME), "custom");
    for (int key = ICL_TASK_NAME + 1; key < ICL_TASK_KEY_COUNT; key++)
        assert_string_equal(icl_task_text(read, (icl_task_key)key),
                            icl_task_text(made, (icl_task_key)key));
    assert_string_equal(icl_task_text(made, ICL_TASK_TEMPLATE), "Text: {{ text }}\nLabel:");
    assert_string_equal(icl_task_text(made, ICL_TASK_ANSWER_PREFIX), " ");
    assert_string_equal(icl_task_text(made, ICL_TASK_SEPARATOR), "\n\n");
    assert_string_equal(icl_task_text(made, ICL_TASK_STRATEGY), "");
    assert_string_equal(icl_task_input_field(made, 0), "text");
    assert_true(icl_task_shots(made) == ICL_SHOTS_UNSET);
    assert_int_equal(icl_task_metric(made), ICL_METRIC_ACCURACY);
    assert_null(icl_task_verbalizer(made));
    icl_task_free(read);
    icl_task_free(made);
}

static void test_task__mistakes_are_named_by_place(void **state)
{
    static const char *const cases[][2] = {
        { "name: a\ntempalte: x\n",
          "t.yaml:2:1: unknown key \"tempalte\"; did you mean \"template\"?" },
        { "zzz: a\n", "t.yaml:1:1: unknown key \"zzz\"" },
        { "data: {tran: x}\n", "t.yaml:1:8: unknown key \"tran\"; did you mean \"train\"?" },
        { "fields:\n  lable: x\n", "t.yaml:2:3: unknown key \"lable\"; did you mean \"label\"?" },
        { "name: [a\n", "t.yaml:2:1: invalid YAML: flow sequence without a closing bracket" },
        { "name: a\nname: b\n", "t.yaml:2:1: invalid YAML: duplicate key" },
        { "name: a\n---\nname: b\n", "t.yaml: the file holds more than one document" },
        { "", "t.yaml: the file is empty" },
        { "# nothing\n", "t.yaml: the file is empty" },
        { "- a\n", "t.yaml: the file is not a mapping of keys" },
        { "? [a]\n: b\n", "t.yaml: a key is not text" },
        { "name:\n", "t.yaml:1:1: the value of \"name\" is not text" },
        { "name: {a: b}\n", "t.yaml:1:1: the value of \"name\" is not text" },
        { "name: &x a\nsource: *x\n", "t.yaml:2:1: the value of \"source\" is not text" },
        { "name: \"a\\0b\"\n", "t.yaml:1:8: the value of \"name\" holds a NUL character" },
        { "name: a\xFF\n", "t.yaml: invalid UTF-8: byte 0xff at byte offset 7" },
        { "data: x\n", "t.yaml:1:1: the value of \"data\" is not a mapping with entries" },
        { "data: {train: ''}\n", "t.yaml:1:16: the file name is empty" },
        { "data: {format: xml}\n",
          "t.yaml:1:16: value \"xml\" is not one of auto, jsonl, csv, tsv" },
        { "metric: f1\n", "t.yaml:1:9: value \"f1\" is not one of accuracy, macro_f1" },
        { "shots: -3\n", "t.yaml:1:8: shots is \"-3\", not a whole number in 0..100000" },
        { "shots: 4.5\n", "t.yaml:1:8: shots is \"4.5\", not a whole number in 0..100000" },
        { "shots: 99999999999999999999\n",
          "t.yaml:1:8: shots is \"99999999999999999999\", not a whole number in 0..100000" },
        { "fields:\n  input: []\n", "t.yaml:2:3: the list is empty" },
        { "fields:\n  input: [a, a]\n", "t.yaml:2:3: input field \"a\" stands twice" },
        { "labels: [a, b]\n", "t.yaml:1:1: the value of \"labels\" is not a mapping with entries" },
        { "labels: {}\n", "t.yaml:1:1: the value of \"labels\" is not a mapping with entries" },
        { "labels: {a: }\n", "t.yaml:1:10: the value of \"a\" is not text" },
        { "labels: {a: [x, '  ']}\n", "t.yaml:1:10: the words of label \"a\" are empty" },
        { "labels:\n  a: x\n  b: x\n",
          "t.yaml:3:3: labels \"a\" and \"b\" have the same words \"x\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        icl_task *task = NULL;
        assert_int_equal(icl_task_parse(&task, cases[i][0], strlen(cases[i][0]), "t.yaml"),
                         ICL_EPARSE);
        assert_string_equal(icl_error_message(), cases[i][1]);
        assert_null(task);
    }
    icl_task *task = NULL;
    assert_int_equal(icl_task_parse(&task, "name: a\0", 8, "t.yaml"), ICL_EPARSE);
    assert_string_equal(icl_error_message(), "t.yaml: the file holds a NUL byte");
    assert_int_equal(icl_task_open(&task, "no/such.yaml"), ICL_EIO);
    assert_null(task);
}

static void test_task__overrides_keep_the_stated_labels(void **state)
{
    icl_task *task = parse_ok("labels: {b: x, a: y}");
    assert_int_equal(icl_task_set_text(task, ICL_TASK_TEMPLATE, "Q: {{ q }}"), ICL_OK);
    assert_string_equal(icl_task_text(task, ICL_TASK_TEMPLATE), "Q: {{ q }}");
    assert_int_equal(icl_task_set_text(task, ICL_TASK_TEMPLATE, "\xC3"), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "invalid UTF-8 at byte offset 0 of \"\\xc3\"");
    assert_string_equal(icl_task_text(task, ICL_TASK_TEMPLATE), "Q: {{ q }}");

    assert_int_equal(icl_task_set_labels(task, "a=ay,b=bee"), ICL_OK);
    assert_string_equal(icl_verbalizer_word(icl_task_verbalizer(task), 0, 0), "bee");
    assert_int_equal(icl_task_set_labels(task, "a=ay"), ICL_EINVAL);
    assert_int_equal(icl_task_set_labels(task, "a=ay,b=bee,c=see"), ICL_ENOTFOUND);
    assert_string_equal(icl_verbalizer_word(icl_task_verbalizer(task), 1, 0), "ay");

    assert_int_equal(icl_task_set_input_fields(task, (const char *const[]){ "q", "r" }, 2), ICL_OK);
    assert_int_equal(icl_task_set_input_fields(task, (const char *const[]){ "q", "q" }, 2),
                     ICL_EINVAL);
    assert_int_equal(icl_task_input_field_count(task), 2);
    icl_task_free(task);
}

/* --- data, in a folder of the test's own --- */

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(icl_file_write_atomic(path, text, strlen(text)), ICL_OK);
}

static char *new_folder(void)
{
    static char folder[] = "/tmp/icl-test-XXXXXX";
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void remove_folder(const char *folder, const char *const *names, size_t count)
{
    char path[256];
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

static icl_status load(icl_task_data *data, const char *folder, const char *name)
{
    char path[256];
    icl_task *task = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    icl_status status = icl_task_open(&task, path);
    if (status == ICL_OK) status = icl_task_load(data, task);
    icl_task_free(task);
    return status;
}

static void test_task__data_is_read_with_one_label_space(void **state)
{
    char *folder = new_folder();
    write_file(folder, "train.csv", "text,label\none,b\ntwo,a\n");
    write_file(folder, "test.jsonl",
               "{\"text\": \"three\", \"label\": \"a\"}\n{\"text\": \"four\"}\n");
    write_file(folder, "bare.yaml", "data: {train: train.csv, test: test.jsonl}\n");
    write_file(folder, "words.yaml",
               "data: {train: train.csv, test: test.jsonl}\nlabels: {a: A, b: B, c: C}\n");
    write_file(folder, "less.yaml", "data: {train: train.csv, test: test.jsonl}\nlabels: {a: A}\n");
    write_file(folder, "half.yaml", "data: {train: train.csv}\n");

    icl_task_data data = { 0 };
    assert_int_equal(load(&data, folder, "bare.yaml"), ICL_OK);
    assert_int_equal(icl_example_label(icl_dataset_at(data.test, 0)), 1);
    assert_true(icl_example_label(icl_dataset_at(data.test, 1)) == ICL_LABEL_NONE);
    assert_string_equal(icl_verbalizer_word(data.verbalizer, 0, 0), "b");
    icl_task_data_deinit(&data);

    assert_int_equal(load(&data, folder, "words.yaml"), ICL_OK);
    assert_int_equal(icl_example_label(icl_dataset_at(data.train, 0)), 1);
    assert_int_equal(icl_label_space_count(icl_dataset_labels(data.test)), 3);
    assert_string_equal(icl_verbalizer_word(data.verbalizer, 2, 0), "C");
    icl_task_data_deinit(&data);

    assert_int_equal(load(&data, folder, "less.yaml"), ICL_EPARSE);
    assert_non_null(
        strstr(icl_error_message(), "train.csv:2: label \"b\" is not in the label space"));
    assert_int_equal(load(&data, folder, "half.yaml"), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "task \"half\" names no test file");
    assert_null(data.train);
    static const char *const names[] = { "train.csv",  "test.jsonl", "bare.yaml",
                                         "words.yaml", "less.yaml",  "half.yaml" };
    remove_folder(folder, names, 6);
}

/* A query whose input stands in the pool would find its own answer there. */
static void assert_disjoint(const icl_task_data *data)
{
    for (size_t q = 0; q < icl_dataset_count(data->test); q++)
        for (size_t i = 0; i < icl_dataset_count(data->train); i++)
            assert_string_not_equal(icl_example_input(icl_dataset_at(data->test, q)),
                                    icl_example_input(icl_dataset_at(data->train, i)));
}

static void test_task__built_in_tasks_are_found_by_name(void **state)
{
    icl_task_list *list = NULL;
    unsetenv("ICL_TASKS");
    assert_int_equal(icl_task_list_new(&list), ICL_OK);
    size_t seen = 0;
    for (size_t i = 0; i < icl_task_list_count(list); i++) {
        const char *name = icl_task_list_name(list, i);
        assert_true(i == 0 || strcmp(icl_task_list_name(list, i - 1), name) < 0);
        seen += strcmp(name, "snips") == 0 || strcmp(name, "tiny") == 0;
        icl_task *task = NULL;
        icl_task_data data = { 0 };
        assert_int_equal(icl_task_find(&task, name), ICL_OK); /* each one reads, with its data */
        assert_string_equal(icl_task_text(task, ICL_TASK_NAME), name);
        assert_int_not_equal(strlen(icl_task_text(task, ICL_TASK_LICENCE)), 0);
        if (icl_task_load(&data, task) != ICL_OK) fail_msg("%s", icl_error_message());
        assert_disjoint(&data);
        icl_task_data_deinit(&data);
        icl_task_free(task);
    }
    assert_int_equal(seen, 2);
    icl_task_list_free(list);

    icl_task *task = NULL;
    assert_int_equal(icl_task_find(&task, "snip"), ICL_ENOTFOUND);
    assert_string_equal(icl_error_message(), "no task is called \"snip\"; did you mean \"snips\"?");
    assert_int_equal(icl_task_find(&task, "./snips"), ICL_EIO);
    assert_null(task);
}

static void test_task__the_users_folder_comes_first(void **state)
{
    char *folder = new_folder();
    write_file(folder, "tiny.yaml", "name: mine\n");
    write_file(folder, "notes.txt", "no task\n");
    setenv("ICL_TASKS", folder, 1);
    icl_task *task = NULL;
    assert_int_equal(icl_task_find(&task, "tiny"), ICL_OK);
    assert_string_equal(icl_task_text(task, ICL_TASK_NAME), "mine");
    icl_task_free(task);
    assert_int_equal(icl_task_find(&task, "snips"), ICL_OK); /* the others are still there */
    icl_task_free(task);
    unsetenv("ICL_TASKS");
    static const char *const names[] = { "tiny.yaml", "notes.txt" };
    remove_folder(folder, names, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_task__a_full_file_says_everything),
        cmocka_unit_test(test_task__everything_may_be_left_out),
        cmocka_unit_test(test_task__mistakes_are_named_by_place),
        cmocka_unit_test(test_task__overrides_keep_the_stated_labels),
        cmocka_unit_test(test_task__data_is_read_with_one_label_space),
        cmocka_unit_test(test_task__built_in_tasks_are_found_by_name),
        cmocka_unit_test(test_task__the_users_folder_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
