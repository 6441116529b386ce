/* Source text to tokens: text between tags with its white space trimmed as the signs say, and
 * inside tags names, literals and operators. Follows the rules of Jinja's lexer, oddities included.
 */
#include <assert.h>
#include <stdlib.h>

#include "template/jinja_internal.h"

typedef struct lexer {
    jinja_state *state;
    const icl_jinja_options *options;
    jinja_string source; /* newlines normalised */
    size_t at;
    jinja_place place; /* of `at` */
    bool line_starts;  /* the last thing consumed ended with a newline */
    jinja_token *tokens;
    size_t count, capacity;
} lexer;

static jinja_string newlines_normalised(jinja_state *state, const char *source, size_t length)
{
    char *bytes = icl_jinja_alloc(state, length + 1);
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        if (source[i] == '\r') {
            bytes[count++] = '\n';
            if (i + 1 < length && source[i + 1] == '\n') i++;
        } else
            bytes[count++] = source[i];
    }
    return (jinja_string){ bytes, count };
}

static void advance(lexer *lex, size_t to)
{
    assert(to <= lex->source.length);
    if (to > lex->at) lex->line_starts = lex->source.bytes[to - 1] == '\n';
    for (; lex->at < to; lex->at++) {
        const unsigned char byte = (unsigned char)lex->source.bytes[lex->at];
        if (byte == '\n') {
            lex->place.line++;
            lex->place.column = 1;
        } else if ((byte & 0xC0) != 0x80) {
            lex->place.column++;
        }
    }
}

static noreturn void lexer_fail(lexer *lex, const char *message)
{
    lex->state->place = lex->place;
    icl_jinja_fail(lex->state, "%s", message);
}

static jinja_token *token_add(lexer *lex, jinja_token_kind kind, jinja_string text)
{
    lex->tokens =
        icl_jinja_grow(lex->state, lex->tokens, &lex->capacity, lex->count, sizeof *lex->tokens);
    jinja_token *token = &lex->tokens[lex->count++];
    *token = (jinja_token){ .kind = kind, .place = lex->place, .text = text };
    return token;
}

static bool has(const lexer *lex, size_t at, const char *text)
{
    const size_t length = strlen(text);
    return at + length <= lex->source.length && memcmp(lex->source.bytes + at, text, length) == 0;
}

static char byte_at(const lexer *lex, size_t at)
{
    return at < lex->source.length ? lex->source.bytes[at] : '\0';
}

static size_t spaces_end(const lexer *lex, size_t at)
{
    while (at < lex->source.length) {
        size_t next = at;
        if (!icl_jinja_is_space(icl_jinja_code_point(lex->source, &next))) break;
        at = next;
    }
    return at;
}

static bool is_sign(char byte)
{
    return byte == '-' || byte == '+';
}

/* End of the delimiter `close` at `at` with its sign and the white space it eats, or 0. */
static size_t close_end(const lexer *lex, size_t at, const char *close, bool trims)
{
    const size_t length = strlen(close);
    if (has(lex, at, close)) {
        const size_t end = at + length;
        return trims && lex->options->trim_blocks && byte_at(lex, end) == '\n' ? end + 1 : end;
    }
    if (byte_at(lex, at) == '-' && has(lex, at + 1, close)) return spaces_end(lex, at + 1 + length);
    /* "+}}" does not exist: there "+" is an operator. */
    if (trims && byte_at(lex, at) == '+' && has(lex, at + 1, close)) return at + 1 + length;
    return 0;
}

/* When "{% word %}" opens at `at`: where it ends, else 0. `sign` is set to the opening sign. */
static size_t word_tag_end(const lexer *lex, size_t at, const char *word, bool closes_raw,
                           char *sign)
{
    if (!has(lex, at, "{%")) return 0;
    at += 2;
    *sign = '\0';
    if (is_sign(byte_at(lex, at))) *sign = lex->source.bytes[at++];
    at = spaces_end(lex, at);
    if (!has(lex, at, word)) return 0;
    at = spaces_end(lex, at + strlen(word));
    if (closes_raw) return close_end(lex, at, "%}", true);
    if (byte_at(lex, at) == '-') return close_end(lex, at, "%}", true);
    return has(lex, at, "%}") ? at + 2 : 0;
}

