/* icl/report.h - the results of a run as text, JSON and files.
 *
 *   icl_status status = icl_report_write(run, "out/snips");   // results.json, samples.jsonl
 */
#ifndef ICL_REPORT_H
#define ICL_REPORT_H

#include <icl/compare.h>
#include <icl/engine.h>
#include <icl/run.h>
#include <icl/search.h>
#include <icl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The meter of a run with its two efficiencies. */
typedef struct icl_report_meter {
    icl_meter meter;                  /**< from icl_engine_get_meter */
    double prefill_tokens_per_second; /**< from icl_engine_measure_prefill; 0: not measured */
} icl_report_meter;

/** tokens_trie / tokens_evaluated; 1 when nothing was evaluated. */
ICL_API double icl_report_eta_trie(const icl_report_meter *meter);
/** Achieved rate over the plain prefill rate; 0 when not measured or nothing was evaluated. */
ICL_API double icl_report_eta_machine(const icl_report_meter *meter);

/**
 * Writes DIR/results.json (summary and per-class figures), DIR/samples.jsonl (a line per query) and
 * DIR/report.html (a page that needs no other file), each atomically. They hold only what the
 * inputs determine, so they are byte-equal between runs; what a run cost goes to DIR/meter.json.
 */
ICL_API icl_status icl_report_write(const icl_run *run, const icl_report_meter *meter,
                                    const char *folder);

/** The object that `icl run --json` prints, one line without newline; malloc'd, yours. */
ICL_API icl_status icl_report_json(char **out_json, const icl_run *run,
                                   const icl_report_meter *meter);

/** The table that `icl run` prints; malloc'd, yours. */
ICL_API icl_status icl_report_table(char **out_text, const icl_run *run,
                                    const icl_report_meter *meter);

/**
 * Writes DIR/compare.json (every figure), DIR/compare.md (tables), DIR/compare.svg (dots with
 * intervals) and DIR/report.html (all of it on one page), each atomically and byte-equal between
 * comparisons of the same inputs, and DIR/meter.json; of an executed comparison.
 */
ICL_API icl_status icl_report_compare_write(const icl_compare *compare,
                                            const icl_report_meter *meter, const char *folder);

/** The object that `icl compare --json` prints, one line without newline: compare.json with the
 *  meter and the seconds; malloc'd, yours. */
ICL_API icl_status icl_report_compare_json(char **out_json, const icl_compare *compare,
                                           const icl_report_meter *meter);

/** The table that `icl compare` prints; malloc'd, yours. */
ICL_API icl_status icl_report_compare_table(char **out_text, const icl_compare *compare,
                                            const icl_report_meter *meter);

/**
 * Writes DIR/leaderboard.md, DIR/report.html and DIR/search.json, which are byte-equal between
 * equal searches, and DIR/meter.json, each atomically; search.json comes last.
 */
ICL_API icl_status icl_report_search_write(const icl_search *search, const icl_report_meter *meter,
                                           const char *folder);

/** The object that `icl search --json` prints, one line without newline: search.json and the meter;
 *  malloc'd, yours. */
ICL_API icl_status icl_report_search_json(char **out_json, const icl_search *search,
                                          const icl_report_meter *meter);

/** The table that `icl search` prints; malloc'd, yours. */
ICL_API icl_status icl_report_search_table(char **out_text, const icl_search *search,
                                           const icl_report_meter *meter);

/** The best `count` strategies so far, a line each, none of more than `columns` bytes; malloc'd,
 *  yours. */
ICL_API icl_status icl_report_search_lines(char **out_text, const icl_search *search, size_t count,
                                           size_t columns);

/**
 * Writes report.md, curve.svg and evaluation.svg into the folder of a training run, from its
 * report.json, curve.jsonl and evaluation.jsonl.
 * @return ICL_OK; ICL_EIO: a file is missing or cannot be written; ICL_EPARSE: it is damaged
 */
ICL_API icl_status icl_report_training(const char *folder);

/** The table that `icl train` prints; malloc'd, yours. */
ICL_API icl_status icl_report_training_table(char **out_text, const char *folder);

/** The object that `icl train --json` prints, one line without newline: report.json with the
 *  evaluation's lines; malloc'd, yours. */
ICL_API icl_status icl_report_training_json(char **out_json, const char *folder);

#ifdef __cplusplus
}
#endif
#endif
