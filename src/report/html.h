/* report/html.h - writing pages: a frame with style, tables, lists of facts, and any text as text.
 *
 *   icl_text page = { 0 };
 *   icl_html_begin(&page, "icl run", task_name);
 *   icl_html_table_begin(&page, "Figures", columns, 3);
 *   icl_text_printf(&page, "<tr><td>%.3f</td></tr>\n", value);
 *   icl_html_table_end(&page);
 *   icl_html_end(&page);
 *
 * Markup is appended with icl_text's functions; whatever comes from a user goes through these.
 */
#ifndef ICL_REPORT_HTML_H
#define ICL_REPORT_HTML_H

#include <stdint.h>

#include "base/text.h"
#include "report/markup.h"

/* The page down to its heading; `kind` stands before the title, which is of the user. */
void icl_html_begin(icl_text *out, const char *kind, const char *title);
void icl_html_end(icl_text *out);

/* A user's text, apart from the text around it whatever its direction of writing. */
void icl_html_user(icl_text *out, const char *text);
/* The same, clipped; the whole shows when pointed at. */
void icl_html_name(icl_text *out, const char *text, size_t bytes_max);
/* A label, as long as a table can bear. */
void icl_html_label(icl_text *out, const char *label);
/* <code> of a line to type. */
void icl_html_line(icl_text *out, const char *line);

/* A figure with its caption; what is wider than the page scrolls. */
void icl_html_figure_begin(icl_text *out);
void icl_html_figure_end(icl_text *out, const char *caption);

/* What is wider or longer than its place scrolls, by keyboard too. */
void icl_html_scroll_begin(icl_text *out, const char *name);
void icl_html_scroll_end(icl_text *out);

/* A table that scrolls, down to its body. A column of words has "<" before its name; "" is one
 * without a name. */
void icl_html_table_begin(icl_text *out, const char *caption, const char *const *columns,
                          size_t count);
void icl_html_table_end(icl_text *out);
/* The same within its place. */
void icl_html_small_table_begin(icl_text *out, const char *caption, const char *const *columns,
                                size_t count);
void icl_html_small_table_end(icl_text *out);

/* <td> with "low to high" of an interval. */
void icl_html_interval_cell(icl_text *out, const double bounds[2], bool with_sign);
/* <td> with a share of 0..1 and a bar as long. */
void icl_html_share_cell(icl_text *out, double share);
/* <td> with a signed value and a bar from the middle; `largest` fills half of the cell. */
void icl_html_signed_cell(icl_text *out, double value, double largest);

/* Of a list of facts between <dl class="facts"> and </dl>. */
void icl_html_fact(icl_text *out, const char *name, const char *value);
__attribute__((format(printf, 3, 4))) void icl_html_fact_printf(icl_text *out, const char *name,
                                                                const char *format, ...);
void icl_html_fact_line(icl_text *out, const char *name, const char *line);
/* 1234567 as "1 234 567". */
void icl_html_fact_count(icl_text *out, const char *name, uint64_t count);
void icl_html_count(icl_text *out, uint64_t count);

#endif
