/* Filters on sequences: selecting, mapping, sorting and folding them. */
#include "template/jinja_internal.h"

static bool flag(jinja_render *render, jinja_value argument)
{
    return icl_jinja_given(argument) && icl_jinja_truth(render, argument);
}

static bool all_digits(jinja_string text)
{
    for (size_t at = 0; at < text.length;)
        if (!icl_jinja_is_digit(icl_jinja_code_point(text, &at))) return false;
    return text.length > 0;
}

/* Follows "a.b.0": a part of digits is a position. No attribute: the item itself. */
static jinja_value follow(jinja_render *render, jinja_value item, jinja_value attribute,
                          jinja_value fallback)
{
    if (!icl_jinja_given(attribute) || attribute.kind == JINJA_NONE) return item;
    const bool is_path = attribute.kind == JINJA_TEXT;
    const jinja_string dot = JINJA_STRING(".");
    jinja_value parts = icl_jinja_list_new(render, JINJA_LIST, 1);
    if (is_path)
        parts = icl_jinja_string_split(render, attribute.text, &dot, -1, false);
    else
        icl_jinja_list_add(render, parts, attribute);
    for (size_t i = 0; i < parts.list->count; i++) {
        jinja_value part = parts.list->items[i];
        int64_t position;
        bool overflow;
        if (is_path && all_digits(part.text) &&
            icl_jinja_parse_integer(part.text, 10, &position, &overflow))
            part = icl_jinja_integer(position);
        item = icl_jinja_item(render, item, part);
        if (item.kind == JINJA_UNDEFINED && icl_jinja_given(fallback) &&
            fallback.kind != JINJA_NONE)
            item = fallback;
    }
    return item;
}

static jinja_value without_case(jinja_render *render, jinja_value value, bool case_sensitive)
{
    if (case_sensitive || value.kind != JINJA_TEXT) return value;
    return icl_jinja_text(icl_jinja_string_to_case(render, value.text, CASE_LOWER));
}

static const jinja_value not_given = { 0 };

/* ---- ends, joins, copies ---- */

static jinja_value filter_first(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    const jinja_list items = icl_jinja_iterate(render, self);
    if (items.count > 0) return items.items[0];
    return icl_jinja_undefined(&render->state, "no first item: the sequence is empty");
}

static jinja_value filter_last(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    if (self.kind == JINJA_ITERATOR) icl_jinja_fail(&render->state, "a generator has no last item");
    const jinja_list items = icl_jinja_iterate(render, self);
    if (items.count > 0) return items.items[items.count - 1];
    return icl_jinja_undefined(&render->state, "no last item: the sequence is empty");
}

static jinja_value filter_join(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_string between =
        icl_jinja_given(arguments[0]) ? icl_jinja_str(render, arguments[0]) : JINJA_STRING("");
    const jinja_list items = icl_jinja_iterate(render, self);
    const size_t begin = icl_jinja_capture_begin(render);
    for (size_t i = 0; i < items.count; i++) {
        if (i > 0) icl_jinja_write(render, between.bytes, between.length);
        icl_jinja_write_str(render, follow(render, items.items[i], arguments[1], not_given));
    }
    return icl_jinja_text(icl_jinja_capture_end(render, begin));
}

static jinja_value copied(jinja_render *render, jinja_list items, jinja_kind kind)
{
    const jinja_value list = icl_jinja_list_new(render, kind, items.count);
    for (size_t i = 0; i < items.count; i++) icl_jinja_list_add(render, list, items.items[i]);
    return list;
}

static jinja_value filter_list(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return copied(render, icl_jinja_iterate(render, self), JINJA_LIST);
}

static jinja_value filter_reverse(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    const jinja_list items = icl_jinja_iterate(render, self);
    /* A generator cannot be reversed in place, so Jinja makes a list of it first. */
    const jinja_kind kind = self.kind == JINJA_ITERATOR ? JINJA_LIST : JINJA_ITERATOR;
    const jinja_value list = icl_jinja_list_new(render, kind, items.count);
    for (size_t i = items.count; i-- > 0;) icl_jinja_list_add(render, list, items.items[i]);
    if (self.kind != JINJA_TEXT) return list;
    const size_t begin = icl_jinja_capture_begin(render);
    for (size_t i = 0; i < list.list->count; i++) icl_jinja_write_str(render, list.list->items[i]);
    return icl_jinja_text(icl_jinja_capture_end(render, begin));
}

