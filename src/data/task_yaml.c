/* Task files: YAML, strict. Every key has a line in a table; whatever is not in it is refused with
 * its place and the nearest key. */
#include "data/task_parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <libfyaml.h>

#include "base/error.h"
#include "base/file.h"
#include "base/quote.h"
#include "base/text.h"
#include "data/verbalizer.h"

enum { FILE_BYTES_MAX = 1 << 20, SHOTS_MAX = 100000 };

typedef struct loading {
    icl_task *task;
    const char *path;
} loading;

/* A key of a mapping: the reader of its value, and the text it sets where that is all it does. */
typedef struct key_rule {
    const char *name;
    icl_status (*read)(loading *in, const struct key_rule *rule, struct fy_node *key,
                       struct fy_node *value);
    icl_task_key key;
} key_rule;

/* --- places and scalars --- */

/* Prepends "file:line:column: " of a node that is a scalar, else of `key`. */
static icl_status at(icl_status status, const loading *in, struct fy_node *node)
{
    struct fy_token *token = fy_node_is_scalar(node) ? fy_node_get_scalar_token(node) : NULL;
    const struct fy_mark *mark = token == NULL ? NULL : fy_token_start_mark(token);
    if (mark == NULL) return icl_error_prefix(status, "%s", in->path);
    return icl_error_prefix(status, "%s:%d:%d", in->path, mark->line + 1, mark->column + 1);
}

static bool is_text(struct fy_node *node)
{
    return fy_node_is_scalar(node) && !fy_node_is_alias(node);
}

/* The scalar as text, appended to `out`; `key` is where a message points when it is none. */
static icl_status read_scalar(icl_text *out, const loading *in, struct fy_node *key,
                              struct fy_node *value)
{
    char shown[ICL_QUOTE_BYTES];
    size_t length = 0, key_length = 0;
    const char *name = fy_node_get_scalar(key, &key_length);
    icl_quote(shown, name, key_length);
    if (value == NULL || !is_text(value) || fy_node_is_null(value)) {
        icl_error_set(ICL_EPARSE, "the value of %s is not text", shown);
        return at(ICL_EPARSE, in, key);
    }
    const char *bytes = fy_node_get_scalar(value, &length);
    if (length > 0 && memchr(bytes, '\0', length) != NULL) {
        icl_error_set(ICL_EPARSE, "the value of %s holds a NUL character", shown);
        return at(ICL_EPARSE, in, value);
    }
    /* Escapes in double quotes can name lone surrogates. */
    if (icl_utf8_valid_length(bytes, length) < length) {
        icl_error_set(ICL_EPARSE, "the value of %s is not valid UTF-8", shown);
        return at(ICL_EPARSE, in, value);
    }
    icl_text_append(out, bytes, length);
    return icl_text_status(out);
}

/* --- values --- */

static icl_status read_text(loading *in, const key_rule *rule, struct fy_node *key,
                            struct fy_node *value)
{
    icl_text text = { 0 };
    icl_status status = read_scalar(&text, in, key, value);
    if (status == ICL_OK) status = icl_task_set_text(in->task, rule->key, icl_text_string(&text));
    icl_text_deinit(&text);
    return status;
}

static icl_status read_path(loading *in, const key_rule *rule, struct fy_node *key,
                            struct fy_node *value)
{
    icl_text name = { 0 }, path = { 0 };
    const char *slash = strrchr(in->path, '/');
    icl_status status = read_scalar(&name, in, key, value);
    if (status != ICL_OK) goto cleanup;
    if (name.length == 0) {
        icl_error_set(ICL_EPARSE, "the file name is empty");
        status = at(ICL_EPARSE, in, value);
        goto cleanup;
    }
    if (name.bytes[0] != '/' && slash != NULL)
        icl_text_append(&path, in->path, (size_t)(slash - in->path) + 1);
    icl_text_append(&path, name.bytes, name.length);
    status = icl_text_status(&path);
    if (status == ICL_OK) status = icl_task_set_text(in->task, rule->key, icl_text_string(&path));

cleanup:
    icl_text_deinit(&path);
    icl_text_deinit(&name);
    return status;
}

