/* Text by code point: Python's string methods over UTF-8 bytes. */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#include <utf8proc.h>

#include "template/jinja_internal.h"

/* The bytes are valid UTF-8: templates are checked when parsed, jansson checks the context. */
int32_t icl_jinja_code_point(jinja_string text, size_t *at)
{
    const unsigned char *bytes = (const unsigned char *)text.bytes + *at;
    const unsigned char lead = bytes[0];
    if (lead < 0x80) {
        *at += 1;
        return lead;
    }
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    int32_t code_point = lead & (0x7F >> length);
    for (size_t i = 1; i < length; i++) code_point = (code_point << 6) | (bytes[i] & 0x3F);
    *at += length;
    return code_point;
}

/* The code point that ends at byte `end`, which moves to its first byte. */
static int32_t code_point_before(jinja_string text, size_t *end)
{
    do (*end)--;
    while (((unsigned char)text.bytes[*end] & 0xC0) == 0x80);
    size_t at = *end;
    return icl_jinja_code_point(text, &at);
}

bool icl_jinja_is_space(int32_t code_point)
{
    if (code_point < 0x80)
        return (code_point >= 9 && code_point <= 13) || (code_point >= 0x1C && code_point <= 0x20);
    return code_point == 0x85 || code_point == 0xA0 || code_point == 0x1680 ||
           (code_point >= 0x2000 && code_point <= 0x200A) || code_point == 0x2028 ||
           code_point == 0x2029 || code_point == 0x202F || code_point == 0x205F ||
           code_point == 0x3000;
}

