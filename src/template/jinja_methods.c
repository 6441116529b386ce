/* The methods of Python's strings that templates call; those of lists and mappings are next door.
 */
#include "template/jinja_internal.h"

/* Bytes of `text` that the optional code point positions start and end leave. */
static jinja_string between(jinja_render *render, jinja_string text, jinja_value start,
                            jinja_value end, size_t *out_skipped)
{
    const bool starts = icl_jinja_given(start) && start.kind != JINJA_NONE;
    const bool ends = icl_jinja_given(end) && end.kind != JINJA_NONE;
    *out_skipped = 0;
    if (!starts && !ends) return text;
    const int64_t count = (int64_t)icl_jinja_string_count(text);
    int64_t from = starts ? icl_jinja_as_integer(render, start, "start") : 0;
    int64_t to = ends ? icl_jinja_as_integer(render, end, "end") : count;
    if (from < 0) from = from < -count ? 0 : from + count;
    if (to < 0) to = to < -count ? 0 : to + count;
    if (to > count) to = count;
    *out_skipped = (size_t)from;
    /* Past the end nothing is found, not even the empty string: Python tells that from "at the
     * end". */
    if (from > to) return (jinja_string){ NULL, 0 };
    return icl_jinja_string_range(text, (size_t)from, (size_t)to);
}

static jinja_value find_in(jinja_render *render, jinja_value self, const jinja_value *arguments,
                           bool last)
{
    size_t skipped;
    const jinja_string part = icl_jinja_as_text(render, arguments[0], "what is looked for");
    const jinja_string text = between(render, self.text, arguments[1], arguments[2], &skipped);
    if (text.bytes == NULL) return icl_jinja_integer(-1);
    const size_t found = last ? icl_jinja_string_find_last(text, part, text.length)
                              : icl_jinja_string_find(text, part, 0);
    if (found == SIZE_MAX) return icl_jinja_integer(-1);
    return icl_jinja_count(skipped + icl_jinja_string_count((jinja_string){ text.bytes, found }));
}

static jinja_value text_find(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return find_in(render, self, arguments, false);
}

static jinja_value text_rfind(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return find_in(render, self, arguments, true);
}

static jinja_value found_or_fail(jinja_render *render, jinja_value found, jinja_string part)
{
    if (found.integer < 0)
        icl_jinja_fail(&render->state, "substring \"%.*s\" not found",
                       (int)(part.length > 60 ? 60 : part.length), part.bytes);
    return found;
}

static jinja_value text_index(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return found_or_fail(render, find_in(render, self, arguments, false), arguments[0].text);
}

static jinja_value text_rindex(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return found_or_fail(render, find_in(render, self, arguments, true), arguments[0].text);
}

static jinja_value text_count(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    size_t skipped, count = 0;
    const jinja_string part = icl_jinja_as_text(render, arguments[0], "what is counted");
    const jinja_string text = between(render, self.text, arguments[1], arguments[2], &skipped);
    if (text.bytes == NULL) return icl_jinja_integer(0);
    if (part.length == 0) return icl_jinja_count(icl_jinja_string_count(text) + 1);
    for (size_t at = 0; (at = icl_jinja_string_find(text, part, at)) != SIZE_MAX; at += part.length)
        count++;
    return icl_jinja_count(count);
}

static bool matches_end(jinja_string text, jinja_string part, bool at_end)
{
    if (part.length > text.length) return false;
    const char *from = at_end ? text.bytes + text.length - part.length : text.bytes;
    return memcmp(from, part.bytes, part.length) == 0;
}

/* startswith and endswith take one string or a tuple of them. */
static jinja_value matches(jinja_render *render, jinja_value self, const jinja_value *arguments,
                           bool at_end)
{
    size_t skipped;
    const jinja_string text = between(render, self.text, arguments[1], arguments[2], &skipped);
    const jinja_value parts = arguments[0];
    if (parts.kind != JINJA_TUPLE) {
        const jinja_string part =
            icl_jinja_as_text(render, parts, "what a string starts or ends with");
        return icl_jinja_boolean(text.bytes != NULL && matches_end(text, part, at_end));
    }
    bool any = false;
    for (size_t i = 0; i < parts.list->count && !any; i++) {
        const jinja_string part =
            icl_jinja_as_text(render, parts.list->items[i], "each of the tuple");
        any = text.bytes != NULL && matches_end(text, part, at_end);
    }
    return icl_jinja_boolean(any);
}

