/* A comparison for people: the table on the terminal, at most 80 columns, and the page. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <icl/report.h>

#include "base/error.h"
#include "report/compare_parts.h"
#include "report/figures.h"
#include "report/strategy_names.h"

void icl_compare_append_p(icl_text *out, double p, int width)
{
    if (p >= 0.001)
        icl_text_printf(out, "%*.3f", width, p);
    else
        icl_text_printf(out, "%*.0e", width, p);
}

void icl_compare_append_seeds(icl_text *out, const icl_compare_summary *summary)
{
    icl_text_printf(out, "seed%s %" PRIu64, summary->seed_count == 1 ? "" : "s", summary->seed);
    if (summary->seed_count > 1)
        icl_text_printf(out, " to %" PRIu64, summary->seed + summary->seed_count - 1);
}

/* ---- the table ---- */

static void append_head(icl_text *out, const icl_compare_summary *summary, char *const *names)
{
    icl_text_printf(out, "model     %s\n", summary->model);
    icl_text_printf(out, "compared  %zu strategies, ", summary->strategy_count);
    icl_compare_append_seeds(out, summary);
    icl_text_append_string(out, ", 95 % intervals over queries and seeds\n\n");
    for (size_t s = 0; s < summary->strategy_count; s++)
        icl_text_printf(out, "%4zu  %s\n", s + 1, names[s]);
}

static void append_figures(icl_text *out, const icl_compare *compare, size_t index,
                           double tokens_per_second)
{
    const icl_compare_task task = icl_compare_task_at(compare, index);
    icl_text_printf(out, "%4s %9s  %-14s  %6s %6s %12s %9s", "",
                    icl_report_metric_name(task.metric), "95 % interval", "ECE", "shots",
                    "trie tokens", "before");
    icl_text_append_string(out, tokens_per_second > 0 ? "    alone\n" : "\n");
    for (size_t s = 0; s < icl_compare_get_summary(compare)->strategy_count; s++) {
        const icl_compare_figures *figures = &task.figures[s];
        const uint64_t tokens = figures->tokens_trie + figures->tokens_before;
        icl_text_printf(out, "%4zu %9.3f  %.3f .. %.3f  %6.3f %6zu %12" PRIu64 " %9" PRIu64, s + 1,
                        figures->value, figures->ci95[0], figures->ci95[1], figures->ece,
                        figures->shots, figures->tokens_trie, figures->tokens_before);
        if (tokens_per_second > 0)
            icl_text_printf(out, " %6.1f s", (double)tokens / tokens_per_second);
        icl_text_append_char(out, '\n');
    }
}

static void append_pairs(icl_text *out, const icl_compare_task *task)
{
    icl_text_printf(out, "\n%9s %10s  %-16s  %14s  %7s  %8s\n", "pair", "difference",
                    "95 % interval", "only one right", "p", "p (Holm)");
    for (size_t i = 0; i < task->pair_count; i++) {
        const icl_compare_pair *pair = &task->pairs[i];
        icl_text_printf(out, "%4zu - %-2zu %+10.3f  %+.3f .. %+.3f  %6zu %7zu  ", pair->first + 1,
                        pair->second + 1, pair->difference, pair->ci95[0], pair->ci95[1],
                        pair->first_only, pair->second_only);
        icl_compare_append_p(out, pair->p, 7);
        icl_text_append_string(out, "  ");
        icl_compare_append_p(out, pair->p_holm, 8);
        icl_text_append_string(out, pair->decided ? " *\n" : "\n");
    }
}

static void append_task(icl_text *out, const icl_compare *compare, size_t index,
                        double tokens_per_second)
{
    const icl_compare_task task = icl_compare_task_at(compare, index);
    const uint64_t apart = icl_compare_tokens_apart(compare, index);
    icl_text_printf(out, "\n%s: %zu queries, %zu labels, pool of %zu, majority class %.3f\n",
                    task.name, task.query_count, task.label_count, task.pool_count,
                    task.majority_accuracy);
    append_figures(out, compare, index, tokens_per_second);
    icl_text_printf(out, "     together %" PRIu64 " tokens, one after another %" PRIu64 "\n",
                    task.tokens_trie, apart);
    append_pairs(out, &task);
}

static void append_meter(icl_text *out, const icl_report_meter *meter, double tokens_per_second)
{
    icl_text_append_string(out, "\n* p (Holm) below 0.05 and an interval without 0\n\n");
    icl_text_printf(out, "evaluated  %" PRIu64 " tokens", meter->meter.tokens_evaluated);
    if (tokens_per_second > 0)
        icl_text_printf(out, " in %.1f s, %.0f tokens/s", meter->meter.seconds, tokens_per_second);
    if (meter->meter.requests_cached > 0)
        icl_text_printf(out, "; %" PRIu64 " answers from the journal",
                        meter->meter.requests_cached);
    icl_text_append_char(out, '\n');
}

