/* Task files: YAML, strict. Every key has a line in a table. */
#include "data/task_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "data/verbalizer.h"

enum { FILE_BYTES_MAX = 1 << 20, SHOTS_MAX = 100000 };

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* --- values; a rule's offset is the icl_task_key that it sets --- */

static icl_status read_text(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    icl_text text = { 0 };
    icl_status status = icl_yaml_text(&text, value);
    if (status == ICL_OK)
        status = icl_task_set_text(self, (icl_task_key)rule->offset, icl_text_string(&text));
    icl_text_deinit(&text);
    return status;
}

/* Relative to the folder of the task file. */
static icl_status read_path(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    icl_text name = { 0 }, path = { 0 };
    const char *slash = strrchr(value->path, '/');
    icl_status status = icl_yaml_text(&name, value);
    if (status != ICL_OK) goto cleanup;
    if (name.length == 0) {
        status = icl_yaml_refuse(value, "the file name is empty");
        goto cleanup;
    }
    if (name.bytes[0] != '/' && slash != NULL)
        icl_text_append(&path, value->path, (size_t)(slash - value->path) + 1);
    icl_text_append(&path, name.bytes, name.length);
    status = icl_text_status(&path);
    if (status == ICL_OK)
        status = icl_task_set_text(self, (icl_task_key)rule->offset, icl_text_string(&path));

cleanup:
    icl_text_deinit(&path);
    icl_text_deinit(&name);
    return status;
}

static icl_status read_metric(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    static const char *const names[] = { "accuracy", "macro_f1", NULL };
    static const icl_metric metrics[] = { ICL_METRIC_ACCURACY, ICL_METRIC_MACRO_F1 };
    icl_task *task = self;
    size_t index = 0;
    (void)rule;
    ICL_TRY(icl_yaml_choice(&index, value, names));
    task->metric = metrics[index];
    return ICL_OK;
}

static icl_status read_format(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    static const char *const names[] = { "auto", "jsonl", "csv", "tsv", NULL };
    static const icl_format formats[] = { ICL_FORMAT_AUTO, ICL_FORMAT_JSONL, ICL_FORMAT_CSV,
                                          ICL_FORMAT_TSV };
    icl_task *task = self;
    size_t index = 0;
    (void)rule;
    ICL_TRY(icl_yaml_choice(&index, value, names));
    task->format = formats[index];
    return ICL_OK;
}

static icl_status read_shots(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    icl_task *task = self;
    uint64_t shots = 0;
    (void)rule;
    ICL_TRY(icl_yaml_whole(&shots, value, 0, SHOTS_MAX));
    task->shots = (size_t)shots;
    return ICL_OK;
}

/* Names, each ended by NUL. */
typedef struct name_list {
    icl_text text;
    size_t count;
} name_list;

static icl_status add_name(void *self, const icl_yaml_value *item)
{
    name_list *names = self;
    ICL_TRY(icl_yaml_text(&names->text, item));
    icl_text_append_char(&names->text, '\0');
    names->count++;
    return icl_text_status(&names->text);
}

static icl_status read_input_fields(void *self, const icl_yaml_value *value,
                                    const icl_yaml_rule *rule)
{
    name_list names = { 0 };
    const char **list = NULL;
    (void)rule;
    icl_status status = icl_yaml_each(&names, value, add_name);
    if (status != ICL_OK) goto cleanup;
    list = calloc(names.count, sizeof *list);
    if (list == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for a task");
        goto cleanup;
    }
    const char *name = names.text.bytes;
    for (size_t i = 0; i < names.count; i++, name += strlen(name) + 1) list[i] = name;
    status = icl_task_set_input_fields(self, list, names.count);
    if (status == ICL_EINVAL) status = icl_yaml_place_of_key(status, value);

cleanup:
    free(list);
    icl_text_deinit(&names.text);
    return status;
}

/* --- labels --- */

