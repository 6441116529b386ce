/* report/search_parts.h - what the reports of a search share. */
#ifndef ICL_REPORT_SEARCH_PARTS_H
#define ICL_REPORT_SEARCH_PARTS_H

#include <icl/search.h>

#include "base/text.h"

const char *icl_search_fate_name(icl_search_fate fate);
/* Short names of the strategies by rank; icl_strategy_names_free. */
icl_status icl_search_names_new(char ***out, const icl_search *search);
/* What the best strategy should reach on new queries. */
void icl_search_append_expected(icl_text *out, const icl_search *search);
/* What spending twice as much would bring. */
void icl_search_append_gain(icl_text *out, const icl_search *search);
/* Which labels no query has. */
void icl_search_append_unseen(icl_text *out, const icl_search_summary *summary);

#endif
