/* Values to text as Python's str() and repr() have it, written into the output buffer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <utf8proc.h>

#include "template/jinja_internal.h"

void icl_jinja_write(jinja_render *render, const char *bytes, size_t length)
{
    const size_t used = render->out->length - render->out_start;
    if (length > ICL_JINJA_OUTPUT_BYTES_MAX || used > ICL_JINJA_OUTPUT_BYTES_MAX - length)
        icl_jinja_fail(&render->state, "output is longer than %d MiB",
                       ICL_JINJA_OUTPUT_BYTES_MAX >> 20);
    icl_jinja_charge(render, length / JINJA_STEP_BYTES);
    icl_text_append(render->out, bytes, length);
    if (render->out->failed) {
        render->state.status = icl_text_status(render->out);
        longjmp(render->state.exit, 1);
    }
}

static void write_string(jinja_render *render, const char *string)
{
    icl_jinja_write(render, string, strlen(string));
}

void icl_jinja_write_code_point(jinja_render *render, int32_t code_point)
{
    utf8proc_uint8_t bytes[4];
    const utf8proc_ssize_t length = utf8proc_encode_char(code_point, bytes);
    icl_jinja_write(render, (const char *)bytes, (size_t)length);
}

size_t icl_jinja_capture_begin(const jinja_render *render)
{
    return render->out->length;
}

jinja_string icl_jinja_capture_end(jinja_render *render, size_t begin)
{
    const size_t length = render->out->length - begin;
    if (length == 0) return JINJA_STRING("");
    const jinja_string text = icl_jinja_copy(&render->state, render->out->bytes + begin, length);
    render->out->length = begin;
    render->out->bytes[begin] = '\0';
    return text;
}

/* Digits of the shortest decimal that reads back as `number`; *out_exponent: d.ddd * 10^exponent.
 * The decimal point of the locale is skipped, whatever it is. */
static size_t shortest_digits(char digits[20], int *out_exponent, double number)
{
    char text[40];
    int precision = 0;
    do snprintf(text, sizeof text, "%.*e", precision, number);
    while (strtod(text, NULL) != number && ++precision < 17);
    size_t count = 0;
    const char *at = text;
    for (; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9') digits[count++] = *at;
    *out_exponent = (int)strtol(at + 1, NULL, 10);
    while (count > 1 && digits[count - 1] == '0') count--;
    return count;
}

static char *put_exponential(char *to, const char *digits, size_t count, int exponent)
{
    *to++ = digits[0];
    if (count > 1) *to++ = '.';
    for (size_t i = 1; i < count; i++) *to++ = digits[i];
    return to + snprintf(to, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static char *put_fixed(char *to, const char *digits, size_t count, int exponent)
{
    if (exponent < 0) {
        *to++ = '0';
        *to++ = '.';
        for (int i = exponent + 1; i < 0; i++) *to++ = '0';
        for (size_t i = 0; i < count; i++) *to++ = digits[i];
        return to;
    }
    const size_t whole = (size_t)exponent + 1;
    for (size_t i = 0; i < whole; i++) *to++ = i < count ? digits[i] : '0';
    *to++ = '.';
    if (whole >= count) *to++ = '0';
    for (size_t i = whole; i < count; i++) *to++ = digits[i];
    return to;
}

size_t icl_jinja_float_repr(char out[32], double number)
{
    char *to = out;
    if (signbit(number) && !isnan(number)) *to++ = '-';
    number = fabs(number);
    if (isnan(number) || isinf(number)) {
        memcpy(to, isnan(number) ? "nan" : "inf", 3);
        return (size_t)(to + 3 - out);
    }
    char digits[20];
    int exponent;
    const size_t count = shortest_digits(digits, &exponent, number);
    to = exponent < -4 || exponent >= 16 ? put_exponential(to, digits, count, exponent)
                                         : put_fixed(to, digits, count, exponent);
    return (size_t)(to - out);
}

/* str.isprintable() of one character. */
static bool is_printable(int32_t code_point)
{
    if (code_point == ' ') return true;
    const utf8proc_category_t category = utf8proc_category(code_point);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_SO;
}

static void write_escape(jinja_render *render, int32_t code_point)
{
    char escape[12];
    switch (code_point) {
    case '\n':
        write_string(render, "\\n");
        return;
    case '\r':
        write_string(render, "\\r");
        return;
    case '\t':
        write_string(render, "\\t");
        return;
    case '\\':
        write_string(render, "\\\\");
        return;
    default:
        break;
    }
    if (code_point < 0x100)
        snprintf(escape, sizeof escape, "\\x%02x", (unsigned)code_point);
    else if (code_point < 0x10000)
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code_point);
    else
        snprintf(escape, sizeof escape, "\\U%08x", (unsigned)code_point);
    write_string(render, escape);
}

static void write_quoted(jinja_render *render, jinja_string text)
{
    const bool has_single = text.length > 0 && memchr(text.bytes, '\'', text.length) != NULL;
    const bool has_double = text.length > 0 && memchr(text.bytes, '"', text.length) != NULL;
    const char quote = has_single && !has_double ? '"' : '\'';
    icl_jinja_write(render, &quote, 1);
    for (size_t at = 0; at < text.length;) {
        const size_t begin = at;
        const int32_t code_point = icl_jinja_code_point(text, &at);
        if (code_point == quote) write_string(render, "\\");
        if (is_printable(code_point) && code_point != '\\')
            icl_jinja_write(render, text.bytes + begin, at - begin);
        else
            write_escape(render, code_point);
    }
    icl_jinja_write(render, &quote, 1);
}

static void write_items(jinja_render *render, const char *open, const jinja_list *list,
                        const char *close)
{
    write_string(render, open);
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0) write_string(render, ", ");
        icl_jinja_write_repr(render, list->items[i]);
    }
    write_string(render, close);
}

