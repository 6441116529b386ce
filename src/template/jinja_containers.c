/* The methods of Python's lists, tuples and mappings that templates call, and those of `loop`. */
#include "template/jinja_internal.h"

/* ---- lists ---- */

static jinja_value list_append(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    icl_jinja_list_add(render, self, arguments[0]);
    return icl_jinja_none();
}

static jinja_value list_extend(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_list items = icl_jinja_iterate(render, arguments[0]);
    for (size_t i = 0; i < items.count; i++) icl_jinja_list_add(render, self, items.items[i]);
    return icl_jinja_none();
}

static jinja_value list_insert(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    jinja_list *list = self.list;
    const int64_t count = (int64_t)list->count;
    int64_t at = icl_jinja_as_integer(render, arguments[0], "index");
    if (at < 0) at = at < -count ? 0 : at + count;
    if (at > count) at = count;
    icl_jinja_charge(render, list->count / 64);
    icl_jinja_list_add(render, self, icl_jinja_none());
    for (int64_t i = count; i > at; i--) list->items[i] = list->items[i - 1];
    list->items[at] = arguments[1];
    return icl_jinja_none();
}

static jinja_value list_pop(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    jinja_list *list = self.list;
    int64_t at =
        icl_jinja_given(arguments[0]) ? icl_jinja_as_integer(render, arguments[0], "index") : -1;
    const int64_t count = (int64_t)list->count;
    if (at < -count || at >= count)
        icl_jinja_fail(&render->state, "no item %lld to pop in a list of %lld", (long long)at,
                       (long long)count);
    if (at < 0) at += count;
    icl_jinja_charge(render, list->count / 64);
    const jinja_value popped = list->items[at];
    for (; at + 1 < count; at++) list->items[at] = list->items[at + 1];
    list->count--;
    return popped;
}

static jinja_value list_index(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    for (size_t i = 0; i < self.list->count; i++)
        if (icl_jinja_equal(render, self.list->items[i], arguments[0])) return icl_jinja_count(i);
    const jinja_string item = icl_jinja_repr(render, arguments[0]);
    icl_jinja_fail(&render->state, "%.*s is not in %s", (int)(item.length > 60 ? 60 : item.length),
                   item.bytes, icl_jinja_kind_name(self));
}

static jinja_value list_count(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    size_t count = 0;
    for (size_t i = 0; i < self.list->count; i++)
        count += icl_jinja_equal(render, self.list->items[i], arguments[0]);
    return icl_jinja_count(count);
}

static jinja_value list_copy(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    const jinja_value copy = icl_jinja_list_new(render, JINJA_LIST, self.list->count);
    for (size_t i = 0; i < self.list->count; i++)
        icl_jinja_list_add(render, copy, self.list->items[i]);
    return copy;
}

/* ---- mappings ---- */

typedef enum part { PART_KEY, PART_VALUE, PART_ITEM } part;

static jinja_value view(jinja_render *render, const jinja_dict *dict, part wanted)
{
    static const char *const names[] = { "dict_keys", "dict_values", "dict_items" };
    const jinja_value list = icl_jinja_list_new(render, JINJA_VIEW, dict->count);
    list.list->view = names[wanted];
    for (size_t i = 0; i < dict->count; i++) {
        jinja_value item = wanted == PART_KEY ? dict->pairs[i].key : dict->pairs[i].value;
        if (wanted == PART_ITEM) {
            item = icl_jinja_list_new(render, JINJA_TUPLE, 2);
            icl_jinja_list_add(render, item, dict->pairs[i].key);
            icl_jinja_list_add(render, item, dict->pairs[i].value);
        }
        icl_jinja_list_add(render, list, item);
    }
    return list;
}

static jinja_value dict_keys(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return view(render, self.dict, PART_KEY);
}

static jinja_value dict_values(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return view(render, self.dict, PART_VALUE);
}

static jinja_value dict_items(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return view(render, self.dict, PART_ITEM);
}

static jinja_value dict_get(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_value *found = icl_jinja_dict_find(render, self.dict, arguments[0]);
    if (found != NULL) return *found;
    return icl_jinja_given(arguments[1]) ? arguments[1] : icl_jinja_none();
}

static jinja_value dict_setdefault(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_value *found = icl_jinja_dict_find(render, self.dict, arguments[0]);
    if (found != NULL) return *found;
    const jinja_value value = icl_jinja_given(arguments[1]) ? arguments[1] : icl_jinja_none();
    icl_jinja_dict_set(render, self.dict, arguments[0], value);
    return value;
}

