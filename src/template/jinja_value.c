/* The values of a rendering: construction, truth, equality, order and iteration as Python has them.
 */
#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "template/jinja_internal.h"

bool icl_jinja_string_is(jinja_string string, const char *other)
{
    return string.length == strlen(other) && memcmp(string.bytes, other, string.length) == 0;
}

bool icl_jinja_string_equal(jinja_string left, jinja_string right)
{
    return left.length == right.length && memcmp(left.bytes, right.bytes, left.length) == 0;
}

jinja_value icl_jinja_none(void)
{
    return (jinja_value){ .kind = JINJA_NONE };
}

jinja_value icl_jinja_boolean(bool boolean)
{
    return (jinja_value){ .kind = JINJA_BOOLEAN, .boolean = boolean };
}

jinja_value icl_jinja_integer(int64_t integer)
{
    return (jinja_value){ .kind = JINJA_INTEGER, .integer = integer };
}

jinja_value icl_jinja_count(size_t count)
{
    assert(count <= INT64_MAX);
    return icl_jinja_integer((int64_t)count);
}

jinja_value icl_jinja_float(double number)
{
    return (jinja_value){ .kind = JINJA_FLOAT, .number = number };
}

jinja_value icl_jinja_text(jinja_string text)
{
    return (jinja_value){ .kind = JINJA_TEXT, .text = text };
}

jinja_value icl_jinja_undefined(jinja_state *state, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    jinja_origin *origin = icl_jinja_alloc(state, sizeof *origin);
    origin->place = state->place;
    origin->message = icl_jinja_copy(state, message, strlen(message)).bytes;
    return (jinja_value){ .kind = JINJA_UNDEFINED, .origin = origin };
}

bool icl_jinja_given(jinja_value argument)
{
    return argument.kind != JINJA_UNDEFINED || argument.origin != NULL;
}

/* ---- lists and mappings ---- */

jinja_value icl_jinja_list_new(jinja_render *render, jinja_kind kind, size_t capacity)
{
    jinja_list *list = icl_jinja_alloc(&render->state, sizeof *list);
    list->items = icl_jinja_alloc(&render->state, capacity * sizeof *list->items);
    list->capacity = capacity;
    return (jinja_value){ .kind = kind, .list = list };
}

void icl_jinja_list_add(jinja_render *render, jinja_value list, jinja_value item)
{
    jinja_list *to = list.list;
    icl_jinja_charge(render, 1);
    to->items =
        icl_jinja_grow(&render->state, to->items, &to->capacity, to->count, sizeof *to->items);
    to->items[to->count++] = item;
}

jinja_value icl_jinja_dict_new(jinja_render *render, jinja_kind kind, size_t capacity)
{
    jinja_dict *dict = icl_jinja_alloc(&render->state, sizeof *dict);
    dict->pairs = icl_jinja_alloc(&render->state, capacity * sizeof *dict->pairs);
    dict->capacity = capacity;
    return (jinja_value){ .kind = kind, .dict = dict };
}

static void require_hashable(jinja_render *render, jinja_value key)
{
    if (icl_jinja_is_lenient(render, key)) return;
    icl_jinja_require_defined(render, key);
    if (key.kind == JINJA_LIST || key.kind == JINJA_DICT || key.kind == JINJA_VIEW)
        icl_jinja_fail(&render->state, "%s cannot be a key", icl_jinja_kind_name(key));
    if (key.kind != JINJA_TUPLE) return;
    icl_jinja_enter(render);
    for (size_t i = 0; i < key.list->count; i++) require_hashable(render, key.list->items[i]);
    icl_jinja_leave(render);
}

jinja_value *icl_jinja_dict_find(jinja_render *render, const jinja_dict *dict, jinja_value key)
{
    icl_jinja_charge(render, dict->count / 8);
    if (key.kind == JINJA_TEXT) return icl_jinja_dict_find_text(dict, key.text);
    require_hashable(render, key);
    for (size_t i = 0; i < dict->count; i++)
        if (icl_jinja_equal(render, dict->pairs[i].key, key)) return &dict->pairs[i].value;
    return NULL;
}

jinja_value *icl_jinja_dict_find_text(const jinja_dict *dict, jinja_string key)
{
    for (size_t i = 0; i < dict->count; i++)
        if (dict->pairs[i].key.kind == JINJA_TEXT &&
            icl_jinja_string_equal(dict->pairs[i].key.text, key))
            return &dict->pairs[i].value;
    return NULL;
}

