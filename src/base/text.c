#include "base/text.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

void icl_text_deinit(icl_text *text)
{
    free(text->bytes);
    *text = (icl_text){ 0 };
}

void icl_text_clear(icl_text *text)
{
    text->length = 0;
    text->failed = false;
    if (text->bytes != NULL) text->bytes[0] = '\0';
}

/* Room for `extra` more bytes and the terminator. */
static bool reserve(icl_text *text, size_t extra)
{
    if (text->failed) return false;
    if (extra > SIZE_MAX / 2 - text->length - 1) {
        text->failed = true;
        return false;
    }
    const size_t needed = text->length + extra + 1;
    if (needed <= text->capacity) return true;
    size_t capacity = text->capacity < 32 ? 32 : text->capacity;
    while (capacity < needed) capacity *= 2;
    char *grown = realloc(text->bytes, capacity);
    if (grown == NULL) {
        text->failed = true;
        return false;
    }
    text->bytes = grown;
    text->capacity = capacity;
    return true;
}

void icl_text_append(icl_text *text, const char *bytes, size_t length)
{
    if (!reserve(text, length)) return;
    if (length > 0) memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void icl_text_append_string(icl_text *text, const char *string)
{
    icl_text_append(text, string, strlen(string));
}

void icl_text_append_char(icl_text *text, char byte)
{
    icl_text_append(text, &byte, 1);
}

void icl_text_printf(icl_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    if (reserve(text, (size_t)length)) {
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

icl_status icl_text_status(const icl_text *text)
{
    if (text->failed) return icl_error_set(ICL_ENOMEM, "out of memory while building text");
    return ICL_OK;
}

const char *icl_text_string(const icl_text *text)
{
    return text->bytes == NULL ? "" : text->bytes;
}

char *icl_text_take(icl_text *text, size_t *out_length)
{
    if (!reserve(text, 0)) {
        icl_text_deinit(text);
        return NULL;
    }
    text->bytes[text->length] = '\0';
    if (out_length != NULL) *out_length = text->length;
    char *taken = text->bytes;
    *text = (icl_text){ 0 };
    return taken;
}

/* Length of the valid UTF-8 sequence at `at`, or 0. Table 3-7 of the Unicode standard. */
static size_t sequence_length(const unsigned char *at, size_t left)
{
    const unsigned char lead = at[0];
    if (lead < 0x80) return 1;
    size_t length;
    unsigned char low = 0x80, high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF)
        length = 2;
    else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
    } else
        return 0;
    if (left < length || at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((at[i] & 0xC0) != 0x80) return 0;
    return length;
}

size_t icl_utf8_valid_length(const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        const size_t step = sequence_length((const unsigned char *)bytes + at, length - at);
        if (step == 0) return at;
        at += step;
    }
    return length;
}

size_t icl_utf8_count(const char *bytes, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++) count += ((unsigned char)bytes[i] & 0xC0) != 0x80;
    return count;
}

/* Levenshtein distance of two short names; one row of the table. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { NAME_MAX_BYTES = 64 };
    const size_t n = strlen(a), m = strlen(b);
    if (n >= NAME_MAX_BYTES || m >= NAME_MAX_BYTES) return SIZE_MAX;
    size_t row[NAME_MAX_BYTES + 1];
    for (size_t j = 0; j <= m; j++) row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[m];
}

bool icl_number_parse(double *out, const char *text)
{
    /* strtod alone would also take "inf", "nan", hexadecimal and leading blanks. */
    if (text[0] == '\0' || text[strspn(text, "+-.0123456789eE")] != '\0') return false;
    char *end = NULL;
    const double number = strtod(text, &end);
    if (*end != '\0' || !isfinite(number)) return false;
    *out = number;
    return true;
}

size_t icl_nearest_name(const char *name, const char *const *names, size_t count)
{
    size_t best = count, best_distance = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        const size_t distance = edit_distance(name, names[i]);
        if (distance < best_distance) {
            best = i;
            best_distance = distance;
        }
    }
    /* Further away than half the word is a guess, not a suggestion. */
    return best_distance <= 1 + strlen(name) / 2 ? best : count;
}

char *icl_string_copy(const char *string, size_t length)
{
    char *copy = malloc(length + 1);
    if (copy == NULL) return NULL;
    if (length > 0) memcpy(copy, string, length);
    copy[length] = '\0';
    return copy;
}