/* Text before an opening delimiter, trimmed at its end as the delimiter's sign asks. */
static jinja_string trimmed(const lexer *lex, size_t begin, size_t end, char sign, bool is_output)
{
    const jinja_string text = { lex->source.bytes + begin, end - begin };
    if (sign == '-') return icl_jinja_string_strip(text, NULL, SIDE_RIGHT);
    if (sign == '+' || !lex->options->lstrip_blocks || is_output) return text;
    size_t line = text.length;
    while (line > 0 && text.bytes[line - 1] != '\n') line--;
    if (line == 0 && !lex->line_starts) return text;
    const jinja_string last = { text.bytes + line, text.length - line };
    if (icl_jinja_string_strip(last, NULL, SIDE_BOTH).length > 0) return text;
    return (jinja_string){ text.bytes, line };
}

static void data_add(lexer *lex, size_t end, char sign, bool is_output)
{
    const jinja_string text = trimmed(lex, lex->at, end, sign, is_output);
    if (text.length > 0) token_add(lex, TOKEN_DATA, text);
    advance(lex, end);
}

static void lex_comment(lexer *lex)
{
    for (size_t at = lex->at + 2; at < lex->source.length; at++) {
        const size_t end = close_end(lex, at, "#}", true);
        if (end == 0) continue;
        advance(lex, end);
        return;
    }
    lexer_fail(lex, "comment is not closed by \"#}\"");
}

static void lex_raw(lexer *lex, size_t body)
{
    for (size_t at = body; at < lex->source.length; at++) {
        char sign = '\0';
        const size_t end = word_tag_end(lex, at, "endraw", true, &sign);
        if (end == 0) continue;
        advance(lex, body);
        data_add(lex, at, sign, false);
        advance(lex, end);
        return;
    }
    lexer_fail(lex, "raw block is not closed by \"{% endraw %}\"");
}

/* ---- literals ---- */

static unsigned digit_value(char byte)
{
    if (byte >= '0' && byte <= '9') return (unsigned)(byte - '0');
    if (byte >= 'a' && byte <= 'f') return (unsigned)(byte - 'a' + 10);
    if (byte >= 'A' && byte <= 'F') return (unsigned)(byte - 'A' + 10);
    return 99;
}

static size_t digits_end(const lexer *lex, size_t at, unsigned base)
{
    while (digit_value(byte_at(lex, at)) < base ||
           (byte_at(lex, at) == '_' && digit_value(byte_at(lex, at + 1)) < base))
        at++;
    return at;
}

/* End of the float at `at`, or 0 when it is none. */
static size_t float_end(const lexer *lex, size_t at)
{
    if (at > 0 && lex->source.bytes[at - 1] == '.') return 0;
    size_t end = digits_end(lex, at, 10);
    bool is_float = false;
    if (byte_at(lex, end) == '.' && digit_value(byte_at(lex, end + 1)) < 10) {
        end = digits_end(lex, end + 1, 10);
        is_float = true;
    }
    if (byte_at(lex, end) == 'e' || byte_at(lex, end) == 'E') {
        const size_t digits = end + 1 + is_sign(byte_at(lex, end + 1));
        if (digit_value(byte_at(lex, digits)) < 10) return digits_end(lex, digits, 10);
    }
    return is_float ? end : 0;
}

static size_t integer_end(const lexer *lex, size_t at, int *base)
{
    *base = 10;
    if (byte_at(lex, at) != '0') return digits_end(lex, at, 10);
    const char mark = (char)(byte_at(lex, at + 1) | 0x20);
    const int marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked != 0) {
        const size_t end = digits_end(lex, at + 2, (unsigned)marked);
        if (end > at + 2) {
            *base = marked;
            return end;
        }
    }
    size_t end = at + 1;
    while (byte_at(lex, end) == '0' || (byte_at(lex, end) == '_' && byte_at(lex, end + 1) == '0'))
        end++;
    return end;
}

