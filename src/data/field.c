#include "data/field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"
#include "data/example.h"

static void append_real(icl_text *out, double value)
{
    enum { DIGITS_ALWAYS_EXACT = 17 };
    char text[40];
    for (int digits = 15; digits <= DIGITS_ALWAYS_EXACT; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    icl_text_append_string(out, text);
}

bool icl_field_append(icl_text *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        icl_text_append(out, json_string_value(value), json_string_length(value));
        return true;
    case JSON_INTEGER:
        icl_text_printf(out, "%lld", (long long)json_integer_value(value));
        return true;
    case JSON_REAL:
        append_real(out, json_real_value(value));
        return true;
    case JSON_TRUE:
        icl_text_append_string(out, "true");
        return true;
    case JSON_FALSE:
        icl_text_append_string(out, "false");
        return true;
    default:
        return false;
    }
}

/* The sentence for a value that is no number. */
static icl_status refuse(const icl_example *example, const char *field, const json_t *value)
{
    const char *id = icl_example_id(example);
    char shown[ICL_QUOTE_BYTES], name[ICL_QUOTE_BYTES];
    icl_quote(name, field, strlen(field));
    if (value == NULL) return icl_error_set(ICL_EINVAL, "item \"%s\" has no field %s", id, name);
    icl_text text = { 0 };
    const bool plain = icl_field_append(&text, value);
    icl_quote(shown, icl_text_string(&text), text.length);
    icl_text_deinit(&text);
    return icl_error_set(ICL_EINVAL, "field %s of item \"%s\" is %s, not a number", name, id,
                         plain                 ? shown
                         : json_is_null(value) ? "null"
                                               : "a list or an object");
}

icl_status icl_field_number(double *out, const icl_example *example, const char *field)
{
    const json_t *value = json_object_get(icl_example_row(example), field);
    if (json_is_number(value))
        *out = json_number_value(value);
    else if (!json_is_string(value) || !icl_number_parse(out, json_string_value(value)))
        return refuse(example, field, value);
    return ICL_OK;
}
