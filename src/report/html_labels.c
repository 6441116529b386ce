/* What happened to each label: the confusion matrix, figures and biases. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "report/html.h"
#include "report/html_parts.h"

enum {
    MATRIX_LABELS_MAX = 200, /* beyond it nobody reads a matrix, and the page grows by megabytes */
    CONFUSIONS_SHOWN = 10,
    HEAD_BYTES_MAX = 28, /* of a label that stands above or beside the matrix */
};

/* ---- confusion matrix ---- */

/* A label taken for another. */
typedef struct confusion {
    size_t gold, predicted, count;
} confusion;

/* The most frequent first, ties as they stand in the matrix. */
static int by_count(const void *a, const void *b)
{
    const confusion *first = a, *second = b;
    if (first->count != second->count) return first->count < second->count ? 1 : -1;
    if (first->gold != second->gold) return first->gold < second->gold ? -1 : 1;
    return (first->predicted > second->predicted) - (first->predicted < second->predicted);
}

static size_t find_confusions(confusion *out, const size_t *counts, size_t labels)
{
    size_t found = 0;
    for (size_t gold = 0; gold < labels; gold++)
        for (size_t predicted = 0; predicted < labels; predicted++)
            if (gold != predicted && counts[gold * labels + predicted] > 0)
                out[found++] = (confusion){ gold, predicted, counts[gold * labels + predicted] };
    qsort(out, found, sizeof *out, by_count);
    return found;
}

static void append_confusions(icl_text *out, const icl_label_space *labels,
                              const confusion *confusions, size_t count,
                              const icl_class_metrics *classes)
{
    static const char *const columns[] = { "<label", "<answered", "queries", "of the label" };
    if (count == 0) {
        icl_text_append_string(out, "<p>Every query was answered right.</p>\n");
        return;
    }
    icl_html_table_begin(out, "The most frequent confusions", columns,
                         sizeof columns / sizeof *columns);
    for (size_t i = 0; i < count && i < CONFUSIONS_SHOWN; i++) {
        icl_text_append_string(out, "<tr><th scope=\"row\">");
        icl_html_label(out, icl_label_space_name(labels, confusions[i].gold));
        icl_text_append_string(out, "</th><td class=\"text\">");
        icl_html_label(out, icl_label_space_name(labels, confusions[i].predicted));
        icl_text_printf(out, "</td><td>%zu</td>", confusions[i].count);
        icl_html_share_cell(out, (double)confusions[i].count /
                                     (double)classes[confusions[i].gold].gold_count);
        icl_text_append_string(out, "</tr>\n");
    }
    icl_html_table_end(out);
}

static void append_matrix_head(icl_text *out, const icl_label_space *labels)
{
    icl_text_append_string(out, "<table class=\"matrix\">\n<caption>Rows are the queries' labels, "
                                "columns the answers; the darker, the larger the share of the "
                                "row</caption>\n<thead>\n<tr><td></td>");
    for (size_t i = 0; i < icl_label_space_count(labels); i++) {
        icl_text_append_string(out, "<th scope=\"col\"><span>");
        icl_html_name(out, icl_label_space_name(labels, i), HEAD_BYTES_MAX);
        icl_text_append_string(out, "</span></th>");
    }
    icl_text_append_string(out, "</tr>\n</thead>\n<tbody>\n");
}

static void append_matrix_row(icl_text *out, const size_t *counts, size_t labels, size_t gold,
                              size_t gold_count)
{
    for (size_t predicted = 0; predicted < labels; predicted++) {
        if (counts[predicted] == 0)
            icl_text_append_string(out, "<td class=\"zero\">0</td>");
        else
            icl_text_printf(out, "<td class=\"%s\" style=\"--s:%.2f\">%zu</td>",
                            predicted == gold ? "right" : "wrong",
                            (double)counts[predicted] / (double)gold_count, counts[predicted]);
    }
}

