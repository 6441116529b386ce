/* CondAcc: the mean accuracy of the random prompts that hold an example. As the paper does, the
 * demonstrations are drawn from the best ones, as many of each class as of the others; an example
 * that no prompt holds has no score, where the public code gives it 0. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "select/trials.h"

static icl_status select_condacc(icl_selection *out, const icl_select_input *input,
                                 const icl_options *options)
{
    icl_trials trials = { 0 };
    ICL_TRY(icl_trials_ask(&trials, input, "condacc", options, out->k));
    icl_showings *showings = calloc(input->pool_count, sizeof *showings);
    double *scores = calloc(input->pool_count, sizeof *scores);
    double *accuracies = calloc(trials.prompt_count, sizeof *accuracies);
    icl_status status = ICL_OK;
    if (showings == NULL || scores == NULL || accuracies == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for accuracies of %zu pool items",
                               input->pool_count);
        goto cleanup;
    }
    icl_trials_accuracies(accuracies, &trials, input);
    icl_trials_showings(showings, input->pool_count, &trials, accuracies);
    for (size_t i = 0; i < input->pool_count; i++)
        scores[i] = showings[i].count > 0 ? showings[i].sum / (double)showings[i].count : NAN;
    status = icl_corpus_choose(
        out, input, scores,
        &(icl_corpus_choice){ .balanced = true,
                              .draw_from = (size_t)icl_options_int(options, "draw_from"),
                              .purpose = "select-condacc" });
cleanup:
    free(accuracies);
    free(scores);
    free(showings);
    icl_trials_deinit(&trials);
    return status;
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