/* The index of the value among `names`, or a sentence that lists them. */
static icl_status read_choice(size_t *out, const loading *in, struct fy_node *key,
                              struct fy_node *value, const char *const *names, size_t count)
{
    icl_text text = { 0 };
    icl_status status = read_scalar(&text, in, key, value);
    const char *name = icl_text_string(&text);
    size_t index = 0;
    while (status == ICL_OK && index < count && strcmp(name, names[index]) != 0) index++;
    if (status == ICL_OK && index == count) {
        char shown[ICL_QUOTE_BYTES];
        icl_text known = { 0 };
        for (size_t i = 0; i < count; i++)
            icl_text_printf(&known, "%s%s", i > 0 ? ", " : "", names[i]);
        icl_error_set(ICL_EPARSE, "value %s is not one of %s", icl_quote(shown, name, text.length),
                      icl_text_string(&known));
        icl_text_deinit(&known);
        status = at(ICL_EPARSE, in, value);
    }
    icl_text_deinit(&text);
    if (status == ICL_OK) *out = index;
    return status;
}

static icl_status read_metric(loading *in, const key_rule *rule, struct fy_node *key,
                              struct fy_node *value)
{
    static const char *const names[] = { "accuracy", "macro_f1" };
    size_t index = 0;
    (void)rule;
    ICL_TRY(read_choice(&index, in, key, value, names, 2));
    in->task->metric = index == 0 ? ICL_METRIC_ACCURACY : ICL_METRIC_MACRO_F1;
    return ICL_OK;
}

static icl_status read_format(loading *in, const key_rule *rule, struct fy_node *key,
                              struct fy_node *value)
{
    static const char *const names[] = { "auto", "jsonl", "csv", "tsv" };
    static const icl_format formats[] = { ICL_FORMAT_AUTO, ICL_FORMAT_JSONL, ICL_FORMAT_CSV,
                                          ICL_FORMAT_TSV };
    size_t index = 0;
    (void)rule;
    ICL_TRY(read_choice(&index, in, key, value, names, 4));
    in->task->format = formats[index];
    return ICL_OK;
}

static icl_status read_shots(loading *in, const key_rule *rule, struct fy_node *key,
                             struct fy_node *value)
{
    icl_text text = { 0 };
    (void)rule;
    icl_status status = read_scalar(&text, in, key, value);
    const char *digits = icl_text_string(&text);
    char *end = NULL;
    const unsigned long shots = strtoul(digits, &end, 10);
    if (status == ICL_OK &&
        (!isdigit((unsigned char)digits[0]) || *end != '\0' || shots > SHOTS_MAX)) {
        char shown[ICL_QUOTE_BYTES];
        icl_error_set(ICL_EPARSE, "shots is %s, not a whole number in 0..%d",
                      icl_quote(shown, digits, text.length), SHOTS_MAX);
        status = at(ICL_EPARSE, in, value);
    }
    if (status == ICL_OK) in->task->shots = (size_t)shots;
    icl_text_deinit(&text);
    return status;
}

/* Reads one name or a list of them into `names`, each ended by NUL. */
static icl_status read_names(icl_text *names, size_t *out_count, const loading *in,
                             struct fy_node *key, struct fy_node *value)
{
    void *state = NULL;
    struct fy_node *item = NULL;
    *out_count = 0;
    if (value == NULL || !fy_node_is_sequence(value)) {
        ICL_TRY(read_scalar(names, in, key, value));
        icl_text_append_char(names, '\0');
        *out_count = 1;
        return icl_text_status(names);
    }
    while ((item = fy_node_sequence_iterate(value, &state)) != NULL) {
        ICL_TRY(read_scalar(names, in, key, item));
        icl_text_append_char(names, '\0');
        ++*out_count;
    }
    if (*out_count == 0) {
        icl_error_set(ICL_EPARSE, "the list is empty");
        return at(ICL_EPARSE, in, key);
    }
    return icl_text_status(names);
}

static icl_status read_input_fields(loading *in, const key_rule *rule, struct fy_node *key,
                                    struct fy_node *value)
{
    icl_text names = { 0 };
    size_t count = 0;
    const char **list = NULL;
    (void)rule;
    icl_status status = read_names(&names, &count, in, key, value);
    if (status != ICL_OK) goto cleanup;
    list = calloc(count, sizeof *list);
    if (list == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for a task");
        goto cleanup;
    }
    const char *name = names.bytes;
    for (size_t i = 0; i < count; i++, name += strlen(name) + 1) list[i] = name;
    status = icl_task_set_input_fields(in->task, list, count);
    if (status == ICL_EINVAL) status = at(ICL_EPARSE, in, key);

cleanup:
    free(list);
    icl_text_deinit(&names);
    return status;
}

/* --- mappings --- */

