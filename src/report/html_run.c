/* report.html of a run. */
#include "report/html_pages.h"

#include <inttypes.h>

#include "base/error.h"
#include "pipeline/run_answers.h"
#include "report/dot_plot.h"
#include "report/folder.h"
#include "report/html.h"
#include "report/html_parts.h"

/* ---- result ---- */

static void append_headline(icl_text *out, const icl_run_summary *summary)
{
    const icl_metrics *metrics = &summary->metrics;
    icl_text_printf(out,
                    "<p class=\"headline\"><b>%.3f</b> accuracy: %zu of %zu queries right, "
                    "95&nbsp;%% interval %.3f to %.3f.</p>\n",
                    metrics->accuracy, metrics->correct, metrics->count, metrics->accuracy_ci95[0],
                    metrics->accuracy_ci95[1]);
}

/* A share with its interval, and further figures where there are any. */
static void append_result_row(icl_text *out, const char *name, double accuracy,
                              const double bounds[2], const icl_metrics *metrics)
{
    icl_text_printf(out, "<tr><th scope=\"row\">%s</th><td>%.3f</td>", name, accuracy);
    icl_html_interval_cell(out, bounds, false);
    if (metrics != NULL)
        icl_text_printf(out, "<td>%.3f</td><td>%.3f</td><td>%.3f</td><td>%.3f</td></tr>\n",
                        metrics->macro_f1, metrics->ece, metrics->brier, metrics->log_loss);
    else
        icl_text_append_string(out, "<td></td><td></td><td></td><td></td></tr>\n");
}

static void append_result_table(icl_text *out, const icl_run_summary *summary)
{
    static const char *const columns[] = { "",    "accuracy", "95 % interval", "macro-F1",
                                           "ECE", "Brier",    "log loss" };
    const icl_metrics *metrics = &summary->metrics, *before = &summary->uncalibrated;
    const icl_metrics *zero_shot = &summary->zero_shot;
    icl_html_table_begin(out, "This run beside what needs less", columns,
                         sizeof columns / sizeof *columns);
    append_result_row(out, "this run", metrics->accuracy, metrics->accuracy_ci95, metrics);
    if (icl_outcome_is_calibrated(summary))
        append_result_row(out, "without calibration", before->accuracy, before->accuracy_ci95,
                          before);
    if (summary->has_zero_shot)
        append_result_row(out, "zero-shot", zero_shot->accuracy, zero_shot->accuracy_ci95,
                          zero_shot);
    append_result_row(out, "majority class", metrics->majority_accuracy, metrics->majority_ci95,
                      NULL);
    icl_html_table_end(out);
}

static icl_dot dot_of(const char *name, double value, const double bounds[2])
{
    return (icl_dot){ .name = name, .value = value, .low = bounds[0], .high = bounds[1] };
}

static icl_status append_result_picture(icl_text *out, const icl_run_summary *summary)
{
    const icl_metrics *metrics = &summary->metrics, *before = &summary->uncalibrated;
    icl_dot dots[4];
    size_t count = 0;
    dots[count++] = dot_of("this run", metrics->accuracy, metrics->accuracy_ci95);
    if (icl_outcome_is_calibrated(summary))
        dots[count++] = dot_of("without calibration", before->accuracy, before->accuracy_ci95);
    if (summary->has_zero_shot)
        dots[count++] =
            dot_of("zero-shot", summary->zero_shot.accuracy, summary->zero_shot.accuracy_ci95);
    dots[count++] = dot_of("majority class", metrics->majority_accuracy, metrics->majority_ci95);
    const icl_dot_panel panel = {
        .title = "Accuracy", .x_label = "share of queries right", .dots = dots, .count = count
    };
    icl_html_figure_begin(out);
    icl_html_scroll_begin(out, "Accuracy with intervals, as a picture");
    const icl_status status = icl_dot_plot_svg(out, "Accuracy with intervals", &panel, 1);
    icl_html_scroll_end(out);
    icl_html_figure_end(out, "Dots are accuracies, bars their 95 % Wilson intervals.");
    return status;
}

static icl_status append_result(icl_text *out, const icl_run_summary *summary)
{
    icl_text_append_string(out, "<h2>Result</h2>\n");
    if (!summary->labelled) {
        icl_text_append_string(out, "<p>The queries carry no labels, so there is no accuracy; what "
                                    "was answered stands below and in samples.jsonl.</p>\n");
        return ICL_OK;
    }
    append_headline(out, summary);
    append_result_table(out, summary);
    return append_result_picture(out, summary);
}