static jinja_value dict_pop(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    jinja_value *found = icl_jinja_dict_find(render, self.dict, arguments[0]);
    if (found == NULL && icl_jinja_given(arguments[1])) return arguments[1];
    if (found == NULL) {
        const jinja_string key = icl_jinja_repr(render, arguments[0]);
        icl_jinja_fail(&render->state, "no key %.*s to pop",
                       (int)(key.length > 60 ? 60 : key.length), key.bytes);
    }
    const jinja_value popped = *found;
    icl_jinja_dict_remove(self.dict, found);
    return popped;
}

static jinja_value dict_copy(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    const jinja_value copy = icl_jinja_dict_new(render, JINJA_DICT, self.dict->count);
    for (size_t i = 0; i < self.dict->count; i++)
        icl_jinja_dict_set(render, copy.dict, self.dict->pairs[i].key, self.dict->pairs[i].value);
    return copy;
}

static jinja_value dict_update(jinja_render *render, jinja_value self,
                               const jinja_arguments *arguments)
{
    const jinja_value from = icl_jinja_function_find(&render->tmpl->options, JINJA_STRING("dict"))
                                 ->call(render, self, arguments);
    for (size_t i = 0; i < from.dict->count; i++)
        icl_jinja_dict_set(render, self.dict, from.dict->pairs[i].key, from.dict->pairs[i].value);
    return icl_jinja_none();
}

/* ---- loop ---- */

static jinja_value loop_cycle(jinja_render *render, jinja_value self,
                              const jinja_arguments *arguments)
{
    if (arguments->count == 0 || arguments->keyword_count > 0)
        icl_jinja_fail(&render->state, "cycle needs at least one item");
    return arguments->values[self.loop->index % arguments->count];
}

static jinja_value loop_changed(jinja_render *render, jinja_value self,
                                const jinja_arguments *arguments)
{
    const jinja_value now = icl_jinja_list_new(render, JINJA_TUPLE, arguments->count);
    for (size_t i = 0; i < arguments->count; i++)
        icl_jinja_list_add(render, now, arguments->values[i]);
    if (self.loop->has_changed && icl_jinja_equal(render, self.loop->changed, now))
        return icl_jinja_boolean(false);
    self.loop->has_changed = true;
    self.loop->changed = now;
    return icl_jinja_boolean(true);
}

const jinja_method_entry icl_jinja_container_methods[] = {
    { JINJA_LIST, "append", "object", list_append, NULL },
    { JINJA_LIST, "clear", "", NULL, NULL },
    { JINJA_LIST, "copy", "", list_copy, NULL },
    { JINJA_LIST, "count", "value", list_count, NULL },
    { JINJA_LIST, "extend", "iterable", list_extend, NULL },
    { JINJA_LIST, "index", "value", list_index, NULL },
    { JINJA_LIST, "insert", "index,object", list_insert, NULL },
    { JINJA_LIST, "pop", "?index", list_pop, NULL },
    { JINJA_LIST, "remove", "value", NULL, NULL },
    { JINJA_LIST, "reverse", "", NULL, NULL },
    { JINJA_LIST, "sort", "", NULL, NULL },
    { JINJA_RANGE, "count", "value", list_count, NULL },
    { JINJA_RANGE, "index", "value", list_index, NULL },
    { JINJA_TUPLE, "count", "value", list_count, NULL },
    { JINJA_TUPLE, "index", "value", list_index, NULL },
    { JINJA_DICT, "clear", "", NULL, NULL },
    { JINJA_DICT, "copy", "", dict_copy, NULL },
    { JINJA_DICT, "fromkeys", "", NULL, NULL },
    { JINJA_DICT, "get", "key,?default", dict_get, NULL },
    { JINJA_DICT, "items", "", dict_items, NULL },
    { JINJA_DICT, "keys", "", dict_keys, NULL },
    { JINJA_DICT, "pop", "key,?default", dict_pop, NULL },
    { JINJA_DICT, "popitem", "", NULL, NULL },
    { JINJA_DICT, "setdefault", "key,?default", dict_setdefault, NULL },
    { JINJA_DICT, "update", NULL, NULL, dict_update },
    { JINJA_DICT, "values", "", dict_values, NULL },
    { JINJA_LOOP, "changed", NULL, NULL, loop_changed },
    { JINJA_LOOP, "cycle", NULL, NULL, loop_cycle },
    { 0, NULL, NULL, NULL, NULL },
};
