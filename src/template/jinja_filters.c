/* Filters on single values: text, numbers, defaults and JSON. Each entry names its parameters. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "template/jinja_internal.h"

static jinja_value filter_string(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return icl_jinja_text(icl_jinja_str(render, self));
}

static jinja_value filter_lower(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return icl_jinja_text(
        icl_jinja_string_to_case(render, icl_jinja_str(render, self), CASE_LOWER));
}

static jinja_value filter_upper(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return icl_jinja_text(
        icl_jinja_string_to_case(render, icl_jinja_str(render, self), CASE_UPPER));
}

static jinja_value filter_capitalize(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return icl_jinja_text(
        icl_jinja_string_to_case(render, icl_jinja_str(render, self), CASE_CAPITAL));
}

static jinja_value filter_title(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return icl_jinja_text(
        icl_jinja_string_to_case(render, icl_jinja_str(render, self), CASE_WORDS));
}

static jinja_value filter_trim(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const bool given = icl_jinja_given(arguments[0]) && arguments[0].kind != JINJA_NONE;
    const jinja_string text = icl_jinja_str(render, self);
    if (!given) return icl_jinja_text(icl_jinja_string_strip(text, NULL, SIDE_BOTH));
    const jinja_string chars = icl_jinja_as_text(render, arguments[0], "the characters to trim");
    return icl_jinja_text(icl_jinja_string_strip(text, &chars, SIDE_BOTH));
}

static jinja_value filter_replace(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const bool counted = icl_jinja_given(arguments[2]) && arguments[2].kind != JINJA_NONE;
    const int64_t count = counted ? icl_jinja_as_integer(render, arguments[2], "count") : -1;
    const jinja_string text = icl_jinja_str(render, self);
    return icl_jinja_text(icl_jinja_string_replace(render, text,
                                                   icl_jinja_str(render, arguments[0]),
                                                   icl_jinja_str(render, arguments[1]), count));
}

static jinja_string indentation(jinja_render *render, jinja_value width)
{
    if (!icl_jinja_given(width)) return JINJA_STRING("    ");
    if (width.kind == JINJA_TEXT) return width.text;
    const jinja_value space = icl_jinja_text(JINJA_STRING(" "));
    return icl_jinja_binary(render, OPERATOR_MULTIPLY, space, width).text;
}

static jinja_value filter_indent(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_string text = icl_jinja_as_text(render, self, "what is indented");
    const jinja_string indent = indentation(render, arguments[0]);
    const bool first = icl_jinja_given(arguments[1]) && icl_jinja_truth(render, arguments[1]);
    const bool blank = icl_jinja_given(arguments[2]) && icl_jinja_truth(render, arguments[2]);
    const jinja_value closed = icl_jinja_binary(render, OPERATOR_ADD, icl_jinja_text(text),
                                                icl_jinja_text(JINJA_STRING("\n")));
    const jinja_list lines = *icl_jinja_string_lines(render, closed.text, false).list;
    const size_t begin = icl_jinja_capture_begin(render);
    for (size_t i = 0; i < lines.count; i++) {
        const jinja_string line = lines.items[i].text;
        if (i > 0) icl_jinja_write(render, "\n", 1);
        if (i == 0 ? first : blank || line.length > 0)
            icl_jinja_write(render, indent.bytes, indent.length);
        icl_jinja_write(render, line.bytes, line.length);
    }
    return icl_jinja_text(icl_jinja_capture_end(render, begin));
}

static jinja_value filter_wordcount(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    const jinja_string text = icl_jinja_str(render, self);
    size_t count = 0;
    bool inside = false;
    for (size_t at = 0; at < text.length;) {
        const bool word = icl_jinja_is_word(icl_jinja_code_point(text, &at));
        count += word && !inside;
        inside = word;
    }
    return icl_jinja_count(count);
}

static jinja_value filter_length(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return icl_jinja_count(icl_jinja_length(render, self));
}

/* ---- numbers ---- */

