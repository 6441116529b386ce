#include "base/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfyaml.h>

#include "base/error.h"
#include "base/quote.h"

/* --- places --- */

/* The first scalar in a node, which is where the node begins. */
static struct fy_node *first_scalar(struct fy_node *node)
{
    while (node != NULL && !fy_node_is_scalar(node)) {
        void *state = NULL;
        if (fy_node_is_sequence(node)) {
            node = fy_node_sequence_iterate(node, &state);
        } else {
            struct fy_node_pair *pair = fy_node_mapping_iterate(node, &state);
            node = pair == NULL ? NULL : fy_node_pair_key(pair);
        }
    }
    return node;
}

static icl_status at(icl_status status, const char *path, struct fy_node *node)
{
    node = first_scalar(node);
    struct fy_token *token = node == NULL ? NULL : fy_node_get_scalar_token(node);
    const struct fy_mark *mark = token == NULL ? NULL : fy_token_start_mark(token);
    const icl_status kept = status == ICL_ENOMEM ? ICL_ENOMEM : ICL_EPARSE;
    if (mark == NULL) return icl_error_prefix(kept, "%s", path);
    return icl_error_prefix(kept, "%s:%d:%d", path, mark->line + 1, mark->column + 1);
}

icl_status icl_yaml_place_of_key(icl_status status, const icl_yaml_value *value)
{
    return at(status, value->path, value->key);
}

icl_status icl_yaml_place(icl_status status, const icl_yaml_value *value)
{
    const bool empty = first_scalar(value->node) == NULL;
    return at(status, value->path, empty ? value->key : value->node);
}

icl_status icl_yaml_refuse(const icl_yaml_value *value, const char *format, ...)
{
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return icl_yaml_place(icl_error_set(ICL_EPARSE, "%s", sentence), value);
}

static icl_status refuse_at_key(const icl_yaml_value *value, const char *what)
{
    char shown[ICL_QUOTE_BYTES];
    icl_error_set(ICL_EPARSE, "the value of %s is not %s", icl_yaml_key(shown, value), what);
    return icl_yaml_place_of_key(ICL_EPARSE, value);
}

/* --- kinds of nodes --- */

static bool is_text_node(struct fy_node *node)
{
    return node != NULL && fy_node_is_scalar(node) && !fy_node_is_alias(node);
}

bool icl_yaml_is_text(const icl_yaml_value *value)
{
    return is_text_node(value->node) && !fy_node_is_null(value->node);
}

bool icl_yaml_is_list(const icl_yaml_value *value)
{
    return value->node != NULL && fy_node_is_sequence(value->node);
}

bool icl_yaml_is_mapping(const icl_yaml_value *value)
{
    return value->node != NULL && fy_node_is_mapping(value->node);
}

const char *icl_yaml_key(char *out, const icl_yaml_value *value)
{
    size_t length = 0;
    const char *name = fy_node_get_scalar(value->key, &length);
    return icl_quote(out, name, length);
}

/* --- scalars --- */

icl_status icl_yaml_text(icl_text *out, const icl_yaml_value *value)
{
    char shown[ICL_QUOTE_BYTES];
    size_t length = 0;
    if (!icl_yaml_is_text(value)) return refuse_at_key(value, "text");
    const char *bytes = fy_node_get_scalar(value->node, &length);
    if (length > 0 && memchr(bytes, '\0', length) != NULL)
        return icl_yaml_refuse(value, "the value of %s holds a NUL character",
                               icl_yaml_key(shown, value));
    /* Escapes in double quotes can name lone surrogates. */
    if (icl_utf8_valid_length(bytes, length) < length)
        return icl_yaml_refuse(value, "the value of %s is not valid UTF-8",
                               icl_yaml_key(shown, value));
    icl_text_append(out, bytes, length);
    return icl_text_status(out);
}

