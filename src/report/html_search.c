/* report.html of a search. */
#include "report/html_pages.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "report/dot_plot.h"
#include "report/figures.h"
#include "report/folder.h"
#include "report/html.h"
#include "report/search_parts.h"
#include "report/strategy_names.h"

static void append_winner(icl_text *out, const icl_search *search)
{
    const icl_search_summary *summary = icl_search_get_summary(search);
    const icl_search_candidate best = icl_search_candidate_at(search, 0);
    icl_text_append_string(out, "<h2>The best strategy</h2>\n<p class=\"copy\">");
    icl_html_line(out, best.brief);
    icl_text_printf(
        out,
        "</p>\n<p class=\"headline\"><b>%.3f</b> %s on %zu queries, 95&nbsp;%% interval "
        "%.3f to %.3f; about <b>%.3f</b> is to be expected on new ones, since these have chosen "
        "it.</p>\n<p>One click selects the line; it goes after "
        "<code>icl run TASK --strategy</code>, in quotes.</p>\n",
        best.value, icl_report_metric_name(summary->metric), best.query_count, best.value_ci95[0],
        best.value_ci95[1], summary->value_expected);
}

/* ---- leaderboard ---- */

static void append_difference_cells(icl_text *out, const icl_search_candidate *row)
{
    if (row->fate == ICL_SEARCH_LEADS) {
        icl_text_append_string(out, "<td></td><td></td>");
        return;
    }
    icl_text_printf(out, "<td>%+.3f</td>", row->difference);
    icl_html_interval_cell(out, row->difference_ci95, true);
}

static void append_candidate(icl_text *out, size_t rank, const icl_search_candidate *row)
{
    icl_text_printf(out, "<tr><td>%zu</td><td class=\"wide\">", rank + 1);
    icl_html_line(out, row->brief);
    icl_text_append_string(out, "</td>");
    if (row->round_count == 0) {
        icl_text_append_string(out, "<td></td><td></td><td></td><td></td><td></td><td></td>");
    } else {
        icl_text_printf(out, "<td>%.3f</td>", row->value);
        icl_html_interval_cell(out, row->value_ci95, false);
        append_difference_cells(out, row);
        icl_text_printf(out, "<td>%zu</td><td>%.0f</td>", row->query_count, row->tokens_per_query);
    }
    icl_text_printf(out, "<td class=\"text\">%s", icl_search_fate_name(row->fate));
    if (row->reason[0] != '\0') {
        icl_text_append_string(out, ": ");
        icl_html_user(out, row->reason);
    }
    icl_text_append_string(out, "</td></tr>\n");
}

static void append_leaderboard(icl_text *out, const icl_search *search)
{
    const icl_search_summary *summary = icl_search_get_summary(search);
    const char *const columns[] = {
        "rank",          "<strategy",      icl_report_metric_name(summary->metric),
        "95 % interval", "less the best",  "95 % interval of that",
        "queries",       "tokens a query", "<what became of it"
    };
    icl_html_table_begin(out, "Leaderboard; figures are of a strategy's last round", columns,
                         sizeof columns / sizeof *columns);
    for (size_t rank = 0; rank < summary->candidate_count; rank++) {
        const icl_search_candidate row = icl_search_candidate_at(search, rank);
        append_candidate(out, rank, &row);
    }
    icl_html_table_end(out);
}

/* Those of the last round alone: values on other queries are no measure for these. */
static size_t fill_dots(icl_dot *dots, const icl_search *search, char *const *names)
{
    const icl_search_summary *summary = icl_search_get_summary(search);
    const size_t queries = icl_search_candidate_at(search, 0).query_count;
    size_t count = 0;
    for (size_t rank = 0; rank < summary->candidate_count; rank++) {
        const icl_search_candidate row = icl_search_candidate_at(search, rank);
        if (row.round_count == 0 || row.query_count != queries) continue;
        dots[count++] = (icl_dot){ .name = names[rank],
                                   .value = row.value,
                                   .low = row.value_ci95[0],
                                   .high = row.value_ci95[1] };
    }
    return count;
}

