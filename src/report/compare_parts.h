/* report/compare_parts.h - what the reports of a comparison share. Strategies are counted from 1
 * wherever a person or a program reads of them, as in the option --against. */
#ifndef ICL_REPORT_COMPARE_PARTS_H
#define ICL_REPORT_COMPARE_PARTS_H

#include <icl/compare.h>

#include "base/text.h"

/* Sums over the strategies of a task: what they would take one after another, and the questions of
 * their methods among it. */
uint64_t icl_compare_tokens_apart(const icl_compare *compare, size_t task);

/* "seeds 0 to 4". */
void icl_compare_append_seeds(icl_text *out, const icl_compare_summary *summary);

/* A p value, padded to `width`. */
void icl_compare_append_p(icl_text *out, double p, int width);

/* Appends the picture; names [strategy_count]. ICL_ENOMEM. */
icl_status icl_compare_draw(icl_text *out, const icl_compare *compare, char *const *names);

/* Appends the tables for a page of text; names [strategy_count]. */
void icl_compare_append_markdown(icl_text *out, const icl_compare *compare, char *const *names);

#endif
