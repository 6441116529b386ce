/* Batch calibration: subtracts from each label's score its mean over all queries of the run,
 * whatever their demonstrations. Three readings of "score" are in use:
 *
 *   log    s = log p(y), raw;                  score = s - mean s              (the paper, default)
 *   ratio  p renormalised over the labels;     score = log p - log mean p
 *   prob   p renormalised over the labels;     score = p - mean p              (StaICC)
 *
 * The batch must hold the mix of classes it is judged by. One query alone has nothing to be
 * compared with: every score would be 0, so it keeps its own and fell_back is set.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"
#include "score/calibrate.h"

typedef enum space { SPACE_LOG, SPACE_RATIO, SPACE_PROB } space;

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

/* The scores in the chosen space, before the bias is taken off. */
static void write_scores(double *out, const icl_calibrate_input *input, space in)
{
    const size_t labels = input->label_count, count = input->query_count * labels;
    memcpy(out, input->logprob_nats, count * sizeof *out);
    if (in == SPACE_LOG) return;
    for (size_t at = 0; at < count; at += labels) {
        if (in == SPACE_RATIO)
            icl_log_softmax(&out[at], &out[at], labels);
        else
            icl_softmax(&out[at], &out[at], labels);
    }
}

static icl_status calibrate_batch(icl_calibration *out, const icl_calibrate_input *input,
                                  const icl_options *options)
{
    const space in = (space)icl_options_int(options, "space");
    const size_t queries = input->query_count, labels = input->label_count;
    if (queries == 1) {
        out->fell_back = true;
        write_scores(out->scores, input, SPACE_LOG);
        return ICL_OK;
    }
    double *column = malloc(queries * sizeof *column);
    if (column == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a batch of %zu queries", queries);
    write_scores(out->scores, input, in);
    for (size_t label = 0; label < labels; label++) {
        for (size_t q = 0; q < queries; q++) column[q] = out->scores[q * labels + label];
        const double bias = bias_of(column, queries, in);
        for (size_t q = 0; q < queries; q++) out->scores[q * labels + label] -= bias;
    }
    free(column);
    return icl_cancel_check(input->cancelled);
}

static const char *const spaces[] = {
    [SPACE_LOG] = "log", [SPACE_RATIO] = "ratio", [SPACE_PROB] = "prob", NULL
};

static const icl_option options[] = {
    { .name = "space",
      .type = ICL_OPTION_CHOICE,
      .fallback = "log",
      .choices = spaces,
      .help = "log: mean log-probability; ratio: log of the mean probability; prob: mean "
              "probability" },
};

const icl_calibrate_method icl_calibrate_batch = {
    .card = { .name = "batch",
              .summary = "Subtracts each label's mean score over all queries of the run.",
              .paper = "Zhou et al. 2024, \"Batch Calibration: Rethinking Calibration for "
                       "In-Context Learning and Prompt Engineering\"",
              .cost = "none",
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = calibrate_batch,
};