static jinja_value pair_of(jinja_render *render, jinja_pair pair)
{
    const jinja_value tuple = icl_jinja_list_new(render, JINJA_TUPLE, 2);
    icl_jinja_list_add(render, tuple, pair.key);
    icl_jinja_list_add(render, tuple, pair.value);
    return tuple;
}

static jinja_value filter_items(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    const jinja_value list = icl_jinja_list_new(render, JINJA_ITERATOR, 0);
    if (self.kind == JINJA_UNDEFINED) return list;
    if (self.kind != JINJA_DICT)
        icl_jinja_fail(&render->state, "items needs a mapping, not %s", icl_jinja_kind_name(self));
    for (size_t i = 0; i < self.dict->count; i++)
        icl_jinja_list_add(render, list, pair_of(render, self.dict->pairs[i]));
    return list;
}

/* ---- map and select ---- */

static jinja_value *keyword(const jinja_arguments *arguments, const char *name)
{
    for (size_t i = 0; i < arguments->keyword_count; i++)
        if (icl_jinja_string_is(arguments->keywords[i].name, name))
            return &arguments->keywords[i].value;
    return NULL;
}

static jinja_arguments after(const jinja_arguments *arguments, size_t count)
{
    jinja_arguments rest = *arguments;
    rest.values += count;
    rest.count -= count;
    return rest;
}

/* Anything false, such as none, is as good as an empty list to map and select. */
static jinja_list items_or_nothing(jinja_render *render, jinja_value self)
{
    return icl_jinja_truth(render, self) ? icl_jinja_iterate(render, self) : (jinja_list){ 0 };
}

static jinja_value filter_map(jinja_render *render, jinja_value self,
                              const jinja_arguments *arguments)
{
    const jinja_list items = items_or_nothing(render, self);
    const jinja_value out = icl_jinja_list_new(render, JINJA_ITERATOR, items.count);
    const jinja_value *attribute = arguments->count == 0 ? keyword(arguments, "attribute") : NULL;
    if (attribute != NULL) {
        const jinja_value *fallback = keyword(arguments, "default");
        if (arguments->keyword_count > (fallback != NULL ? 2 : 1))
            icl_jinja_fail(&render->state, "map takes attribute and default, no other names");
        for (size_t i = 0; i < items.count; i++)
            icl_jinja_list_add(render, out,
                               follow(render, items.items[i], *attribute,
                                      fallback != NULL ? *fallback : not_given));
        return out;
    }
    if (arguments->count == 0) icl_jinja_fail(&render->state, "map needs a filter's name");
    const jinja_string name = icl_jinja_as_text(render, arguments->values[0], "a filter's name");
    const jinja_filter *filter = icl_jinja_filter_require(&render->state, name);
    const jinja_arguments rest = after(arguments, 1);
    for (size_t i = 0; i < items.count; i++)
        icl_jinja_list_add(render, out,
                           icl_jinja_filter_apply(render, filter, items.items[i], &rest));
    return out;
}

/* select, reject, selectattr and rejectattr: keep items whose (attribute's) test is `wanted`. */
static jinja_value select_items(jinja_render *render, jinja_value self,
                                const jinja_arguments *arguments, bool by_attribute, bool wanted)
{
    const size_t offset = by_attribute ? 1 : 0;
    if (arguments->count < offset)
        icl_jinja_fail(&render->state, "the attribute's name is missing");
    const jinja_value attribute = by_attribute ? arguments->values[0] : not_given;
    const jinja_test *test = NULL;
    jinja_arguments rest = { 0 };
    if (arguments->count > offset) {
        const jinja_value name = arguments->values[offset];
        test = icl_jinja_test_require(&render->state,
                                      icl_jinja_as_text(render, name, "a test's name"));
        rest = after(arguments, offset + 1);
    }
    const jinja_list items = items_or_nothing(render, self);
    const jinja_value out = icl_jinja_list_new(render, JINJA_ITERATOR, 0);
    for (size_t i = 0; i < items.count; i++) {
        const jinja_value value = follow(render, items.items[i], attribute, not_given);
        const bool passes = test != NULL ? icl_jinja_test_apply(render, test, value, &rest)
                                         : icl_jinja_truth(render, value);
        if (passes == wanted) icl_jinja_list_add(render, out, items.items[i]);
    }
    return out;
}

