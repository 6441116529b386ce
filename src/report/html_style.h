/* report/html_style.h - the style sheet that stands in every page. */
#ifndef ICL_REPORT_HTML_STYLE_H
#define ICL_REPORT_HTML_STYLE_H

extern const char icl_html_style[];

#endif
