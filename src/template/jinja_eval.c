/* Walks the syntax tree: expressions to values, statements to output. */
#include <assert.h>
#include <stdio.h>

#include "template/jinja_internal.h"

/* ---- names ---- */

static jinja_value *variable_find(const jinja_scope *scope, jinja_string name)
{
    for (size_t i = 0; i < scope->count; i++)
        if (icl_jinja_string_equal(scope->variables[i].name, name))
            return &scope->variables[i].value;
    return NULL;
}

static void variable_set(jinja_render *render, jinja_scope *scope, jinja_string name,
                         jinja_value value)
{
    jinja_value *found = variable_find(scope, name);
    if (found != NULL) {
        *found = value;
        return;
    }
    scope->variables = icl_jinja_grow(&render->state, scope->variables, &scope->capacity,
                                      scope->count, sizeof *scope->variables);
    scope->variables[scope->count++] = (jinja_variable){ name, value };
}

void icl_jinja_scope_push(jinja_render *render)
{
    jinja_scope *scope = icl_jinja_alloc(&render->state, sizeof *scope);
    scope->parent = render->scope;
    render->scope = scope;
}

void icl_jinja_scope_pop(jinja_render *render)
{
    render->scope = render->scope->parent;
}

void icl_jinja_set_name(jinja_render *render, jinja_string name, jinja_value value)
{
    variable_set(render, render->scope, name, value);
}

/* "unknown name "txt"; did you mean "text"? known: label, text" */
static jinja_value unknown_name(jinja_render *render, jinja_string name)
{
    enum { LISTED_MAX = 12 };
    const char *names[LISTED_MAX];
    size_t count = 0, used;
    char known[300] = "none";
    json_t *context = (json_t *)(uintptr_t)render->context; /* the iterator only reads */
    void *at = json_object_iter(context);
    for (used = 0; at != NULL && count < LISTED_MAX; at = json_object_iter_next(context, at)) {
        names[count] = json_object_iter_key(at);
        const int length = snprintf(known + used, sizeof known - used, "%s%s",
                                    count > 0 ? ", " : "", names[count]);
        count++;
        if (length < 0 || (size_t)length >= sizeof known - used) break;
        used += (size_t)length;
    }
    const char *wanted = icl_jinja_format(&render->state, "%.*s", (int)name.length, name.bytes);
    const size_t nearest = icl_nearest_name(wanted, names, count);
    if (nearest < count)
        return icl_jinja_undefined(&render->state,
                                   "unknown name \"%s\"; did you mean \"%s\"? known: %s%s", wanted,
                                   names[nearest], known, at != NULL ? ", ..." : "");
    return icl_jinja_undefined(&render->state, "unknown name \"%s\"; known: %s%s", wanted, known,
                               at != NULL ? ", ..." : "");
}

static jinja_value name_value(jinja_render *render, jinja_string name)
{
    for (const jinja_scope *scope = render->scope; scope != NULL; scope = scope->parent) {
        const jinja_value *found = variable_find(scope, name);
        if (found != NULL) return *found;
    }
    const json_t *json = json_object_getn(render->context, name.bytes, name.length);
    if (json != NULL) {
        /* Converted once: a list that the template appends to must stay the same list. */
        const jinja_value value = icl_jinja_from_json(render, json);
        variable_set(render, &render->root, name, value);
        return value;
    }
    const jinja_function *function = icl_jinja_function_find(&render->tmpl->options, name);
    if (function != NULL) return (jinja_value){ .kind = JINJA_FUNCTION, .function = function };
    return unknown_name(render, name);
}

static void unpack(jinja_render *render, const jinja_node *target, jinja_value value)
{
    const jinja_list items = icl_jinja_iterate(render, value);
    if (items.count != target->items.count)
        icl_jinja_fail(&render->state, "cannot unpack %zu items into %zu names", items.count,
                       target->items.count);
    for (size_t i = 0; i < items.count; i++)
        icl_jinja_assign(render, target->items.at[i], items.items[i]);
}

void icl_jinja_assign(jinja_render *render, const jinja_node *target, jinja_value value)
{
    render->state.place = target->place;
    if (target->kind == NODE_NAME) {
        variable_set(render, render->scope, target->name, value);
    } else if (target->kind == NODE_ATTRIBUTE) {
        const jinja_value space = icl_jinja_eval(render, target->left);
        icl_jinja_require_defined(render, space);
        render->state.place = target->place;
        if (space.kind != JINJA_NAMESPACE)
            icl_jinja_fail(&render->state, "cannot set an attribute of %s, only of a namespace",
                           icl_jinja_kind_name(space));
        icl_jinja_dict_set(render, space.dict, icl_jinja_text(target->name), value);
    } else {
        unpack(render, target, value);
    }
}