static jinja_value filter_select(jinja_render *render, jinja_value self,
                                 const jinja_arguments *arguments)
{
    return select_items(render, self, arguments, false, true);
}

static jinja_value filter_reject(jinja_render *render, jinja_value self,
                                 const jinja_arguments *arguments)
{
    return select_items(render, self, arguments, false, false);
}

static jinja_value filter_selectattr(jinja_render *render, jinja_value self,
                                     const jinja_arguments *arguments)
{
    return select_items(render, self, arguments, true, true);
}

static jinja_value filter_rejectattr(jinja_render *render, jinja_value self,
                                     const jinja_arguments *arguments)
{
    return select_items(render, self, arguments, true, false);
}

/* ---- order ---- */

typedef struct keyed {
    jinja_value key, item;
} keyed;

/* Stable, and stays so when reversed: equal keys keep their order. */
static void merge_sort(jinja_render *render, keyed *items, keyed *spare, size_t count, bool reverse)
{
    if (count < 2) return;
    const size_t half = count / 2;
    merge_sort(render, items, spare, half, reverse);
    merge_sort(render, items + half, spare, count - half, reverse);
    memcpy(spare, items, half * sizeof *items);
    size_t left = 0, right = half;
    for (size_t to = 0; left < half; to++) {
        bool take_right = false;
        if (right < count) {
            const int order = icl_jinja_compare(render, items[right].key, spare[left].key, "<");
            take_right = order == (reverse ? 1 : -1);
        }
        items[to] = take_right ? items[right++] : spare[left++];
    }
}

static jinja_value sorted(jinja_render *render, jinja_list items, const jinja_value *keys,
                          bool reverse)
{
    keyed *all = icl_jinja_alloc(&render->state, items.count * sizeof *all);
    keyed *spare = icl_jinja_alloc(&render->state, items.count * sizeof *spare);
    for (size_t i = 0; i < items.count; i++) all[i] = (keyed){ keys[i], items.items[i] };
    merge_sort(render, all, spare, items.count, reverse);
    const jinja_value list = icl_jinja_list_new(render, JINJA_LIST, items.count);
    for (size_t i = 0; i < items.count; i++) icl_jinja_list_add(render, list, all[i].item);
    return list;
}

/* "age,name" sorts by age, then by name: the key is a list of both. */
static jinja_value sort_key(jinja_render *render, jinja_value item, jinja_value attribute,
                            bool case_sensitive)
{
    const jinja_string comma = JINJA_STRING(",");
    jinja_value attributes = icl_jinja_list_new(render, JINJA_LIST, 1);
    if (attribute.kind == JINJA_TEXT)
        attributes = icl_jinja_string_split(render, attribute.text, &comma, -1, false);
    else
        icl_jinja_list_add(render, attributes, attribute);
    const jinja_value key = icl_jinja_list_new(render, JINJA_LIST, attributes.list->count);
    for (size_t i = 0; i < attributes.list->count; i++) {
        const jinja_value part = follow(render, item, attributes.list->items[i], not_given);
        icl_jinja_list_add(render, key, without_case(render, part, case_sensitive));
    }
    return key;
}

static jinja_value filter_sort(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_list items = icl_jinja_iterate(render, self);
    const bool case_sensitive = flag(render, arguments[1]);
    jinja_value *keys = icl_jinja_alloc(&render->state, items.count * sizeof *keys);
    for (size_t i = 0; i < items.count; i++)
        keys[i] = sort_key(render, items.items[i], arguments[2], case_sensitive);
    return sorted(render, items, keys, flag(render, arguments[0]));
}

