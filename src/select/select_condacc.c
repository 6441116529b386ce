/* CondAcc: the mean accuracy of the random prompts that hold an example. As the paper does, the
 * demonstrations are drawn from the best ones, as many of each class as of the others; an example
 * that no prompt holds has no score, where the public code gives it 0. */
#include <math.h>

#include "select/trials.h"

static void mean_accuracies(double *scores, size_t pool_count, const icl_showings *showings,
                            const double *accuracies, size_t prompt_count)
{
    (void)accuracies, (void)prompt_count;
    for (size_t i = 0; i < pool_count; i++)
        scores[i] = showings[i].count > 0 ? showings[i].sum / (double)showings[i].count : NAN;
}

static icl_status select_condacc(icl_selection *out, const icl_select_input *input,
                                 const icl_options *options)
{
    const icl_corpus_choice choice = { .balanced = true,
                                       .draw_from = (size_t)icl_options_int(options, "draw_from"),
                                       .purpose = "select-condacc" };
    return icl_trials_run(out, input, options, mean_accuracies, &choice);
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_TRIALS_OPTIONS,
    ICL_CORPUS_OPTION_DRAW_FROM,
};

const icl_select_method icl_select_condacc = {
    .card = { .name = "condacc",
              .summary = "Examples that stood in the random prompts of the best mean accuracy.",
              .paper = "Chang & Jia 2023, \"Data Curation Alone Can Stabilize In-context "
                       "Learning\"",
              .cost = ICL_TRIALS_COST " (paper: 25000 subsets, 2 orders)",
              .needs = ICL_NEEDS_LOGPROBS | ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_condacc,
};