/* ---- calls ---- */

static jinja_arguments eval_arguments(jinja_render *render, const jinja_node *node)
{
    jinja_arguments arguments = { .count = node->items.count,
                                  .keyword_count = node->keyword_count };
    arguments.values = icl_jinja_alloc(&render->state, arguments.count * sizeof *arguments.values);
    for (size_t i = 0; i < arguments.count; i++)
        arguments.values[i] = icl_jinja_eval(render, node->items.at[i]);
    arguments.keywords =
        icl_jinja_alloc(&render->state, arguments.keyword_count * sizeof *arguments.keywords);
    for (size_t i = 0; i < arguments.keyword_count; i++)
        arguments.keywords[i] = (jinja_variable){ node->keywords[i].name,
                                                  icl_jinja_eval(render, node->keywords[i].value) };
    return arguments;
}

typedef struct parameter {
    jinja_string name;
    bool optional;
} parameter;

/* "a,b,?c,d": c and d may be left out. */
static size_t split_parameters(const char *text, parameter out[JINJA_PARAMETERS_MAX])
{
    size_t count = 0;
    bool optional = false;
    while (*text != '\0') {
        optional = optional || *text == '?';
        text += *text == '?';
        const size_t length = strcspn(text, ",");
        assert(count < JINJA_PARAMETERS_MAX);
        out[count++] = (parameter){ { text, length }, optional };
        text += length;
        text += *text == ',';
    }
    return count;
}

void icl_jinja_bind(jinja_render *render, const char *callee, const char *parameters,
                    const jinja_arguments *arguments, jinja_value out[JINJA_PARAMETERS_MAX])
{
    parameter wanted[JINJA_PARAMETERS_MAX];
    const size_t count = split_parameters(parameters, wanted);
    memset(out, 0, JINJA_PARAMETERS_MAX * sizeof *out);
    if (arguments->count > count)
        icl_jinja_fail(&render->state, "%s takes at most %zu arguments, not %zu", callee, count,
                       arguments->count);
    for (size_t i = 0; i < arguments->count; i++) out[i] = arguments->values[i];
    for (size_t k = 0; k < arguments->keyword_count; k++) {
        const jinja_string name = arguments->keywords[k].name;
        size_t i = 0;
        while (i < count && !icl_jinja_string_equal(wanted[i].name, name)) i++;
        if (i == count || icl_jinja_given(out[i]))
            icl_jinja_fail(&render->state, "%s %s an argument named \"%.*s\"", callee,
                           i == count ? "does not take" : "already has", (int)name.length,
                           name.bytes);
        out[i] = arguments->keywords[k].value;
    }
    for (size_t i = 0; i < count; i++)
        if (!wanted[i].optional && !icl_jinja_given(out[i]))
            icl_jinja_fail(&render->state, "%s needs its argument \"%.*s\"", callee,
                           (int)wanted[i].name.length, wanted[i].name.bytes);
}

/* Parameters by position, then by name, then by default; those left are undefined, as in Jinja. */
static void bind_macro(jinja_render *render, const jinja_node *macro,
                       const jinja_arguments *arguments)
{
    const size_t count = macro->items.count, required = count - macro->keyword_count;
    if (arguments->count > count)
        icl_jinja_fail(&render->state, "macro \"%.*s\" takes at most %zu arguments, not %zu",
                       (int)macro->name.length, macro->name.bytes, count, arguments->count);
    for (size_t i = 0; i < arguments->count; i++)
        variable_set(render, render->scope, macro->items.at[i]->name, arguments->values[i]);
    for (size_t k = 0; k < arguments->keyword_count; k++) {
        const jinja_string name = arguments->keywords[k].name;
        size_t i = 0;
        while (i < count && !icl_jinja_string_equal(macro->items.at[i]->name, name)) i++;
        if (i == count || i < arguments->count)
            icl_jinja_fail(&render->state, "macro \"%.*s\" %s an argument named \"%.*s\"",
                           (int)macro->name.length, macro->name.bytes,
                           i == count ? "does not take" : "already has", (int)name.length,
                           name.bytes);
        variable_set(render, render->scope, name, arguments->keywords[k].value);
    }
    for (size_t i = 0; i < count; i++) {
        const jinja_string name = macro->items.at[i]->name;
        if (variable_find(render->scope, name) != NULL) continue;
        const jinja_value value =
            i < required
                ? icl_jinja_undefined(&render->state, "parameter \"%.*s\" was not provided",
                                      (int)name.length, name.bytes)
                : icl_jinja_eval(render, macro->keywords[i - required].value);
        variable_set(render, render->scope, name, value);
    }
}