bool icl_jinja_is_word(int32_t code_point)
{
    if (code_point == '_') return true;
    const utf8proc_category_t category = utf8proc_category(code_point);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

bool icl_jinja_is_digit(int32_t code_point)
{
    return utf8proc_category(code_point) == UTF8PROC_CATEGORY_ND;
}

size_t icl_jinja_string_count(jinja_string text)
{
    return icl_utf8_count(text.bytes, text.length);
}

/* Byte offset of code point `index`; the length when there are fewer. */
static size_t offset_of(jinja_string text, size_t index, size_t from)
{
    size_t at = from;
    while (index > 0 && at < text.length) {
        icl_jinja_code_point(text, &at);
        index--;
    }
    return at;
}

jinja_string icl_jinja_string_range(jinja_string text, size_t begin, size_t end)
{
    if (end <= begin) return JINJA_STRING("");
    const size_t first = offset_of(text, begin, 0);
    return (jinja_string){ text.bytes + first, offset_of(text, end - begin, first) - first };
}

size_t icl_jinja_string_find(jinja_string text, jinja_string part, size_t from)
{
    if (part.length == 0) return from <= text.length ? from : SIZE_MAX;
    while (from + part.length <= text.length) {
        const size_t starts = text.length - part.length + 1 - from;
        const char *at = memchr(text.bytes + from, part.bytes[0], starts);
        if (at == NULL) break;
        if (memcmp(at, part.bytes, part.length) == 0) return (size_t)(at - text.bytes);
        from = (size_t)(at - text.bytes) + 1;
    }
    return SIZE_MAX;
}

size_t icl_jinja_string_find_last(jinja_string text, jinja_string part, size_t end)
{
    if (part.length > end) return SIZE_MAX;
    for (size_t at = end - part.length + 1; at-- > 0;)
        if (memcmp(text.bytes + at, part.bytes, part.length) == 0) return at;
    return SIZE_MAX;
}

static bool is_among(int32_t code_point, const jinja_string *chars)
{
    if (chars == NULL) return icl_jinja_is_space(code_point);
    for (size_t at = 0; at < chars->length;)
        if (icl_jinja_code_point(*chars, &at) == code_point) return true;
    return false;
}

jinja_string icl_jinja_string_strip(jinja_string text, const jinja_string *chars, jinja_side side)
{
    size_t begin = 0, end = text.length;
    while ((side & SIDE_LEFT) != 0 && begin < end) {
        size_t next = begin;
        if (!is_among(icl_jinja_code_point(text, &next), chars)) break;
        begin = next;
    }
    while ((side & SIDE_RIGHT) != 0 && end > begin) {
        size_t previous = end;
        if (!is_among(code_point_before(text, &previous), chars)) break;
        end = previous;
    }
    return (jinja_string){ text.bytes + begin, end - begin };
}

/* ---- case ---- */

/* Upper-case forms of more than one code point; `title` is the form at the start of a word. */
static const struct {
    int32_t code_point;
    const char *upper, *title;
} special_case[] = {
    { 0xDF, "SS", "Ss" },
    { 0x149, "\u02BCN", "\u02BCN" },
    { 0xFB00, "FF", "Ff" },
    { 0xFB01, "FI", "Fi" },
    { 0xFB02, "FL", "Fl" },
    { 0xFB03, "FFI", "Ffi" },
    { 0xFB04, "FFL", "Ffl" },
    { 0xFB05, "ST", "St" },
    { 0xFB06, "ST", "St" },
    { 0x1F0, "J\u030C", "J\u030C" },
    { 0x587, "\u0535\u0552", "\u0535\u0582" },
};

static void write_cased(jinja_render *render, int32_t code_point, jinja_case how)
{
    if (how == CASE_LOWER) {
        if (code_point == 0x130)
            icl_jinja_write(render, "i\u0307", strlen("i\u0307"));
        else
            icl_jinja_write_code_point(render, utf8proc_tolower(code_point));
        return;
    }
    for (size_t i = 0; i < sizeof special_case / sizeof *special_case; i++) {
        if (special_case[i].code_point != code_point) continue;
        const char *form = how == CASE_UPPER ? special_case[i].upper : special_case[i].title;
        icl_jinja_write(render, form, strlen(form));
        return;
    }
    icl_jinja_write_code_point(render, how == CASE_UPPER ? utf8proc_toupper(code_point)
                                                         : utf8proc_totitle(code_point));
}

static bool is_lower(int32_t code_point)
{
    return utf8proc_category(code_point) == UTF8PROC_CATEGORY_LL;
}

static bool is_upper(int32_t code_point)
{
    return utf8proc_category(code_point) == UTF8PROC_CATEGORY_LU;
}

static bool is_cased(int32_t code_point)
{
    return is_lower(code_point) || is_upper(code_point) ||
           utf8proc_category(code_point) == UTF8PROC_CATEGORY_LT;
}

/* Does a word of Jinja's title filter end at this character? The pattern is [-\s({\[<]+. */
static bool ends_word(int32_t code_point)
{
    return icl_jinja_is_space(code_point) || code_point == '-' || code_point == '(' ||
           code_point == '{' || code_point == '[' || code_point == '<';
}

jinja_string icl_jinja_string_to_case(jinja_render *render, jinja_string text, jinja_case how)
{
    const size_t begin = icl_jinja_capture_begin(render);
    bool starts = true;
    for (size_t at = 0; at < text.length;) {
        const int32_t code_point = icl_jinja_code_point(text, &at);
        if (how == CASE_LOWER || how == CASE_UPPER)
            write_cased(render, code_point, how);
        else if (how == CASE_WORDS && starts)
            write_cased(render, code_point, CASE_UPPER);
        else
            write_cased(render, code_point, starts ? CASE_TITLE : CASE_LOWER);
        starts =
            how == CASE_TITLE ? !is_cased(code_point) : how == CASE_WORDS && ends_word(code_point);
    }
    return icl_jinja_capture_end(render, begin);
}

bool icl_jinja_string_has_case(jinja_string text, bool upper)
{
    bool any = false;
    for (size_t at = 0; at < text.length;) {
        const int32_t code_point = icl_jinja_code_point(text, &at);
        if (!is_cased(code_point)) continue;
        if (upper ? !is_upper(code_point) : !is_lower(code_point)) return false;
        any = true;
    }
    return any;
}

/* ---- replace and split ---- */

jinja_string icl_jinja_string_replace(jinja_render *render, jinja_string text, jinja_string old,
                                      jinja_string with, int64_t count)
{
    const size_t begin = icl_jinja_capture_begin(render);
    size_t at = 0;
    for (; count != 0; count--) {
        const size_t found = icl_jinja_string_find(text, old, at);
        if (found == SIZE_MAX) break;
        icl_jinja_write(render, text.bytes + at, found - at);
        icl_jinja_write(render, with.bytes, with.length);
        at = found + old.length;
        if (old.length > 0) continue;
        /* An empty pattern matches before every character and at the end. */
        if (at == text.length) return icl_jinja_capture_end(render, begin);
        const size_t from = at;
        icl_jinja_code_point(text, &at);
        icl_jinja_write(render, text.bytes + from, at - from);
    }
    icl_jinja_write(render, text.bytes + at, text.length - at);
    return icl_jinja_capture_end(render, begin);
}

static void add_range(jinja_render *render, jinja_value list, jinja_string text, size_t begin,
                      size_t end)
{
    icl_jinja_list_add(render, list,
                       icl_jinja_text((jinja_string){ text.bytes + begin, end - begin }));
}

static void reverse(jinja_list *list)
{
    for (size_t i = 0; i < list->count / 2; i++) {
        const jinja_value item = list->items[i];
        list->items[i] = list->items[list->count - 1 - i];
        list->items[list->count - 1 - i] = item;
    }
}

static void split_on_spaces(jinja_render *render, jinja_value list, jinja_string text,
                            int64_t count)
{
    jinja_string rest = icl_jinja_string_strip(text, NULL, SIDE_LEFT);
    for (; rest.length > 0 && count != 0; count--) {
        size_t end = 0, next = 0;
        while (next < rest.length && !icl_jinja_is_space(icl_jinja_code_point(rest, &next)))
            end = next;
        add_range(render, list, rest, 0, end);
        rest = icl_jinja_string_strip((jinja_string){ rest.bytes + end, rest.length - end }, NULL,
                                      SIDE_LEFT);
    }
    if (rest.length > 0) icl_jinja_list_add(render, list, icl_jinja_text(rest));
}

static void split_on_spaces_from_right(jinja_render *render, jinja_value list, jinja_string text,
                                       int64_t count)
{
    jinja_string rest = icl_jinja_string_strip(text, NULL, SIDE_RIGHT);
    for (; rest.length > 0 && count != 0; count--) {
        size_t begin = rest.length, previous = rest.length;
        while (previous > 0 && !icl_jinja_is_space(code_point_before(rest, &previous)))
            begin = previous;
        add_range(render, list, rest, begin, rest.length);
        rest = icl_jinja_string_strip((jinja_string){ rest.bytes, begin }, NULL, SIDE_RIGHT);
    }
    if (rest.length > 0) icl_jinja_list_add(render, list, icl_jinja_text(rest));
}

jinja_value icl_jinja_string_split(jinja_render *render, jinja_string text,
                                   const jinja_string *part, int64_t count, bool from_right)
{
    const jinja_value list = icl_jinja_list_new(render, JINJA_LIST, 4);
    if (part == NULL) {
        (from_right ? split_on_spaces_from_right : split_on_spaces)(render, list, text, count);
    } else if (from_right) {
        size_t end = text.length;
        for (; count != 0; count--) {
            const size_t found = icl_jinja_string_find_last(text, *part, end);
            if (found == SIZE_MAX) break;
            add_range(render, list, text, found + part->length, end);
            end = found;
        }
        add_range(render, list, text, 0, end);
    } else {
        size_t begin = 0;
        for (; count != 0; count--) {
            const size_t found = icl_jinja_string_find(text, *part, begin);
            if (found == SIZE_MAX) break;
            add_range(render, list, text, begin, found);
            begin = found + part->length;
        }
        add_range(render, list, text, begin, text.length);
    }
    if (from_right) reverse(list.list);
    return list;
}

static bool is_line_end(int32_t code_point)
{
    return (code_point >= 0x0A && code_point <= 0x0D) ||
           (code_point >= 0x1C && code_point <= 0x1E) || code_point == 0x85 ||
           code_point == 0x2028 || code_point == 0x2029;
}

jinja_value icl_jinja_string_lines(jinja_render *render, jinja_string text, bool keep_ends)
{
    const jinja_value list = icl_jinja_list_new(render, JINJA_LIST, 4);
    size_t begin = 0;
    for (size_t at = 0; at < text.length;) {
        const size_t end = at;
        const int32_t code_point = icl_jinja_code_point(text, &at);
        if (!is_line_end(code_point)) continue;
        if (code_point == '\r' && at < text.length && text.bytes[at] == '\n') at++;
        add_range(render, list, text, begin, keep_ends ? at : end);
        begin = at;
    }
    if (begin < text.length) add_range(render, list, text, begin, text.length);
    return list;
}

/* ---- numbers ---- */

static int digit_value(char byte)
{
    if (byte >= '0' && byte <= '9') return byte - '0';
    const char letter = (char)(byte | 0x20);
    return letter >= 'a' && letter <= 'z' ? letter - 'a' + 10 : 99;
}

static bool has_prefix(jinja_string text, int base)
{
    if (text.length < 3 || text.bytes[0] != '0') return false;
    const char mark = (char)(text.bytes[1] | 0x20);
    return (mark == 'x' && base == 16) || (mark == 'o' && base == 8) || (mark == 'b' && base == 2);
}

bool icl_jinja_parse_integer(jinja_string text, int base, int64_t *out, bool *out_overflow)
{
    *out_overflow = false;
    text = icl_jinja_string_strip(text, NULL, SIDE_BOTH);
    const bool minus = text.length > 0 && text.bytes[0] == '-';
    if (text.length > 0 && (minus || text.bytes[0] == '+'))
        text = (jinja_string){ text.bytes + 1, text.length - 1 };
    const bool prefixed = has_prefix(text, base);
    if (prefixed) text = (jinja_string){ text.bytes + 2, text.length - 2 };
    if (text.length == 0) return false;
    int64_t value = 0;
    bool after_digit = prefixed, overflow = false;
    for (size_t i = 0; i < text.length; i++) {
        const int digit = digit_value(text.bytes[i]);
        const bool is_digit = digit < base;
        if (!is_digit && !(text.bytes[i] == '_' && after_digit)) return false;
        after_digit = is_digit;
        if (!is_digit || overflow) continue;
        overflow = __builtin_mul_overflow(value, base, &value) ||
                   __builtin_sub_overflow(value, digit, &value);
    }
    if (!after_digit) return false;
    /* Counted downwards, because the smallest number has no positive counterpart. */
    if (!minus && !overflow) overflow = __builtin_sub_overflow((int64_t)0, value, &value);
    *out_overflow = overflow;
    if (!overflow) *out = value;
    return !overflow;
}

/* strtod() of plain ASCII, whatever decimal point the locale has. */
static double to_double(const char *plain)
{
    char local[512];
    const char *point = localeconv()->decimal_point;
    const size_t point_length = strlen(point);
    size_t length = 0;
    for (; *plain != '\0' && length + point_length + 1 < sizeof local; plain++) {
        if (*plain == '.') {
            memcpy(local + length, point, point_length);
            length += point_length;
        } else
            local[length++] = *plain;
    }
    local[length] = '\0';
    return strtod(local, NULL);
}

static bool is_special(const char *plain)
{
    static const char *const names[] = { "inf", "infinity", "nan" };
    if (*plain == '-' || *plain == '+') plain++;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t at = 0;
        while (names[i][at] != '\0' && (plain[at] | 0x20) == names[i][at]) at++;
        if (names[i][at] == '\0' && plain[at] == '\0') return true;
    }
    return false;
}

