#include "data/task_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"
#include "base/text.h"

static icl_status set_defaults(icl_task *task)
{
    static const char *const text_field[] = { "text" };
    ICL_TRY(icl_task_set_text(task, ICL_TASK_NAME, "custom"));
    ICL_TRY(icl_task_set_text(task, ICL_TASK_LABEL_FIELD, "label"));
    ICL_TRY(icl_task_set_text(task, ICL_TASK_ID_FIELD, "id"));
    ICL_TRY(icl_task_set_text(task, ICL_TASK_TEMPLATE, "Text: {{ text }}\nLabel:"));
    ICL_TRY(icl_task_set_text(task, ICL_TASK_ANSWER_PREFIX, " "));
    ICL_TRY(icl_task_set_text(task, ICL_TASK_SEPARATOR, "\n\n"));
    return icl_task_set_input_fields(task, text_field, 1);
}

icl_status icl_task_default(icl_task **out)
{
    icl_task *task = calloc(1, sizeof *task);
    if (task == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a task");
    task->shots = ICL_SHOTS_UNSET;
    const icl_status status = set_defaults(task);
    if (status == ICL_OK)
        *out = task;
    else
        icl_task_free(task);
    return status;
}

static void free_strings(char **strings, size_t count)
{
    for (size_t i = 0; strings != NULL && i < count; i++) free(strings[i]);
    free(strings);
}

void icl_task_free(icl_task *task)
{
    if (task == NULL) return;
    for (size_t i = 0; i < ICL_TASK_KEY_COUNT; i++) free(task->texts[i]);
    free_strings(task->input_fields, task->input_field_count);
    icl_verbalizer_free(task->verbalizer);
    free(task);
}

const char *icl_task_text(const icl_task *task, icl_task_key key)
{
    assert(key < ICL_TASK_KEY_COUNT);
    return task->texts[key] == NULL ? "" : task->texts[key];
}

icl_status icl_task_set_text(icl_task *task, icl_task_key key, const char *value)
{
    assert(key < ICL_TASK_KEY_COUNT);
    const size_t length = strlen(value), valid = icl_utf8_valid_length(value, length);
    char shown[ICL_QUOTE_BYTES];
    if (valid < length)
        return icl_error_set(ICL_EINVAL, "invalid UTF-8 at byte offset %zu of %s", valid,
                             icl_quote(shown, value, length));
    char *copy = icl_string_copy(value, length);
    if (copy == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a task");
    free(task->texts[key]);
    task->texts[key] = copy;
    return ICL_OK;
}

size_t icl_task_input_field_count(const icl_task *task)
{
    return task->input_field_count;
}

const char *icl_task_input_field(const icl_task *task, size_t index)
{
    assert(index < task->input_field_count);
    return task->input_fields[index];
}

icl_status icl_task_set_input_fields(icl_task *task, const char *const *names, size_t count)
{
    assert(count > 0);
    char shown[ICL_QUOTE_BYTES];
    for (size_t i = 0; i < count; i++) {
        if (names[i][0] == '\0') return icl_error_set(ICL_EINVAL, "an input field has no name");
        for (size_t j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                return icl_error_set(ICL_EINVAL, "input field %s stands twice",
                                     icl_quote(shown, names[i], strlen(names[i])));
    }
    char **copies = calloc(count, sizeof *copies);
    bool complete = copies != NULL;
    for (size_t i = 0; complete && i < count; i++) {
        copies[i] = icl_string_copy(names[i], strlen(names[i]));
        complete = copies[i] != NULL;
    }
    if (!complete) {
        free_strings(copies, count);
        return icl_error_set(ICL_ENOMEM, "out of memory for a task");
    }
    free_strings(task->input_fields, task->input_field_count);
    task->input_fields = copies;
    task->input_field_count = count;
    return ICL_OK;
}

const icl_verbalizer *icl_task_verbalizer(const icl_task *task)
{
    return task->verbalizer;
}

icl_status icl_task_set_labels(icl_task *task, const char *text)
{
    icl_verbalizer *given = NULL;
    ICL_TRY(icl_verbalizer_parse(&given, text));
    if (task->verbalizer != NULL) {
        icl_verbalizer *aligned = NULL;
        const icl_status status =
            icl_verbalizer_align(&aligned, given, icl_verbalizer_labels(task->verbalizer));
        icl_verbalizer_free(given);
        if (status != ICL_OK) return status;
        given = aligned;
    }
    icl_verbalizer_free(task->verbalizer);
    task->verbalizer = given;
    return ICL_OK;
}

icl_format icl_task_format(const icl_task *task)
{
    return task->format;
}

icl_metric icl_task_metric(const icl_task *task)
{
    return task->metric;
}

size_t icl_task_shots(const icl_task *task)
{
    return task->shots;
}

/* --- data --- */

static icl_status check_path(const icl_task *task, icl_task_key key, const char *name)
{
    if (icl_task_text(task, key)[0] != '\0') return ICL_OK;
    return icl_error_set(ICL_EINVAL, "task \"%s\" names no %s file",
                         icl_task_text(task, ICL_TASK_NAME), name);
}

static icl_status load_train(icl_task_data *data, icl_dataset_options *options,
                             const icl_task *task)
{
    ICL_TRY(check_path(task, ICL_TASK_TRAIN_PATH, "train"));
    if (task->verbalizer != NULL) options->labels = icl_verbalizer_labels(task->verbalizer);
    ICL_TRY(icl_dataset_open(&data->train, icl_task_text(task, ICL_TASK_TRAIN_PATH), options));
    options->labels = icl_dataset_labels(data->train);
    if (task->verbalizer == NULL)
        return icl_verbalizer_identity(&data->verbalizer, options->labels);
    return icl_verbalizer_align(&data->verbalizer, task->verbalizer, options->labels);
}

static icl_status load(icl_task_data *out, const icl_task *task, bool with_test)
{
    if (with_test) ICL_TRY(check_path(task, ICL_TASK_TEST_PATH, "test"));
    icl_task_data data = { 0 };
    icl_dataset_options options = icl_dataset_options_default();
    options.format = task->format;
    options.input_fields = (const char *const *)task->input_fields;
    options.input_field_count = task->input_field_count;
    options.label_field = icl_task_text(task, ICL_TASK_LABEL_FIELD);
    options.id_field = icl_task_text(task, ICL_TASK_ID_FIELD);
    icl_status status = load_train(&data, &options, task);
    options.require_label = false;
    if (status == ICL_OK && with_test)
        status = icl_dataset_open(&data.test, icl_task_text(task, ICL_TASK_TEST_PATH), &options);
    if (status == ICL_OK)
        *out = data;
    else
        icl_task_data_deinit(&data);
    return status;
}

icl_status icl_task_load(icl_task_data *out, const icl_task *task)
{
    return load(out, task, true);
}

icl_status icl_task_load_train(icl_task_data *out, const icl_task *task)
{
    return load(out, task, false);
}

void icl_task_data_deinit(icl_task_data *data)
{
    icl_verbalizer_free(data->verbalizer);
    icl_dataset_close(data->test);
    icl_dataset_close(data->train);
    *data = (icl_task_data){ 0 };
}
