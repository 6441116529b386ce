/* The leaderboard of a search: live lines, table, Markdown, JSON. search.json and leaderboard.md
 * hold no time and nothing of the machine: the same inputs give the same bytes. */
#include <icl/report.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "report/figures.h"
#include "report/folder.h"
#include "report/html_pages.h"
#include "report/search_parts.h"
#include "report/strategy_names.h"

static const char *metric_name(const icl_search *search)
{
    return icl_report_metric_name(icl_search_get_summary(search)->metric);
}

const char *icl_search_fate_name(icl_search_fate fate)
{
    static const char *const names[] = { [ICL_SEARCH_LEADS] = "leads",
                                         [ICL_SEARCH_REMAINS] = "remains",
                                         [ICL_SEARCH_DROPPED] = "dropped",
                                         [ICL_SEARCH_LEFT_OUT] = "left out" };
    return names[fate];
}

static icl_status take(char **out, icl_text *text)
{
    const icl_status status = icl_text_status(text);
    if (status == ICL_OK)
        *out = icl_text_take(text, NULL);
    else
        icl_text_deinit(text);
    return status;
}

/* ---- lines and table ---- */

static void append_columns(icl_text *out, const char *metric)
{
    icl_text_printf(out,
                    "  #  %-8s  95 %% interval   less the leader's       queries  tokens  "
                    "strategy\n",
                    metric);
}