static void dict_add(jinja_render *render, jinja_dict *dict, jinja_value key, jinja_value value)
{
    dict->pairs = icl_jinja_grow(&render->state, dict->pairs, &dict->capacity, dict->count,
                                 sizeof *dict->pairs);
    dict->pairs[dict->count++] = (jinja_pair){ key, value };
}

void icl_jinja_dict_set(jinja_render *render, jinja_dict *dict, jinja_value key, jinja_value value)
{
    jinja_value *found = icl_jinja_dict_find(render, dict, key);
    if (found != NULL)
        *found = value;
    else
        dict_add(render, dict, key, value);
}

void icl_jinja_dict_remove(jinja_dict *dict, jinja_value *value)
{
    size_t index = 0;
    while (&dict->pairs[index].value != value) index++;
    dict->count--;
    for (; index < dict->count; index++) dict->pairs[index] = dict->pairs[index + 1];
}

static jinja_value from_array(jinja_render *render, const json_t *json)
{
    const size_t count = json_array_size(json);
    const jinja_value list = icl_jinja_list_new(render, JINJA_LIST, count);
    for (size_t i = 0; i < count; i++)
        icl_jinja_list_add(render, list, icl_jinja_from_json(render, json_array_get(json, i)));
    return list;
}

static jinja_value from_object(jinja_render *render, const json_t *json)
{
    const jinja_value dict = icl_jinja_dict_new(render, JINJA_DICT, json_object_size(json));
    /* The iterator takes a mutable pointer but only reads. */
    json_t *object = (json_t *)(uintptr_t)json;
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const jinja_string key = { json_object_iter_key(at), json_object_iter_key_len(at) };
        icl_jinja_charge(render, 1);
        dict_add(render, dict.dict, icl_jinja_text(key),
                 icl_jinja_from_json(render, json_object_iter_value(at)));
    }
    return dict;
}

/* Text is borrowed: the context outlives the rendering. */
jinja_value icl_jinja_from_json(jinja_render *render, const json_t *json)
{
    jinja_value value = icl_jinja_none();
    icl_jinja_enter(render);
    switch (json_typeof(json)) {
    case JSON_NULL:
        break;
    case JSON_TRUE:
        value = icl_jinja_boolean(true);
        break;
    case JSON_FALSE:
        value = icl_jinja_boolean(false);
        break;
    case JSON_INTEGER:
        value = icl_jinja_integer(json_integer_value(json));
        break;
    case JSON_REAL:
        value = icl_jinja_float(json_real_value(json));
        break;
    case JSON_STRING:
        value = icl_jinja_text((jinja_string){ json_string_value(json), json_string_length(json) });
        break;
    case JSON_ARRAY:
        value = from_array(render, json);
        break;
    case JSON_OBJECT:
        value = from_object(render, json);
        break;
    }
    icl_jinja_leave(render);
    return value;
}

/* ---- kinds, truth, conversion ---- */

const char *icl_jinja_kind_name(jinja_value value)
{
    static const char *const names[] = {
        [JINJA_UNDEFINED] = "an undefined value",
        [JINJA_NONE] = "none",
        [JINJA_BOOLEAN] = "a boolean",
        [JINJA_INTEGER] = "an integer",
        [JINJA_FLOAT] = "a float",
        [JINJA_TEXT] = "a string",
        [JINJA_LIST] = "a list",
        [JINJA_TUPLE] = "a tuple",
        [JINJA_RANGE] = "a range",
        [JINJA_ITERATOR] = "a generator",
        [JINJA_VIEW] = "a view of a mapping",
        [JINJA_DICT] = "a mapping",
        [JINJA_NAMESPACE] = "a namespace",
        [JINJA_LOOP] = "a loop",
        [JINJA_MACRO] = "a macro",
        [JINJA_METHOD] = "a method",
        [JINJA_FUNCTION] = "a function",
    };
    return names[value.kind];
}

void icl_jinja_require_defined(jinja_render *render, jinja_value value)
{
    if (value.kind != JINJA_UNDEFINED) return;
    assert(value.origin != NULL);
    render->state.place = value.origin->place;
    icl_jinja_fail(&render->state, "%s", value.origin->message);
}

bool icl_jinja_is_lenient(const jinja_render *render, jinja_value value)
{
    return value.kind == JINJA_UNDEFINED &&
           (render->tmpl->options.lenient_undefined || value.origin->lenient);
}

bool icl_jinja_truth(jinja_render *render, jinja_value value)
{
    switch (value.kind) {
    case JINJA_UNDEFINED:
        if (!icl_jinja_is_lenient(render, value)) icl_jinja_require_defined(render, value);
        return false;
    case JINJA_NONE:
        return false;
    case JINJA_BOOLEAN:
        return value.boolean;
    case JINJA_INTEGER:
        return value.integer != 0;
    case JINJA_FLOAT:
        return value.number != 0.0;
    case JINJA_TEXT:
        return value.text.length > 0;
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_RANGE:
    case JINJA_VIEW:
        return value.list->count > 0;
    case JINJA_DICT:
        return value.dict->count > 0;
    default:
        return true;
    }
}

