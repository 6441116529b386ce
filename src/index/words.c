#include "index/words.h"

#include <stdint.h>
#include <string.h>

#include <utf8proc.h>

typedef enum kind {
    SEPARATOR,
    LETTER,    /* continues over letters and digits */
    DIGIT,     /* likewise */
    CHARACTER, /* a word of its own */
    MARK,      /* belongs to what stands before it */
} kind;

typedef struct character {
    int32_t code;
    size_t bytes; /* 0: end of the text */
    kind kind;
} character;

/* Blocks of scripts written without spaces, one word per character: first and last code. */
static const int32_t unspaced[][2] = {
    { 0x3005, 0x3007 }, { 0x3041, 0x30ff }, { 0x31f0, 0x31ff }, { 0x3400, 0x4dbf },
    { 0x4e00, 0x9fff }, { 0xf900, 0xfaff }, { 0xff66, 0xff9f }, { 0x20000, 0x3ffff },
};

static bool is_unspaced(int32_t code)
{
    for (size_t i = 0; i < sizeof unspaced / sizeof *unspaced; i++)
        if (code >= unspaced[i][0] && code <= unspaced[i][1]) return true;
    return false;
}

static kind kind_of(int32_t code)
{
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return is_unspaced(code) ? CHARACTER : LETTER;
    case UTF8PROC_CATEGORY_PC:
        return LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return is_unspaced(code) ? CHARACTER : DIGIT;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return MARK;
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
        return CHARACTER;
    default:
        return SEPARATOR;
    }
}

static character character_at(const char *at, const char *end)
{
    if (at == end) return (character){ .kind = SEPARATOR };
    utf8proc_int32_t code = -1;
    const utf8proc_ssize_t bytes =
        utf8proc_iterate((const utf8proc_uint8_t *)at, (utf8proc_ssize_t)(end - at), &code);
    if (bytes <= 0) return (character){ .code = -1, .bytes = 1, .kind = SEPARATOR };
    return (character){ .code = code, .bytes = (size_t)bytes, .kind = kind_of(code) };
}

/* An apostrophe between letters, a point or comma between digits. */
static bool joins(kind before, character joint, kind after)
{
    const bool apostrophe = joint.code == '\'' || joint.code == 0x2019;
    const bool point = joint.code == '.' || joint.code == ',';
    return (apostrophe && before == LETTER && after == LETTER) ||
           (point && before == DIGIT && after == DIGIT);
}

static void take(icl_text *word, icl_word_reader *reader, character taken)
{
    if (reader->lower) {
        utf8proc_uint8_t bytes[4];
        const utf8proc_ssize_t length = utf8proc_encode_char(utf8proc_tolower(taken.code), bytes);
        icl_text_append(word, (const char *)bytes, (size_t)length);
    } else {
        icl_text_append(word, reader->at, taken.bytes);
    }
    reader->at += taken.bytes;
}

icl_word_reader icl_word_reader_new(const char *text, bool lower)
{
    return (icl_word_reader){ .at = text, .end = text + strlen(text), .lower = lower };
}

bool icl_word_next(icl_text *word, icl_word_reader *reader)
{
    icl_text_clear(word);
    character next = character_at(reader->at, reader->end);
    while (next.kind == SEPARATOR) {
        if (next.bytes == 0) return false;
        reader->at += next.bytes;
        next = character_at(reader->at, reader->end);
    }
    const bool runs = next.kind != CHARACTER;
    kind last = next.kind == MARK ? LETTER : next.kind;
    take(word, reader, next);
    for (;;) {
        next = character_at(reader->at, reader->end);
        if (next.kind == MARK) {
            take(word, reader, next);
        } else if (runs && (next.kind == LETTER || next.kind == DIGIT)) {
            last = next.kind;
            take(word, reader, next);
        } else if (runs && next.bytes > 0 &&
                   joins(last, next, character_at(reader->at + next.bytes, reader->end).kind)) {
            take(word, reader, next);
        } else {
            return true;
        }
    }
}
