/* Text from patterns: Python's "%d of %s" % values and "{} of {name}".format(...). */
#include <math.h>
#include <stdio.h>

#include "template/jinja_internal.h"

typedef struct conversion {
    char flags[6];
    int width, precision; /* -1: not given */
    char type;
} conversion;

typedef struct printer {
    jinja_render *render;
    jinja_string format;
    size_t at;
    jinja_value values; /* a tuple, a mapping, or one value */
    size_t used;
} printer;

static char next_byte(const printer *from)
{
    return from->at < from->format.length ? from->format.bytes[from->at] : '\0';
}

static int read_number(printer *from)
{
    enum { NUMBER_MAX = 10000 };
    int number = 0;
    while (next_byte(from) >= '0' && next_byte(from) <= '9') {
        number = number * 10 + (next_byte(from) - '0');
        if (number > NUMBER_MAX)
            icl_jinja_fail(&from->render->state, "width or precision is too large");
        from->at++;
    }
    return number;
}

static jinja_value next_value(printer *from)
{
    jinja_render *render = from->render;
    const bool is_tuple = from->values.kind == JINJA_TUPLE;
    if (from->used >= (is_tuple ? from->values.list->count : 1))
        icl_jinja_fail(&render->state, "the format needs more values than the %zu given",
                       from->used);
    from->used++;
    return is_tuple ? from->values.list->items[from->used - 1] : from->values;
}

/* "(name)" after "%". */
static jinja_value named_value(printer *from)
{
    jinja_render *render = from->render;
    const jinja_string close = JINJA_STRING(")");
    const size_t end = icl_jinja_string_find(from->format, close, from->at);
    if (from->values.kind != JINJA_DICT)
        icl_jinja_fail(&render->state, "the format needs a mapping");
    if (end == SIZE_MAX) icl_jinja_fail(&render->state, "the format has an open \"(\"");
    const jinja_string name = { from->format.bytes + from->at + 1, end - from->at - 1 };
    const jinja_value *found = icl_jinja_dict_find_text(from->values.dict, name);
    if (found == NULL)
        icl_jinja_fail(&render->state, "the mapping has no \"%.*s\"", (int)name.length, name.bytes);
    from->at = end + 1;
    return *found;
}

static conversion read_conversion(printer *from)
{
    conversion how = { .width = -1, .precision = -1 };
    size_t flag_count = 0;
    while (next_byte(from) != '\0' && strchr("-+ #0", next_byte(from)) != NULL) {
        if (flag_count + 1 < sizeof how.flags) how.flags[flag_count++] = next_byte(from);
        from->at++;
    }
    if (next_byte(from) >= '1' && next_byte(from) <= '9') how.width = read_number(from);
    if (next_byte(from) == '.') {
        from->at++;
        how.precision = read_number(from);
    }
    how.type = next_byte(from);
    from->at++;
    return how;
}

static void write_padded(jinja_render *render, const conversion *how, jinja_string text)
{
    const int count = (int)icl_jinja_string_count(text);
    const bool to_left = strchr(how->flags, '-') != NULL;
    for (int i = count; !to_left && i < how->width; i++) icl_jinja_write(render, " ", 1);
    icl_jinja_write(render, text.bytes, text.length);
    for (int i = count; to_left && i < how->width; i++) icl_jinja_write(render, " ", 1);
}

static void write_number(jinja_render *render, const conversion *how, jinja_value value)
{
    char pattern[24];
    const bool whole = strchr("diuxXo", how->type) != NULL;
    icl_jinja_require_defined(render, value);
    if (!icl_jinja_is_number(value))
        icl_jinja_fail(&render->state, "%%%c needs a number, not %s", how->type,
                       icl_jinja_kind_name(value));
    if (whole && value.kind == JINJA_FLOAT &&
        (strchr("xXo", how->type) != NULL || !(fabs(value.number) < 9.2e18)))
        icl_jinja_fail(&render->state, "%%%c needs an integer", how->type);
    const char type = how->type == 'u' || how->type == 'i' ? 'd' : how->type;
    snprintf(pattern, sizeof pattern, "%%%s*.*%s%c", how->flags, whole ? "ll" : "", type);
    int64_t integer = 0;
    if (whole && value.kind == JINJA_FLOAT)
        integer = (int64_t)value.number;
    else if (whole)
        integer = icl_jinja_as_integer(render, value, "value");
    const bool minus_hex = whole && type != 'd' && integer < 0;
    if (minus_hex) icl_jinja_fail(&render->state, "%%%c of a negative integer", how->type);
    const int width = how->width < 0 ? 0 : how->width;
    const size_t size = (size_t)width + (size_t)(how->precision < 0 ? 0 : how->precision) + 400;
    char *text = icl_jinja_alloc(&render->state, size);
    const int length =
        whole ? snprintf(text, size, pattern, width, how->precision, (long long)integer)
              : snprintf(text, size, pattern, width, how->precision, icl_jinja_as_double(value));
    icl_jinja_write(render, text, (size_t)length);
}