/* ---- notes and facts ---- */

static void append_notes(icl_text *out, const icl_run_summary *summary)
{
    if (summary->calibration_fell_back)
        icl_text_append_string(out, "<p class=\"note\">Calibration had nothing to work with; "
                                    "scores are uncalibrated.</p>\n");
    if (summary->demonstrations_dropped > 0)
        icl_text_printf(out,
                        "<p class=\"note\">%zu demonstrations of %zu queries did not fit the "
                        "window.</p>\n",
                        summary->demonstrations_dropped, summary->queries_with_drops);
    if (summary->joins_merged > 0)
        icl_text_printf(out,
                        "<p class=\"note\">%zu answers begin inside a token of the prompt.</p>\n",
                        summary->joins_merged);
}

static void append_facts(icl_text *out, const icl_run_summary *summary)
{
    icl_text_append_string(out, "<h2>What was run</h2>\n<dl class=\"facts\">\n");
    icl_html_fact(out, "Task", summary->task);
    icl_html_fact_line(out, "Strategy", summary->strategy);
    icl_html_fact(out, "Model", summary->model);
    icl_html_fact_line(out, "Model file", summary->model_identity);
    icl_html_fact_count(out, "Queries", summary->query_count);
    icl_html_fact_count(out, "Labels", summary->label_count);
    icl_html_fact_count(out, "Pool", summary->pool_count);
    icl_html_fact_count(out, "Shots", summary->shots);
    icl_html_fact_printf(out, "Seed", "%" PRIu64, summary->seed);
    icl_html_fact_line(out, "Spec hash", summary->spec_hash);
    icl_text_append_string(out, "</dl>\n<p class=\"soft\">Equal spec hashes stand for equal "
                                "predictions.</p>\n");
}

static icl_status append_cost(icl_text *out, const icl_run *run)
{
    icl_batch_cost cost;
    ICL_TRY(icl_run_cost(&cost, run));
    icl_text_append_string(out, "<h2>Cost</h2>\n<dl class=\"facts\">\n");
    icl_html_fact_count(out, "Requests", cost.requests);
    icl_html_fact_count(out, "Tokens asked", cost.tokens_asked);
    icl_html_fact_count(out, "Tokens in the trie", cost.tokens_trie);
    if (cost.tokens_trie > 0)
        icl_html_fact_printf(out, "Shared", "%.1f times fewer",
                             (double)cost.tokens_asked / (double)cost.tokens_trie);
    icl_text_append_string(out, "</dl>\n<p>Asked is what every request takes alone, the trie what "
                                "they take together: each shared beginning once. What was "
                                "evaluated on this occasion, with seconds and memory, and what "
                                "methods asked to choose demonstrations, is in meter.json.</p>\n");
    return ICL_OK;
}

/* ---- page ---- */

static icl_status append_judgement(icl_text *out, const icl_run *run)
{
    icl_outcome outcome = { 0 };
    icl_status status = icl_outcome_init(&outcome, run);
    if (status == ICL_OK) status = icl_html_confusion(out, run, &outcome);
    if (status == ICL_OK) status = icl_html_reliability(out, run, &outcome);
    if (status == ICL_OK) icl_html_labels(out, run, &outcome);
    icl_outcome_deinit(&outcome);
    return status;
}

static icl_status append_page(icl_text *out, const icl_run *run)
{
    const icl_run_summary *summary = icl_run_get_summary(run);
    icl_html_begin(out, "icl run", summary->task);
    append_notes(out, summary);
    ICL_TRY(append_result(out, summary));
    append_facts(out, summary);
    if (summary->labelled) ICL_TRY(append_judgement(out, run));
    ICL_TRY(icl_html_examples(out, run));
    ICL_TRY(append_cost(out, run));
    icl_html_end(out);
    return ICL_OK;
}

icl_status icl_html_write_run(const icl_run *run, const char *folder)
{
    icl_text page = { 0 };
    icl_status status = append_page(&page, run);
    if (status == ICL_OK) status = icl_report_write_text(folder, "report.html", &page);
    icl_text_deinit(&page);
    return status;
}
