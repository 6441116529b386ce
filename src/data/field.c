#include "data/field.h"

#include <stdio.h>
#include <stdlib.h>

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
