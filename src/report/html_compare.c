/* report.html of a comparison. */
#include "report/html_pages.h"

#include "base/error.h"
#include "report/compare_parts.h"
#include "report/figures.h"
#include "report/folder.h"
#include "report/html.h"

static void append_facts(icl_text *out, const icl_compare_summary *summary)
{
    icl_text seeds = { 0 };
    icl_compare_append_seeds(&seeds, summary);
    icl_text_append_string(out, "<dl class=\"facts\">\n");
    icl_html_fact(out, "Model", summary->model);
    icl_html_fact_line(out, "Model file", summary->model_identity);
    icl_html_fact(out, "Seeds", icl_text_string(&seeds));
    icl_html_fact_count(out, "Resamples", summary->resample_count);
    icl_text_append_string(out, "</dl>\n");
    out->failed |= seeds.failed;
    icl_text_deinit(&seeds);
}

static void append_strategies(icl_text *out, const icl_compare_summary *summary, char *const *names)
{
    static const char *const columns[] = { "number", "<short", "<strategy" };
    icl_text_append_string(out, "<h2>Strategies</h2>\n");
    icl_html_table_begin(out, "Strategies by number; one click selects a line", columns,
                         sizeof columns / sizeof *columns);
    for (size_t s = 0; s < summary->strategy_count; s++) {
        icl_text_printf(out, "<tr><td>%zu</td><td class=\"wide\">", s + 1);
        icl_html_user(out, names[s]);
        icl_text_append_string(out, "</td><td class=\"wide\">");
        icl_html_line(out, summary->strategies[s]);
        icl_text_append_string(out, "</td></tr>\n");
    }
    icl_html_table_end(out);
}

static icl_status append_picture(icl_text *out, const icl_compare *compare, char *const *names)
{
    icl_text_append_string(out, "<h2>Values</h2>\n");
    icl_html_figure_begin(out);
    icl_html_scroll_begin(out, "Values with intervals, as a picture");
    ICL_TRY(icl_compare_draw(out, compare, names));
    icl_html_scroll_end(out);
    icl_html_figure_end(out, "Dots are means over seeds, bars 95 % intervals over queries and "
                             "seeds. Strategies share their queries, so differences are surer than "
                             "bars that overlap suggest; the tables have them.");
    return ICL_OK;
}

/* ---- one task ---- */

static void append_row_head(icl_text *out, size_t number, const char *name)
{
    icl_text_printf(out, "<tr><th scope=\"row\">%zu ", number);
    icl_html_user(out, name);
    icl_text_append_string(out, "</th>");
}

/* The metric that strategies are not compared by stands beside. */
static void append_figures(icl_text *out, const icl_compare_task *task, size_t count,
                           char *const *names)
{
    const bool f1 = task->metric == ICL_METRIC_MACRO_F1;
    const icl_metric other = f1 ? ICL_METRIC_ACCURACY : ICL_METRIC_MACRO_F1;
    const char *const columns[] = { "<strategy",     icl_report_metric_name(task->metric),
                                    "95 % interval", icl_report_metric_name(other),
                                    "ECE",           "Brier",
                                    "shots",         "trie tokens",
                                    "tokens before" };
    icl_html_table_begin(out, "Figures of each strategy, means over seeds", columns,
                         sizeof columns / sizeof *columns);
    for (size_t s = 0; s < count; s++) {
        const icl_compare_figures *figures = &task->figures[s];
        append_row_head(out, s + 1, names[s]);
        icl_text_printf(out, "<td>%.3f</td>", figures->value);
        icl_html_interval_cell(out, figures->ci95, false);
        icl_text_printf(out, "<td>%.3f</td><td>%.3f</td><td>%.3f</td><td>%zu</td><td>",
                        f1 ? figures->accuracy : figures->macro_f1, figures->ece, figures->brier,
                        figures->shots);
        icl_html_count(out, figures->tokens_trie);
        icl_text_append_string(out, "</td><td>");
        icl_html_count(out, figures->tokens_before);
        icl_text_append_string(out, "</td></tr>\n");
    }
    icl_html_table_end(out);
}