static icl_status read_label(void *self, const icl_yaml_value *value)
{
    icl_text label = { 0 };
    name_list words = { 0 };
    const icl_yaml_value key = { .path = value->path, .key = value->key, .node = value->key };
    icl_status status = icl_yaml_text(&label, &key);
    if (status == ICL_OK) status = icl_yaml_each(&words, value, add_name);
    const char *word = words.text.bytes;
    for (size_t i = 0; status == ICL_OK && i < words.count; i++, word += strlen(word) + 1) {
        status = icl_verbalizer_add(self, icl_text_string(&label), word);
        if (status == ICL_EPARSE) status = icl_yaml_place_of_key(status, value);
    }
    icl_text_deinit(&words.text);
    icl_text_deinit(&label);
    return status;
}

static icl_status read_labels(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    icl_task *task = self;
    icl_verbalizer *verbalizer = NULL;
    (void)rule;
    ICL_TRY(icl_verbalizer_new(&verbalizer));
    const icl_status status = icl_yaml_each_entry(verbalizer, value, read_label);
    if (status == ICL_OK)
        task->verbalizer = verbalizer;
    else
        icl_verbalizer_free(verbalizer);
    return status;
}

/* --- the rules --- */

static icl_status read_data(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    static const icl_yaml_rule rules[] = {
        { .name = "train", .read = read_path, .offset = ICL_TASK_TRAIN_PATH },
        { .name = "test", .read = read_path, .offset = ICL_TASK_TEST_PATH },
        { .name = "validation", .read = read_path, .offset = ICL_TASK_VALIDATION_PATH },
        { .name = "format", .read = read_format },
    };
    (void)rule;
    return icl_yaml_entries(self, value, rules, COUNT_OF(rules));
}

static icl_status read_fields(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    static const icl_yaml_rule rules[] = {
        { .name = "input", .read = read_input_fields },
        { .name = "label", .read = read_text, .offset = ICL_TASK_LABEL_FIELD },
        { .name = "id", .read = read_text, .offset = ICL_TASK_ID_FIELD },
    };
    (void)rule;
    return icl_yaml_entries(self, value, rules, COUNT_OF(rules));
}

static const icl_yaml_rule task_rules[] = {
    { .name = "name", .read = read_text, .offset = ICL_TASK_NAME },
    { .name = "description", .read = read_text, .offset = ICL_TASK_DESCRIPTION },
    { .name = "data", .read = read_data },
    { .name = "fields", .read = read_fields },
    { .name = "template", .read = read_text, .offset = ICL_TASK_TEMPLATE },
    { .name = "answer_prefix", .read = read_text, .offset = ICL_TASK_ANSWER_PREFIX },
    { .name = "separator", .read = read_text, .offset = ICL_TASK_SEPARATOR },
    { .name = "instruction", .read = read_text, .offset = ICL_TASK_INSTRUCTION },
    { .name = "labels", .read = read_labels },
    { .name = "metric", .read = read_metric },
    { .name = "shots", .read = read_shots },
    { .name = "strategy", .read = read_text, .offset = ICL_TASK_STRATEGY },
    { .name = "licence", .read = read_text, .offset = ICL_TASK_LICENCE },
    { .name = "source", .read = read_text, .offset = ICL_TASK_SOURCE },
};

/* --- the file --- */

/* The file's stem; a task file may state another name. */
static icl_status set_name(icl_task *task, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(base, '.');
    icl_text name = { 0 };
    icl_text_append(&name, base, dot == NULL || dot == base ? strlen(base) : (size_t)(dot - base));
    const icl_status status = icl_task_set_text(task, ICL_TASK_NAME, icl_text_string(&name));
    icl_text_deinit(&name);
    return status;
}

icl_status icl_task_parse(icl_task **out, const char *bytes, size_t length, const char *path)
{
    icl_task *task = NULL;
    ICL_TRY(icl_task_default(&task));
    icl_status status = set_name(task, path);
    if (status == ICL_OK)
        status = icl_yaml_parse(task, bytes, length, path, task_rules, COUNT_OF(task_rules));
    if (status == ICL_OK)
        *out = task;
    else
        icl_task_free(task);
    return status;
}

icl_status icl_task_open(icl_task **out, const char *path)
{
    icl_text bytes = { 0 };
    icl_status status = icl_file_read(&bytes, path, FILE_BYTES_MAX);
    if (status == ICL_OK) status = icl_task_parse(out, icl_text_string(&bytes), bytes.length, path);
    icl_text_deinit(&bytes);
    return status;
}