static jinja_value call_macro(jinja_render *render, const jinja_macro *macro,
                              const jinja_arguments *arguments)
{
    jinja_scope *caller = render->scope;
    render->scope = macro->scope;
    icl_jinja_scope_push(render);
    bind_macro(render, macro->node, arguments);
    const size_t begin = icl_jinja_capture_begin(render);
    icl_jinja_run(render, macro->node->middle);
    const jinja_value text = icl_jinja_text(icl_jinja_capture_end(render, begin));
    render->scope = caller;
    return text;
}

static jinja_value call_method(jinja_render *render, const jinja_method *method,
                               const jinja_arguments *arguments)
{
    const jinja_method_entry *entry = method->entry;
    icl_jinja_charge_text(render, method->self);
    jinja_value bound[JINJA_PARAMETERS_MAX];
    if (entry->free_call != NULL) return entry->free_call(render, method->self, arguments);
    if (entry->call == NULL)
        icl_jinja_fail(&render->state, "method \"%s\" of %s is not supported", entry->name,
                       icl_jinja_kind_name(method->self));
    icl_jinja_bind(render, entry->name, entry->parameters, arguments, bound);
    return entry->call(render, method->self, bound);
}

jinja_value icl_jinja_call_value(jinja_render *render, jinja_value callee,
                                 const jinja_arguments *arguments)
{
    icl_jinja_require_defined(render, callee);
    switch (callee.kind) {
    case JINJA_MACRO:
        return call_macro(render, callee.macro, arguments);
    case JINJA_METHOD:
        return call_method(render, callee.method, arguments);
    case JINJA_FUNCTION:
        return callee.function->call(render, callee, arguments);
    default:
        icl_jinja_fail(&render->state, "%s cannot be called", icl_jinja_kind_name(callee));
    }
}

/* ---- expressions ---- */

static jinja_value eval_items(jinja_render *render, const jinja_node *node, jinja_kind kind)
{
    const jinja_value list = icl_jinja_list_new(render, kind, node->items.count);
    for (size_t i = 0; i < node->items.count; i++)
        icl_jinja_list_add(render, list, icl_jinja_eval(render, node->items.at[i]));
    return list;
}

static jinja_value eval_dict(jinja_render *render, const jinja_node *node)
{
    const jinja_value dict = icl_jinja_dict_new(render, JINJA_DICT, node->items.count / 2);
    for (size_t i = 0; i < node->items.count; i += 2) {
        const jinja_value key = icl_jinja_eval(render, node->items.at[i]);
        const jinja_value value = icl_jinja_eval(render, node->items.at[i + 1]);
        icl_jinja_dict_set(render, dict.dict, key, value);
    }
    return dict;
}

static jinja_value eval_logic(jinja_render *render, const jinja_node *node)
{
    const jinja_value left = icl_jinja_eval(render, node->left);
    const bool decides = icl_jinja_truth(render, left) == (node->kind == NODE_OR);
    return decides ? left : icl_jinja_eval(render, node->right);
}

static jinja_value eval_compare(jinja_render *render, const jinja_node *node)
{
    jinja_value left = icl_jinja_eval(render, node->left);
    jinja_value result = icl_jinja_boolean(true);
    for (size_t i = 0; i < node->items.count; i++) {
        const jinja_node *operand = node->items.at[i];
        const jinja_value right = icl_jinja_eval(render, operand->right);
        render->state.place = operand->place;
        result = icl_jinja_binary(render, operand->operator, left, right);
        if (!result.boolean) break;
        left = right;
    }
    return result;
}