static void append_pair(icl_text *out, const icl_compare_pair *pair)
{
    icl_text_printf(out, "<tr><th scope=\"row\">%zu less %zu</th><td>%+.3f</td>", pair->first + 1,
                    pair->second + 1, pair->difference);
    icl_html_interval_cell(out, pair->ci95, true);
    icl_text_printf(out, "<td>%zu</td><td>%zu</td><td>", pair->first_only, pair->second_only);
    icl_compare_append_p(out, pair->p, 0);
    icl_text_append_string(out, "</td><td>");
    icl_compare_append_p(out, pair->p_holm, 0);
    icl_text_append_string(out, pair->decided ? "</td><td><b>yes</b></td></tr>\n"
                                              : "</td><td>no</td></tr>\n");
}

static void append_pairs(icl_text *out, const icl_compare_task *task)
{
    static const char *const columns[] = {
        "<strategies",           "difference", "95 % interval", "only the first right",
        "only the second right", "p",          "p (Holm)",      "decided"
    };
    icl_html_table_begin(out, "Differences", columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < task->pair_count; i++) append_pair(out, &task->pairs[i]);
    icl_html_table_end(out);
}

static void append_task(icl_text *out, const icl_compare *compare, size_t index, char *const *names)
{
    const icl_compare_task task = icl_compare_task_at(compare, index);
    icl_text_append_string(out, "<h2>");
    icl_html_user(out, task.name);
    icl_text_printf(out,
                    "</h2>\n<p>%zu queries, %zu labels, pool of %zu; the majority class has "
                    "accuracy %.3f. All strategies together take ",
                    task.query_count, task.label_count, task.pool_count, task.majority_accuracy);
    icl_html_count(out, task.tokens_trie);
    icl_text_append_string(out, " tokens in the trie, one after another ");
    icl_html_count(out, icl_compare_tokens_apart(compare, index));
    icl_text_append_string(out, ".</p>\n");
    append_pairs(out, &task);
    append_figures(out, &task, icl_compare_get_summary(compare)->strategy_count, names);
}

static const char explanation[] =
    "<h2>How to read it</h2>\n"
    "<p>A value is the mean of the task's metric over seeds. Intervals hold 95&nbsp;% of the "
    "resamples of queries and seeds, each drawn with replacement; all strategies share the "
    "resamples, so those of differences are paired. p is McNemar's exact test, in which a query "
    "counts once with its answers under all seeds; p (Holm) accounts for all pairs of the task. A "
    "pair is decided where p (Holm) is below 0.05 and the interval of the difference does not hold "
    "0.</p>\n"
    "<p>Trie tokens are those of a strategy's prompts alone, tokens before those that its methods "
    "asked to choose and order demonstrations and that no strategy above it had asked for. Seconds "
    "and memory are in meter.json.</p>\n";

static icl_status append_page(icl_text *out, const icl_compare *compare, char *const *names)
{
    const icl_compare_summary *summary = icl_compare_get_summary(compare);
    icl_text title = { 0 };
    icl_text_printf(&title, "%zu strategies compared", summary->strategy_count);
    icl_html_begin(out, "icl compare", icl_text_string(&title));
    out->failed |= title.failed;
    icl_text_deinit(&title);
    append_facts(out, summary);
    append_strategies(out, summary, names);
    ICL_TRY(append_picture(out, compare, names));
    for (size_t t = 0; t < summary->task_count; t++) append_task(out, compare, t, names);
    icl_text_append_string(out, explanation);
    icl_html_end(out);
    return ICL_OK;
}

icl_status icl_html_write_compare(const icl_compare *compare, char *const *names,
                                  const char *folder)
{
    icl_text page = { 0 };
    icl_status status = append_page(&page, compare, names);
    if (status == ICL_OK) status = icl_report_write_text(folder, "report.html", &page);
    icl_text_deinit(&page);
    return status;
}