bool icl_jinja_is_number(jinja_value value)
{
    return value.kind == JINJA_BOOLEAN || value.kind == JINJA_INTEGER || value.kind == JINJA_FLOAT;
}

double icl_jinja_as_double(jinja_value value)
{
    assert(icl_jinja_is_number(value));
    if (value.kind == JINJA_FLOAT) return value.number;
    return value.kind == JINJA_BOOLEAN ? (double)value.boolean : (double)value.integer;
}

int64_t icl_jinja_as_integer(jinja_render *render, jinja_value value, const char *what)
{
    icl_jinja_require_defined(render, value);
    if (value.kind == JINJA_BOOLEAN) return value.boolean;
    if (value.kind != JINJA_INTEGER)
        icl_jinja_fail(&render->state, "%s must be an integer, not %s", what,
                       icl_jinja_kind_name(value));
    return value.integer;
}

jinja_string icl_jinja_as_text(jinja_render *render, jinja_value value, const char *what)
{
    icl_jinja_require_defined(render, value);
    if (value.kind != JINJA_TEXT)
        icl_jinja_fail(&render->state, "%s must be a string, not %s", what,
                       icl_jinja_kind_name(value));
    return value.text;
}

/* ---- equality and order ---- */

static bool has_items(jinja_kind kind)
{
    return kind == JINJA_LIST || kind == JINJA_TUPLE || kind == JINJA_RANGE;
}

static bool lists_equal(jinja_render *render, const jinja_list *left, const jinja_list *right)
{
    if (left->count != right->count) return false;
    for (size_t i = 0; i < left->count; i++)
        if (!icl_jinja_equal(render, left->items[i], right->items[i])) return false;
    return true;
}

static bool dicts_equal(jinja_render *render, const jinja_dict *left, const jinja_dict *right)
{
    if (left->count != right->count) return false;
    for (size_t i = 0; i < left->count; i++) {
        const jinja_value *other = icl_jinja_dict_find(render, right, left->pairs[i].key);
        if (other == NULL || !icl_jinja_equal(render, left->pairs[i].value, *other)) return false;
    }
    return true;
}

static int compare_numbers(jinja_value left, jinja_value right)
{
    if (left.kind != JINJA_FLOAT && right.kind != JINJA_FLOAT) {
        const int64_t a = left.kind == JINJA_BOOLEAN ? left.boolean : left.integer;
        const int64_t b = right.kind == JINJA_BOOLEAN ? right.boolean : right.integer;
        return (a > b) - (a < b);
    }
    /* 64 bits of mantissa hold every integer; a NaN is neither less nor equal nor greater. */
    const long double a = left.kind == JINJA_INTEGER ? (long double)left.integer
                                                     : (long double)icl_jinja_as_double(left);
    const long double b = right.kind == JINJA_INTEGER ? (long double)right.integer
                                                      : (long double)icl_jinja_as_double(right);
    if (isnan(a) || isnan(b)) return 2;
    return (a > b) - (a < b);
}

/* Equal but for the depth check of icl_jinja_equal(). */
static bool values_equal(jinja_render *render, jinja_value left, jinja_value right)
{
    if (icl_jinja_is_number(left) && icl_jinja_is_number(right))
        return compare_numbers(left, right) == 0;
    if (left.kind != right.kind) return false;
    switch (left.kind) {
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        return true;
    case JINJA_TEXT:
        return icl_jinja_string_equal(left.text, right.text);
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_RANGE:
        return lists_equal(render, left.list, right.list);
    case JINJA_DICT:
        return dicts_equal(render, left.dict, right.dict);
    default:
        return left.list == right.list; /* identity: any pointer of the union */
    }
}

bool icl_jinja_equal(jinja_render *render, jinja_value left, jinja_value right)
{
    if (!icl_jinja_is_lenient(render, left)) icl_jinja_require_defined(render, left);
    if (!icl_jinja_is_lenient(render, right)) icl_jinja_require_defined(render, right);
    icl_jinja_charge(render, 1);
    icl_jinja_enter(render);
    const bool equal = values_equal(render, left, right);
    icl_jinja_leave(render);
    return equal;
}