icl_status icl_search_names_new(char ***out, const icl_search *search)
{
    const size_t count = icl_search_get_summary(search)->candidate_count;
    const char **lines = calloc(count, sizeof *lines);
    if (lines == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu strategies", count);
    for (size_t rank = 0; rank < count; rank++)
        lines[rank] = icl_search_candidate_at(search, rank).strategy;
    const icl_status status = icl_strategy_names_new(out, lines, count);
    free(lines);
    return status;
}

/* One strategy as a row, without line break. */
static void append_row(icl_text *out, size_t rank, const icl_search_candidate *row,
                       const char *name)
{
    icl_text_printf(out, "%3zu  ", rank + 1);
    if (row->round_count == 0) {
        icl_text_printf(out, "%-8s  %-14s  %-22s  %7s  %6s  %s", "-", "", "", "", "", name);
        return;
    }
    icl_text_printf(out, "%-8.3f  %.3f .. %.3f  ", row->value, row->value_ci95[0],
                    row->value_ci95[1]);
    if (row->fate == ICL_SEARCH_LEADS)
        icl_text_printf(out, "%-22s", "");
    else
        icl_text_printf(out, "%+.3f %+.3f .. %+.3f", row->difference, row->difference_ci95[0],
                        row->difference_ci95[1]);
    icl_text_printf(out, "  %7zu  %6.0f  %s", row->query_count, row->tokens_per_query, name);
}

/* The same in fewer columns. */
static void append_short_row(icl_text *out, size_t rank, const icl_search_candidate *row,
                             const char *name)
{
    if (row->round_count == 0)
        icl_text_printf(out, "%3zu  %-8s  %-14s  %7s  %s", rank + 1, "-", "", "", name);
    else
        icl_text_printf(out, "%3zu  %-8.3f  %.3f .. %.3f  %7zu  %s", rank + 1, row->value,
                        row->value_ci95[0], row->value_ci95[1], row->query_count, name);
}

icl_status icl_report_search_lines(char **out_text, const icl_search *search, size_t count,
                                   size_t columns)
{
    icl_text text = { 0 };
    char **names = NULL;
    const size_t all = icl_search_get_summary(search)->candidate_count;
    ICL_TRY(icl_search_names_new(&names, search));
    icl_text_printf(&text, "  #  %-8s  95 %% interval   queries  strategy\n", metric_name(search));
    for (size_t rank = 0; rank < count && rank < all; rank++) {
        const icl_search_candidate row = icl_search_candidate_at(search, rank);
        const size_t start = text.length;
        append_short_row(&text, rank, &row, names[rank]);
        if (!text.failed && text.length - start > columns) {
            text.length = start + columns;
            text.bytes[text.length] = '\0';
        }
        icl_text_append_char(&text, '\n');
    }
    icl_strategy_names_free(names, all);
    return take(out_text, &text);
}

static void append_pool(icl_text *out, const icl_search_summary *summary)
{
    icl_text_printf(out, "pool of %zu", summary->pool_count);
    if (summary->pool_apart_count > 0)
        icl_text_printf(out, " (%zu for what is fitted to its labels)", summary->pool_apart_count);
}

void icl_search_append_expected(icl_text *out, const icl_search *search)
{
    icl_text_printf(out, "%.3f %s on new queries; the %.3f above is of those that chose it",
                    icl_search_get_summary(search)->value_expected, metric_name(search),
                    icl_search_candidate_at(search, 0).value);
}

static void append_data(icl_text *out, const icl_search_summary *summary)
{
    icl_text_printf(out, "task           %s\nmodel          %s\n", summary->task, summary->model);
    icl_text_printf(out, "data           %zu queries drawn from %zu training examples, ",
                    summary->validation_count, summary->train_count);
    append_pool(out, summary);
    icl_text_printf(out, ", %zu labels, seed %" PRIu64 "\n\n", summary->label_count, summary->seed);
}

static void append_rounds(icl_text *out, const icl_search *search)
{
    const size_t count = icl_search_get_summary(search)->round_count;
    for (size_t r = 0; r < count; r++) {
        const icl_search_round round = icl_search_round_at(search, r);
        icl_text_printf(out, "%s%zu %s on %zu queries", r == 0 ? "" : ", ", round.candidate_count,
                        round.candidate_count == 1 ? "strategy" : "strategies", round.query_count);
    }
}

void icl_search_append_gain(icl_text *out, const icl_search *search)
{
    const icl_search_summary *summary = icl_search_get_summary(search);
    icl_text_printf(out, "%.3f more %s expected of as many queries again",
                    summary->gain_of_doubling, metric_name(search));
    if (summary->queries_exhausted)
        icl_text_append_string(out, "; all are used, so that takes more labelled examples");
}

void icl_search_append_unseen(icl_text *out, const icl_search_summary *summary)
{
    enum { SHOWN_MAX = 5 };
    icl_text_printf(out, "%zu of %zu labels no query has:", summary->unseen_count,
                    summary->label_count);
    for (size_t i = 0; i < summary->unseen_count && i < SHOWN_MAX; i++)
        icl_text_printf(out, "%s \"%s\"", i == 0 ? "" : ",", summary->unseen[i]);
    if (summary->unseen_count > SHOWN_MAX) icl_text_append_string(out, ", ...");
}

static void append_notes(icl_text *out, const icl_search *search)
{
    const icl_search_summary *summary = icl_search_get_summary(search);
    if (summary->unseen_count > 0) {
        icl_text_append_string(out, "note           ");
        icl_search_append_unseen(out, summary);
        icl_text_append_char(out, '\n');
    }
    for (size_t rank = 0; rank < summary->candidate_count; rank++) {
        const icl_search_candidate row = icl_search_candidate_at(search, rank);
        if (row.fate == ICL_SEARCH_LEFT_OUT)
            icl_text_printf(out, "left out       %s: %s\n", row.brief, row.reason);
    }
}

icl_status icl_report_search_table(char **out_text, const icl_search *search,
                                   const icl_report_meter *meter)
{
    icl_text text = { 0 };
    char **names = NULL;
    const icl_search_summary *summary = icl_search_get_summary(search);
    ICL_TRY(icl_search_names_new(&names, search));
    append_data(&text, summary);
    append_columns(&text, metric_name(search));
    for (size_t rank = 0; rank < summary->candidate_count; rank++) {
        const icl_search_candidate row = icl_search_candidate_at(search, rank);
        append_row(&text, rank, &row, names[rank]);
        icl_text_append_char(&text, '\n');
    }
    icl_text_append_string(&text, "\nrounds         ");
    append_rounds(&text, search);
    icl_text_printf(&text, "\ntokens         %" PRIu64 " of a budget of %" PRIu64 ", %.1f s\n",
                    summary->tokens_spent, summary->budget_tokens, meter->meter.seconds);
    icl_text_append_string(&text, "expected       ");
    icl_search_append_expected(&text, search);
    icl_text_append_string(&text, "\ntwice as much  ");
    icl_search_append_gain(&text, search);
    icl_text_append_char(&text, '\n');
    append_notes(&text, search);
    icl_text_printf(&text, "\nbest           %s\n", icl_search_candidate_at(search, 0).brief);
    icl_strategy_names_free(names, summary->candidate_count);
    return take(out_text, &text);
}

/* ---- Markdown ---- */

/* A bar would end the cell. */
static void append_cell(icl_text *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') icl_text_append_char(out, '\\');
        icl_text_append_char(out, *text);
    }
}

