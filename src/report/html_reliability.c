/* Reliability diagrams: how often an answer of some probability is right. */
#include "base/error.h"
#include "report/html.h"
#include "report/html_parts.h"
#include "report/svg.h"

enum {
    WIDTH = 400,
    HEIGHT = 330,
    LEFT = 50,
    TOP = 24,
    SIDE = 320, /* of the plot, across */
    RISE = 240, /* of the plot, upwards */
    BIN = SIDE / ICL_RELIABILITY_BINS,
};

static double y_at(double share)
{
    return TOP + RISE * (1 - share);
}

static void append_axes(icl_text *out)
{
    enum { STEPS = 5 };
    for (int i = 0; i <= STEPS; i++) {
        const double share = (double)i / STEPS;
        icl_text_printf(out,
                        "<path class=\"grid\" d=\"M%d %.1fh%d\"/><text x=\"%d\" y=\"%.1f\" "
                        "text-anchor=\"end\">%.1f</text><text x=\"%d\" y=\"%d\" "
                        "text-anchor=\"middle\">%.1f</text>\n",
                        LEFT, y_at(share), SIDE, LEFT - 8, y_at(share) + 4, share,
                        LEFT + SIDE * i / STEPS, TOP + RISE + 18, share);
    }
    icl_text_printf(out,
                    "<path class=\"axis\" stroke-dasharray=\"4 4\" d=\"M%d %dL%d %d\"/>"
                    "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">probability of the answer"
                    "</text><text transform=\"translate(14 %d) rotate(-90)\" "
                    "text-anchor=\"middle\">share right</text>\n",
                    LEFT, TOP + RISE, LEFT + SIDE, TOP, LEFT + SIDE / 2, TOP + RISE + 40,
                    TOP + RISE / 2);
}

static void append_bin(icl_text *out, const icl_reliability_bin *bin, int index)
{
    if (bin->count == 0) return;
    const double share = (double)bin->correct / (double)bin->count;
    const double probability = bin->probability / (double)bin->count;
    const int left = LEFT + BIN * index;
    icl_text_printf(
        out,
        "<rect class=\"dot c0\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" "
        "fill-opacity=\".55\"/><path class=\"line c1\" d=\"M%d %.1fh%d\"/>"
        "<text x=\"%d\" y=\"%.1f\" font-size=\"11\" text-anchor=\"middle\">%zu</text>\n",
        left + 1, y_at(share), BIN - 2, RISE * share, left + 1, y_at(probability), BIN - 2,
        left + BIN / 2, y_at(share > probability ? share : probability) - 5, bin->count);
}

static void append_diagram(icl_text *out, const char *title,
                           const icl_reliability_bin bins[ICL_RELIABILITY_BINS])
{
    icl_svg_begin(out, WIDTH, HEIGHT, title);
    append_axes(out);
    for (int i = 0; i < ICL_RELIABILITY_BINS; i++) append_bin(out, &bins[i], i);
    icl_svg_end(out);
}

static void append_figure(icl_text *out, const char *name, double ece,
                          const icl_reliability_bin bins[ICL_RELIABILITY_BINS])
{
    icl_text words = { 0 };
    icl_text_printf(&words, "Reliability %s", name);
    icl_html_figure_begin(out);
    append_diagram(out, icl_text_string(&words), bins);
    icl_text_clear(&words);
    icl_text_printf(&words, "%c%s: calibration error (ECE) %.3f", name[0] - 'a' + 'A', name + 1,
                    ece);
    icl_html_figure_end(out, icl_text_string(&words));
    out->failed |= words.failed;
    icl_text_deinit(&words);
}

static void append_bin_cells(icl_text *out, const icl_reliability_bin *bin)
{
    if (bin->count == 0)
        icl_text_append_string(out, "<td>0</td><td></td><td></td>");
    else
        icl_text_printf(out, "<td>%zu</td><td>%.3f</td><td>%.3f</td>", bin->count,
                        bin->probability / (double)bin->count,
                        (double)bin->correct / (double)bin->count);
}

/* One set of bins, or those before and after calibration. */
static void append_bin_table(icl_text *out, const icl_reliability_bin *const *sets,
                             size_t set_count)
{
    static const char *const one[] = { "<probability", "queries", "mean", "right" };
    static const char *const two[] = { "<probability", "queries before", "mean before",
                                       "right before", "queries after",  "mean after",
                                       "right after" };
    icl_text_append_string(out, "<details>\n<summary>The bins as numbers</summary>\n");
    if (set_count == 1)
        icl_html_table_begin(out, "Bins of the answer's probability", one,
                             sizeof one / sizeof *one);
    else
        icl_html_table_begin(out, "Bins of the answer's probability, before and after calibration",
                             two, sizeof two / sizeof *two);
    for (int i = 0; i < ICL_RELIABILITY_BINS; i++) {
        icl_text_printf(out, "<tr><th scope=\"row\">%.1f to %.1f</th>",
                        (double)i / ICL_RELIABILITY_BINS, (double)(i + 1) / ICL_RELIABILITY_BINS);
        for (size_t s = 0; s < set_count; s++) append_bin_cells(out, &sets[s][i]);
        icl_text_append_string(out, "</tr>\n");
    }
    icl_html_table_end(out);
    icl_text_append_string(out, "</details>\n");
}

icl_status icl_html_reliability(icl_text *out, const icl_run *run, const icl_outcome *outcome)
{
    const icl_run_summary *summary = icl_run_get_summary(run);
    icl_reliability_bin before[ICL_RELIABILITY_BINS], after[ICL_RELIABILITY_BINS];
    ICL_TRY(icl_metrics_reliability(before, &outcome->uncalibrated));
    ICL_TRY(icl_metrics_reliability(after, &outcome->calibrated));
    icl_text_append_string(out, "<h2>Reliability</h2>\n<p>Queries by the probability of their "
                                "answer. A bar is the share of them answered right, the line "
                                "across it their mean probability, the number how many they are. "
                                "Where probabilities mean what they say, bars end at their "
                                "lines.</p>\n<div class=\"pair\">\n");
    const bool both = icl_outcome_is_calibrated(summary);
    const icl_reliability_bin *const sets[] = { both ? before : after, after };
    if (both) append_figure(out, "before calibration", summary->uncalibrated.ece, before);
    append_figure(out, both ? "after calibration" : "without calibration", summary->metrics.ece,
                  after);
    icl_text_append_string(out, "</div>\n");
    append_bin_table(out, sets, both ? 2 : 1);
    return ICL_OK;
}
