#include "learn/bpe_split.h"

#include <stdbool.h>
#include <string.h>

#include <utf8proc.h>

typedef enum glyph_kind { END_OF_TEXT, LETTER, NUMBER, SPACE, OTHER } glyph_kind;

typedef struct glyph {
    glyph_kind kind;
    size_t bytes;
} glyph;

static glyph_kind kind_of_ascii(unsigned char byte)
{
    const unsigned char lower = byte | 0x20;
    if (lower >= 'a' && lower <= 'z') return LETTER;
    if (byte >= '0' && byte <= '9') return NUMBER;
    if (byte == ' ' || (byte >= '\t' && byte <= '\r')) return SPACE;
    return OTHER;
}

/* Unicode's property White_Space, beyond ASCII. */
static bool is_wide_space(utf8proc_int32_t code)
{
    return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
           code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

/* The letters of Unicode 15.1 (ideographs, extension I). llama.cpp knows them, utf8proc 2.8 not
 * yet; nothing else divides the two. */
static bool is_new_letter(utf8proc_int32_t code)
{
    return code >= 0x2EBF0 && code <= 0x2EE5D;
}

static glyph_kind kind_of(utf8proc_int32_t code)
{
    if (is_new_letter(code)) return LETTER;
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return NUMBER;
    default:
        return is_wide_space(code) ? SPACE : OTHER;
    }
}

static glyph glyph_at(const char *text, size_t length, size_t at)
{
    if (at == length) return (glyph){ END_OF_TEXT, 0 };
    const unsigned char lead = (unsigned char)text[at];
    if (lead < 0x80) return (glyph){ kind_of_ascii(lead), 1 };
    utf8proc_int32_t code = 0;
    const utf8proc_ssize_t bytes = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                                    (utf8proc_ssize_t)(length - at), &code);
    return (glyph){ kind_of(code), (size_t)bytes };
}

/* Bytes of 's, 't, 're, 've, 'm, 'll or 'd at `text`, or 0. */
static size_t contraction_bytes(const char *text, size_t length)
{
    if (length < 2 || text[0] != '\'') return 0;
    if (strchr("stmd", text[1]) != NULL && text[1] != '\0') return 2;
    if (length < 3) return 0;
    const bool is_long = memcmp(text + 1, "re", 2) == 0 || memcmp(text + 1, "ve", 2) == 0 ||
                         memcmp(text + 1, "ll", 2) == 0;
    return is_long ? 3 : 0;
}

static size_t run_end(const char *text, size_t length, size_t at, glyph_kind kind)
{
    for (glyph next; (next = glyph_at(text, length, at)).kind == kind;) at += next.bytes;
    return at;
}

/* White space up to the end of the text, or all but its last glyph, which belongs to the word that
 * follows, unless it is the only one. */
static size_t space_end(const char *text, size_t length, size_t start)
{
    size_t last = start, at = start;
    for (glyph next; (next = glyph_at(text, length, at)).kind == SPACE; at += next.bytes) last = at;
    return at == length || last == start ? at : last;
}

size_t icl_bpe_word_end(const char *text, size_t length, size_t at)
{
    const size_t contraction = contraction_bytes(text + at, length - at);
    if (contraction > 0) return at + contraction;
    const size_t start = at + (text[at] == ' ');
    const glyph_kind kind = glyph_at(text, length, start).kind;
    if (kind == SPACE || kind == END_OF_TEXT) return space_end(text, length, at);
    return run_end(text, length, start, kind);
}