static jinja_value text_startswith(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return matches(render, self, arguments, false);
}

static jinja_value text_endswith(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return matches(render, self, arguments, true);
}

/* ---- trimming and case ---- */

static jinja_value stripped(jinja_render *render, jinja_value self, jinja_value chars,
                            jinja_side side)
{
    if (!icl_jinja_given(chars) || chars.kind == JINJA_NONE)
        return icl_jinja_text(icl_jinja_string_strip(self.text, NULL, side));
    const jinja_string set = icl_jinja_as_text(render, chars, "the characters to strip");
    return icl_jinja_text(icl_jinja_string_strip(self.text, &set, side));
}

static jinja_value text_strip(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return stripped(render, self, arguments[0], SIDE_BOTH);
}

static jinja_value text_lstrip(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return stripped(render, self, arguments[0], SIDE_LEFT);
}

static jinja_value text_rstrip(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return stripped(render, self, arguments[0], SIDE_RIGHT);
}

static jinja_value text_removeprefix(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_string part = icl_jinja_as_text(render, arguments[0], "prefix"), text = self.text;
    if (!matches_end(text, part, false)) return self;
    return icl_jinja_text((jinja_string){ text.bytes + part.length, text.length - part.length });
}

static jinja_value text_removesuffix(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_string part = icl_jinja_as_text(render, arguments[0], "suffix"), text = self.text;
    if (!matches_end(text, part, true)) return self;
    return icl_jinja_text((jinja_string){ text.bytes, text.length - part.length });
}

static jinja_value text_lower(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return icl_jinja_text(icl_jinja_string_to_case(render, self.text, CASE_LOWER));
}

static jinja_value text_upper(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return icl_jinja_text(icl_jinja_string_to_case(render, self.text, CASE_UPPER));
}

static jinja_value text_title(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return icl_jinja_text(icl_jinja_string_to_case(render, self.text, CASE_TITLE));
}

static jinja_value text_capitalize(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return icl_jinja_text(icl_jinja_string_to_case(render, self.text, CASE_CAPITAL));
}

static jinja_value text_islower(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)render;
    (void)arguments;
    return icl_jinja_boolean(icl_jinja_string_has_case(self.text, false));
}

static jinja_value text_isupper(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)render;
    (void)arguments;
    return icl_jinja_boolean(icl_jinja_string_has_case(self.text, true));
}

static jinja_value text_isdigit(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)render;
    (void)arguments;
    bool all = self.text.length > 0;
    for (size_t at = 0; all && at < self.text.length;)
        all = icl_jinja_is_digit(icl_jinja_code_point(self.text, &at));
    return icl_jinja_boolean(all);
}

static jinja_value text_isspace(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)render;
    (void)arguments;
    const jinja_string rest = icl_jinja_string_strip(self.text, NULL, SIDE_BOTH);
    return icl_jinja_boolean(self.text.length > 0 && rest.length == 0);
}

/* ---- taking apart and putting together ---- */

static jinja_value split(jinja_render *render, jinja_value self, const jinja_value *arguments,
                         bool from_right)
{
    const int64_t count =
        icl_jinja_given(arguments[1]) ? icl_jinja_as_integer(render, arguments[1], "maxsplit") : -1;
    if (!icl_jinja_given(arguments[0]) || arguments[0].kind == JINJA_NONE)
        return icl_jinja_string_split(render, self.text, NULL, count, from_right);
    const jinja_string part = icl_jinja_as_text(render, arguments[0], "the separator");
    if (part.length == 0) icl_jinja_fail(&render->state, "the separator is empty");
    return icl_jinja_string_split(render, self.text, &part, count, from_right);
}

