/* Least confidence: in rounds, the items whose likeliest label the model finds least likely when it
 * is shown the nearest earlier picks. The first round is random. */
#include <stdlib.h>

#include "base/error.h"
#include "select/annotate.h"
#include "select/subset.h"

static icl_status pick_rounds(icl_annotation *a, icl_scored *ranked, size_t budget, size_t batch)
{
    icl_annotation_pick_random(a, batch < budget ? batch : budget);
    while (a->picked_count < budget) {
        ICL_TRY(icl_annotation_ask(a));
        const size_t left = budget - a->picked_count, count = left < batch ? left : batch;
        icl_annotation_rank(ranked, count, a);
        for (size_t i = 0; i < count; i++) icl_annotation_pick(a, ranked[i].index);
    }
    return ICL_OK;
}

static icl_status pick_least_confidence(size_t *out, size_t budget, const icl_select_input *input,
                                        const icl_options *options)
{
    icl_annotation annotation = { 0 };
    icl_scored *ranked = malloc(input->pool_count * sizeof *ranked);
    icl_status status = ICL_OK;
    if (ranked == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu pool items", input->pool_count);
    if (status == ICL_OK) status = icl_annotation_init(&annotation, out, input, options);
    if (status == ICL_OK)
        status =
            pick_rounds(&annotation, ranked, budget, (size_t)icl_options_int(options, "batch"));
    icl_annotation_deinit(&annotation);
    free(ranked);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_SELECT_OPTION_BUDGET,
    { .name = "batch",
      .type = ICL_OPTION_INT,
      .fallback = "10",
      .minimum = 1,
      .maximum = 1e6,
      .help = "items picked before the model is asked again" },
};

const icl_select_method icl_select_least_confidence = {
    .card = { .name = "least-confidence",
              .summary = "The nearest of a budget of items that the model is least sure of.",
              .paper = "Su et al. 2023, \"Selective Annotation Makes Language Models Better "
                       "Few-Shot Learners\" (its baseline; prompts show k picks where its code "
                       "fills the window)",
              .cost =
                  "for each batch of picks but the first, a prompt of k demonstrations for each "
                  "item not picked yet",
              .needs = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_LOGPROBS | ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .pick = pick_least_confidence,
};