/* "rows is "x", not a whole number in 1..64". */
static icl_status refuse_number(const icl_yaml_value *value, const char *word, const char *kind,
                                double minimum, double maximum)
{
    char shown[ICL_QUOTE_BYTES];
    size_t length = 0;
    const char *name = fy_node_get_scalar(value->key, &length);
    icl_quote(shown, word, strlen(word));
    return icl_yaml_refuse(value, "%.*s is %s, not a %s in %.15g..%.15g", (int)length, name, shown,
                           kind, minimum, maximum);
}

icl_status icl_yaml_whole(uint64_t *out, const icl_yaml_value *value, uint64_t minimum,
                          uint64_t maximum)
{
    icl_text text = { 0 };
    icl_status status = icl_yaml_text(&text, value);
    const char *digits = icl_text_string(&text);
    char *end = NULL;
    errno = 0;
    const unsigned long long number = strtoull(digits, &end, 10);
    if (status == ICL_OK && (!isdigit((unsigned char)digits[0]) || *end != '\0' || errno != 0 ||
                             number < minimum || number > maximum))
        status = refuse_number(value, digits, "whole number", (double)minimum, (double)maximum);
    if (status == ICL_OK) *out = number;
    icl_text_deinit(&text);
    return status;
}

icl_status icl_yaml_real(double *out, const icl_yaml_value *value, double minimum, double maximum)
{
    icl_text text = { 0 };
    icl_status status = icl_yaml_text(&text, value);
    const char *word = icl_text_string(&text);
    char *end = NULL;
    /* strtod alone would also take "inf", "nan" and hexadecimal. */
    const bool plain = word[0] != '\0' && word[strspn(word, "+-.0123456789eE")] == '\0';
    const double number = plain ? strtod(word, &end) : 0;
    if (status == ICL_OK && (!plain || *end != '\0' || !(number >= minimum && number <= maximum)))
        status = refuse_number(value, word, "number", minimum, maximum);
    if (status == ICL_OK) *out = number;
    icl_text_deinit(&text);
    return status;
}

icl_status icl_yaml_choice(size_t *out, const icl_yaml_value *value, const char *const *names)
{
    icl_text text = { 0 }, known = { 0 };
    char shown[ICL_QUOTE_BYTES];
    size_t index = 0;
    icl_status status = icl_yaml_text(&text, value);
    if (status != ICL_OK) goto cleanup;
    while (names[index] != NULL && strcmp(icl_text_string(&text), names[index]) != 0) index++;
    if (names[index] != NULL) {
        *out = index;
        goto cleanup;
    }
    for (size_t i = 0; names[i] != NULL; i++)
        icl_text_printf(&known, "%s%s", i > 0 ? ", " : "", names[i]);
    status = icl_yaml_refuse(value, "value %s is not one of %s",
                             icl_quote(shown, icl_text_string(&text), text.length),
                             icl_text_string(&known));

cleanup:
    icl_text_deinit(&known);
    icl_text_deinit(&text);
    return status;
}

/* --- lists and mappings --- */

icl_status icl_yaml_each(void *self, const icl_yaml_value *value, icl_yaml_visitor *visit)
{
    void *state = NULL;
    icl_yaml_value item = *value;
    if (!icl_yaml_is_list(value)) return visit(self, value);
    bool any = false;
    while ((item.node = fy_node_sequence_iterate(value->node, &state)) != NULL) {
        ICL_TRY(visit(self, &item));
        any = true;
    }
    if (any) return ICL_OK;
    icl_error_set(ICL_EPARSE, "the list is empty");
    return icl_yaml_place_of_key(ICL_EPARSE, value);
}