static icl_status append_picture(icl_text *out, const icl_search *search)
{
    const icl_search_summary *summary = icl_search_get_summary(search);
    icl_dot *dots = calloc(summary->candidate_count, sizeof *dots);
    char **names = NULL;
    icl_status status =
        dots != NULL ? ICL_OK : icl_error_set(ICL_ENOMEM, "out of memory for a picture");
    if (status == ICL_OK) status = icl_search_names_new(&names, search);
    if (status == ICL_OK) {
        const icl_dot_panel panel = { .title = "Strategies of the last round",
                                      .x_label = icl_report_metric_name(summary->metric),
                                      .dots = dots,
                                      .count = fill_dots(dots, search, names) };
        icl_html_figure_begin(out);
        icl_html_scroll_begin(out, "Strategies of the last round, as a picture");
        status = icl_dot_plot_svg(out, "Strategies of the last round with intervals", &panel, 1);
        icl_html_scroll_end(out);
        icl_html_figure_end(out, "Dots are values, bars their 95 % intervals. Strategies share "
                                 "their queries, so differences are surer than bars that overlap "
                                 "suggest; the leaderboard has them.");
    }
    icl_strategy_names_free(names, summary->candidate_count);
    free(dots);
    return status;
}

/* ---- rounds and facts ---- */

static void append_rounds(icl_text *out, const icl_search *search)
{
    static const char *const columns[] = { "round",   "strategies",
                                           "queries", "dropped after it",
                                           "tokens",  "tokens left before" };
    icl_text_append_string(out, "<h2>Rounds and cost</h2>\n");
    icl_html_table_begin(out, "Rounds", columns, sizeof columns / sizeof *columns);
    for (size_t r = 0; r < icl_search_get_summary(search)->round_count; r++) {
        const icl_search_round round = icl_search_round_at(search, r);
        icl_text_printf(out, "<tr><td>%zu</td><td>%zu</td><td>%zu</td><td>%zu</td><td>", r + 1,
                        round.candidate_count, round.query_count, round.dropped_count);
        icl_html_count(out, round.tokens_planned);
        icl_text_append_string(out, "</td><td>");
        icl_html_count(out, round.tokens_left);
        icl_text_append_string(out, "</td></tr>\n");
    }
    icl_html_table_end(out);
}

static void append_cost(icl_text *out, const icl_search *search)
{
    const icl_search_summary *summary = icl_search_get_summary(search);
    icl_text words = { 0 };
    icl_text_append_string(out, "<dl class=\"facts\">\n");
    icl_html_fact_count(out, "Tokens spent", summary->tokens_spent);
    icl_html_fact_count(out, "Budget", summary->budget_tokens);
    icl_search_append_gain(&words, search);
    icl_html_fact(out, "Twice as much", icl_text_string(&words));
    icl_text_append_string(out, "</dl>\n<p>Tokens are those of the trie: what all requests take "
                                "together, each shared beginning once. Seconds and memory are in "
                                "meter.json.</p>\n");
    if (summary->unseen_count > 0) {
        icl_text_clear(&words);
        icl_search_append_unseen(&words, summary);
        icl_text_append_string(out, "<p class=\"note\">");
        icl_html_user(out, icl_text_string(&words));
        icl_text_append_string(out, "</p>\n");
    }
    out->failed |= words.failed;
    icl_text_deinit(&words);
}

static void append_facts(icl_text *out, const icl_search_summary *summary)
{
    icl_text_append_string(out, "<h2>What was searched</h2>\n<dl class=\"facts\">\n");
    icl_html_fact(out, "Task", summary->task);
    icl_html_fact(out, "Model", summary->model);
    icl_html_fact_line(out, "Model file", summary->model_identity);
    icl_html_fact_count(out, "Strategies", summary->candidate_count);
    icl_html_fact_count(out, "Training examples", summary->train_count);
    icl_html_fact_count(out, "Queries drawn", summary->validation_count);
    icl_html_fact_count(out, "Pool of a query", summary->pool_count);
    if (summary->pool_apart_count > 0)
        icl_html_fact_count(out, "Pool of what is fitted to its labels", summary->pool_apart_count);
    icl_html_fact_count(out, "Labels", summary->label_count);
    icl_html_fact_printf(out, "Seed", "%" PRIu64, summary->seed);
    icl_text_append_string(out,
                           "</dl>\n<p>Queries were drawn from the training file; the test file "
                           "was not opened.</p>\n");
}

static icl_status append_page(icl_text *out, const icl_search *search)
{
    const icl_search_summary *summary = icl_search_get_summary(search);
    icl_html_begin(out, "icl search", summary->task);
    append_winner(out, search);
    icl_text_append_string(out, "<h2>Leaderboard</h2>\n");
    append_leaderboard(out, search);
    ICL_TRY(append_picture(out, search));
    append_rounds(out, search);
    append_cost(out, search);
    append_facts(out, summary);
    icl_html_end(out);
    return ICL_OK;
}

icl_status icl_html_write_search(const icl_search *search, const char *folder)
{
    icl_text page = { 0 };
    icl_status status = append_page(&page, search);
    if (status == ICL_OK) status = icl_report_write_text(folder, "report.html", &page);
    icl_text_deinit(&page);
    return status;
}