static void lex_number(lexer *lex)
{
    size_t end = float_end(lex, lex->at);
    if (end != 0) {
        const jinja_string text = { lex->source.bytes + lex->at, end - lex->at };
        jinja_token *token = token_add(lex, TOKEN_FLOAT, text);
        if (!icl_jinja_parse_float(text, &token->number)) lexer_fail(lex, "malformed number");
    } else {
        int base;
        bool overflows;
        end = integer_end(lex, lex->at, &base);
        const jinja_string text = { lex->source.bytes + lex->at, end - lex->at };
        jinja_token *token = token_add(lex, TOKEN_INTEGER, text);
        if (!icl_jinja_parse_integer(text, base, &token->integer, &overflows))
            lexer_fail(lex, overflows ? "integer does not fit 64 bits" : "malformed number");
    }
    advance(lex, end);
}

static char *code_point_put(char *to, uint32_t code_point)
{
    if (code_point < 0x80) {
        *to++ = (char)code_point;
    } else if (code_point < 0x800) {
        *to++ = (char)(0xC0 | (code_point >> 6));
        *to++ = (char)(0x80 | (code_point & 0x3F));
    } else if (code_point < 0x10000) {
        *to++ = (char)(0xE0 | (code_point >> 12));
        *to++ = (char)(0x80 | ((code_point >> 6) & 0x3F));
        *to++ = (char)(0x80 | (code_point & 0x3F));
    } else {
        *to++ = (char)(0xF0 | (code_point >> 18));
        *to++ = (char)(0x80 | ((code_point >> 12) & 0x3F));
        *to++ = (char)(0x80 | ((code_point >> 6) & 0x3F));
        *to++ = (char)(0x80 | (code_point & 0x3F));
    }
    return to;
}

/* "\x41", "\u0041", "\U00000041" with `count` digits, or "\101" with up to 3. */
static size_t numeric_escape(lexer *lex, size_t at, size_t count, char **to)
{
    const bool octal = count == 0;
    uint32_t code_point = 0;
    size_t used = 0;
    while (used < (octal ? 3 : count) && digit_value(byte_at(lex, at + used)) < (octal ? 8 : 16)) {
        code_point = code_point * (octal ? 8 : 16) + digit_value(byte_at(lex, at + used));
        used++;
    }
    if (!octal && used < count) lexer_fail(lex, "truncated escape in a string");
    if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF))
        lexer_fail(lex, "escape in a string is no Unicode character");
    *to = code_point_put(*to, code_point);
    return at + used;
}

/* Handles what follows a backslash at `at`; unknown escapes stay as written, as in Python. */
static size_t lex_escape(lexer *lex, size_t at, char **to)
{
    static const char letters[] = "abfnrtv\\'\"", meanings[] = "\a\b\f\n\r\t\v\\'\"";
    const char letter = byte_at(lex, at);
    const char *found = letter == '\0' ? NULL : strchr(letters, letter);
    if (found != NULL)
        *(*to)++ = meanings[found - letters];
    else if (letter == '\n')
        return at + 1;
    else if (letter == 'x')
        return numeric_escape(lex, at + 1, 2, to);
    else if (letter == 'u')
        return numeric_escape(lex, at + 1, 4, to);
    else if (letter == 'U')
        return numeric_escape(lex, at + 1, 8, to);
    else if (letter == 'N')
        lexer_fail(lex, "named escapes such as \"\\N{...}\" are not supported");
    else if (letter >= '0' && letter <= '7')
        return numeric_escape(lex, at, 0, to);
    else {
        *(*to)++ = '\\';
        return at;
    }
    return at + 1;
}

static void lex_text(lexer *lex)
{
    const char quote = lex->source.bytes[lex->at];
    size_t end = lex->at + 1;
    while (end < lex->source.length && lex->source.bytes[end] != quote)
        end += lex->source.bytes[end] == '\\' ? 2 : 1;
    if (end >= lex->source.length) lexer_fail(lex, "string is not closed");

    char *bytes = icl_jinja_alloc(lex->state, end - lex->at);
    char *to = bytes;
    for (size_t at = lex->at + 1; at < end;) {
        if (lex->source.bytes[at] == '\\')
            at = lex_escape(lex, at + 1, &to);
        else
            *to++ = lex->source.bytes[at++];
    }
    token_add(lex, TOKEN_TEXT, (jinja_string){ bytes, (size_t)(to - bytes) });
    advance(lex, end + 1);
}

/* ---- inside tags ---- */