static icl_status read_label(icl_verbalizer *verbalizer, const loading *in, struct fy_node *key,
                             struct fy_node *value)
{
    icl_text label = { 0 }, words = { 0 };
    size_t count = 0;
    icl_status status = read_scalar(&label, in, key, key);
    if (status == ICL_OK) status = read_names(&words, &count, in, key, value);
    const char *word = words.bytes;
    for (size_t i = 0; status == ICL_OK && i < count; i++, word += strlen(word) + 1) {
        status = icl_verbalizer_add(verbalizer, icl_text_string(&label), word);
        if (status == ICL_EPARSE) status = at(status, in, key);
    }
    icl_text_deinit(&words);
    icl_text_deinit(&label);
    return status;
}

static icl_status not_mapping(const loading *in, struct fy_node *key)
{
    size_t length = 0;
    char shown[ICL_QUOTE_BYTES];
    const char *name = fy_node_get_scalar(key, &length);
    icl_error_set(ICL_EPARSE, "the value of %s is not a mapping with entries",
                  icl_quote(shown, name, length));
    return at(ICL_EPARSE, in, key);
}

static icl_status read_labels(loading *in, const key_rule *rule, struct fy_node *key,
                              struct fy_node *value)
{
    (void)rule;
    if (value == NULL || !fy_node_is_mapping(value) || fy_node_mapping_item_count(value) == 0)
        return not_mapping(in, key);
    icl_verbalizer *verbalizer = NULL;
    ICL_TRY(icl_verbalizer_new(&verbalizer));
    void *state = NULL;
    struct fy_node_pair *pair = NULL;
    icl_status status = ICL_OK;
    while (status == ICL_OK && (pair = fy_node_mapping_iterate(value, &state)) != NULL) {
        struct fy_node *label = fy_node_pair_key(pair);
        if (label == NULL || !is_text(label))
            status = not_mapping(in, key);
        else
            status = read_label(verbalizer, in, label, fy_node_pair_value(pair));
    }
    if (status == ICL_OK)
        in->task->verbalizer = verbalizer;
    else
        icl_verbalizer_free(verbalizer);
    return status;
}

static icl_status unknown_key(const loading *in, struct fy_node *key, const char *name,
                              size_t length, const key_rule *rules, size_t rule_count)
{
    enum { RULES_MAX = 24 };
    const char *names[RULES_MAX];
    char shown[ICL_QUOTE_BYTES];
    icl_text copy = { 0 };
    for (size_t i = 0; i < rule_count; i++) names[i] = rules[i].name;
    icl_text_append(&copy, name, length);
    const size_t nearest = icl_nearest_name(icl_text_string(&copy), names, rule_count);
    icl_text_deinit(&copy);
    icl_quote(shown, name, length);
    if (nearest < rule_count)
        icl_error_set(ICL_EPARSE, "unknown key %s; did you mean \"%s\"?", shown, names[nearest]);
    else
        icl_error_set(ICL_EPARSE, "unknown key %s", shown);
    return at(ICL_EPARSE, in, key);
}

/* Reads every entry of a mapping by its rule. */
static icl_status read_entries(loading *in, struct fy_node *mapping, const key_rule *rules,
                               size_t rule_count)
{
    void *state = NULL;
    struct fy_node_pair *pair = NULL;
    while ((pair = fy_node_mapping_iterate(mapping, &state)) != NULL) {
        struct fy_node *key = fy_node_pair_key(pair);
        size_t length = 0, i = 0;
        if (key == NULL || !is_text(key))
            return icl_error_set(ICL_EPARSE, "%s: a key is not text", in->path);
        const char *name = fy_node_get_scalar(key, &length);
        while (i < rule_count &&
               (strlen(rules[i].name) != length || memcmp(rules[i].name, name, length) != 0))
            i++;
        if (i == rule_count) return unknown_key(in, key, name, length, rules, rule_count);
        ICL_TRY(rules[i].read(in, &rules[i], key, fy_node_pair_value(pair)));
    }
    return ICL_OK;
}

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static icl_status read_data(loading *in, const key_rule *rule_of_data, struct fy_node *key,
                            struct fy_node *value)
{
    static const key_rule rules[] = {
        { "train", read_path, ICL_TASK_TRAIN_PATH },
        { "test", read_path, ICL_TASK_TEST_PATH },
        { "validation", read_path, ICL_TASK_VALIDATION_PATH },
        { "format", read_format, 0 },
    };
    (void)rule_of_data;
    if (value == NULL || !fy_node_is_mapping(value)) return not_mapping(in, key);
    return read_entries(in, value, rules, COUNT_OF(rules));
}

