/* icl/report.h - the results of a run as text, JSON and files.
 *
 *   icl_status status = icl_report_write(run, "out/snips");   // results.json, samples.jsonl
 */
#ifndef ICL_REPORT_H
#define ICL_REPORT_H

#include <icl/engine.h>
#include <icl/run.h>
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
 * Writes DIR/results.json (summary and per-class figures) and DIR/samples.jsonl (a line per query),
 * each atomically. Both hold only what the inputs determine, so they are byte-equal between runs;
 * what a run cost goes to DIR/meter.json.
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
