#include "base/quote.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* Bytes of the UTF-8 character at `bytes`, or 0 when it is none. */
static size_t character_length(const char *bytes, size_t length)
{
    for (size_t step = 1; step <= 4 && step <= length; step++)
        if (icl_utf8_valid_length(bytes, step) == step) return step;
    return 0;
}

/* One character as it is shown; returns how many bytes of the value it takes. */
static size_t show_character(char piece[8], const char *bytes, size_t length)
{
    const unsigned char byte = (unsigned char)bytes[0];
    const size_t step = character_length(bytes, length);
    if (byte == '"' || byte == '\\') {
        snprintf(piece, 8, "\\%c", byte);
    } else if (byte == '\n' || byte == '\t' || byte == '\r') {
        snprintf(piece, 8, "\\%c", byte == '\n' ? 'n' : byte == '\t' ? 't' : 'r');
    } else if (step == 0 || byte < 0x20 || byte == 0x7F) {
        snprintf(piece, 8, "\\x%02x", byte);
        return 1;
    } else {
        memcpy(piece, bytes, step);
        piece[step] = '\0';
    }
    return step;
}

const char *icl_quote(char out[ICL_QUOTE_BYTES], const char *bytes, size_t length)
{
    static const char ending[] = "\"...";
    size_t used = 0, at = 0;
    out[used++] = '"';
    while (at < length) {
        char piece[8];
        const size_t step = show_character(piece, bytes + at, length - at);
        const size_t width = strlen(piece);
        if (used + width + sizeof ending > ICL_QUOTE_BYTES) {
            memcpy(out + used, ending, sizeof ending);
            return out;
        }
        memcpy(out + used, piece, width);
        used += width;
        at += step;
    }
    memcpy(out + used, "\"", 2);
    return out;
}
