/* report/figures.h - figures that the JSON and the table share. */
#ifndef ICL_REPORT_FIGURES_H
#define ICL_REPORT_FIGURES_H

#include <jansson.h>

#include <icl/report.h>

/* JSON numbers: 17 digits bring every double back exactly; what is not finite is null. */
enum { REPORT_JSON_FLAGS = JSON_REAL_PRECISION(17) };
json_t *icl_report_number(double value);
const char *icl_report_metric_name(icl_metric metric); /* for people */
const char *icl_report_metric_key(icl_metric metric);  /* as a task file has it */
json_t *icl_report_interval(const double bounds[2]);   /* [low, high] */

/* 1234567 as "1 234 567". */
enum { REPORT_DIGITS = 32 };
void icl_report_group_digits(char out[REPORT_DIGITS], uint64_t count);

/* Tokens evaluated per second; 0 when nothing was evaluated. */
double icl_report_tokens_per_second(const icl_report_meter *meter);

/* What a run decided and found, the same for every run of these inputs: task to zero-shot line. */
json_t *icl_report_summary_object(const icl_run *run);

/* What it cost. */
json_t *icl_report_meter_object(const icl_report_meter *meter);

#endif
