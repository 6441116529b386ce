/* kNN prompting: the distribution of the next token after the query's prompt is compared with those
 * after labelled pool items under the same demonstrations, the anchors; the nearest ones vote.
 *
 *   distance(anchor a, query q) = KL(p_a || p_q), over the vocabulary, a's likeliest tokens and
 *                                 the rest as one, or the labels
 *
 * As in the authors' code the distance goes from the anchor to the query, a tie of votes is for the
 * label that comes first, and no more neighbours vote than a label has anchors. Their mean over the
 * vocabulary ranks as the sum does. Nothing is calibrated: the label words need no probability. */
#include <math.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/divergence.h"
#include "math/logspace.h"
#include "math/topk.h"
#include "score/score.h"

typedef enum over { OVER_VOCABULARY, OVER_LABELS } over;

static over outcomes(const icl_options *options)
{
    return (over)icl_options_int(options, "over");
}

static icl_score_wants wants_knn_prompting(const icl_options *options)
{
    const unsigned parts =
        1u << (outcomes(options) == OVER_LABELS ? ICL_SCORE_ANSWER : ICL_SCORE_NEXT);
    return (icl_score_wants){
        .parts = parts,
        .anchors = (size_t)icl_options_int(options, "anchors"),
        .anchor_parts = parts,
        .anchors_show = ICL_ANCHORS_SHOW_SAME,
        .anchor_tokens = (size_t)icl_options_int(options, "tokens"),
    };
}

/* A row and what is at hand to compare it. */
typedef struct comparison {
    const icl_score_input *input;
    const icl_options *options;
    icl_scored *nearest;   /* [anchor_count] */
    float *row, *anchor;   /* [label_count] log-probabilities of labels */
    double *nats;          /* [label_count] */
    size_t *label_anchors; /* [label_count] */
} comparison;

/* log P(label | one of the labels), of one row. */
static void distribute_labels(float *out, const comparison *self, const icl_score_row *row)
{
    const icl_score_term answer = { ICL_SCORE_ANSWER, ICL_NORMALISE_SUM, ICL_NAMES_SUM };
    const size_t labels = self->input->label_count;
    icl_score_input one = *self->input;
    one.rows = row;
    one.row_count = 1;
    for (size_t label = 0; label < labels; label++) self->nats[label] = 0;
    icl_score_add(self->nats, &one, &answer, 1);
    icl_log_softmax(self->nats, self->nats, labels);
    for (size_t label = 0; label < labels; label++) out[label] = (float)self->nats[label];
}

static double distance_of(const comparison *self, const icl_score_row *anchor,
                          const icl_score_row *row)
{
    if (outcomes(self->options) == OVER_LABELS) {
        distribute_labels(self->anchor, self, anchor);
        return icl_divergence_nats(self->anchor, self->row, self->input->label_count);
    }
    if (anchor->next.whole != NULL)
        return icl_divergence_nats(anchor->next.whole, row->next.whole, row->next.count);
    return icl_divergence_of_kept_nats(anchor->next.nats, anchor->next.tokens, anchor->next.count,
                                       row->next.whole);
}

static size_t neighbours_of(const comparison *self, const icl_score_anchors *anchors)
{
    size_t most = 0;
    for (size_t label = 0; label < self->input->label_count; label++)
        self->label_anchors[label] = 0;
    for (size_t i = 0; i < anchors->count; i++) {
        const size_t count = ++self->label_anchors[anchors->labels[i]];
        if (count > most) most = count;
    }
    const size_t wanted = (size_t)icl_options_int(self->options, "neighbours");
    return wanted < most ? wanted : most;
}

/* A label's share of the votes, one more vote for each, so that no label is impossible. */
static void vote(double *out, const comparison *self, size_t row)
{
    const icl_score_row *of = &self->input->rows[row];
    const icl_score_anchors *anchors = of->anchors;
    const size_t labels = self->input->label_count, neighbours = neighbours_of(self, anchors);
    if (outcomes(self->options) == OVER_LABELS) distribute_labels(self->row, self, of);
    for (size_t i = 0; i < anchors->count; i++)
        self->nearest[i] =
            (icl_scored){ .score = -distance_of(self, &anchors->rows[i], of), .index = i };
    icl_topk(self->nearest, anchors->count, neighbours);
    for (size_t label = 0; label < labels; label++) out[label] = 1;
    for (size_t i = 0; i < neighbours; i++) out[anchors->labels[self->nearest[i].index]] += 1;
    for (size_t label = 0; label < labels; label++)
        out[label] = log(out[label] / (double)(neighbours + labels));
}