static void append_matrix(icl_text *out, const icl_label_space *labels, const size_t *counts,
                          const icl_class_metrics *classes)
{
    const size_t count = icl_label_space_count(labels);
    icl_html_scroll_begin(out, "Confusion matrix");
    append_matrix_head(out, labels);
    for (size_t gold = 0; gold < count; gold++) {
        icl_text_append_string(out, "<tr><th scope=\"row\">");
        icl_html_name(out, icl_label_space_name(labels, gold), HEAD_BYTES_MAX);
        icl_text_append_string(out, "</th>");
        append_matrix_row(out, counts + gold * count, count, gold, classes[gold].gold_count);
        icl_text_append_string(out, "</tr>\n");
    }
    icl_html_small_table_end(out);
    icl_html_scroll_end(out);
}

icl_status icl_html_confusion(icl_text *out, const icl_run *run, const icl_outcome *outcome)
{
    const icl_label_space *labels = icl_run_labels(run);
    const size_t count = icl_label_space_count(labels);
    size_t *counts = calloc(count * count, sizeof *counts);
    confusion *confusions = calloc(count * count, sizeof *confusions);
    icl_status status = ICL_OK;
    if (counts == NULL || confusions == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for the confusions of %zu labels", count);
    if (status == ICL_OK) status = icl_metrics_confusion(counts, &outcome->calibrated);
    if (status == ICL_OK) {
        const size_t found = find_confusions(confusions, counts, count);
        icl_text_append_string(out, "<h2>Confusions</h2>\n");
        append_confusions(out, labels, confusions, found, outcome->classes);
        if (count <= MATRIX_LABELS_MAX)
            append_matrix(out, labels, counts, outcome->classes);
        else
            icl_text_printf(out, "<p>A matrix of %zu labels is left out.</p>\n", count);
    }
    free(confusions);
    free(counts);
    return status;
}

/* ---- figures and biases ---- */

static double largest_bias(const icl_outcome *outcome)
{
    double largest = 0;
    for (size_t i = 0; i < outcome->calibrated.label_count; i++) {
        largest = fmax(largest, fabs(outcome->classes[i].bias));
        largest = fmax(largest, fabs(outcome->classes_uncalibrated[i].bias));
    }
    return largest;
}

void icl_html_labels(icl_text *out, const icl_run *run, const icl_outcome *outcome)
{
    /* The biases' columns are equally wide, so that their bars can be compared. */
    static const char *const columns[] = { "<label", "queries",     "answered",
                                           "right",  "precision",   "recall",
                                           "F1",     "bias before", "bias after" };
    static const char *const fewer[] = { "<label",    "queries", "answered", "right",
                                         "precision", "recall",  "F1",       "bias" };
    const icl_label_space *labels = icl_run_labels(run);
    const double largest = largest_bias(outcome);
    const bool both = icl_outcome_is_calibrated(icl_run_get_summary(run));
    icl_text_append_string(out, "<h2>Labels</h2>\n<p>A label's bias is its mean probability over "
                                "all queries less the share of them that has it: above 0 it is "
                                "given too much.</p>\n");
    if (both)
        icl_html_table_begin(out,
                             "Figures of each label, and its bias before and after calibration",
                             columns, sizeof columns / sizeof *columns);
    else
        icl_html_table_begin(out, "Figures and bias of each label", fewer,
                             sizeof fewer / sizeof *fewer);
    for (size_t i = 0; i < icl_label_space_count(labels); i++) {
        const icl_class_metrics *figures = &outcome->classes[i];
        icl_text_append_string(out, "<tr><th scope=\"row\">");
        icl_html_label(out, icl_label_space_name(labels, i));
        icl_text_printf(out,
                        "</th><td>%zu</td><td>%zu</td><td>%zu</td><td>%.3f</td><td>%.3f</td>"
                        "<td>%.3f</td>",
                        figures->gold_count, figures->predicted_count, figures->correct,
                        figures->precision, figures->recall, figures->f1);
        if (both) icl_html_signed_cell(out, outcome->classes_uncalibrated[i].bias, largest);
        icl_html_signed_cell(out, figures->bias, largest);
        icl_text_append_string(out, "</tr>\n");
    }
    icl_html_table_end(out);
}
