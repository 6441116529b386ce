/* template/jinja.h - the part of the Jinja2 template language that prompts use, rendered in C.
 *
 *   icl_jinja *tmpl = NULL;
 *   icl_text out = { 0 };
 *   icl_status status = icl_jinja_parse(&tmpl, source, strlen(source), "task.yaml");
 *   if (status == ICL_OK) status = icl_jinja_render(&out, tmpl, example);
 *   icl_text_deinit(&out);
 *   icl_jinja_free(tmpl);
 *
 * Statements: if/elif/else, for (unpacking, `if` filter, else, break, continue, loop.*), set (also
 * block and namespace), macro, with, filter, raw, generation (body only), comments, and the signs
 * "-" and "+" for whitespace. Expressions are those of Jinja2 with its filters, tests and the
 * string, list and mapping methods of Python that templates call; strings count in code points.
 * Byte for byte as Jinja2 3.1 with StrictUndefined, keep_trailing_newline and no autoescape,
 * except that
 *   - an unknown filter, test or tag is an error when parsed, also in a branch never taken, and an
 *     open "{#" is one even as the very last bytes;
 *   - integers have 64 bits, and overflow is an error instead of a longer number; there are no
 *     complex numbers; `sameas` compares numbers and text by value;
 *   - `tojson` writes plain JSON in insertion order as chat templates expect: not sorted, not
 *     escaped for HTML; `safe` changes nothing;
 *   - map, select, reject, unique and the filter of a `for` work at once, not when consumed, and a
 *     `for` does not see what its body appends to the list;
 *   - a method, macro or generator cannot be printed (Python prints its address);
 *   - upper() knows the common one-to-many mappings only, lower() has no final sigma, and
 *     str.format takes fields without a format specification;
 *   - include, import, extends, block, call, autoescape, recursive loops, *args, **kwargs and the
 *     `random` filter are left out: a rendering depends on template, options and context alone;
 *   - work, output, memory and depth are bounded, as below.
 */
#ifndef ICL_TEMPLATE_JINJA_H
#define ICL_TEMPLATE_JINJA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <icl/status.h>

#include "base/text.h"

/* Bounds of one template and one rendering; passing one is ICL_EPARSE with a sentence. */
enum {
    ICL_JINJA_SOURCE_BYTES_MAX = 1 << 20,
    ICL_JINJA_OUTPUT_BYTES_MAX = 64 << 20,
    ICL_JINJA_MEMORY_BYTES_MAX = 512 << 20, /* values alive during one rendering */
    ICL_JINJA_STEPS_MAX = 20 * 1000 * 1000, /* expressions, items, 16 bytes of text */
    ICL_JINJA_DEPTH_MAX = 400,              /* nesting of source, of values and of macro calls */
};

typedef struct icl_jinja icl_jinja; /* a parsed template; immutable, shareable between threads */

/* All zero is the strict form that icl_jinja_parse uses; the models' own chat templates are written
 * for the first three set, and some ask for the date. */
typedef struct icl_jinja_options {
    bool trim_blocks;       /* drop the newline that follows a tag */
    bool lstrip_blocks;     /* drop spaces before a tag that begins its line */
    bool lenient_undefined; /* an unknown name is empty and false instead of an error, and an
                               unknown filter or test is an error only where it is reached */
    int64_t now_seconds; /* what strftime_now() tells, since 1970, UTC; 0: there is no such name */
} icl_jinja_options;

/* Copies what it needs. ICL_EPARSE: "name:line:column: message"; lines and columns start at 1. */
icl_status icl_jinja_parse(icl_jinja **out, const char *source, size_t length, const char *name);
icl_status icl_jinja_parse_with(icl_jinja **out, const char *source, size_t length,
                                const char *name, const icl_jinja_options *options);
void icl_jinja_free(icl_jinja *tmpl);

/* Appends the rendering to `out`; `context` is an object that holds the names. On failure
 * (ICL_EPARSE with the same form of message, ICL_ENOMEM) `out` is as it was. */
icl_status icl_jinja_render(icl_text *out, const icl_jinja *tmpl, const json_t *context);

/* The names that a template takes from its context, each once, in order of first use. */
size_t icl_jinja_name_count(const icl_jinja *tmpl);
const char *icl_jinja_name_at(const icl_jinja *tmpl, size_t index); /* borrowed */

/* The literal text with which every rendering ends: what stands after the last expression or
 * statement. *out_length bytes, not terminated, 0 when there is none. Borrowed. */
const char *icl_jinja_tail(const icl_jinja *tmpl, size_t *out_length);

#endif