static void write_conversion(jinja_render *render, const conversion *how, jinja_value value)
{
    if (how->type == 's' || how->type == 'r') {
        jinja_string text =
            how->type == 's' ? icl_jinja_str(render, value) : icl_jinja_repr(render, value);
        if (how->precision >= 0) text = icl_jinja_string_range(text, 0, (size_t)how->precision);
        write_padded(render, how, text);
    } else if (how->type != '\0' && strchr("diuxXofFeEgG", how->type) != NULL) {
        write_number(render, how, value);
    } else {
        icl_jinja_fail(&render->state, "conversion \"%%%c\" is not supported", how->type);
    }
}

jinja_string icl_jinja_printf(jinja_render *render, jinja_string format, jinja_value values)
{
    printer from = { .render = render, .format = format, .values = values };
    const size_t begin = icl_jinja_capture_begin(render);
    while (from.at < format.length) {
        const char byte = format.bytes[from.at++];
        if (byte != '%') {
            icl_jinja_write(render, &byte, 1);
            continue;
        }
        const bool is_named = next_byte(&from) == '(';
        const jinja_value named = is_named ? named_value(&from) : icl_jinja_none();
        const conversion how = read_conversion(&from);
        if (how.type == '%')
            icl_jinja_write(render, "%", 1);
        else
            write_conversion(render, &how, is_named ? named : next_value(&from));
    }
    const bool all_used = values.kind == JINJA_DICT || values.kind == JINJA_LIST ||
                          from.used == (values.kind == JINJA_TUPLE ? values.list->count : 1);
    if (!all_used) icl_jinja_fail(&render->state, "the format does not use all of its values");
    return icl_jinja_capture_end(render, begin);
}

/* ---- str.format ---- */

static jinja_value argument_of(jinja_render *render, const jinja_arguments *arguments,
                               jinja_string name, size_t *automatic)
{
    int64_t index = 0;
    bool overflow;
    if (name.length == 0) {
        index = (int64_t)(*automatic)++;
    } else if (!icl_jinja_parse_integer(name, 10, &index, &overflow)) {
        for (size_t i = 0; i < arguments->keyword_count; i++)
            if (icl_jinja_string_equal(arguments->keywords[i].name, name))
                return arguments->keywords[i].value;
        icl_jinja_fail(&render->state, "format has no argument named \"%.*s\"", (int)name.length,
                       name.bytes);
    }
    if (index < 0 || (uint64_t)index >= arguments->count)
        icl_jinja_fail(&render->state, "format has no argument %lld", (long long)index);
    return arguments->values[index];
}

/* The field after "{" up to "}"; returns the position behind it. */
static size_t write_field(jinja_render *render, jinja_string format, size_t at,
                          const jinja_arguments *arguments, size_t *automatic)
{
    const size_t end = icl_jinja_string_find(format, JINJA_STRING("}"), at);
    if (end == SIZE_MAX)
        icl_jinja_fail(&render->state, "\"{\" is not closed by \"}\" in the format");
    const jinja_string name = { format.bytes + at, end - at };
    for (size_t i = 0; i < name.length; i++)
        if (strchr(":!.[{", name.bytes[i]) != NULL)
            icl_jinja_fail(&render->state,
                           "format field \"{%.*s}\" is more than a name or a number",
                           (int)name.length, name.bytes);
    icl_jinja_write_str(render, argument_of(render, arguments, name, automatic));
    return end + 1;
}

jinja_string icl_jinja_brace_format(jinja_render *render, jinja_string format,
                                    const jinja_arguments *arguments)
{
    const size_t begin = icl_jinja_capture_begin(render);
    size_t automatic = 0;
    for (size_t at = 0; at < format.length;) {
        const char byte = format.bytes[at++];
        const bool brace = byte == '{' || byte == '}';
        const bool doubled = brace && at < format.length && format.bytes[at] == byte;
        if (brace && !doubled) {
            if (byte == '}') icl_jinja_fail(&render->state, "single \"}\" in the format");
            at = write_field(render, format, at, arguments, &automatic);
            continue;
        }
        icl_jinja_write(render, &byte, 1);
        at += doubled;
    }
    return icl_jinja_capture_end(render, begin);
}