static jinja_value truncated(jinja_render *render, double number)
{
    if (!(number > -9223372036854775809.0 && number < 9223372036854775808.0))
        icl_jinja_fail(&render->state, "float does not fit a 64-bit integer");
    return icl_jinja_integer((int64_t)number);
}

static jinja_value text_to_integer(jinja_render *render, jinja_string text, int base,
                                   jinja_value fallback)
{
    int64_t integer;
    bool overflow;
    double number;
    if (icl_jinja_parse_integer(text, base, &integer, &overflow)) return icl_jinja_integer(integer);
    if (overflow)
        icl_jinja_fail(&render->state, "\"%.40s\" does not fit a 64-bit integer",
                       icl_jinja_copy(&render->state, text.bytes, text.length).bytes);
    if (!icl_jinja_parse_float(text, &number) || !isfinite(number)) return fallback;
    return truncated(render, number);
}

static jinja_value filter_int(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_value fallback =
        icl_jinja_given(arguments[0]) ? arguments[0] : icl_jinja_integer(0);
    const int64_t base =
        icl_jinja_given(arguments[1]) ? icl_jinja_as_integer(render, arguments[1], "base") : 10;
    icl_jinja_require_defined(render, self);
    if (base < 2 || base > 36) icl_jinja_fail(&render->state, "base must be between 2 and 36");
    if (self.kind == JINJA_TEXT) return text_to_integer(render, self.text, (int)base, fallback);
    if (!icl_jinja_is_number(self)) return fallback;
    if (self.kind != JINJA_FLOAT)
        return icl_jinja_integer(icl_jinja_as_integer(render, self, "value"));
    return isnan(self.number) ? fallback : truncated(render, self.number);
}

static jinja_value filter_float(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    double number;
    icl_jinja_require_defined(render, self);
    if (icl_jinja_is_number(self)) return icl_jinja_float(icl_jinja_as_double(self));
    if (self.kind == JINJA_TEXT && icl_jinja_parse_float(self.text, &number))
        return icl_jinja_float(number);
    return icl_jinja_given(arguments[0]) ? arguments[0] : icl_jinja_float(0.0);
}

static jinja_value filter_abs(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    if (self.kind == JINJA_FLOAT) return icl_jinja_float(fabs(self.number));
    if (!icl_jinja_is_number(self) && self.kind != JINJA_UNDEFINED)
        icl_jinja_fail(&render->state, "%s has no absolute value", icl_jinja_kind_name(self));
    const int64_t integer = icl_jinja_as_integer(render, self, "value");
    return icl_jinja_negate(render, icl_jinja_integer(integer), integer < 0);
}

/* Half to even on the exact binary value, as Python's round(): printf rounds so. */
static double rounded(double number, int64_t precision)
{
    char text[400];
    double result = number;
    if (!isfinite(number) || precision > 300) return number;
    if (precision < -308) return copysign(0.0, number);
    if (precision < 0) {
        const long double unit = powl(10.0L, (long double)-precision);
        return (double)(nearbyintl((long double)number / unit) * unit);
    }
    if (snprintf(text, sizeof text, "%.*f", (int)precision, number) < (int)sizeof text)
        result = strtod(text, NULL);
    return result;
}

static jinja_value round_integer(jinja_render *render, int64_t integer, int64_t precision)
{
    if (precision >= 0) return icl_jinja_integer(integer);
    if (precision < -18) return icl_jinja_integer(0);
    const int64_t unit = icl_jinja_checked(render, OPERATOR_POWER, 10, -precision);
    const int64_t below = icl_jinja_checked(render, OPERATOR_FLOOR_DIVIDE, integer, unit);
    const int64_t left = icl_jinja_checked(render, OPERATOR_MODULO, integer, unit);
    const bool up = left > unit - left || (left == unit - left && below % 2 != 0);
    return icl_jinja_integer(icl_jinja_checked(render, OPERATOR_MULTIPLY, below + up, unit));
}

