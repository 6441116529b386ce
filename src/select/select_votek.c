/* Fast vote-k: items that stand for many others, each chosen one taking weight from the votes of
 * its supporters, so that the next stands for others again. The graph alone decides. */
#include "select/subset.h"
#include "select/votes.h"

static icl_status pick_votek(size_t *out, size_t budget, const icl_select_input *input,
                             const icl_options *options)
{
    icl_neighbour_graph graph = { 0 };
    icl_votes votes = { 0 };
    icl_status status = icl_votes_graph(&graph, input, options);
    if (status == ICL_OK) status = icl_votes_init(&votes, &graph, icl_options_real(options, "rho"));
    if (status == ICL_OK) status = icl_votes_pick(out, budget, &votes, input->cancelled);
    icl_votes_deinit(&votes);
    icl_neighbour_graph_deinit(&graph);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_SELECT_OPTION_BUDGET,
    ICL_VOTES_OPTIONS,
};

const icl_select_method icl_select_votek = {
    .card = { .name = "votek",
              .summary = "The nearest of a budget of items that stand for many others (fast "
                         "vote-k).",
              .paper = "Su et al. 2023, \"Selective Annotation Makes Language Models Better "
                       "Few-Shot Learners\"",
              .cost = "none; one sentence vector per pool item and query",
              .needs = ICL_NEEDS_EMBEDDINGS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .pick = pick_votek,
};
