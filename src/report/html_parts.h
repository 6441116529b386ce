/* report/html_parts.h - the sections of a run's page that have a file of their own. Each begins
 * with its heading. */
#ifndef ICL_REPORT_HTML_PARTS_H
#define ICL_REPORT_HTML_PARTS_H

#include <icl/run.h>

#include "base/text.h"
#include "report/outcome.h"

/* Which labels are taken for which others. ICL_ENOMEM. */
icl_status icl_html_confusion(icl_text *out, const icl_run *run, const icl_outcome *outcome);

/* Whether probabilities mean what they say, with and without calibration. */
icl_status icl_html_reliability(icl_text *out, const icl_run *run, const icl_outcome *outcome);

/* The figures of every label, and its bias with and without calibration. */
void icl_html_labels(icl_text *out, const icl_run *run, const icl_outcome *outcome);

/* Some queries with their prompts, demonstrations and scores. ICL_ENOMEM; as icl_run_prompt_text.
 */
icl_status icl_html_examples(icl_text *out, const icl_run *run);

#endif
