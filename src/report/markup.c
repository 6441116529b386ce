#include "report/markup.h"

#include <stdint.h>
#include <string.h>

static const char *entity_of(char byte)
{
    switch (byte) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\r':
        return "&#13;"; /* as it stands it would be read as a line feed */
    default:
        return NULL;
    }
}

static void append_replacement(icl_text *out)
{
    icl_text_append_string(out, "\xEF\xBF\xBD"); /* U+FFFD */
}

/* Below U+0020 and U+007F. */
static void append_control(icl_text *out, unsigned char byte)
{
    enum { PICTURE_OF_NUL = 0x80, PICTURE_OF_DELETE = 0xA1 }; /* last byte of U+2400 and U+2421 */
    const char picture[] = { '\xE2', '\x90',
                             (char)(byte == 0x7F ? PICTURE_OF_DELETE : PICTURE_OF_NUL + byte) };
    icl_text_append(out, picture, sizeof picture);
}

static bool is_plain(unsigned char byte)
{
    return (byte >= ' ' && byte != 0x7F) || byte == '\n' || byte == '\t';
}

static void append_valid(icl_text *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)text[i];
        const char *entity = entity_of(text[i]);
        if (entity != NULL) {
            icl_text_append_string(out, entity);
        } else if (byte == 0xC2 && (unsigned char)text[i + 1] < 0xA0) { /* U+0080 to U+009F */
            append_replacement(out);
            i++;
        } else if (is_plain(byte)) {
            icl_text_append_char(out, text[i]);
        } else {
            append_control(out, byte);
        }
    }
}

static void escape(icl_text *out, const char *text, size_t length)
{
    while (length > 0) {
        const size_t valid = icl_utf8_valid_length(text, length);
        append_valid(out, text, valid);
        if (valid == length) return;
        append_replacement(out);
        text += valid + 1;
        length -= valid + 1;
    }
}

void icl_markup_escape(icl_text *out, const char *text)
{
    escape(out, text, strlen(text));
}

bool icl_markup_escape_start(icl_text *out, const char *text, size_t bytes_max)
{
    size_t length = strlen(text);
    const bool whole = length <= bytes_max;
    if (!whole) {
        length = bytes_max;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) length--;
    }
    escape(out, text, length);
    if (!whole) icl_text_append_string(out, "...");
    return whole;
}