static void write_range(jinja_render *render, const jinja_list *range)
{
    char text[96];
    if (range->step == 1)
        snprintf(text, sizeof text, "range(%lld, %lld)", (long long)range->start,
                 (long long)range->stop);
    else
        snprintf(text, sizeof text, "range(%lld, %lld, %lld)", (long long)range->start,
                 (long long)range->stop, (long long)range->step);
    write_string(render, text);
}

static void write_dict(jinja_render *render, const jinja_dict *dict)
{
    write_string(render, "{");
    for (size_t i = 0; i < dict->count; i++) {
        if (i > 0) write_string(render, ", ");
        icl_jinja_write_repr(render, dict->pairs[i].key);
        write_string(render, ": ");
        icl_jinja_write_repr(render, dict->pairs[i].value);
    }
    write_string(render, "}");
}

static void write_number(jinja_render *render, jinja_value value)
{
    char text[32];
    const size_t length = value.kind == JINJA_FLOAT ? icl_jinja_float_repr(text, value.number)
                                                    : (size_t)snprintf(text, sizeof text, "%lld",
                                                                       (long long)value.integer);
    icl_jinja_write(render, text, length);
}

static noreturn void fail_to_print(jinja_render *render, jinja_value value)
{
    if (value.kind == JINJA_METHOD)
        icl_jinja_fail(&render->state, "method \"%s\" is not called: write \"()\" after it",
                       value.method->entry->name);
    icl_jinja_fail(&render->state, "%s cannot be printed", icl_jinja_kind_name(value));
}

void icl_jinja_write_repr(jinja_render *render, jinja_value value)
{
    icl_jinja_charge(render, 1);
    icl_jinja_enter(render);
    switch (value.kind) {
    case JINJA_UNDEFINED:
        write_string(render, "Undefined");
        break;
    case JINJA_NONE:
        write_string(render, "None");
        break;
    case JINJA_BOOLEAN:
        write_string(render, value.boolean ? "True" : "False");
        break;
    case JINJA_INTEGER:
    case JINJA_FLOAT:
        write_number(render, value);
        break;
    case JINJA_TEXT:
        write_quoted(render, value.text);
        break;
    case JINJA_LIST:
        write_items(render, "[", value.list, "]");
        break;
    case JINJA_TUPLE:
        write_items(render, "(", value.list, value.list->count == 1 ? ",)" : ")");
        break;
    case JINJA_RANGE:
        write_range(render, value.list);
        break;
    case JINJA_VIEW:
        write_string(render, value.list->view);
        write_items(render, "([", value.list, "])");
        break;
    case JINJA_DICT:
        write_dict(render, value.dict);
        break;
    case JINJA_NAMESPACE:
        write_string(render, "<Namespace ");
        write_dict(render, value.dict);
        write_string(render, ">");
        break;
    default:
        fail_to_print(render, value);
    }
    icl_jinja_leave(render);
}

void icl_jinja_write_str(jinja_render *render, jinja_value value)
{
    if (value.kind == JINJA_TEXT) {
        icl_jinja_write(render, value.text.bytes, value.text.length);
    } else if (value.kind == JINJA_UNDEFINED) {
        if (!icl_jinja_is_lenient(render, value)) icl_jinja_require_defined(render, value);
    } else {
        icl_jinja_write_repr(render, value);
    }
}

jinja_string icl_jinja_str(jinja_render *render, jinja_value value)
{
    if (value.kind == JINJA_TEXT) return value.text;
    const size_t begin = icl_jinja_capture_begin(render);
    icl_jinja_write_str(render, value);
    return icl_jinja_capture_end(render, begin);
}

jinja_string icl_jinja_repr(jinja_render *render, jinja_value value)
{
    const size_t begin = icl_jinja_capture_begin(render);
    icl_jinja_write_repr(render, value);
    return icl_jinja_capture_end(render, begin);
}
