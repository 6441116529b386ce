#include "base/card.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"

/* --- calls: name(key=value, ...) --- */

typedef struct cursor {
    const char *text;
    size_t length, at;
} cursor;

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static bool is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' || byte == '.';
}

/* Bytes that a value may hold without quotes. */
static bool is_bare_byte(char byte)
{
    return (unsigned char)byte > ' ' && byte != 0x7F && strchr("(),=\"", byte) == NULL;
}

static void skip_blanks(cursor *in)
{
    while (in->at < in->length && is_blank(in->text[in->at])) in->at++;
}

static bool take(cursor *in, char byte)
{
    if (in->at == in->length || in->text[in->at] != byte) return false;
    in->at++;
    return true;
}

static icl_status expected(const cursor *in, const char *what)
{
    char whole[ICL_QUOTE_BYTES], rest[ICL_QUOTE_BYTES];
    icl_quote(whole, in->text, in->length);
    if (in->at == in->length)
        return icl_error_set(ICL_EPARSE, "%s ends where %s should stand", whole, what);
    icl_quote(rest, in->text + in->at, in->length - in->at);
    return icl_error_set(ICL_EPARSE, "in %s, %s should stand at %s", whole, what, rest);
}

static icl_status copy_slice(char **out, const char *bytes, size_t length)
{
    *out = icl_string_copy(bytes, length);
    return *out == NULL ? icl_error_set(ICL_ENOMEM, "out of memory") : ICL_OK;
}

static icl_status read_word(char **out, cursor *in, bool (*accepts)(char), const char *what)
{
    const size_t start = in->at;
    while (in->at < in->length && accepts(in->text[in->at])) in->at++;
    if (in->at == start) return expected(in, what);
    return copy_slice(out, in->text + start, in->at - start);
}

/* The part of a quoted value after its opening quote; a backslash takes the next byte as it is. */
static icl_status read_quoted(char **out, cursor *in)
{
    icl_text value = { 0 };
    icl_status status = ICL_OK;
    while (!take(in, '"')) {
        take(in, '\\');
        if (in->at == in->length || in->text[in->at] == '\0') {
            status = expected(in, "a closing quote");
            goto cleanup;
        }
        icl_text_append_char(&value, in->text[in->at++]);
    }
    status = icl_text_status(&value);
    if (status == ICL_OK) status = copy_slice(out, icl_text_string(&value), value.length);

cleanup:
    icl_text_deinit(&value);
    return status;
}

static icl_status read_argument(icl_call *call, cursor *in)
{
    char shown[ICL_QUOTE_BYTES];
    if (call->argument_count == ICL_OPTIONS_MAX)
        return icl_error_set(ICL_EPARSE, "%s has more than %d options",
                             icl_quote(shown, in->text, in->length), ICL_OPTIONS_MAX);
    const size_t index = call->argument_count++;
    ICL_TRY(read_word(&call->keys[index], in, is_name_byte, "an option name"));
    for (size_t i = 0; i < index; i++)
        if (strcmp(call->keys[i], call->keys[index]) == 0)
            return icl_error_set(ICL_EPARSE, "%s gives option \"%s\" twice",
                                 icl_quote(shown, in->text, in->length), call->keys[index]);
    skip_blanks(in);
    if (!take(in, '=')) return expected(in, "\"=\"");
    skip_blanks(in);
    if (take(in, '"')) return read_quoted(&call->values[index], in);
    return read_word(&call->values[index], in, is_bare_byte, "a value");
}

static icl_status read_call(icl_call *call, cursor *in)
{
    skip_blanks(in);
    ICL_TRY(read_word(&call->name, in, is_name_byte, "a name"));
    skip_blanks(in);
    if (take(in, '(')) {
        skip_blanks(in);
        bool closed = take(in, ')');
        while (!closed) {
            ICL_TRY(read_argument(call, in));
            skip_blanks(in);
            closed = take(in, ')');
            if (!closed && !take(in, ',')) return expected(in, "\",\" or \")\"");
            skip_blanks(in);
        }
    }
    skip_blanks(in);
    return in->at == in->length ? ICL_OK : expected(in, "the end");
}

icl_status icl_call_parse(icl_call *out, const char *text, size_t length)
{
    *out = (icl_call){ 0 };
    cursor in = { .text = text, .length = length };
    const icl_status status = read_call(out, &in);
    if (status != ICL_OK) icl_call_deinit(out);
    return status;
}

void icl_call_deinit(icl_call *call)
{
    free(call->name);
    for (size_t i = 0; i < call->argument_count; i++) {
        free(call->keys[i]);
        free(call->values[i]);
    }
    *call = (icl_call){ 0 };
}