/* Skips digits; false when there were none. */
static bool skip_digits(const char **at)
{
    const char *begin = *at;
    while (**at >= '0' && **at <= '9') (*at)++;
    return *at > begin;
}

static bool is_decimal(const char *plain)
{
    if (*plain == '-' || *plain == '+') plain++;
    const bool whole = skip_digits(&plain);
    bool fraction = false;
    if (*plain == '.') {
        plain++;
        fraction = skip_digits(&plain);
    }
    if (!whole && !fraction) return false;
    if ((*plain | 0x20) == 'e') {
        plain++;
        if (*plain == '-' || *plain == '+') plain++;
        if (!skip_digits(&plain)) return false;
    }
    return *plain == '\0';
}

bool icl_jinja_parse_float(jinja_string text, double *out)
{
    char plain[400];
    text = icl_jinja_string_strip(text, NULL, SIDE_BOTH);
    if (text.length >= sizeof plain) return false;
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        const bool between = i > 0 && i + 1 < text.length && digit_value(text.bytes[i - 1]) < 10 &&
                             digit_value(text.bytes[i + 1]) < 10;
        if (text.bytes[i] == '\0') return false;
        if (text.bytes[i] != '_')
            plain[length++] = text.bytes[i];
        else if (!between)
            return false;
    }
    plain[length] = '\0';
    if (!is_decimal(plain) && !is_special(plain)) return false;
    *out = to_double(plain);
    return true;
}