static icl_status read_fields(loading *in, const key_rule *rule_of_fields, struct fy_node *key,
                              struct fy_node *value)
{
    static const key_rule rules[] = {
        { "input", read_input_fields, 0 },
        { "label", read_text, ICL_TASK_LABEL_FIELD },
        { "id", read_text, ICL_TASK_ID_FIELD },
    };
    (void)rule_of_fields;
    if (value == NULL || !fy_node_is_mapping(value)) return not_mapping(in, key);
    return read_entries(in, value, rules, COUNT_OF(rules));
}

static const key_rule task_rules[] = {
    { "name", read_text, ICL_TASK_NAME },
    { "description", read_text, ICL_TASK_DESCRIPTION },
    { "data", read_data, 0 },
    { "fields", read_fields, 0 },
    { "template", read_text, ICL_TASK_TEMPLATE },
    { "answer_prefix", read_text, ICL_TASK_ANSWER_PREFIX },
    { "separator", read_text, ICL_TASK_SEPARATOR },
    { "instruction", read_text, ICL_TASK_INSTRUCTION },
    { "labels", read_labels, 0 },
    { "metric", read_metric, 0 },
    { "shots", read_shots, 0 },
    { "strategy", read_text, ICL_TASK_STRATEGY },
    { "licence", read_text, ICL_TASK_LICENCE },
    { "source", read_text, ICL_TASK_SOURCE },
};

/* --- the file --- */

/* What libfyaml has against the text. */
static icl_status syntax_error(const char *path, struct fy_diag *diag)
{
    void *state = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &state);
    if (error == NULL) return icl_error_set(ICL_EPARSE, "%s: invalid YAML", path);
    return icl_error_set(ICL_EPARSE, "%s:%d:%d: invalid YAML: %s", path, error->line, error->column,
                         error->msg);
}

static icl_status read_documents(loading *in, struct fy_parser *parser, struct fy_diag *diag)
{
    struct fy_document *document = fy_parse_load_document(parser);
    if (document == NULL && fy_diag_got_error(diag)) return syntax_error(in->path, diag);
    if (document == NULL) return icl_error_set(ICL_EPARSE, "%s: the file is empty", in->path);
    struct fy_node *root = fy_document_root(document);
    icl_status status;
    if (root == NULL || !fy_node_is_mapping(root))
        status = icl_error_set(ICL_EPARSE, "%s: the file is not a mapping of keys", in->path);
    else
        status = read_entries(in, root, task_rules, COUNT_OF(task_rules));
    fy_parse_document_destroy(parser, document);
    if (status != ICL_OK) return status;

    document = fy_parse_load_document(parser);
    if (document != NULL) {
        fy_parse_document_destroy(parser, document);
        return icl_error_set(ICL_EPARSE, "%s: the file holds more than one document", in->path);
    }
    return fy_diag_got_error(diag) ? syntax_error(in->path, diag) : ICL_OK;
}

static icl_status read_bytes(loading *in, const char *bytes, size_t length)
{
    const size_t valid = icl_utf8_valid_length(bytes, length);
    if (valid < length)
        return icl_error_set(ICL_EPARSE, "%s: invalid UTF-8: byte 0x%02x at byte offset %zu",
                             in->path, (unsigned char)bytes[valid], valid);
    if (length > 0 && memchr(bytes, '\0', length) != NULL)
        return icl_error_set(ICL_EPARSE, "%s: the file holds a NUL byte", in->path);
    struct fy_diag_cfg diag_options;
    fy_diag_cfg_default(&diag_options);
    diag_options.fp = NULL;
    diag_options.colorize = false;
    struct fy_diag *diag = fy_diag_create(&diag_options);
    if (diag == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a task");
    fy_diag_set_collect_errors(diag, true);
    const struct fy_parse_cfg options = { .flags = FYPCF_QUIET, .diag = diag };
    struct fy_parser *parser = fy_parser_create(&options);
    icl_status status = icl_error_set(ICL_ENOMEM, "out of memory for a task");
    if (parser != NULL && fy_parser_set_string(parser, bytes, length) == 0)
        status = read_documents(in, parser, diag);
    if (parser != NULL) fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return status;
}

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
    loading in = { .path = path };
    ICL_TRY(icl_task_default(&in.task));
    icl_status status = set_name(in.task, path);
    if (status == ICL_OK) status = read_bytes(&in, bytes, length);
    if (status == ICL_OK)
        *out = in.task;
    else
        icl_task_free(in.task);
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