/* --- options: checked values --- */

/* What a value of this option must be, in words. */
static void describe(icl_text *out, const icl_option *option)
{
    switch (option->type) {
    case ICL_OPTION_INT:
    case ICL_OPTION_REAL:
        icl_text_append_string(out, option->type == ICL_OPTION_INT ? "a whole number" : "a number");
        icl_text_printf(out, " in %.15g..%.15g", option->minimum, option->maximum);
        break;
    case ICL_OPTION_BOOL:
        icl_text_append_string(out, "true or false");
        break;
    case ICL_OPTION_CHOICE:
        icl_text_append_string(out, "one of");
        for (size_t i = 0; option->choices[i] != NULL; i++)
            icl_text_printf(out, "%s %s", i == 0 ? "" : ",", option->choices[i]);
        break;
    case ICL_OPTION_TEXT:
        icl_text_append_string(out, "text");
        break;
    }
}

static icl_status refuse(const icl_card *card, const icl_option *option, const char *value)
{
    char shown[ICL_QUOTE_BYTES];
    icl_text wanted = { 0 };
    describe(&wanted, option);
    const icl_status status =
        icl_error_set(ICL_EINVAL, "option %s of %s: %s is not %s", option->name, card->name,
                      icl_quote(shown, value, strlen(value)), icl_text_string(&wanted));
    icl_text_deinit(&wanted);
    return status;
}

static bool read_integer(int64_t *out, const char *value)
{
    char *end = NULL;
    if (value[0] == '\0' || value[strspn(value, "+-0123456789")] != '\0') return false;
    errno = 0;
    const long long number = strtoll(value, &end, 10);
    *out = number;
    return *end == '\0' && errno == 0;
}

static bool read_choice(int64_t *out, const icl_option *option, const char *value)
{
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], value) != 0) continue;
        *out = (int64_t)i;
        return true;
    }
    return false;
}

static bool read_bool(int64_t *out, const char *value)
{
    *out = strcmp(value, "true") == 0;
    return *out == 1 || strcmp(value, "false") == 0;
}

static bool in_range(const icl_option *option, double number)
{
    return number >= option->minimum && number <= option->maximum;
}

static icl_status read_value(icl_options *out, size_t index, const char *value)
{
    const icl_option *option = &out->card->options[index];
    icl_option_value *to = &out->values[index];
    bool fits = false;
    switch (option->type) {
    case ICL_OPTION_INT:
        fits = read_integer(&to->integer, value) && in_range(option, (double)to->integer);
        break;
    case ICL_OPTION_REAL:
        fits = icl_number_parse(&to->real, value) && in_range(option, to->real);
        break;
    case ICL_OPTION_BOOL:
        fits = read_bool(&to->integer, value);
        break;
    case ICL_OPTION_CHOICE:
        fits = read_choice(&to->integer, option, value);
        break;
    case ICL_OPTION_TEXT:
        free(out->texts[index]);
        out->texts[index] = NULL;
        ICL_TRY(copy_slice(&out->texts[index], value, strlen(value)));
        to->text = out->texts[index];
        return ICL_OK;
    }
    return fits ? ICL_OK : refuse(out->card, option, value);
}

static size_t option_index(const icl_card *card, const char *name)
{
    for (size_t i = 0; i < card->option_count; i++)
        if (strcmp(card->options[i].name, name) == 0) return i;
    return card->option_count;
}

static icl_status unknown_option(const icl_card *card, const char *name)
{
    char shown[ICL_QUOTE_BYTES];
    icl_quote(shown, name, strlen(name));
    if (card->option_count == 0)
        return icl_error_set(ICL_ENOTFOUND, "%s has no options, so not %s", card->name, shown);
    const char *names[ICL_OPTIONS_MAX];
    for (size_t i = 0; i < card->option_count; i++) names[i] = card->options[i].name;
    const size_t nearest = icl_nearest_name(name, names, card->option_count);
    if (nearest < card->option_count)
        return icl_error_set(ICL_ENOTFOUND, "%s has no option %s; did you mean \"%s\"?", card->name,
                             shown, names[nearest]);
    icl_text known = { 0 };
    for (size_t i = 0; i < card->option_count; i++)
        icl_text_printf(&known, "%s%s", i == 0 ? "" : ", ", names[i]);
    const icl_status status = icl_error_set(ICL_ENOTFOUND, "%s has no option %s; known: %s",
                                            card->name, shown, icl_text_string(&known));
    icl_text_deinit(&known);
    return status;
}