static jinja_value filter_round(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const int64_t precision =
        icl_jinja_given(arguments[0]) ? icl_jinja_as_integer(render, arguments[0], "precision") : 0;
    const jinja_string method = icl_jinja_given(arguments[1])
                                    ? icl_jinja_as_text(render, arguments[1], "method")
                                    : JINJA_STRING("common");
    icl_jinja_require_defined(render, self);
    const bool ceil_it = icl_jinja_string_is(method, "ceil"),
               floor_it = icl_jinja_string_is(method, "floor");
    if (!ceil_it && !floor_it && !icl_jinja_string_is(method, "common"))
        icl_jinja_fail(&render->state, "rounding method must be common, ceil or floor");
    if (!icl_jinja_is_number(self))
        icl_jinja_fail(&render->state, "%s cannot be rounded", icl_jinja_kind_name(self));
    if (!ceil_it && !floor_it) {
        if (self.kind == JINJA_FLOAT) return icl_jinja_float(rounded(self.number, precision));
        return round_integer(render, icl_jinja_as_integer(render, self, "value"), precision);
    }
    const double scale = pow(10.0, (double)precision);
    const double scaled = icl_jinja_as_double(self) * scale;
    if (!isfinite(scaled)) icl_jinja_fail(&render->state, "an infinite number cannot be rounded");
    /* Python divides an integer here, which has no negative zero. */
    return icl_jinja_float((ceil_it ? ceil(scaled) : floor(scaled)) / scale + 0.0);
}

/* ---- the rest ---- */

static jinja_value filter_default(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const jinja_value fallback =
        icl_jinja_given(arguments[0]) ? arguments[0] : icl_jinja_text(JINJA_STRING(""));
    const bool when_false = icl_jinja_given(arguments[1]) && icl_jinja_truth(render, arguments[1]);
    if (self.kind == JINJA_UNDEFINED) return fallback;
    return when_false && !icl_jinja_truth(render, self) ? fallback : self;
}

static jinja_value filter_safe(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    (void)arguments;
    return icl_jinja_text(icl_jinja_str(render, self));
}

static jinja_value filter_attr(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    return icl_jinja_attribute(render, self,
                               icl_jinja_as_text(render, arguments[0], "the attribute's name"));
}

/* "%s, %s"|format(a, b) */
static jinja_value filter_format(jinja_render *render, jinja_value self,
                                 const jinja_arguments *arguments)
{
    jinja_value values = icl_jinja_list_new(render, JINJA_TUPLE, arguments->count);
    for (size_t i = 0; i < arguments->count; i++)
        icl_jinja_list_add(render, values, arguments->values[i]);
    if (arguments->keyword_count > 0) values = icl_jinja_dict_new(render, JINJA_DICT, 4);
    for (size_t i = 0; i < arguments->keyword_count; i++)
        icl_jinja_dict_set(render, values.dict, icl_jinja_text(arguments->keywords[i].name),
                           arguments->keywords[i].value);
    return icl_jinja_text(icl_jinja_printf(render, icl_jinja_str(render, self), values));
}

static void read_separators(jinja_render *render, jinja_json_style *style, jinja_value separators)
{
    const jinja_list pair = icl_jinja_iterate(render, separators);
    if (pair.count != 2) icl_jinja_fail(&render->state, "separators must be two strings");
    style->item_separator = icl_jinja_as_text(render, pair.items[0], "a separator");
    style->key_separator = icl_jinja_as_text(render, pair.items[1], "a separator");
}