static jinja_value eval_condition(jinja_render *render, const jinja_node *node)
{
    if (icl_jinja_truth(render, icl_jinja_eval(render, node->middle)))
        return icl_jinja_eval(render, node->left);
    if (node->right != NULL) return icl_jinja_eval(render, node->right);
    /* Jinja makes this one undefined value empty even when it is strict about the others. */
    jinja_origin *origin = icl_jinja_alloc(&render->state, sizeof *origin);
    *origin =
        (jinja_origin){ node->place, "the condition is false and there is no \"else\"", true };
    return (jinja_value){ .kind = JINJA_UNDEFINED, .origin = origin };
}

static jinja_value eval_slice(jinja_render *render, const jinja_node *node)
{
    const jinja_value value = icl_jinja_eval(render, node->left);
    jinja_value ends[3];
    for (size_t i = 0; i < 3; i++)
        ends[i] = node->items.at[i] == NULL ? icl_jinja_none()
                                            : icl_jinja_eval(render, node->items.at[i]);
    render->state.place = node->place;
    return icl_jinja_slice(render, value, ends[0], ends[1], ends[2]);
}

/* A filter chain without a left side applies to the text captured by its block. */
static jinja_value eval_filter(jinja_render *render, const jinja_node *node)
{
    const jinja_value self =
        node->left != NULL ? icl_jinja_eval(render, node->left) : render->captured;
    const jinja_arguments arguments = eval_arguments(render, node);
    render->state.place = node->place;
    if (node->filter == NULL) icl_jinja_filter_require(&render->state, node->name);
    return icl_jinja_filter_apply(render, node->filter, self, &arguments);
}

static jinja_value eval_test(jinja_render *render, const jinja_node *node)
{
    const jinja_value value = icl_jinja_eval(render, node->left);
    const jinja_arguments arguments = eval_arguments(render, node);
    render->state.place = node->place;
    if (node->named_test == NULL) icl_jinja_test_require(&render->state, node->name);
    return icl_jinja_boolean(icl_jinja_test_apply(render, node->named_test, value, &arguments));
}

static jinja_value eval_call(jinja_render *render, const jinja_node *node)
{
    const jinja_value callee = icl_jinja_eval(render, node->left);
    const jinja_arguments arguments = eval_arguments(render, node);
    render->state.place = node->place;
    return icl_jinja_call_value(render, callee, &arguments);
}

static jinja_value eval_pair(jinja_render *render, const jinja_node *node)
{
    const jinja_value left = icl_jinja_eval(render, node->left);
    const jinja_value right = icl_jinja_eval(render, node->right);
    render->state.place = node->place;
    return node->kind == NODE_ITEM ? icl_jinja_item(render, left, right)
                                   : icl_jinja_binary(render, node->operator, left, right);
}

static jinja_value eval_single(jinja_render *render, const jinja_node *node)
{
    const jinja_value value = icl_jinja_eval(render, node->left);
    render->state.place = node->place;
    if (node->kind == NODE_NOT) return icl_jinja_boolean(!icl_jinja_truth(render, value));
    if (node->kind == NODE_ATTRIBUTE) return icl_jinja_attribute(render, value, node->name);
    return icl_jinja_negate(render, value, node->kind == NODE_NEGATE);
}

static jinja_value eval_kind(jinja_render *render, const jinja_node *node)
{
    switch (node->kind) {
    case NODE_CONSTANT:
        return node->constant;
    case NODE_NAME:
        return name_value(render, node->name);
    case NODE_LIST:
        return eval_items(render, node, JINJA_LIST);
    case NODE_TUPLE:
        return eval_items(render, node, JINJA_TUPLE);
    case NODE_DICT:
        return eval_dict(render, node);
    case NODE_AND:
    case NODE_OR:
        return eval_logic(render, node);
    case NODE_COMPARE:
        return eval_compare(render, node);
    case NODE_CONDITION:
        return eval_condition(render, node);
    case NODE_SLICE:
        return eval_slice(render, node);
    case NODE_CALL:
        return eval_call(render, node);
    case NODE_FILTER:
        return eval_filter(render, node);
    case NODE_TEST:
        return eval_test(render, node);
    case NODE_BINARY:
    case NODE_ITEM:
        return eval_pair(render, node);
    default:
        return eval_single(render, node);
    }
}

jinja_value icl_jinja_eval(jinja_render *render, const jinja_node *node)
{
    icl_jinja_enter(render);
    icl_jinja_charge(render, 1);
    render->state.place = node->place;
    const jinja_value value = eval_kind(render, node);
    icl_jinja_leave(render);
    return value;
}