static jinja_value filter_dictsort(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    icl_jinja_require_defined(render, self);
    if (self.kind != JINJA_DICT)
        icl_jinja_fail(&render->state, "dictsort needs a mapping, not %s",
                       icl_jinja_kind_name(self));
    const jinja_value by =
        icl_jinja_given(arguments[1]) ? arguments[1] : icl_jinja_text(JINJA_STRING("key"));
    const jinja_string name = icl_jinja_as_text(render, by, "by");
    const bool by_key = icl_jinja_string_is(name, "key");
    if (!by_key && !icl_jinja_string_is(name, "value"))
        icl_jinja_fail(&render->state, "dictsort sorts by \"key\" or \"value\", not \"%.*s\"",
                       (int)name.length, name.bytes);
    const bool case_sensitive = flag(render, arguments[0]);
    const jinja_value pairs = icl_jinja_list_new(render, JINJA_LIST, self.dict->count);
    jinja_value *keys = icl_jinja_alloc(&render->state, self.dict->count * sizeof *keys);
    for (size_t i = 0; i < self.dict->count; i++) {
        const jinja_pair pair = self.dict->pairs[i];
        keys[i] = without_case(render, by_key ? pair.key : pair.value, case_sensitive);
        icl_jinja_list_add(render, pairs, pair_of(render, pair));
    }
    return sorted(render, *pairs.list, keys, flag(render, arguments[2]));
}

static jinja_value filter_unique(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_list items = icl_jinja_iterate(render, self);
    const jinja_value seen = icl_jinja_dict_new(render, JINJA_DICT, 8);
    const jinja_value out = icl_jinja_list_new(render, JINJA_ITERATOR, 8);
    const bool case_sensitive = flag(render, arguments[0]);
    for (size_t i = 0; i < items.count; i++) {
        const jinja_value value = follow(render, items.items[i], arguments[1], not_given);
        const jinja_value key = without_case(render, value, case_sensitive);
        if (icl_jinja_dict_find(render, seen.dict, key) != NULL) continue;
        icl_jinja_dict_set(render, seen.dict, key, icl_jinja_none());
        icl_jinja_list_add(render, out, items.items[i]);
    }
    return out;
}

/* The first of the smallest, or of the largest. */
static jinja_value extreme(jinja_render *render, jinja_value self, const jinja_value *arguments,
                           int wanted)
{
    const jinja_list items = icl_jinja_iterate(render, self);
    const bool case_sensitive = flag(render, arguments[0]);
    jinja_value best = not_given, best_key = not_given;
    for (size_t i = 0; i < items.count; i++) {
        const jinja_value value = follow(render, items.items[i], arguments[1], not_given);
        const jinja_value key = without_case(render, value, case_sensitive);
        if (i > 0 && icl_jinja_compare(render, key, best_key, wanted < 0 ? "<" : ">") != wanted)
            continue;
        best = items.items[i];
        best_key = key;
    }
    if (items.count > 0) return best;
    return icl_jinja_undefined(&render->state,
                               "no smallest or largest item: the sequence is empty");
}

static jinja_value filter_min(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return extreme(render, self, arguments, -1);
}

static jinja_value filter_max(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return extreme(render, self, arguments, 1);
}

static jinja_value filter_sum(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_list items = icl_jinja_iterate(render, self);
    jinja_value sum = icl_jinja_given(arguments[1]) ? arguments[1] : icl_jinja_integer(0);
    if (sum.kind == JINJA_TEXT)
        icl_jinja_fail(&render->state, "sum does not add strings; use join");
    for (size_t i = 0; i < items.count; i++)
        sum = icl_jinja_binary(render, OPERATOR_ADD, sum,
                               follow(render, items.items[i], arguments[0], not_given));
    return sum;
}

const jinja_filter icl_jinja_sequence_filters[] = {
    { "dictsort", "?case_sensitive,by,reverse", filter_dictsort, NULL },
    { "first", "", filter_first, NULL },
    { "items", "", filter_items, NULL },
    { "join", "?d,attribute", filter_join, NULL },
    { "last", "", filter_last, NULL },
    { "list", "", filter_list, NULL },
    { "map", NULL, NULL, filter_map },
    { "max", "?case_sensitive,attribute", filter_max, NULL },
    { "min", "?case_sensitive,attribute", filter_min, NULL },
    { "reject", NULL, NULL, filter_reject },
    { "rejectattr", NULL, NULL, filter_rejectattr },
    { "reverse", "", filter_reverse, NULL },
    { "select", NULL, NULL, filter_select },
    { "selectattr", NULL, NULL, filter_selectattr },
    { "sort", "?reverse,case_sensitive,attribute", filter_sort, NULL },
    { "sum", "?attribute,start", filter_sum, NULL },
    { "unique", "?case_sensitive,attribute", filter_unique, NULL },
    { NULL, NULL, NULL, NULL },
};