icl_status icl_report_compare_table(char **out_text, const icl_compare *compare,
                                    const icl_report_meter *meter)
{
    const icl_compare_summary *summary = icl_compare_get_summary(compare);
    const double tokens_per_second = icl_report_tokens_per_second(meter);
    icl_text text = { 0 };
    char **names = NULL;
    ICL_TRY(icl_strategy_names_new(&names, summary->strategies, summary->strategy_count));
    append_head(&text, summary, names);
    for (size_t t = 0; t < summary->task_count; t++)
        append_task(&text, compare, t, tokens_per_second);
    append_meter(&text, meter, tokens_per_second);
    const icl_status status = icl_text_status(&text);
    if (status == ICL_OK) *out_text = icl_text_take(&text, NULL);
    icl_text_deinit(&text);
    icl_strategy_names_free(names, summary->strategy_count);
    return status;
}

/* ---- the page ---- */

static const char explanation[] =
    "A value is the mean of the task's metric over seeds. Intervals hold 95 % of the resamples of\n"
    "queries and seeds, each drawn with replacement; all strategies share the resamples, so those\n"
    "of differences are paired. p is McNemar's exact test, in which a query counts once with its\n"
    "answers under all seeds; p (Holm) accounts for all pairs of the task. A pair is decided "
    "where\n"
    "p (Holm) is below 0.05 and the interval of the difference does not hold 0.\n"
    "\n"
    "Trie tokens are those of a strategy's prompts alone, tokens before those that its methods\n"
    "asked to choose and order demonstrations and that no strategy above it had asked for.\n";

static void append_page_head(icl_text *out, const icl_compare_summary *summary, char *const *names)
{
    icl_text_printf(out, "# %zu strategies compared\n\nModel %s (`%s`), ", summary->strategy_count,
                    summary->model, summary->model_identity);
    icl_compare_append_seeds(out, summary);
    icl_text_printf(out, ", %zu resamples.\n\n", summary->resample_count);
    for (size_t s = 0; s < summary->strategy_count; s++)
        icl_text_printf(out, "%zu. %s: `%s`\n", s + 1, names[s], summary->strategies[s]);
    icl_text_printf(out, "\n%s\n![values with intervals](compare.svg)\n", explanation);
}

/* The metric that strategies are not compared by stands beside. */
static void append_page_figures(icl_text *out, const icl_compare *compare,
                                const icl_compare_task *task)
{
    const icl_compare_summary *summary = icl_compare_get_summary(compare);
    const bool f1 = task->metric == ICL_METRIC_MACRO_F1;
    icl_text_printf(out,
                    "| strategy | %s | 95 %% interval | by seed | %s | ECE | Brier | shots | "
                    "trie tokens | tokens before |\n|---|---|---|---|---|---|---|---|---|---|\n",
                    icl_report_metric_name(task->metric),
                    icl_report_metric_name(f1 ? ICL_METRIC_ACCURACY : ICL_METRIC_MACRO_F1));
    for (size_t s = 0; s < summary->strategy_count; s++) {
        const icl_compare_figures *figures = &task->figures[s];
        icl_text_printf(out, "| %zu | %.4f | %.4f to %.4f |", s + 1, figures->value,
                        figures->ci95[0], figures->ci95[1]);
        for (size_t seed = 0; seed < summary->seed_count; seed++)
            icl_text_printf(out, " %.4f", figures->by_seed[seed]);
        icl_text_printf(out, " | %.4f | %.4f | %.4f | %zu | %" PRIu64 " | %" PRIu64 " |\n",
                        f1 ? figures->accuracy : figures->macro_f1, figures->ece, figures->brier,
                        figures->shots, figures->tokens_trie, figures->tokens_before);
    }
}

static void append_page_pairs(icl_text *out, const icl_compare_task *task)
{
    icl_text_append_string(out, "\n| pair | difference | 95 % interval | only the first right | "
                                "only the second right | p | p (Holm) | decided |\n"
                                "|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < task->pair_count; i++) {
        const icl_compare_pair *pair = &task->pairs[i];
        icl_text_printf(out, "| %zu - %zu | %+.4f | %+.4f to %+.4f | %zu | %zu | ", pair->first + 1,
                        pair->second + 1, pair->difference, pair->ci95[0], pair->ci95[1],
                        pair->first_only, pair->second_only);
        icl_compare_append_p(out, pair->p, 0);
        icl_text_append_string(out, " | ");
        icl_compare_append_p(out, pair->p_holm, 0);
        icl_text_append_string(out, pair->decided ? " | yes |\n" : " | no |\n");
    }
}

void icl_compare_append_markdown(icl_text *out, const icl_compare *compare, char *const *names)
{
    const icl_compare_summary *summary = icl_compare_get_summary(compare);
    append_page_head(out, summary, names);
    for (size_t t = 0; t < summary->task_count; t++) {
        const icl_compare_task task = icl_compare_task_at(compare, t);
        icl_text_printf(out,
                        "\n## %s\n\n%zu queries, %zu labels, pool of %zu; the majority class has "
                        "accuracy %.4f. All strategies together take %" PRIu64
                        " tokens in the trie, one after another %" PRIu64 ".\n\n",
                        task.name, task.query_count, task.label_count, task.pool_count,
                        task.majority_accuracy, task.tokens_trie,
                        icl_compare_tokens_apart(compare, t));
        append_page_figures(out, compare, &task);
        append_page_pairs(out, &task);
    }
}
