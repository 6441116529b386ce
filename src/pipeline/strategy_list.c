#include "pipeline/strategy_list.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <icl/run.h>

#include "base/array.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static icl_status add_strategy(icl_strategy_list *list, const char *text)
{
    if (list->expanded++ == ICL_STRATEGY_LIST_MAX)
        return icl_error_set(ICL_EINVAL, "more than %d strategies", ICL_STRATEGY_LIST_MAX);
    ICL_TRY(icl_array_reserve(&list->lines, &list->capacity, list->count + 1));
    char *line = NULL;
    ICL_TRY(icl_strategy_canonical(&line, text));
    size_t place = list->count;
    const icl_status status = icl_string_map_add(&list->places, line, &place);
    if (status == ICL_OK && place == list->count)
        list->lines[list->count++] = line;
    else
        free(line);
    return status;
}

/* The next of `bytes` outside double quotes, or the end of the text. */
static const char *find_outside_quotes(const char *at, const char *bytes)
{
    bool quoted = false;
    for (; *at != '\0'; at++) {
        if (*at == '"') quoted = !quoted;
        if (!quoted && strchr(bytes, *at) != NULL) break;
    }
    return at;
}

/* End of the alternative that begins at `at`: the next bar or closing brace of its own pair. */
static const char *alternative_end(const char *at)
{
    for (size_t depth = 0;; at++) {
        at = find_outside_quotes(at, "{|}");
        if (*at == '\0' || (depth == 0 && *at != '{')) return at;
        if (*at == '{') depth++;
        if (*at == '}') depth--;
    }
}

static const char *pair_end(const char *open)
{
    const char *at = alternative_end(open + 1);
    while (*at == '|') at = alternative_end(at + 1);
    return at;
}

static icl_status expand(icl_strategy_list *list, const char *text)
{
    const char *open = find_outside_quotes(text, "{}");
    if (*open == '\0') return add_strategy(list, text);
    const char *close = *open == '{' ? pair_end(open) : open;
    if (*open == '}' || *close == '\0')
        return icl_error_set(ICL_EPARSE, "\"%c\" without its \"%c\"", *open,
                             *open == '{' ? '}' : '{');
    icl_status status = ICL_OK;
    icl_text one = { 0 };
    for (const char *at = open; at != close && status == ICL_OK;) {
        const char *end = alternative_end(at + 1);
        icl_text_clear(&one);
        icl_text_append(&one, text, (size_t)(open - text));
        icl_text_append(&one, at + 1, (size_t)(end - at - 1));
        icl_text_append_string(&one, close + 1);
        status = icl_text_status(&one);
        if (status == ICL_OK) status = expand(list, icl_text_string(&one));
        at = end;
    }
    icl_text_deinit(&one);
    return status;
}

/* Where the comment of a line begins: a "#" at its start or after a blank. */
static size_t comment_start(const char *line)
{
    const char *at = find_outside_quotes(line, "#");
    while (*at != '\0' && at != line && strchr(" \t", at[-1]) == NULL)
        at = find_outside_quotes(at + 1, "#");
    return (size_t)(at - line);
}

static icl_status add_line(icl_strategy_list *list, const char *bytes, size_t length)
{
    if (length > ICL_STRATEGY_LINE_BYTES_MAX)
        return icl_error_set(ICL_EPARSE, "a line of %zu bytes; %d are allowed", length,
                             ICL_STRATEGY_LINE_BYTES_MAX);
    char line[ICL_STRATEGY_LINE_BYTES_MAX + 1];
    memcpy(line, bytes, length);
    line[length] = '\0';
    line[comment_start(line)] = '\0';
    return line[strspn(line, " \t\r")] != '\0' ? expand(list, line) : ICL_OK;
}

static icl_status parse(icl_strategy_list *list, const char *text, const char *name)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    size_t number = 1;
    if (strncmp(text, byte_order_mark, 3) == 0) text += 3;
    for (const char *at = text; *at != '\0'; number++) {
        const size_t length = strcspn(at, "\n");
        const icl_status status = add_line(list, at, length);
        if (status != ICL_OK) return icl_error_prefix(status, "%s:%zu", name, number);
        at += length;
        if (*at == '\n') at++;
    }
    if (list->count == 0) return icl_error_set(ICL_EINVAL, "%s: no strategy in it", name);
    return ICL_OK;
}

icl_status icl_strategy_list_parse(icl_strategy_list *out, const char *text, const char *name)
{
    icl_strategy_list list = { 0 };
    const icl_status status = parse(&list, text, name);
    if (status != ICL_OK) icl_strategy_list_deinit(&list);
    *out = list;
    return status;
}

icl_status icl_strategy_list_open(icl_strategy_list *out, const char *path)
{
    icl_text text = { 0 };
    *out = (icl_strategy_list){ 0 };
    icl_status status = icl_file_read(&text, path, FILE_BYTES_MAX);
    if (status == ICL_OK && strlen(icl_text_string(&text)) != text.length)
        status = icl_error_set(ICL_EPARSE, "\"%s\" holds a NUL character", path);
    if (status == ICL_OK) status = icl_strategy_list_parse(out, icl_text_string(&text), path);
    icl_text_deinit(&text);
    return status;
}

void icl_strategy_list_deinit(icl_strategy_list *list)
{
    for (size_t i = 0; i < list->count; i++) free(list->lines[i]);
    free(list->lines);
    icl_string_map_deinit(&list->places);
    *list = (icl_strategy_list){ 0 };
}
