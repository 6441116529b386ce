/* InfoScore: how much an example, alone, raises P(gold label) of others; found by progressive
 * filtering. The first stage of select=lens. */
#include <stdlib.h>

#include "base/error.h"
#include "select/infoscore.h"

static icl_status select_infoscore(icl_selection *out, const icl_select_input *input,
                                   const icl_options *options)
{
    icl_split split = { 0 };
    icl_infoscore scored = { 0 };
    double *scores = malloc(input->pool_count * sizeof *scores);
    const icl_split_sizes sizes = { .candidates_max =
                                        (size_t)icl_options_int(options, "candidates") };
    icl_status status = ICL_OK;
    if (scores == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for a pool of %zu", input->pool_count);
    if (status == ICL_OK) status = icl_split_draw(&split, input, "infoscore", &sizes);
    if (status == ICL_OK)
        status = icl_infoscore_filter(&scored, input, "infoscore", options, &split, out->k);
    if (status == ICL_OK) {
        icl_infoscore_by_item(scores, input->pool_count, &scored);
        status = icl_corpus_choose(out, input, scores, &(icl_corpus_choice){ .balanced = true });
    }
    icl_infoscore_deinit(&scored);
    icl_split_deinit(&split);
    free(scores);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_INFOSCORE_OPTIONS,
};

const icl_select_method icl_select_infoscore = {
    .card = { .name = "infoscore",
              .summary = "Examples that, shown alone, help the model most with other pool items.",
              .paper = "Li & Qiu 2023, \"Finding Support Examples for In-Context Learning\"",
              .cost = ICL_INFOSCORE_COST ", once for all",
              .needs = ICL_NEEDS_LOGPROBS | ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_infoscore,
};