static jinja_value text_split(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return split(render, self, arguments, false);
}

static jinja_value text_rsplit(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return split(render, self, arguments, true);
}

static jinja_value text_splitlines(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const bool keep_ends = icl_jinja_given(arguments[0]) && icl_jinja_truth(render, arguments[0]);
    return icl_jinja_string_lines(render, self.text, keep_ends);
}

/* (before, separator, after), at the first separator or at the last. */
static jinja_value partition(jinja_render *render, jinja_value self, jinja_value separator,
                             bool last)
{
    const jinja_string part = icl_jinja_as_text(render, separator, "the separator"),
                       text = self.text;
    if (part.length == 0) icl_jinja_fail(&render->state, "the separator is empty");
    const size_t found = last ? icl_jinja_string_find_last(text, part, text.length)
                              : icl_jinja_string_find(text, part, 0);
    const jinja_string none = JINJA_STRING("");
    jinja_string parts[3] = { last ? none : text, none, last ? text : none };
    if (found != SIZE_MAX) {
        const size_t end = found + part.length;
        parts[0] = (jinja_string){ text.bytes, found };
        parts[1] = part;
        parts[2] = (jinja_string){ text.bytes + end, text.length - end };
    }
    const jinja_value tuple = icl_jinja_list_new(render, JINJA_TUPLE, 3);
    for (size_t i = 0; i < 3; i++) icl_jinja_list_add(render, tuple, icl_jinja_text(parts[i]));
    return tuple;
}

static jinja_value text_partition(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return partition(render, self, arguments[0], false);
}

static jinja_value text_rpartition(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return partition(render, self, arguments[0], true);
}

static jinja_value text_join(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_list items = icl_jinja_iterate(render, arguments[0]);
    const size_t begin = icl_jinja_capture_begin(render);
    for (size_t i = 0; i < items.count; i++) {
        const jinja_string item = icl_jinja_as_text(render, items.items[i], "each joined item");
        if (i > 0) icl_jinja_write(render, self.text.bytes, self.text.length);
        icl_jinja_write(render, item.bytes, item.length);
    }
    return icl_jinja_text(icl_jinja_capture_end(render, begin));
}

static jinja_value text_replace(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const int64_t count =
        icl_jinja_given(arguments[2]) ? icl_jinja_as_integer(render, arguments[2], "count") : -1;
    return icl_jinja_text(icl_jinja_string_replace(
        render, self.text, icl_jinja_as_text(render, arguments[0], "the old part"),
        icl_jinja_as_text(render, arguments[1], "the new part"), count));
}

static jinja_value text_format(jinja_render *render, jinja_value self,
                               const jinja_arguments *arguments)
{
    return icl_jinja_text(icl_jinja_brace_format(render, self.text, arguments));
}

static jinja_value text_zfill(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const int64_t width = icl_jinja_as_integer(render, arguments[0], "width");
    const size_t count = icl_jinja_string_count(self.text);
    const bool has_sign = count > 0 && strchr("+-", self.text.bytes[0]) != NULL;
    if (width <= (int64_t)count) return self;
    const size_t begin = icl_jinja_capture_begin(render);
    icl_jinja_write(render, self.text.bytes, has_sign);
    for (int64_t i = (int64_t)count; i < width; i++) icl_jinja_write(render, "0", 1);
    icl_jinja_write(render, self.text.bytes + has_sign, self.text.length - has_sign);
    return icl_jinja_text(icl_jinja_capture_end(render, begin));
}

/* ---- the table; an entry without a function is Python's, but not offered here ---- */

