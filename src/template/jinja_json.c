/* Values to JSON as Python's json.dumps() writes them, for the tojson filter. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "template/jinja_internal.h"

static void write_string(jinja_render *render, const char *string)
{
    icl_jinja_write(render, string, strlen(string));
}

static void write_escape(jinja_render *render, int32_t code_point)
{
    static const char letters[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    char escape[16];
    const char *found = code_point > 0 && code_point < 0x80 ? strchr(letters, code_point) : NULL;
    if (found != NULL) {
        snprintf(escape, sizeof escape, "\\%c", names[found - letters]);
    } else if (code_point < 0x10000) {
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code_point);
    } else {
        const unsigned above = (unsigned)code_point - 0x10000;
        snprintf(escape, sizeof escape, "\\u%04x\\u%04x", 0xD800 + (above >> 10),
                 0xDC00 + (above & 0x3FF));
    }
    write_string(render, escape);
}

static void write_text(jinja_render *render, jinja_string text, bool ascii)
{
    write_string(render, "\"");
    for (size_t at = 0; at < text.length;) {
        const size_t begin = at;
        const int32_t code_point = icl_jinja_code_point(text, &at);
        const bool plain = code_point >= 0x20 && code_point != '"' && code_point != '\\' &&
                           (!ascii || code_point < 0x7F || code_point == 0x7F);
        if (plain)
            icl_jinja_write(render, text.bytes + begin, at - begin);
        else
            write_escape(render, code_point);
    }
    write_string(render, "\"");
}

static void write_number(jinja_render *render, jinja_value value)
{
    char text[32];
    if (value.kind == JINJA_BOOLEAN) {
        write_string(render, value.boolean ? "true" : "false");
    } else if (value.kind == JINJA_FLOAT && !isfinite(value.number)) {
        write_string(render, isnan(value.number)  ? "NaN"
                             : value.number > 0.0 ? "Infinity"
                                                  : "-Infinity");
    } else if (value.kind == JINJA_FLOAT) {
        icl_jinja_write(render, text, icl_jinja_float_repr(text, value.number));
    } else {
        snprintf(text, sizeof text, "%lld", (long long)value.integer);
        write_string(render, text);
    }
}

static void write_break(jinja_render *render, const jinja_json_style *style, size_t level)
{
    if (!style->indented) return;
    write_string(render, "\n");
    for (size_t i = 0; i < level; i++)
        icl_jinja_write(render, style->indent.bytes, style->indent.length);
}

static void write_list(jinja_render *render, const jinja_list *list, const jinja_json_style *style,
                       size_t level)
{
    write_string(render, "[");
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            icl_jinja_write(render, style->item_separator.bytes, style->item_separator.length);
        write_break(render, style, level + 1);
        icl_jinja_write_json(render, list->items[i], style, level + 1);
    }
    if (list->count > 0) write_break(render, style, level);
    write_string(render, "]");
}

/* Indices of the pairs in the order to write them; insertion sort keeps it short and stable. */
static size_t *pair_order(jinja_render *render, const jinja_dict *dict, bool sorted)
{
    size_t *order = icl_jinja_alloc(&render->state, (dict->count + 1) * sizeof *order);
    for (size_t i = 0; i < dict->count; i++) {
        size_t at = i;
        while (sorted && at > 0 &&
               icl_jinja_compare(render, dict->pairs[i].key, dict->pairs[order[at - 1]].key, "<") ==
                   -1) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    return order;
}

static void write_key(jinja_render *render, jinja_value key, const jinja_json_style *style)
{
    if (key.kind == JINJA_TEXT) {
        write_text(render, key.text, style->ascii);
        return;
    }
    if (key.kind != JINJA_NONE && !icl_jinja_is_number(key))
        icl_jinja_fail(&render->state, "%s cannot be a key in JSON", icl_jinja_kind_name(key));
    write_string(render, "\"");
    icl_jinja_write_json(render, key, style, 0);
    write_string(render, "\"");
}

static void write_dict(jinja_render *render, const jinja_dict *dict, const jinja_json_style *style,
                       size_t level)
{
    const size_t *order = pair_order(render, dict, style->sort_keys);
    write_string(render, "{");
    for (size_t i = 0; i < dict->count; i++) {
        if (i > 0)
            icl_jinja_write(render, style->item_separator.bytes, style->item_separator.length);
        write_break(render, style, level + 1);
        write_key(render, dict->pairs[order[i]].key, style);
        icl_jinja_write(render, style->key_separator.bytes, style->key_separator.length);
        icl_jinja_write_json(render, dict->pairs[order[i]].value, style, level + 1);
    }
    if (dict->count > 0) write_break(render, style, level);
    write_string(render, "}");
}

void icl_jinja_write_json(jinja_render *render, jinja_value value, const jinja_json_style *style,
                          size_t level)
{
    icl_jinja_charge(render, 1);
    icl_jinja_enter(render);
    icl_jinja_require_defined(render, value);
    switch (value.kind) {
    case JINJA_NONE:
        write_string(render, "null");
        break;
    case JINJA_BOOLEAN:
    case JINJA_INTEGER:
    case JINJA_FLOAT:
        write_number(render, value);
        break;
    case JINJA_TEXT:
        write_text(render, value.text, style->ascii);
        break;
    case JINJA_LIST:
    case JINJA_TUPLE:
        write_list(render, value.list, style, level);
        break;
    case JINJA_DICT:
        write_dict(render, value.dict, style, level);
        break;
    default:
        icl_jinja_fail(&render->state, "%s cannot be written as JSON", icl_jinja_kind_name(value));
    }
    icl_jinja_leave(render);
}