icl_status icl_yaml_each_entry(void *self, const icl_yaml_value *value, icl_yaml_visitor *visit)
{
    void *state = NULL;
    struct fy_node_pair *pair = NULL;
    bool any = false;
    if (!icl_yaml_is_mapping(value)) return refuse_at_key(value, "a mapping with entries");
    while ((pair = fy_node_mapping_iterate(value->node, &state)) != NULL) {
        const icl_yaml_value entry = { .path = value->path,
                                       .key = fy_node_pair_key(pair),
                                       .node = fy_node_pair_value(pair) };
        if (!is_text_node(entry.key)) return refuse_at_key(value, "a mapping with entries");
        ICL_TRY(visit(self, &entry));
        any = true;
    }
    return any ? ICL_OK : refuse_at_key(value, "a mapping with entries");
}

static icl_status unknown_key(const icl_yaml_value *value, const char *name, size_t length,
                              const icl_yaml_rule *rules, size_t rule_count)
{
    enum { RULES_MAX = 32 };
    const char *names[RULES_MAX];
    char shown[ICL_QUOTE_BYTES];
    icl_text copy = { 0 };
    for (size_t i = 0; i < rule_count && i < RULES_MAX; i++) names[i] = rules[i].name;
    icl_text_append(&copy, name, length);
    const size_t nearest = icl_nearest_name(icl_text_string(&copy), names, rule_count);
    icl_text_deinit(&copy);
    icl_quote(shown, name, length);
    if (nearest < rule_count)
        icl_error_set(ICL_EPARSE, "unknown key %s; did you mean \"%s\"?", shown, names[nearest]);
    else
        icl_error_set(ICL_EPARSE, "unknown key %s", shown);
    return icl_yaml_place_of_key(ICL_EPARSE, value);
}

static icl_status read_mapping(void *self, const char *path, struct fy_node *mapping,
                               const icl_yaml_rule *rules, size_t rule_count)
{
    void *state = NULL;
    struct fy_node_pair *pair = NULL;
    while ((pair = fy_node_mapping_iterate(mapping, &state)) != NULL) {
        const icl_yaml_value value = { .path = path,
                                       .key = fy_node_pair_key(pair),
                                       .node = fy_node_pair_value(pair) };
        size_t length = 0, i = 0;
        if (!is_text_node(value.key))
            return icl_error_set(ICL_EPARSE, "%s: a key is not text", path);
        const char *name = fy_node_get_scalar(value.key, &length);
        while (i < rule_count &&
               (strlen(rules[i].name) != length || memcmp(rules[i].name, name, length) != 0))
            i++;
        if (i == rule_count) return unknown_key(&value, name, length, rules, rule_count);
        ICL_TRY(rules[i].read(self, &value, &rules[i]));
    }
    return ICL_OK;
}

icl_status icl_yaml_entries(void *self, const icl_yaml_value *value, const icl_yaml_rule *rules,
                            size_t rule_count)
{
    if (!icl_yaml_is_mapping(value)) return refuse_at_key(value, "a mapping with entries");
    return read_mapping(self, value->path, value->node, rules, rule_count);
}

/* --- readers of a field --- */

static void *field(void *self, const icl_yaml_rule *rule)
{
    return (char *)self + rule->offset;
}

