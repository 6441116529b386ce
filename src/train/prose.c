#include "train/prose.h"

#include <string.h>

#include <utf8proc.h>

/* The character at `at`, and how many bytes it has. */
static utf8proc_int32_t character_at(const char *text, size_t length, size_t at, size_t *out_bytes)
{
    utf8proc_int32_t code = -1;
    const utf8proc_ssize_t bytes = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                                    (utf8proc_ssize_t)(length - at), &code);
    *out_bytes = bytes > 0 ? (size_t)bytes : 1;
    return code;
}

static bool is_blank(utf8proc_int32_t code)
{
    if (code < 0x80) return code <= ' ' || code == 0x7F;
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
        return true;
    default:
        return false;
    }
}

/* Han and Kana, which are written without blanks. */
static bool is_word_alone(utf8proc_int32_t code)
{
    return (code >= 0x3040 && code <= 0x30FF) || (code >= 0x3400 && code <= 0x4DBF) ||
           (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0xF900 && code <= 0xFAFF) ||
           (code >= 0x20000 && code <= 0x3FFFF);
}

void icl_prose_normalise(icl_text *out, const char *text, size_t length, bool keep_lines)
{
    char gap = '\0'; /* what stands before the next character */
    bool any = false;
    size_t bytes = 0;
    for (size_t at = 0; at < length; at += bytes) {
        const utf8proc_int32_t code = character_at(text, length, at, &bytes);
        if (is_blank(code)) {
            const bool line_end = code == '\n' || code == 0x2028 || code == 0x2029;
            if (keep_lines && line_end)
                gap = '\n';
            else if (gap == '\0')
                gap = ' ';
            continue;
        }
        if (any && gap != '\0') icl_text_append_char(out, gap);
        gap = '\0';
        any = true;
        icl_text_append(out, text + at, bytes);
    }
}

/* --- words --- */

/* Byte behind the `limit`-th word; *out_count words were passed. */
static size_t pass_words(const char *text, size_t length, size_t limit, size_t *out_count)
{
    size_t count = 0, at = 0, bytes = 0;
    bool inside = false;
    for (; at < length; at += bytes) {
        const utf8proc_int32_t code = character_at(text, length, at, &bytes);
        const bool alone = is_word_alone(code), blank = is_blank(code);
        /* Punctuation behind a character that is a word belongs to that word. */
        const bool begins = alone || (!blank && !inside);
        if (begins && count == limit) break;
        if (begins) count++;
        if (blank && count == limit) break;
        inside = !blank;
    }
    *out_count = count;
    return at;
}

size_t icl_prose_word_count(const char *text, size_t length)
{
    size_t count = 0;
    pass_words(text, length, SIZE_MAX, &count);
    return count;
}

size_t icl_prose_words(const char *text, size_t length, size_t word_count)
{
    size_t count = 0;
    return pass_words(text, length, word_count, &count);
}

/* --- sentences --- */

static bool is_stop(utf8proc_int32_t code)
{
    return code == '.' || code == '!' || code == '?' || code == 0x2026;
}

static bool is_wide_stop(utf8proc_int32_t code)
{
    return code == 0x3002 || code == 0xFF01 || code == 0xFF1F;
}

/* Quotes and brackets that close a sentence behind its stop. */
static bool is_closer(utf8proc_int32_t code)
{
    if (code == '"' || code == '\'') return true;
    const utf8proc_category_t category = utf8proc_category(code);
    return category == UTF8PROC_CATEGORY_PE || category == UTF8PROC_CATEGORY_PF;
}

/* Whether a sentence can begin with this character. */
static bool is_opening(utf8proc_int32_t code)
{
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PF:
        return false;
    case UTF8PROC_CATEGORY_PO:
        return code == '"' || code == '\'' || code == 0xBF || code == 0xA1;
    default:
        return true;
    }
}

static bool is_ascii_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_one_of(const char *word, size_t length, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(words[i]) == length && memcmp(words[i], word, length) == 0) return true;
    return false;
}

/* Whether the full stop at `stop` marks a shortened word; `next` is where the text goes on. */
static bool is_abbreviation(const char *line, size_t start, size_t stop, char next)
{
    static const char *const titles[] = { "Mr",   "Mrs",  "Ms",  "Dr",   "St",  "Prof", "Rev",
                                          "Hon",  "Capt", "Col", "Gen",  "Lt",  "Sgt",  "Maj",
                                          "Mme",  "Mlle", "Mt",  "Gov",  "Sen", "Rep",  "Messrs",
                                          "vs",   "viz",  "cf",  "i.e",  "e.g", "Cap",  "Lieut",
                                          "Corp", "Bros", "Ste", "Sergt" };
    static const char *const before_numbers[] = { "No", "no", "Vol", "vol", "Ch", "ch",
                                                  "p",  "pp", "Fig", "fig", "Art" };
    size_t first = stop;
    while (first > start && (is_ascii_letter(line[first - 1]) || line[first - 1] == '.')) first--;
    const char *word = line + first;
    const size_t length = stop - first;
    /* Initials and letters with stops between, "J." and "U.S."; "I." is a word. */
    if (length == 1 && word[0] != 'I') return true;
    if (length >= 3 && word[length - 2] == '.') return true;
    if (is_one_of(word, length, titles, sizeof titles / sizeof *titles)) return true;
    return next >= '0' && next <= '9' &&
           is_one_of(word, length, before_numbers, sizeof before_numbers / sizeof *before_numbers);
}

/* Byte behind the stops and closing quotes that begin at `at`. */
static size_t pass_stops(const char *line, size_t length, size_t at)
{
    size_t bytes = 0;
    bool stops = true;
    for (; at < length; at += bytes) {
        const utf8proc_int32_t code = character_at(line, length, at, &bytes);
        stops = stops && (is_stop(code) || is_wide_stop(code));
        if (!stops && !is_closer(code)) break;
    }
    return at;
}

size_t icl_prose_sentence_end(const char *line, size_t length, size_t start)
{
    size_t bytes = 0;
    for (size_t at = start; at < length; at += bytes) {
        const utf8proc_int32_t code = character_at(line, length, at, &bytes);
        if (!is_stop(code) && !is_wide_stop(code)) continue;
        const size_t end = pass_stops(line, length, at);
        if (end == length || is_wide_stop(code)) return end;
        if (line[end] == ' ') {
            size_t ignored = 0;
            const bool opens = is_opening(character_at(line, length, end + 1, &ignored));
            const bool shortened =
                code == '.' && end == at + 1 && is_abbreviation(line, start, at, line[end + 1]);
            if (opens && !shortened) return end;
        }
        bytes = end - at;
    }
    return length;
}
