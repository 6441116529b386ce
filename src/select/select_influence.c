/* Influence: how much better random prompts do with an example than without it. An example that
 * stands in no prompt, or in all of them, is not measured.
 *
 * As in the public code the prompts are class-balanced and show k examples, as those do that the
 * scores are for; and the best of all are taken, the very best nearest to the query. The paper
 * takes those of positive influence; where they are fewer than k the next best fill up. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "select/trials.h"

static double mean(double sum, size_t count)
{
    return sum / (double)count;
}

static void influences(double *scores, size_t pool_count, const icl_showings *with,
                       const double *accuracies, size_t prompt_count)
{
    double total = 0;
    for (size_t p = 0; p < prompt_count; p++) total += accuracies[p];
    for (size_t i = 0; i < pool_count; i++) {
        const size_t without = prompt_count - with[i].count;
        scores[i] = with[i].count == 0 || without == 0
                        ? NAN
                        : mean(with[i].sum, with[i].count) - mean(total - with[i].sum, without);
    }
}

static icl_status select_influence(icl_selection *out, const icl_select_input *input,
                                   const icl_options *options)
{
    icl_trials trials = { 0 };
    ICL_TRY(icl_trials_ask(&trials, input, "influence", options, out->k));
    icl_showings *with = calloc(input->pool_count, sizeof *with);
    double *scores = calloc(input->pool_count, sizeof *scores);
    double *accuracies = calloc(trials.prompt_count, sizeof *accuracies);
    icl_status status = ICL_OK;
    if (with == NULL || scores == NULL || accuracies == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for influences of %zu pool items",
                               input->pool_count);
        goto cleanup;
    }
    icl_trials_accuracies(accuracies, &trials, input);
    icl_trials_showings(with, input->pool_count, &trials, accuracies);
    influences(scores, input->pool_count, with, accuracies, trials.prompt_count);
    status = icl_corpus_choose(
        out, input, scores,
        &(icl_corpus_choice){ .balanced = icl_options_bool(options, "balanced") });
cleanup:
    free(accuracies);
    free(scores);
    free(with);
    icl_trials_deinit(&trials);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_TRIALS_OPTIONS,
    { .name = "balanced",
      .type = ICL_OPTION_BOOL,
      .fallback = "false",
      .help = "true: the best of each class; false: the best of all (the paper)" },
};

const icl_select_method icl_select_influence = {
    .card = { .name = "influence",
              .summary = "Examples whose presence raises the accuracy of random prompts most. "
                         "Where fewer than k do, the next best fill up.",
              .paper = "Nguyen & Wong 2023, \"In-context Example Selection with Influences\"",
              .cost = ICL_TRIALS_COST " (paper: 650 subsets, 200 development items)",
              .needs = ICL_NEEDS_LOGPROBS | ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_influence,
};