static icl_status vote_all(double *out, comparison *self)
{
    const icl_score_input *input = self->input;
    for (size_t row = 0; row < input->row_count; row++) {
        ICL_TRY(icl_cancel_check(input->cancelled));
        vote(&out[row * input->label_count], self, row);
    }
    return ICL_OK;
}

static icl_status count_anchors(size_t *out_most, const icl_score_input *input)
{
    size_t most = 0;
    for (size_t row = 0; row < input->row_count; row++) {
        const icl_score_anchors *anchors = input->rows[row].anchors;
        if (anchors == NULL || anchors->count == 0)
            return icl_error_set(ICL_EINVAL, "\"%s\": there is no labelled item to compare with",
                                 input->row_names[row]);
        if (anchors->count > most) most = anchors->count;
    }
    *out_most = most;
    return ICL_OK;
}

static icl_status score_knn_prompting(double *out, const icl_score_input *input,
                                      const icl_options *options)
{
    const size_t labels = input->label_count;
    size_t most = 0;
    ICL_TRY(count_anchors(&most, input));
    comparison self = { .input = input,
                        .options = options,
                        .nearest = malloc((most + 1) * sizeof *self.nearest),
                        .row = malloc((labels + 1) * sizeof *self.row),
                        .anchor = malloc((labels + 1) * sizeof *self.anchor),
                        .nats = malloc((labels + 1) * sizeof *self.nats),
                        .label_anchors = malloc((labels + 1) * sizeof *self.label_anchors) };
    const bool complete = self.nearest != NULL && self.row != NULL && self.anchor != NULL &&
                          self.nats != NULL && self.label_anchors != NULL;
    const icl_status status =
        complete ? vote_all(out, &self)
                 : icl_error_set(ICL_ENOMEM, "out of memory for %zu anchors", most);
    free(self.nearest);
    free(self.row);
    free(self.anchor);
    free(self.nats);
    free(self.label_anchors);
    return status;
}

static const char *const overs[] = {
    [OVER_VOCABULARY] = "vocabulary", [OVER_LABELS] = "labels", NULL
};

static const icl_option options[] = {
    { .name = "neighbours",
      .type = ICL_OPTION_INT,
      .fallback = "3",
      .minimum = 1,
      .maximum = 1000,
      .help = "nearest anchors that vote, at most as many as the commonest label has" },
    { .name = "anchors",
      .type = ICL_OPTION_INT,
      .fallback = "32",
      .minimum = 1,
      .maximum = 1000000,
      .help = "labelled pool items to compare with, as evenly over the labels as the pool allows" },
    { .name = "over",
      .type = ICL_OPTION_CHOICE,
      .fallback = "vocabulary",
      .choices = overs,
      .help = "outcomes whose probabilities are compared: all tokens, or the labels' words" },
    { .name = "tokens",
      .type = ICL_OPTION_INT,
      .fallback = "0",
      .minimum = 0,
      .maximum = 1000000,
      .help = "an anchor's likeliest tokens that are kept, the rest as one; 0: all" },
};

const icl_score_method icl_score_knn_prompting = {
    .card = { .name = "knn-prompting",
              .summary = "Vote of the labelled items after which the model expects most alike; the "
                         "score is the log of a label's share.",
              .paper = "Xu et al. 2023, \"kNN Prompting: Beyond-Context Learning with "
                       "Calibration-Free Nearest Neighbor Inference\"",
              .cost = "1 per query, and anchors for every distinct list of demonstrations: anchors "
                      "x queries where each query shows its own",
              .needs = ICL_NEEDS_LOGPROBS | ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_knn_prompting,
    .run = score_knn_prompting,
};