static void append_markdown_row(icl_text *out, size_t rank, const icl_search_candidate *row)
{
    icl_text_printf(out, "| %zu | `", rank + 1);
    append_cell(out, row->brief);
    if (row->round_count == 0) {
        icl_text_printf(out, "` | | | | | | %s: ", icl_search_fate_name(row->fate));
        append_cell(out, row->reason);
        icl_text_append_string(out, " |\n");
        return;
    }
    icl_text_printf(out, "` | %.3f | %.3f .. %.3f | ", row->value, row->value_ci95[0],
                    row->value_ci95[1]);
    if (row->fate != ICL_SEARCH_LEADS)
        icl_text_printf(out, "%+.3f (%+.3f .. %+.3f)", row->difference, row->difference_ci95[0],
                        row->difference_ci95[1]);
    icl_text_printf(out, " | %zu | %.0f | %s |\n", row->query_count, row->tokens_per_query,
                    icl_search_fate_name(row->fate));
}

static void append_markdown_facts(icl_text *out, const icl_search *search)
{
    const icl_search_summary *summary = icl_search_get_summary(search);
    icl_text_printf(out, "\n- Data: %zu queries drawn from %zu training examples, ",
                    summary->validation_count, summary->train_count);
    append_pool(out, summary);
    icl_text_printf(out,
                    ", %zu labels; seed %" PRIu64 ". The test file was not opened.\n- Expected: ",
                    summary->label_count, summary->seed);
    icl_search_append_expected(out, search);
    icl_text_append_string(out, ".\n- Rounds: ");
    append_rounds(out, search);
    icl_text_printf(out, ".\n- Tokens: %" PRIu64 " of a budget of %" PRIu64 ".\n- Twice as much: ",
                    summary->tokens_spent, summary->budget_tokens);
    icl_search_append_gain(out, search);
    icl_text_append_string(out, ".\n");
    if (summary->unseen_count == 0) return;
    icl_text_append_string(out, "- ");
    icl_search_append_unseen(out, summary);
    icl_text_append_string(out, ".\n");
}

static icl_status write_markdown(const icl_search *search, const char *folder)
{
    icl_text text = { 0 };
    const icl_search_summary *summary = icl_search_get_summary(search);
    icl_text_printf(&text, "# %s: the best strategy\n\n    %s\n\n", summary->task,
                    icl_search_candidate_at(search, 0).brief);
    icl_text_printf(&text,
                    "| | strategy | %s | 95 %% interval | less the best (95 %%) | queries | tokens "
                    "a query | |\n|---|---|---|---|---|---|---|---|\n",
                    metric_name(search));
    for (size_t rank = 0; rank < summary->candidate_count; rank++) {
        const icl_search_candidate row = icl_search_candidate_at(search, rank);
        append_markdown_row(&text, rank, &row);
    }
    append_markdown_facts(&text, search);
    const icl_status status = icl_report_write_text(folder, "leaderboard.md", &text);
    icl_text_deinit(&text);
    return status;
}

/* ---- JSON ---- */

