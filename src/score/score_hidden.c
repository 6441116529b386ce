/* Hidden calibration: every label has a centroid, the mean last hidden state after prompts of
 * labelled pool items, the anchors; the nearest centroid wins. The state is the one that the output
 * table reads, so label words and their biases play no part.
 *
 * In the authors' code every prompt, of a query or an anchor, has demonstrations of its own, drawn
 * at random; shown=random does that for anchors, and one set of them serves all queries. By default
 * anchors show what the query shows, since demonstrations that all queries share shift all their
 * states alike. A row some label of which has no anchor is scored as `direct` does. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "score/score.h"

static icl_score_wants wants_hidden(const icl_options *options)
{
    return (icl_score_wants){
        .parts = 1u << ICL_SCORE_HIDDEN | 1u << ICL_SCORE_ANSWER,
        .anchors = (size_t)icl_options_int(options, "anchors"),
        .anchor_parts = 1u << ICL_SCORE_HIDDEN,
        .anchors_show = (icl_anchors_show)icl_options_int(options, "shown"),
    };
}

/* Mean states of the labels' anchors; made anew only where a row has other anchors than the last.
 */
typedef struct centroids {
    const icl_score_anchors *of;
    double *means;  /* [label_count][hidden_size] */
    size_t *counts; /* [label_count] */
    bool complete;  /* every label has an anchor */
} centroids;

static void fill_centroids(centroids *out, const icl_score_input *input,
                           const icl_score_anchors *anchors)
{
    const size_t labels = input->label_count, size = input->hidden_size;
    memset(out->means, 0, labels * size * sizeof *out->means);
    memset(out->counts, 0, labels * sizeof *out->counts);
    for (size_t i = 0; anchors != NULL && i < anchors->count; i++) {
        double *mean = &out->means[anchors->labels[i] * size];
        for (size_t d = 0; d < size; d++) mean[d] += (double)anchors->rows[i].hidden[d];
        out->counts[anchors->labels[i]]++;
    }
    out->complete = true;
    for (size_t label = 0; label < labels; label++) {
        out->complete &= out->counts[label] > 0;
        for (size_t d = 0; d < size; d++)
            out->means[label * size + d] /= fmax((double)out->counts[label], 1);
    }
    out->of = anchors;
}

static double distance(const double *centroid, const float *state, size_t size)
{
    double sum = 0;
    for (size_t d = 0; d < size; d++) {
        const double difference = (double)state[d] - centroid[d];
        sum += difference * difference;
    }
    return sqrt(sum);
}

static void score_row(double *out, const icl_score_input *input, const centroids *at, size_t row)
{
    static const icl_score_term answer = { ICL_SCORE_ANSWER, ICL_NORMALISE_SUM, ICL_NAMES_SUM };
    const size_t labels = input->label_count, size = input->hidden_size;
    icl_score_input one = *input;
    one.rows = &input->rows[row];
    one.row_count = 1;
    if (!at->complete) {
        icl_score_add(out, &one, &answer, 1);
        return;
    }
    for (size_t label = 0; label < labels; label++)
        out[label] = -distance(&at->means[label * size], one.rows->hidden, size);
}

static icl_status score_hidden(double *out, const icl_score_input *input,
                               const icl_options *options)
{
    (void)options;
    const size_t labels = input->label_count;
    icl_status status = ICL_OK;
    centroids at = { .means = malloc((labels * input->hidden_size + 1) * sizeof *at.means),
                     .counts = malloc((labels + 1) * sizeof *at.counts) };
    if (at.means == NULL || at.counts == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu centroids", labels);
    for (size_t row = 0; row < input->row_count && status == ICL_OK; row++) {
        if (row == 0 || at.of != input->rows[row].anchors)
            fill_centroids(&at, input, input->rows[row].anchors);
        score_row(&out[row * labels], input, &at, row);
        status = icl_cancel_check(input->cancelled);
    }
    free(at.means);
    free(at.counts);
    return status;
}

static const char *const shows[] = {
    [ICL_ANCHORS_SHOW_SAME] = "same", [ICL_ANCHORS_SHOW_RANDOM] = "random", NULL
};

static const icl_option options[] = {
    { .name = "anchors",
      .type = ICL_OPTION_INT,
      .fallback = "32",
      .minimum = 1,
      .maximum = 1000000,
      .help = "labelled pool items whose states make the centroids, as evenly over the labels as "
              "the pool allows" },
    { .name = "shown",
      .type = ICL_OPTION_CHOICE,
      .fallback = "same",
      .choices = shows,
      .help = "demonstrations before an anchor: the query's, or as many random ones" },
};

const icl_score_method icl_score_hidden = {
    .card = { .name = "hidden",
              .summary = "Nearest mean hidden state of the labels; the score is the negative "
                         "Euclidean distance.",
              .paper = "Cho et al. 2025, \"Token-based Decision Criteria Are Suboptimal in "
                       "In-context Learning\"",
              .cost = "labels continuations per query, and anchors for every distinct list of "
                      "demonstrations: anchors x queries where each query shows its own; with "
                      "shown=random anchors once",
              .needs = ICL_NEEDS_LOGPROBS | ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_hidden,
    .run = score_hidden,
};
