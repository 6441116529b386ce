/* base/text.h - a growable byte string, always NUL-terminated, that remembers running out of
 * memory.
 *
 *   icl_text text = { 0 };
 *   icl_text_printf(&text, "%zu rows", count);
 *   if (icl_text_status(&text) != ICL_OK) ...     // one check after many appends
 *   icl_text_deinit(&text);
 */
#ifndef ICL_BASE_TEXT_H
#define ICL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

typedef struct icl_text {
    char *bytes; /* NULL until the first append; otherwise bytes[length] == 0 */
    size_t length;
    size_t capacity;
    bool failed; /* an append ran out of memory; later appends do nothing */
} icl_text;

void icl_text_deinit(icl_text *text);
void icl_text_clear(icl_text *text); /* length 0, keeps the memory */
void icl_text_append(icl_text *text, const char *bytes, size_t length);
void icl_text_append_string(icl_text *text, const char *string);
void icl_text_append_char(icl_text *text, char byte);
__attribute__((format(printf, 2, 3))) void icl_text_printf(icl_text *text, const char *format, ...);
icl_status icl_text_status(const icl_text *text);  /* ICL_OK or ICL_ENOMEM, with its sentence */
const char *icl_text_string(const icl_text *text); /* borrowed; "" when empty */
char *icl_text_take(icl_text *text, size_t *out_length); /* malloc'd, yours; NULL when failed */

/* Byte offset of the first byte that is not valid UTF-8 (surrogates and over-long forms included),
 * or `length` when all of it is valid. */
size_t icl_utf8_valid_length(const char *bytes, size_t length);
size_t icl_utf8_count(const char *bytes, size_t length); /* code points of valid UTF-8 */

/* The finite decimal number that the whole of `text` is; false, and *out untouched, for anything
 * else, "inf", "nan" and hexadecimal included. */
bool icl_number_parse(double *out, const char *text);

/* Index of the name nearest to `name` by edit distance when near enough to suggest, else `count`.
 */
size_t icl_nearest_name(const char *name, const char *const *names, size_t count);

char *icl_string_copy(const char *string,
                      size_t length); /* malloc'd, NUL-terminated; NULL: memory */

#endif
