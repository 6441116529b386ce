/* Batch calibration: subtracts from each label's score its mean over all queries of the run,
 * whatever their demonstrations. Three readings of "score" are in use:
 *
 *   log    s = log p(y), raw;                  score = s - mean s              (the paper, default)
 *   ratio  p renormalised over the labels;     score = log p - log mean p
 *   prob   p renormalised over the labels;     score = p - mean p              (StaICC)
 *
 * StaICC also takes the queries 128 at a time, the last few on their own; here they are one batch.
 *
 * The batch must hold the mix of classes it is judged by: all of one class are forced apart. One
 * query alone has nothing to be compared with: every score would be 0, so it keeps its own and
 * fell_back is set. In the paper's few-shot form (BCL) the mean is subtracted `strength` times; on
 * labelled items the strength is fitted, and one that subtracts nothing can win. They are shifted
 * by the queries' own means, since that is what the strength is for.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"
#include "score/calibrate.h"

typedef enum space { SPACE_LOG, SPACE_RATIO, SPACE_PROB } space;

/* Strengths that are tried: -5, -4.9, ... 5. */
enum { STRENGTH_MAX = 5, STRENGTH_STEPS = 10 };

/* Mean of the finite entries: an impossible label (-inf) takes no part and stays impossible. 0,
 * which changes nothing, when the label is impossible everywhere. */
static double column_mean(const double *column, size_t count)
{
    double sum = 0;
    size_t finite = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(column[i])) continue;
        sum += column[i];
        finite++;
    }
    return finite > 0 ? sum / (double)finite : 0;
}

static double bias_of(const double *column, size_t count, space in)
{
    if (in != SPACE_RATIO) return column_mean(column, count);
    const double log_mean = icl_logsumexp(column, count) - log((double)count);
    return isfinite(log_mean) ? log_mean : 0;
}

/* Log-probabilities in the chosen space, before the bias is taken off. */
static void write_scores(double *out, const double *nats, size_t row_count, size_t label_count,
                         space in)
{
    memcpy(out, nats, row_count * label_count * sizeof *out);
    if (in == SPACE_LOG) return;
    for (size_t at = 0; at < row_count * label_count; at += label_count) {
        if (in == SPACE_RATIO)
            icl_log_softmax(&out[at], &out[at], label_count);
        else
            icl_softmax(&out[at], &out[at], label_count);
    }
}

/* biases [label_count]: each label's over all rows. */
static icl_status find_biases(double *biases, const double *scores, size_t row_count,
                              size_t label_count, space in)
{
    double *column = malloc(row_count * sizeof *column);
    if (column == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a batch of %zu queries", row_count);
    for (size_t label = 0; label < label_count; label++) {
        for (size_t i = 0; i < row_count; i++) column[i] = scores[i * label_count + label];
        biases[label] = bias_of(column, row_count, in);
    }
    free(column);
    return ICL_OK;
}

static size_t count_right(const icl_calibrate_input *input, const double *scores,
                          const double *biases, double strength, double *shifted)
{
    const size_t labels = input->label_count;
    size_t right = 0;
    for (size_t i = 0; i < input->validation_count; i++) {
        for (size_t y = 0; y < labels; y++)
            shifted[y] = scores[i * labels + y] - strength * biases[y];
        right += icl_argmax(shifted, labels) == input->validation_labels[i];
    }
    return right;
}

/* The strength with most validation items right; of equals the one nearest to 1, which is batch
 * calibration as it stands. */
static icl_status fit_strength(double *out, const icl_calibrate_input *input, const double *biases,
                               space in)
{
    const size_t labels = input->label_count, count = input->validation_count;
    double *scores = malloc((count + 1) * labels * sizeof *scores);
    if (scores == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu validation items", count);
    double *shifted = &scores[count * labels];
    write_scores(scores, input->validation_nats, count, labels, in);
    double best = 1;
    size_t most = count_right(input, scores, biases, best, shifted);
    for (int step = -STRENGTH_MAX * STRENGTH_STEPS; step <= STRENGTH_MAX * STRENGTH_STEPS; step++) {
        const double strength = (double)step / STRENGTH_STEPS;
        const size_t right = count_right(input, scores, biases, strength, shifted);
        if (right < most || (right == most && fabs(strength - 1) >= fabs(best - 1))) continue;
        best = strength;
        most = right;
    }
    free(scores);
    *out = best;
    return ICL_OK;
}

static icl_status calibrate_batch(icl_calibration *out, const icl_calibrate_input *input,
                                  const icl_options *options)
{
    const space in = (space)icl_options_int(options, "space");
    const size_t queries = input->query_count, labels = input->label_count;
    if (queries == 1) {
        out->fell_back = true;
        write_scores(out->scores, input->logprob_nats, 1, labels, SPACE_LOG);
        return ICL_OK;
    }
    double strength = icl_options_real(options, "strength");
    double *biases = malloc(labels * sizeof *biases);
    if (biases == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu labels", labels);
    write_scores(out->scores, input->logprob_nats, queries, labels, in);
    icl_status status = find_biases(biases, out->scores, queries, labels, in);
    if (status == ICL_OK && icl_options_int(options, "validation") > 0)
        status = fit_strength(&strength, input, biases, in);
    for (size_t i = 0; status == ICL_OK && i < queries * labels; i++)
        out->scores[i] -= strength * biases[i % labels];
    free(biases);
    return status == ICL_OK ? icl_cancel_check(input->cancelled) : status;
}

static const char *const spaces[] = {
    [SPACE_LOG] = "log", [SPACE_RATIO] = "ratio", [SPACE_PROB] = "prob", NULL
};

static const icl_option options[] = {
    { .name = "space",
      .type = ICL_OPTION_CHOICE,
      .fallback = "log",
      .choices = spaces,
      .help = "log: mean log-probability, as in the paper; ratio: log of the mean probability; "
              "prob: mean probability, as in StaICC" },
    { .name = "strength",
      .type = ICL_OPTION_REAL,
      .fallback = "1",
      .minimum = -STRENGTH_MAX,
      .maximum = STRENGTH_MAX,
      .help = "how many times the mean is subtracted" },
    { .name = "validation",
      .type = ICL_OPTION_INT,
      .fallback = "0",
      .minimum = 0,
      .maximum = 100000,
      .help = "fit `strength` on so many labelled pool items instead (BCL); 0: as given" },
};

const icl_calibrate_method icl_calibrate_batch = {
    .card = { .name = "batch",
              .summary = "Subtracts each label's mean score over all queries of the run, which "
                         "must hold the usual mix of classes: one class alone is forced apart, one "
                         "query alone stays as it is.",
              .paper = "Zhou et al. 2024, \"Batch Calibration: Rethinking Calibration for "
                       "In-Context Learning and Prompt Engineering\"",
              .cost = "none; `validation` queries where `strength` is fitted",
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = calibrate_batch,
};
