/* report/html_pages.h - report.html: what was found, on one page that needs no other file. Holds
 * only what the inputs determine; what it cost in seconds and memory is for meter.json. */
#ifndef ICL_REPORT_HTML_PAGES_H
#define ICL_REPORT_HTML_PAGES_H

#include <icl/compare.h>
#include <icl/run.h>
#include <icl/search.h>

/* Each writes DIR/report.html of what was executed. As icl_report_write_text, and what the prompts
 * and figures of a run refuse. */
icl_status icl_html_write_run(const icl_run *run, const char *folder);
icl_status icl_html_write_search(const icl_search *search, const char *folder);
icl_status icl_html_write_compare(const icl_compare *compare, char *const *names,
                                  const char *folder);

#endif