static json_t *candidate_object(size_t rank, const icl_search_candidate *row)
{
    json_t *object = json_pack("{s:I, s:s, s:s, s:s, s:s, s:I, s:I}", "rank", (json_int_t)rank + 1,
                               "strategy", row->strategy, "brief", row->brief, "fate",
                               icl_search_fate_name(row->fate), "reason", row->reason, "rounds",
                               (json_int_t)row->round_count, "n", (json_int_t)row->query_count);
    if (row->round_count == 0) return object;
    const struct {
        const char *name;
        double value;
    } figures[] = { { "value", row->value },
                    { "accuracy", row->metrics.accuracy },
                    { "macro_f1", row->metrics.macro_f1 },
                    { "difference", row->difference },
                    { "better", row->better },
                    { "tokens_per_query", row->tokens_per_query } };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        json_object_set_new(object, figures[i].name, icl_report_number(figures[i].value));
    json_object_set_new(object, "value_ci95", icl_report_interval(row->value_ci95));
    json_object_set_new(object, "accuracy_ci95", icl_report_interval(row->metrics.accuracy_ci95));
    json_object_set_new(object, "difference_ci95", icl_report_interval(row->difference_ci95));
    return object;
}

static json_t *round_object(const icl_search_round *round)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "n", (json_int_t)round->query_count, "strategies",
                     (json_int_t)round->candidate_count, "dropped",
                     (json_int_t)round->dropped_count, "tokens_planned",
                     (json_int_t)round->tokens_planned, "tokens_left",
                     (json_int_t)round->tokens_left);
}

static void set_counts(json_t *object, const icl_search_summary *summary)
{
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = { { "seed", summary->seed },
                   { "train", summary->train_count },
                   { "pool", summary->pool_count },
                   { "pool_apart", summary->pool_apart_count },
                   { "validation", summary->validation_count },
                   { "labels", summary->label_count },
                   { "budget_tokens", summary->budget_tokens },
                   { "tokens_spent", summary->tokens_spent } };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        json_object_set_new(object, counts[i].name, json_integer((json_int_t)counts[i].value));
}

static json_t *search_object(const icl_search *search)
{
    const icl_search_summary *summary = icl_search_get_summary(search);
    json_t *rounds = json_array(), *candidates = json_array(), *unseen = json_array();
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s}", "task", summary->task, "strategy",
                               icl_search_candidate_at(search, 0).brief, "metric",
                               icl_report_metric_key(summary->metric), "model", summary->model,
                               "model_identity", summary->model_identity);
    set_counts(object, summary);
    json_object_set_new(object, "value_expected", icl_report_number(summary->value_expected));
    json_object_set_new(object, "gain_of_doubling", icl_report_number(summary->gain_of_doubling));
    json_object_set_new(object, "queries_exhausted", json_boolean(summary->queries_exhausted));
    for (size_t i = 0; i < summary->unseen_count; i++)
        json_array_append_new(unseen, json_string(summary->unseen[i]));
    for (size_t r = 0; r < summary->round_count; r++) {
        const icl_search_round round = icl_search_round_at(search, r);
        json_array_append_new(rounds, round_object(&round));
    }
    for (size_t rank = 0; rank < summary->candidate_count; rank++) {
        const icl_search_candidate row = icl_search_candidate_at(search, rank);
        json_array_append_new(candidates, candidate_object(rank, &row));
    }
    json_object_set_new(object, "labels_unseen", unseen);
    json_object_set_new(object, "rounds", rounds);
    json_object_set_new(object, "leaderboard", candidates);
    return object;
}

icl_status icl_report_search_json(char **out_json, const icl_search *search,
                                  const icl_report_meter *meter)
{
    json_t *object = search_object(search);
    json_object_set_new(object, "meter", icl_report_meter_object(meter));
    const icl_status status = icl_report_print_object(out_json, object);
    json_decref(object);
    return status;
}

icl_status icl_report_search_write(const icl_search *search, const icl_report_meter *meter,
                                   const char *folder)
{
    json_t *object = icl_report_meter_object(meter);
    icl_status status = icl_report_write_object(folder, "meter.json", object);
    json_decref(object);
    if (status == ICL_OK) status = write_markdown(search, folder);
    if (status == ICL_OK) status = icl_html_write_search(search, folder);
    if (status != ICL_OK) return status;
    object = search_object(search);
    status = icl_report_write_object(folder, "search.json", object);
    json_decref(object);
    return status;
}
