/* Influence: how much better random prompts do with an example than without it. An example that
 * stands in no prompt, or in all of them, is not measured.
 *
 * As in the public code the prompts are class-balanced and show k examples, as those do that the
 * scores are for; and the best of all are taken, the very best nearest to the query. The paper
 * takes those of positive influence; where they are fewer than k the next best fill up. */
#include <math.h>

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
    const icl_corpus_choice choice = { .balanced = icl_options_bool(options, "balanced") };
    return icl_trials_run(out, input, options, influences, &choice);
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
