#include "report/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "report/figures.h"
#include "report/html_style.h"

enum { LABEL_BYTES_MAX = 120 };

void icl_html_begin(icl_text *out, const char *kind, const char *title)
{
    icl_text_append_string(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                                "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                                "content=\"width=device-width, initial-scale=1\">\n"
                                "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    icl_markup_escape(out, title);
    icl_text_printf(out, " - %s</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", kind,
                    icl_html_style);
    icl_text_printf(out, "<p class=\"kind\">%s</p>\n<h1>", kind);
    icl_html_user(out, title);
    icl_text_append_string(out, "</h1>\n");
}

void icl_html_end(icl_text *out)
{
    icl_text_append_string(out, "</main>\n</body>\n</html>\n");
}

/* ---- a user's text ---- */

void icl_html_user(icl_text *out, const char *text)
{
    icl_text_append_string(out, "<bdi>");
    icl_markup_escape(out, text);
    icl_text_append_string(out, "</bdi>");
}

void icl_html_name(icl_text *out, const char *text, size_t bytes_max)
{
    icl_text shown = { 0 };
    if (icl_markup_escape_start(&shown, text, bytes_max)) {
        icl_text_append_string(out, "<bdi>");
    } else {
        icl_text_append_string(out, "<bdi title=\"");
        icl_markup_escape(out, text);
        icl_text_append_string(out, "\">");
    }
    icl_text_printf(out, "%s</bdi>", icl_text_string(&shown));
    out->failed |= shown.failed;
    icl_text_deinit(&shown);
}

void icl_html_label(icl_text *out, const char *label)
{
    icl_html_name(out, label, LABEL_BYTES_MAX);
}

void icl_html_line(icl_text *out, const char *line)
{
    icl_text_append_string(out, "<code class=\"line\">");
    icl_markup_escape(out, line);
    icl_text_append_string(out, "</code>");
}

/* ---- figures and tables ---- */

void icl_html_scroll_begin(icl_text *out, const char *name)
{
    icl_text_append_string(out, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" "
                                "aria-label=\"");
    icl_markup_escape(out, name);
    icl_text_append_string(out, "\">\n");
}

void icl_html_scroll_end(icl_text *out)
{
    icl_text_append_string(out, "</div>\n");
}

void icl_html_figure_begin(icl_text *out)
{
    icl_text_append_string(out, "<figure>\n");
}

void icl_html_figure_end(icl_text *out, const char *caption)
{
    icl_text_append_string(out, "<figcaption>");
    icl_markup_escape(out, caption);
    icl_text_append_string(out, "</figcaption>\n</figure>\n");
}

static void append_column(icl_text *out, const char *name)
{
    const bool words = name[0] == '<';
    if (name[0] == '\0') {
        icl_text_append_string(out, "<td></td>");
        return;
    }
    icl_text_append_string(out, words ? "<th scope=\"col\" class=\"text\">" : "<th scope=\"col\">");
    icl_markup_escape(out, name + words);
    icl_text_append_string(out, "</th>");
}

void icl_html_small_table_begin(icl_text *out, const char *caption, const char *const *columns,
                                size_t count)
{
    icl_text_append_string(out, "<table>\n<caption>");
    icl_markup_escape(out, caption);
    icl_text_append_string(out, "</caption>\n<thead>\n<tr>");
    for (size_t i = 0; i < count; i++) append_column(out, columns[i]);
    icl_text_append_string(out, "</tr>\n</thead>\n<tbody>\n");
}

void icl_html_small_table_end(icl_text *out)
{
    icl_text_append_string(out, "</tbody>\n</table>\n");
}

void icl_html_table_begin(icl_text *out, const char *caption, const char *const *columns,
                          size_t count)
{
    icl_html_scroll_begin(out, caption);
    icl_html_small_table_begin(out, caption, columns, count);
}

void icl_html_table_end(icl_text *out)
{
    icl_html_small_table_end(out);
    icl_html_scroll_end(out);
}

/* ---- cells ---- */

void icl_html_interval_cell(icl_text *out, const double bounds[2], bool with_sign)
{
    icl_text_printf(out,
                    with_sign ? "<td class=\"nowrap\">%+.3f to %+.3f</td>"
                              : "<td class=\"nowrap\">%.3f to %.3f</td>",
                    bounds[0], bounds[1]);
}

void icl_html_share_cell(icl_text *out, double share)
{
    icl_text_printf(out, "<td class=\"bar\" style=\"background-size:%.1f%% 100%%\">%.3f</td>",
                    100 * share, share);
}

void icl_html_signed_cell(icl_text *out, double value, double largest)
{
    const double length = largest > 0 ? fabs(value) / largest / 2 : 0; /* of the cell */
    const double left = value < 0 ? 0.5 - length : 0.5;
    /* A position counts in what the bar leaves free. */
    icl_text_printf(out,
                    "<td class=\"bar\" style=\"background-size:%.1f%% 100%%;"
                    "background-position:%.1f%% 0\">%+.3f</td>",
                    100 * length, 100 * left / (1 - length), value);
}

/* ---- facts ---- */

static void append_term(icl_text *out, const char *name)
{
    icl_text_printf(out, "<dt>%s</dt><dd>", name);
}

static void end_fact(icl_text *out)
{
    icl_text_append_string(out, "</dd>\n");
}

void icl_html_fact(icl_text *out, const char *name, const char *value)
{
    append_term(out, name);
    icl_html_user(out, value);
    end_fact(out);
}

void icl_html_fact_printf(icl_text *out, const char *name, const char *format, ...)
{
    char value[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    append_term(out, name);
    icl_markup_escape(out, value);
    end_fact(out);
}

void icl_html_fact_line(icl_text *out, const char *name, const char *line)
{
    append_term(out, name);
    icl_html_line(out, line);
    end_fact(out);
}

void icl_html_fact_count(icl_text *out, const char *name, uint64_t count)
{
    append_term(out, name);
    icl_html_count(out, count);
    end_fact(out);
}

void icl_html_count(icl_text *out, uint64_t count)
{
    char digits[REPORT_DIGITS];
    icl_report_group_digits(digits, count);
    icl_text_printf(out, "<span class=\"nowrap\">%s</span>", digits);
}