static void lex_symbol(lexer *lex, char *open, size_t *open_count)
{
    static const char *const symbols[] = { "//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                           "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                           ">",  "<",  "=",  ".",  ":",  "|",  ",", ";" };
    const char *symbol = NULL;
    for (size_t i = 0; symbol == NULL && i < sizeof symbols / sizeof *symbols; i++)
        if (has(lex, lex->at, symbols[i])) symbol = symbols[i];
    if (symbol == NULL) {
        size_t next = lex->at;
        icl_jinja_code_point(lex->source, &next);
        lexer_fail(lex, icl_jinja_format(lex->state, "unexpected character \"%.*s\"",
                                         (int)(next - lex->at), lex->source.bytes + lex->at));
    }
    if (strchr("([{", *symbol) != NULL) {
        if (*open_count == ICL_JINJA_DEPTH_MAX) lexer_fail(lex, "brackets nest too deep");
        open[(*open_count)++] = *symbol == '(' ? ')' : *symbol == '[' ? ']' : '}';
    } else if (strchr(")]}", *symbol) != NULL) {
        if (*open_count == 0 || open[*open_count - 1] != *symbol)
            lexer_fail(lex, icl_jinja_format(lex->state, "unexpected \"%s\"", symbol));
        (*open_count)--;
    }
    token_add(lex, TOKEN_SYMBOL, (jinja_string){ symbol, strlen(symbol) });
    advance(lex, lex->at + strlen(symbol));
}

static void lex_name(lexer *lex)
{
    size_t end = lex->at, next = lex->at;
    while (next < lex->source.length && icl_jinja_is_word(icl_jinja_code_point(lex->source, &next)))
        end = next;
    token_add(lex, TOKEN_NAME, (jinja_string){ lex->source.bytes + lex->at, end - lex->at });
    advance(lex, end);
}

/* From an opening delimiter to its close. A close inside brackets is made of operators. */
static void lex_tag(lexer *lex, bool is_output)
{
    const char *close = is_output ? "}}" : "%}";
    const jinja_place begin = lex->place;
    char open[ICL_JINJA_DEPTH_MAX];
    size_t open_count = 0;
    token_add(lex, is_output ? TOKEN_OUTPUT_BEGIN : TOKEN_TAG_BEGIN, JINJA_STRING("{"));
    advance(lex, lex->at + 2 + is_sign(byte_at(lex, lex->at + 2)));
    while (lex->at < lex->source.length) {
        const size_t end = open_count > 0 ? 0 : close_end(lex, lex->at, close, !is_output);
        const char byte = lex->source.bytes[lex->at];
        size_t next = lex->at;
        const int32_t code_point = icl_jinja_code_point(lex->source, &next);
        if (end != 0) {
            token_add(lex, is_output ? TOKEN_OUTPUT_END : TOKEN_TAG_END, JINJA_STRING("}"));
            advance(lex, end);
            return;
        }
        if (icl_jinja_is_space(code_point))
            advance(lex, next);
        else if (byte >= '0' && byte <= '9')
            lex_number(lex);
        else if (icl_jinja_is_word(code_point))
            lex_name(lex);
        else if (byte == '\'' || byte == '"')
            lex_text(lex);
        else
            lex_symbol(lex, open, &open_count);
    }
    lex->place = begin;
    lexer_fail(lex,
               is_output ? "\"{{\" is not closed by \"}}\"" : "\"{%\" is not closed by \"%}\"");
}

jinja_token *icl_jinja_lex(jinja_state *state, const char *source, size_t length,
                           const icl_jinja_options *options)
{
    lexer lex = { .state = state, .options = options, .place = { 1, 1 }, .line_starts = true };
    lex.source = newlines_normalised(state, source, length);
    size_t at = 0;
    while (at < lex.source.length) {
        const bool output = has(&lex, at, "{{"), tag = has(&lex, at, "{%");
        if (!output && !tag && !has(&lex, at, "{#")) {
            at++;
            continue;
        }
        char sign = byte_at(&lex, at + 2);
        const size_t raw = word_tag_end(&lex, at, "raw", false, &sign);
        data_add(&lex, at, is_sign(sign) ? sign : '\0', output);
        if (raw != 0)
            lex_raw(&lex, raw);
        else if (output || tag)
            lex_tag(&lex, output);
        else
            lex_comment(&lex);
        at = lex.at;
    }
    data_add(&lex, lex.source.length, '\0', true);
    token_add(&lex, TOKEN_END, JINJA_STRING("end of template"));
    return lex.tokens;
}
