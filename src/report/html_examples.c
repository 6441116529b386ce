/* Queries as they were asked: the first ones, and the wrong answers the model was surest of. */
#include <stdlib.h>

#include "base/error.h"
#include "math/topk.h"
#include "pipeline/run_answers.h"
#include "report/html.h"
#include "report/html_parts.h"

enum { FIRST_SHOWN = 3, WRONG_SHOWN = 5, LABELS_SHOWN = 5 };

/* ---- scores ---- */

static void append_score_row(icl_text *out, const icl_run *run, const icl_run_sample *sample,
                             size_t label)
{
    icl_text_append_string(out, "<tr><th scope=\"row\">");
    icl_html_label(out, icl_label_space_name(icl_run_labels(run), label));
    icl_text_printf(out, "</th><td>%.3f</td>", sample->logprobs_nats[label]);
    icl_html_share_cell(out, sample->probabilities[label]);
    icl_text_append_string(out, "</tr>\n");
}

static void append_score_rows(icl_text *out, const icl_run *run, const icl_run_sample *sample,
                              const icl_scored *ranked, size_t shown)
{
    bool has_gold = sample->gold == ICL_LABEL_NONE;
    for (size_t i = 0; i < shown; i++) {
        append_score_row(out, run, sample, ranked[i].index);
        has_gold |= ranked[i].index == sample->gold;
    }
    if (!has_gold) append_score_row(out, run, sample, sample->gold);
}

static icl_status append_scores(icl_text *out, const icl_run *run, const icl_run_sample *sample)
{
    static const char *const columns[] = { "<label", "score", "probability" };
    const size_t count = icl_run_get_summary(run)->label_count;
    const size_t shown = count < LABELS_SHOWN ? count : LABELS_SHOWN;
    icl_scored *ranked = calloc(count, sizeof *ranked);
    if (ranked == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu labels", count);
    for (size_t i = 0; i < count; i++)
        ranked[i] = (icl_scored){ .score = sample->probabilities[i], .index = i };
    icl_topk(ranked, count, shown);
    icl_html_small_table_begin(out, shown < count ? "The most probable labels" : "Labels", columns,
                               sizeof columns / sizeof *columns);
    append_score_rows(out, run, sample, ranked, shown);
    icl_html_small_table_end(out);
    free(ranked);
    return ICL_OK;
}

/* ---- one query ---- */

static void append_answer(icl_text *out, const icl_run *run, const icl_run_sample *sample)
{
    const icl_label_space *labels = icl_run_labels(run);
    icl_text_append_string(out, "<p>Answered ");
    icl_html_label(out, icl_label_space_name(labels, sample->predicted));
    if (sample->gold == ICL_LABEL_NONE) {
        icl_text_append_string(out, ".</p>\n");
    } else if (sample->gold == sample->predicted) {
        icl_text_append_string(out, ": <span class=\"good\">right</span>.</p>\n");
    } else {
        icl_text_append_string(out, ": <span class=\"bad\">wrong</span>, the label is ");
        icl_html_label(out, icl_label_space_name(labels, sample->gold));
        icl_text_append_string(out, ".</p>\n");
    }
}

static void append_demonstrations(icl_text *out, const icl_run *run, size_t query, size_t count)
{
    if (count == 0) return;
    icl_text_printf(out,
                    "<details>\n<summary>%zu demonstration%s, the last nearest to the query"
                    "</summary>\n<ol>\n",
                    count, count == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++) {
        const icl_run_demonstration shown = icl_run_demonstration_at(run, query, i);
        icl_text_append_string(out, "<li><blockquote dir=\"auto\">");
        icl_markup_escape(out, shown.input);
        icl_text_append_string(out, "</blockquote><p>");
        icl_html_label(out, icl_label_space_name(icl_run_labels(run), shown.label));
        icl_text_append_string(out, " <span class=\"soft\">(");
        icl_html_label(out, shown.id);
        icl_text_append_string(out, ")</span></p></li>\n");
    }
    icl_text_append_string(out, "</ol>\n</details>\n");
}

static icl_status append_prompt(icl_text *out, const icl_run *run, size_t query)
{
    char *text = NULL;
    ICL_TRY(icl_run_prompt_text(&text, run, query));
    /* A line feed right behind <pre> is not part of the text. */
    icl_text_append_string(out, "<details>\n<summary>The prompt as the model was given it"
                                "</summary>\n<pre dir=\"auto\">\n");
    icl_markup_escape(out, text);
    icl_text_append_string(out, "</pre>\n</details>\n");
    free(text);
    return ICL_OK;
}

static icl_status append_example(icl_text *out, const icl_run *run, size_t query)
{
    const icl_run_sample sample = icl_run_sample_at(run, query);
    icl_text_append_string(out, "<article class=\"example\">\n<h4>Query ");
    icl_html_label(out, sample.id);
    icl_text_append_string(out, "</h4>\n<blockquote dir=\"auto\">");
    icl_markup_escape(out, icl_run_query_input(run, query));
    icl_text_append_string(out, "</blockquote>\n");
    append_answer(out, run, &sample);
    ICL_TRY(append_scores(out, run, &sample));
    append_demonstrations(out, run, query, sample.demonstration_count);
    const icl_status status = append_prompt(out, run, query);
    icl_text_append_string(out, "</article>\n");
    return status;
}

/* ---- which ones ---- */

/* The wrong answers with the probabilities of what was answered. */
static size_t find_wrong(icl_scored *out, const icl_run *run)
{
    size_t found = 0;
    for (size_t q = 0; q < icl_run_get_summary(run)->query_count; q++) {
        const icl_run_sample sample = icl_run_sample_at(run, q);
        if (sample.gold != ICL_LABEL_NONE && sample.gold != sample.predicted)
            out[found++] = (icl_scored){ sample.probabilities[sample.predicted], q };
    }
    return found;
}

static icl_status append_wrong(icl_text *out, const icl_run *run)
{
    const size_t count = icl_run_get_summary(run)->query_count;
    icl_scored *wrong = calloc(count, sizeof *wrong);
    if (wrong == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu queries", count);
    const size_t found = find_wrong(wrong, run);
    const size_t shown = found < WRONG_SHOWN ? found : WRONG_SHOWN;
    icl_status status = ICL_OK;
    icl_topk(wrong, found, shown);
    if (shown > 0)
        icl_text_printf(out, "<h3>The surest %zu of %zu wrong answers</h3>\n", shown, found);
    for (size_t i = 0; i < shown && status == ICL_OK; i++)
        status = append_example(out, run, wrong[i].index);
    free(wrong);
    return status;
}

icl_status icl_html_examples(icl_text *out, const icl_run *run)
{
    const size_t count = icl_run_get_summary(run)->query_count;
    const size_t shown = count < FIRST_SHOWN ? count : FIRST_SHOWN;
    icl_text_append_string(out, "<h2>Examples</h2>\n<p>Scores are those of the score method before "
                                "calibration, probabilities come after it.</p>\n");
    icl_text_printf(out, "<h3>The first %zu of %zu queries</h3>\n", shown, count);
    for (size_t q = 0; q < shown; q++) ICL_TRY(append_example(out, run, q));
    return append_wrong(out, run);
}
