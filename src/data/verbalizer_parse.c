/* "name=words,name2=words|other": the label words of a command line. */
#include "data/verbalizer.h"

#include <string.h>

#include "base/error.h"
#include "base/quote.h"
#include "base/text.h"

typedef struct scanner {
    const char *start, *at;
} scanner;

/* Text up to an unescaped byte of `stops` or the end, without the blanks around it. */
static icl_status scan_part(icl_text *out, scanner *in, const char *stops)
{
    size_t kept = 0; /* length up to the last byte that is not a trailing blank */
    icl_text_clear(out);
    while (*in->at == ' ' || *in->at == '\t') in->at++;
    for (; *in->at != '\0' && strchr(stops, *in->at) == NULL; in->at++) {
        const bool escaped = *in->at == '\\';
        if (escaped && *++in->at == '\0')
            return icl_error_set(ICL_EPARSE, "label words: a backslash ends the text");
        icl_text_append_char(out, *in->at);
        if (escaped || (*in->at != ' ' && *in->at != '\t')) kept = out->length;
    }
    ICL_TRY(icl_text_status(out));
    if (out->bytes != NULL) out->bytes[out->length = kept] = '\0';
    return ICL_OK;
}

/* One "name=words|words" part. */
static icl_status parse_label(icl_verbalizer *verbalizer, scanner *in, icl_text *name,
                              icl_text *words)
{
    char shown[ICL_QUOTE_BYTES];
    const size_t column = (size_t)(in->at - in->start) + 1;
    ICL_TRY(scan_part(name, in, "=,"));
    const char *label = icl_text_string(name);
    icl_quote(shown, label, strlen(label));
    if (*in->at != '=')
        return icl_error_set(ICL_EPARSE, "label words, column %zu: expected name=words, found %s",
                             column, shown);
    if (icl_label_space_find(icl_verbalizer_labels(verbalizer), label) != ICL_LABEL_NONE)
        return icl_error_set(ICL_EPARSE, "label words, column %zu: label %s stands twice", column,
                             shown);
    do {
        in->at++; /* the '=' or '|' */
        ICL_TRY(scan_part(words, in, "|,"));
        const icl_status status = icl_verbalizer_add(verbalizer, label, icl_text_string(words));
        if (status != ICL_OK) return icl_error_prefix(status, "label words, column %zu", column);
    } while (*in->at == '|');
    return ICL_OK;
}

icl_status icl_verbalizer_parse(icl_verbalizer **out, const char *text)
{
    const size_t length = strlen(text), valid = icl_utf8_valid_length(text, length);
    if (valid < length)
        return icl_error_set(ICL_EPARSE, "label words: invalid UTF-8 at byte offset %zu", valid);
    icl_verbalizer *verbalizer = NULL;
    ICL_TRY(icl_verbalizer_new(&verbalizer));
    icl_text name = { 0 }, words = { 0 };
    scanner in = { .start = text, .at = text };
    icl_status status;
    while ((status = parse_label(verbalizer, &in, &name, &words)) == ICL_OK && *in.at == ',')
        in.at++;
    icl_text_deinit(&words);
    icl_text_deinit(&name);
    if (status == ICL_OK)
        *out = verbalizer;
    else
        icl_verbalizer_free(verbalizer);
    return status;
}