static jinja_value filter_tojson(jinja_render *render, jinja_value self, jinja_value *arguments)
{
    const bool indented = icl_jinja_given(arguments[1]) && arguments[1].kind != JINJA_NONE;
    jinja_json_style style = {
        .ascii = icl_jinja_given(arguments[0]) && icl_jinja_truth(render, arguments[0]),
        .sort_keys = icl_jinja_given(arguments[3]) && icl_jinja_truth(render, arguments[3]),
        .indented = indented,
        .indent = indented ? indentation(render, arguments[1]) : JINJA_STRING(""),
        .item_separator = indented ? JINJA_STRING(",") : JINJA_STRING(", "),
        .key_separator = JINJA_STRING(": "),
    };
    if (icl_jinja_given(arguments[2]) && arguments[2].kind != JINJA_NONE)
        read_separators(render, &style, arguments[2]);
    const size_t begin = icl_jinja_capture_begin(render);
    icl_jinja_write_json(render, self, &style, 0);
    return icl_jinja_text(icl_jinja_capture_end(render, begin));
}

const jinja_filter icl_jinja_text_filters[] = {
    { "abs", "", filter_abs, NULL },
    { "attr", "name", filter_attr, NULL },
    { "capitalize", "", filter_capitalize, NULL },
    { "count", "", filter_length, NULL },
    { "d", "?default_value,boolean", filter_default, NULL },
    { "default", "?default_value,boolean", filter_default, NULL },
    { "float", "?default", filter_float, NULL },
    { "format", NULL, NULL, filter_format },
    { "indent", "?width,first,blank", filter_indent, NULL },
    { "int", "?default,base", filter_int, NULL },
    { "length", "", filter_length, NULL },
    { "lower", "", filter_lower, NULL },
    { "replace", "old,new,?count", filter_replace, NULL },
    { "round", "?precision,method", filter_round, NULL },
    { "safe", "", filter_safe, NULL },
    { "string", "", filter_string, NULL },
    { "title", "", filter_title, NULL },
    { "tojson", "?ensure_ascii,indent,separators,sort_keys", filter_tojson, NULL },
    { "trim", "?chars", filter_trim, NULL },
    { "upper", "", filter_upper, NULL },
    { "wordcount", "", filter_wordcount, NULL },
    { NULL, NULL, NULL, NULL },
};

static const jinja_filter *filter_in(const jinja_filter *filters, jinja_string name)
{
    for (; filters->name != NULL; filters++)
        if (icl_jinja_string_is(name, filters->name)) return filters;
    return NULL;
}

static noreturn void unknown_filter(jinja_state *state, jinja_string name)
{
    enum { FILTERS_MAX = 64 };
    const char *names[FILTERS_MAX];
    size_t count = 0;
    for (const jinja_filter *at = icl_jinja_text_filters; at->name != NULL; at++)
        names[count++] = at->name;
    for (const jinja_filter *at = icl_jinja_sequence_filters; at->name != NULL; at++)
        names[count++] = at->name;
    const char *wanted = icl_jinja_format(state, "%.*s", (int)name.length, name.bytes);
    const size_t nearest = icl_nearest_name(wanted, names, count);
    if (nearest == count) icl_jinja_fail(state, "unknown filter \"%s\"", wanted);
    icl_jinja_fail(state, "unknown filter \"%s\"; did you mean \"%s\"?", wanted, names[nearest]);
}

const jinja_filter *icl_jinja_filter_find(jinja_string name)
{
    const jinja_filter *found = filter_in(icl_jinja_text_filters, name);
    return found != NULL ? found : filter_in(icl_jinja_sequence_filters, name);
}

const jinja_filter *icl_jinja_filter_require(jinja_state *state, jinja_string name)
{
    const jinja_filter *found = icl_jinja_filter_find(name);
    if (found == NULL) unknown_filter(state, name);
    return found;
}

jinja_value icl_jinja_filter_apply(jinja_render *render, const jinja_filter *filter,
                                   jinja_value self, const jinja_arguments *arguments)
{
    jinja_value bound[JINJA_PARAMETERS_MAX];
    icl_jinja_charge_text(render, self);
    if (filter->free_call != NULL) return filter->free_call(render, self, arguments);
    icl_jinja_bind(render, filter->name, filter->parameters, arguments, bound);
    return filter->call(render, self, bound);
}
