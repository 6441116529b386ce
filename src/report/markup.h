/* report/markup.h - any text as text of HTML and SVG, in an element or in a quoted attribute. */
#ifndef ICL_REPORT_MARKUP_H
#define ICL_REPORT_MARKUP_H

#include "base/text.h"

/* Ends no element and no attribute. Control characters, which XML forbids, show as the picture that
 * Unicode has for them; what is not UTF-8 as U+FFFD. */
void icl_markup_escape(icl_text *out, const char *text);

/* The first `bytes_max` bytes at most, whole characters, with "..." where something is missing.
 * Returns whether all of it is there. */
bool icl_markup_escape_start(icl_text *out, const char *text, size_t bytes_max);

#endif