static icl_status read_options(icl_options *out, const icl_call *call)
{
    const icl_card *card = out->card;
    for (size_t i = 0; i < card->option_count; i++)
        ICL_TRY(read_value(out, i, card->options[i].fallback));
    for (size_t i = 0; i < call->argument_count; i++) {
        const size_t index = option_index(card, call->keys[i]);
        if (index == card->option_count) return unknown_option(card, call->keys[i]);
        ICL_TRY(read_value(out, index, call->values[i]));
    }
    return ICL_OK;
}

icl_status icl_options_read(icl_options *out, const icl_card *card, const icl_call *call)
{
    assert(card->option_count <= ICL_OPTIONS_MAX);
    icl_options fresh = { .card = card };
    const icl_status status = read_options(&fresh, call);
    if (status == ICL_OK)
        *out = fresh;
    else
        icl_options_deinit(&fresh);
    return status;
}

void icl_options_deinit(icl_options *options)
{
    for (size_t i = 0; i < ICL_OPTIONS_MAX; i++) free(options->texts[i]);
    *options = (icl_options){ 0 };
}

static const icl_option_value *value_of(const icl_options *options, const char *name)
{
    const size_t index = option_index(options->card, name);
    assert(index < options->card->option_count);
    return &options->values[index];
}

int64_t icl_options_int(const icl_options *options, const char *name)
{
    return value_of(options, name)->integer;
}

double icl_options_real(const icl_options *options, const char *name)
{
    return value_of(options, name)->real;
}

bool icl_options_bool(const icl_options *options, const char *name)
{
    return value_of(options, name)->integer != 0;
}

const char *icl_options_text(const icl_options *options, const char *name)
{
    return value_of(options, name)->text;
}

/* --- canonical form --- */

/* The shortest decimal form that reads back as the same number, without an exponent where a person
 * would write none: 10, not 1e+01. */
static void format_real(icl_text *out, double number)
{
    char digits[32];
    int before_point = 1;
    for (double bound = 10; bound <= fabs(number) && before_point < 15; bound *= 10) before_point++;
    for (int precision = before_point; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, number);
        if (strtod(digits, NULL) == number) break;
    }
    icl_text_append_string(out, digits);
}

static void format_text(icl_text *out, const char *value)
{
    size_t bare = 0;
    while (value[bare] != '\0' && is_bare_byte(value[bare])) bare++;
    if (bare > 0 && value[bare] == '\0') {
        icl_text_append_string(out, value);
        return;
    }
    icl_text_append_char(out, '"');
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') icl_text_append_char(out, '\\');
        icl_text_append_char(out, *at);
    }
    icl_text_append_char(out, '"');
}

static void format_value(icl_text *out, const icl_option *option, const icl_option_value *value)
{
    switch (option->type) {
    case ICL_OPTION_INT:
        icl_text_printf(out, "%" PRId64, value->integer);
        break;
    case ICL_OPTION_REAL:
        format_real(out, value->real);
        break;
    case ICL_OPTION_BOOL:
        icl_text_append_string(out, value->integer != 0 ? "true" : "false");
        break;
    case ICL_OPTION_CHOICE:
        icl_text_append_string(out, option->choices[value->integer]);
        break;
    case ICL_OPTION_TEXT:
        format_text(out, value->text);
        break;
    }
}

void icl_options_format(icl_text *out, const icl_options *options)
{
    const icl_card *card = options->card;
    icl_text_append_string(out, card->name);
    for (size_t i = 0; i < card->option_count; i++) {
        icl_text_printf(out, "%s%s=", i == 0 ? "(" : ",", card->options[i].name);
        format_value(out, &card->options[i], &options->values[i]);
    }
    if (card->option_count > 0) icl_text_append_char(out, ')');
}

static bool is_fallback(const icl_option *option, const icl_option_value *value)
{
    if (option->type == ICL_OPTION_TEXT) return strcmp(value->text, option->fallback) == 0;
    icl_text text = { 0 };
    format_value(&text, option, value);
    const bool equal = strcmp(icl_text_string(&text), option->fallback) == 0;
    icl_text_deinit(&text);
    return equal;
}

void icl_options_format_brief(icl_text *out, const icl_options *options)
{
    const icl_card *card = options->card;
    bool opened = false;
    icl_text_append_string(out, card->name);
    for (size_t i = 0; i < card->option_count; i++) {
        const icl_option *option = &card->options[i];
        if (strcmp(option->name, "k") != 0 && is_fallback(option, &options->values[i])) continue;
        icl_text_printf(out, "%s%s=", opened ? "," : "(", option->name);
        format_value(out, option, &options->values[i]);
        opened = true;
    }
    if (opened) icl_text_append_char(out, ')');
}