static const jinja_method_entry text_methods[] = {
    { JINJA_TEXT, "capitalize", "", text_capitalize, NULL },
    { JINJA_TEXT, "casefold", "", NULL, NULL },
    { JINJA_TEXT, "center", "", NULL, NULL },
    { JINJA_TEXT, "count", "sub,?start,end", text_count, NULL },
    { JINJA_TEXT, "encode", "", NULL, NULL },
    { JINJA_TEXT, "endswith", "suffix,?start,end", text_endswith, NULL },
    { JINJA_TEXT, "expandtabs", "", NULL, NULL },
    { JINJA_TEXT, "find", "sub,?start,end", text_find, NULL },
    { JINJA_TEXT, "format", NULL, NULL, text_format },
    { JINJA_TEXT, "format_map", "", NULL, NULL },
    { JINJA_TEXT, "index", "sub,?start,end", text_index, NULL },
    { JINJA_TEXT, "isalnum", "", NULL, NULL },
    { JINJA_TEXT, "isalpha", "", NULL, NULL },
    { JINJA_TEXT, "isascii", "", NULL, NULL },
    { JINJA_TEXT, "isdecimal", "", NULL, NULL },
    { JINJA_TEXT, "isdigit", "", text_isdigit, NULL },
    { JINJA_TEXT, "isidentifier", "", NULL, NULL },
    { JINJA_TEXT, "islower", "", text_islower, NULL },
    { JINJA_TEXT, "isnumeric", "", NULL, NULL },
    { JINJA_TEXT, "isprintable", "", NULL, NULL },
    { JINJA_TEXT, "isspace", "", text_isspace, NULL },
    { JINJA_TEXT, "istitle", "", NULL, NULL },
    { JINJA_TEXT, "isupper", "", text_isupper, NULL },
    { JINJA_TEXT, "join", "iterable", text_join, NULL },
    { JINJA_TEXT, "ljust", "", NULL, NULL },
    { JINJA_TEXT, "lower", "", text_lower, NULL },
    { JINJA_TEXT, "lstrip", "?chars", text_lstrip, NULL },
    { JINJA_TEXT, "maketrans", "", NULL, NULL },
    { JINJA_TEXT, "partition", "sep", text_partition, NULL },
    { JINJA_TEXT, "removeprefix", "prefix", text_removeprefix, NULL },
    { JINJA_TEXT, "removesuffix", "suffix", text_removesuffix, NULL },
    { JINJA_TEXT, "replace", "old,new,?count", text_replace, NULL },
    { JINJA_TEXT, "rfind", "sub,?start,end", text_rfind, NULL },
    { JINJA_TEXT, "rindex", "sub,?start,end", text_rindex, NULL },
    { JINJA_TEXT, "rjust", "", NULL, NULL },
    { JINJA_TEXT, "rpartition", "sep", text_rpartition, NULL },
    { JINJA_TEXT, "rsplit", "?sep,maxsplit", text_rsplit, NULL },
    { JINJA_TEXT, "rstrip", "?chars", text_rstrip, NULL },
    { JINJA_TEXT, "split", "?sep,maxsplit", text_split, NULL },
    { JINJA_TEXT, "splitlines", "?keepends", text_splitlines, NULL },
    { JINJA_TEXT, "startswith", "prefix,?start,end", text_startswith, NULL },
    { JINJA_TEXT, "strip", "?chars", text_strip, NULL },
    { JINJA_TEXT, "swapcase", "", NULL, NULL },
    { JINJA_TEXT, "title", "", text_title, NULL },
    { JINJA_TEXT, "translate", "", NULL, NULL },
    { JINJA_TEXT, "upper", "", text_upper, NULL },
    { JINJA_TEXT, "zfill", "width", text_zfill, NULL },
    { 0, NULL, NULL, NULL, NULL },
};

static const jinja_method_entry *entry_in(const jinja_method_entry *entries, jinja_kind kind,
                                          jinja_string name)
{
    for (; entries->name != NULL; entries++)
        if (entries->kind == kind && icl_jinja_string_is(name, entries->name)) return entries;
    return NULL;
}

const jinja_method_entry *icl_jinja_method_find(jinja_kind kind, jinja_string name)
{
    const jinja_method_entry *found = entry_in(text_methods, kind, name);
    return found != NULL ? found : entry_in(icl_jinja_container_methods, kind, name);
}