static int compare_text(jinja_string left, jinja_string right)
{
    const size_t shared = left.length < right.length ? left.length : right.length;
    const int order = memcmp(left.bytes, right.bytes, shared); /* UTF-8 sorts by code point */
    if (order != 0) return order < 0 ? -1 : 1;
    return (left.length > right.length) - (left.length < right.length);
}

static int compare_lists(jinja_render *render, const jinja_list *left, const jinja_list *right,
                         const char *symbol)
{
    icl_jinja_enter(render);
    int order = (left->count > right->count) - (left->count < right->count);
    for (size_t i = 0; i < left->count && i < right->count; i++) {
        if (icl_jinja_equal(render, left->items[i], right->items[i])) continue;
        order = icl_jinja_compare(render, left->items[i], right->items[i], symbol);
        break;
    }
    icl_jinja_leave(render);
    return order;
}

/* -1, 0, 1, or 2 when a NaN makes every order false. */
int icl_jinja_compare(jinja_render *render, jinja_value left, jinja_value right, const char *symbol)
{
    icl_jinja_require_defined(render, left);
    icl_jinja_require_defined(render, right);
    icl_jinja_charge(render, 1);
    if (icl_jinja_is_number(left) && icl_jinja_is_number(right))
        return compare_numbers(left, right);
    if (left.kind == JINJA_TEXT && right.kind == JINJA_TEXT)
        return compare_text(left.text, right.text);
    if (left.kind == right.kind && has_items(left.kind) && left.kind != JINJA_RANGE)
        return compare_lists(render, left.list, right.list, symbol);
    icl_jinja_fail(&render->state, "\"%s\" does not order %s and %s", symbol,
                   icl_jinja_kind_name(left), icl_jinja_kind_name(right));
}

/* ---- iteration ---- */

bool icl_jinja_is_iterable(jinja_value value)
{
    switch (value.kind) {
    case JINJA_TEXT:
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_RANGE:
    case JINJA_ITERATOR:
    case JINJA_VIEW:
    case JINJA_DICT:
        return true;
    default:
        return false;
    }
}

static jinja_list characters(jinja_render *render, jinja_string text)
{
    const jinja_value list = icl_jinja_list_new(render, JINJA_LIST, icl_jinja_string_count(text));
    for (size_t at = 0; at < text.length;) {
        const size_t begin = at;
        icl_jinja_code_point(text, &at);
        icl_jinja_list_add(render, list,
                           icl_jinja_text((jinja_string){ text.bytes + begin, at - begin }));
    }
    return *list.list;
}

jinja_list icl_jinja_iterate(jinja_render *render, jinja_value value)
{
    if (icl_jinja_is_lenient(render, value)) return (jinja_list){ 0 };
    icl_jinja_require_defined(render, value);
    if (!icl_jinja_is_iterable(value))
        icl_jinja_fail(&render->state, "%s cannot be iterated", icl_jinja_kind_name(value));
    if (value.kind == JINJA_TEXT) return characters(render, value.text);
    if (value.kind == JINJA_DICT) {
        const jinja_value keys = icl_jinja_list_new(render, JINJA_LIST, value.dict->count);
        for (size_t i = 0; i < value.dict->count; i++)
            icl_jinja_list_add(render, keys, value.dict->pairs[i].key);
        return *keys.list;
    }
    const jinja_list list = *value.list;
    icl_jinja_charge(render, list.count);
    if (value.kind == JINJA_ITERATOR) value.list->count = 0;
    return list;
}

size_t icl_jinja_length(jinja_render *render, jinja_value value)
{
    switch (value.kind) {
    case JINJA_TEXT:
        return icl_jinja_string_count(value.text);
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_RANGE:
    case JINJA_VIEW:
        return value.list->count;
    case JINJA_DICT:
        return value.dict->count;
    case JINJA_LOOP:
        return value.loop->count;
    default:
        break;
    }
    if (icl_jinja_is_lenient(render, value)) return 0;
    icl_jinja_require_defined(render, value);
    icl_jinja_fail(&render->state, "%s has no length", icl_jinja_kind_name(value));
}

bool icl_jinja_contains(jinja_render *render, jinja_value container, jinja_value item)
{
    if (container.kind == JINJA_TEXT) {
        const jinja_string part =
            icl_jinja_as_text(render, item, "the left side of \"in\" a string");
        icl_jinja_charge_text(render, container);
        return icl_jinja_string_find(container.text, part, 0) != SIZE_MAX;
    }
    if (container.kind == JINJA_DICT)
        return icl_jinja_dict_find(render, container.dict, item) != NULL;
    const jinja_list list = icl_jinja_iterate(render, container);
    for (size_t i = 0; i < list.count; i++)
        if (icl_jinja_equal(render, list.items[i], item)) return true;
    return false;
}