icl_status icl_yaml_set_text(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    icl_text text = { 0 };
    icl_status status = icl_yaml_text(&text, value);
    char *copy = status == ICL_OK ? icl_string_copy(icl_text_string(&text), text.length) : NULL;
    icl_text_deinit(&text);
    if (status != ICL_OK) return status;
    if (copy == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    char **to = field(self, rule);
    free(*to);
    *to = copy;
    return ICL_OK;
}

icl_status icl_yaml_set_u64(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    return icl_yaml_whole(field(self, rule), value, (uint64_t)rule->minimum,
                          (uint64_t)rule->maximum);
}

icl_status icl_yaml_set_size(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    uint64_t number = 0;
    ICL_TRY(icl_yaml_whole(&number, value, (uint64_t)rule->minimum, (uint64_t)rule->maximum));
    *(size_t *)field(self, rule) = (size_t)number;
    return ICL_OK;
}

icl_status icl_yaml_set_real(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    return icl_yaml_real(field(self, rule), value, rule->minimum, rule->maximum);
}

icl_status icl_yaml_set_float(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    double number = 0;
    ICL_TRY(icl_yaml_real(&number, value, rule->minimum, rule->maximum));
    *(float *)field(self, rule) = (float)number;
    return ICL_OK;
}

icl_status icl_yaml_set_bool(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    static const char *const names[] = { "false", "true", NULL };
    size_t index = 0;
    ICL_TRY(icl_yaml_choice(&index, value, names));
    *(bool *)field(self, rule) = index == 1;
    return ICL_OK;
}

icl_status icl_yaml_set_choice(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    size_t index = 0;
    ICL_TRY(icl_yaml_choice(&index, value, rule->choices));
    *(unsigned *)field(self, rule) = (unsigned)index;
    return ICL_OK;
}

/* --- the document --- */

/* What libfyaml has against the text. */
static icl_status syntax_error(const char *path, struct fy_diag *diag)
{
    void *state = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &state);
    if (error == NULL) return icl_error_set(ICL_EPARSE, "%s: invalid YAML", path);
    return icl_error_set(ICL_EPARSE, "%s:%d:%d: invalid YAML: %s", path, error->line, error->column,
                         error->msg);
}

/* What stands behind rules while a document is read. */
typedef struct reading {
    void *self;
    const char *path;
    const icl_yaml_rule *rules;
    size_t rule_count;
} reading;

static icl_status read_documents(const reading *in, struct fy_parser *parser, struct fy_diag *diag)
{
    struct fy_document *document = fy_parse_load_document(parser);
    if (document == NULL && fy_diag_got_error(diag)) return syntax_error(in->path, diag);
    if (document == NULL) return icl_error_set(ICL_EPARSE, "%s: the file is empty", in->path);
    struct fy_node *root = fy_document_root(document);
    icl_status status;
    if (root == NULL || !fy_node_is_mapping(root))
        status = icl_error_set(ICL_EPARSE, "%s: the file is not a mapping of keys", in->path);
    else
        status = read_mapping(in->self, in->path, root, in->rules, in->rule_count);
    fy_parse_document_destroy(parser, document);
    if (status != ICL_OK) return status;

    document = fy_parse_load_document(parser);
    if (document != NULL) {
        fy_parse_document_destroy(parser, document);
        return icl_error_set(ICL_EPARSE, "%s: the file holds more than one document", in->path);
    }
    return fy_diag_got_error(diag) ? syntax_error(in->path, diag) : ICL_OK;
}

icl_status icl_yaml_parse(void *self, const char *bytes, size_t length, const char *path,
                          const icl_yaml_rule *rules, size_t rule_count)
{
    const reading in = { .self = self, .path = path, .rules = rules, .rule_count = rule_count };
    const size_t valid = icl_utf8_valid_length(bytes, length);
    if (valid < length)
        return icl_error_set(ICL_EPARSE, "%s: invalid UTF-8: byte 0x%02x at byte offset %zu", path,
                             (unsigned char)bytes[valid], valid);
    if (length > 0 && memchr(bytes, '\0', length) != NULL)
        return icl_error_set(ICL_EPARSE, "%s: the file holds a NUL byte", path);
    struct fy_diag_cfg diag_options;
    fy_diag_cfg_default(&diag_options);
    diag_options.fp = NULL;
    diag_options.colorize = false;
    struct fy_diag *diag = fy_diag_create(&diag_options);
    if (diag == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    fy_diag_set_collect_errors(diag, true);
    const struct fy_parse_cfg options = { .flags = FYPCF_QUIET, .diag = diag };
    struct fy_parser *parser = fy_parser_create(&options);
    icl_status status = icl_error_set(ICL_ENOMEM, "out of memory");
    if (parser != NULL && fy_parser_set_string(parser, bytes, length) == 0)
        status = read_documents(&in, parser, diag);
    if (parser != NULL) fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return status;
}
