/* DPP: of the nearest pool items the set whose determinant is largest, found greedily. */
#include <stdlib.h>

#include "base/error.h"
#include "math/dpp.h"
#include "select/nearest.h"

icl_status icl_choose_dpp(size_t *out_chosen, size_t *out_count, const icl_candidates *candidates,
                          size_t k, const icl_options *options)
{
    const size_t count = candidates->count;
    double *relevance = malloc(count * sizeof *relevance);
    if (relevance == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu candidates", count);
    for (size_t i = 0; i < count; i++) relevance[i] = candidates->items[i].score;
    icl_dpp_relevance(relevance, relevance, count, icl_options_real(options, "lambda"));
    const icl_dpp_kernel kernel = { .vectors = candidates->vectors,
                                    .relevance = relevance,
                                    .count = count,
                                    .columns = candidates->vector_size };
    const icl_status status = icl_dpp_map(out_chosen, out_count, &kernel, k);
    free(relevance);
    return status;
}

static icl_status select_dpp(icl_selection *out, const icl_select_input *input,
                             const icl_options *options)
{
    return icl_select_among_nearest(out, input, icl_choose_dpp, options);
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "lambda",
      .type = ICL_OPTION_REAL,
      .fallback = "0.1",
      .minimum = 0.001,
      .maximum = 1000000,
      .help = "how much diversity counts against nearness to the query" },
    ICL_SELECT_OPTION_CANDIDATES,
};

const icl_select_method icl_select_dpp = {
    .card = { .name = "dpp",
              .summary = "The set of near pool items with the largest determinant, greedily; given "
                         "in order of nearness. Where duplicates leave no volume, the nearest.",
              .paper = "Ye et al. 2023, \"Compositional Exemplars for In-context Learning\"; Chen "
                       "et al. 2018, \"Fast Greedy MAP Inference for Determinantal Point Process "
                       "to Improve Recommendation Diversity\"",
              .cost = "none; one sentence vector per pool item and query",
              .needs = ICL_NEEDS_EMBEDDINGS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_dpp,
};
