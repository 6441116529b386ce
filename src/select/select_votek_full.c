/* Vote-k in full: fast vote-k picks the first items; the model, shown those, ranks the rest from
 * uncertain to certain; from each of as many equal buckets of that ranking as there are items left
 * to pick, the best by votes is picked. The buckets end at nine tenths of the pool, so the most
 * certain items are never picked. */
#include <stdlib.h>

#include "base/error.h"
#include "select/annotate.h"
#include "select/subset.h"
#include "select/votes.h"

/* Picks from ranked[first, end): the best by votes, of equal ones the more uncertain. */
static size_t best_of_bucket(icl_votes *votes, const icl_scored *ranked, size_t first, size_t end)
{
    size_t best = ranked[first].index;
    double best_score = icl_votes_score(votes, best);
    for (size_t i = first + 1; i < end; i++) {
        const double score = icl_votes_score(votes, ranked[i].index);
        if (score <= best_score) continue;
        best = ranked[i].index;
        best_score = score;
    }
    return best;
}

/* As many picks as there are buckets that hold anything. */
static void pick_from_buckets(icl_annotation *a, icl_votes *votes, const icl_scored *ranked,
                              size_t budget)
{
    const bool repo_compat = icl_options_bool(a->options, "repo_compat");
    const size_t buckets = budget - a->picked_count;
    size_t width = a->input->pool_count * 9 / 10 / buckets;
    if (width == 0) width = 1;
    for (size_t b = 0; b < buckets && b * width < a->rest_count; b++) {
        const size_t end = (b + 1) * width;
        const size_t item =
            best_of_bucket(votes, ranked, b * width, end < a->rest_count ? end : a->rest_count);
        icl_annotation_pick(a, item);
        if (repo_compat)
            icl_votes_silence(votes, item);
        else
            icl_votes_choose(votes, item);
    }
}

static icl_status pick_uncertain(icl_annotation *a, icl_votes *votes, size_t budget)
{
    ICL_TRY(icl_annotation_ask(a));
    icl_scored *ranked = malloc((a->rest_count + 1) * sizeof *ranked);
    if (ranked == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu pool items", a->rest_count);
    icl_annotation_rank(ranked, a->rest_count, a);
    pick_from_buckets(a, votes, ranked, budget);
    free(ranked);
    icl_annotation_pick_random(a, budget);
    return ICL_OK;
}

static icl_status pick_first(icl_annotation *a, icl_votes *votes, size_t budget)
{
    const size_t wanted = (size_t)icl_options_int(a->options, "first");
    const size_t count = wanted < budget ? wanted : budget;
    size_t *first = malloc(count * sizeof *first);
    if (first == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu picks", count);
    const icl_status status = icl_votes_pick(first, count, votes, a->input->cancelled);
    for (size_t i = 0; status == ICL_OK && i < count; i++) icl_annotation_pick(a, first[i]);
    free(first);
    return status;
}

static icl_status pick_votek_full(size_t *out, size_t budget, const icl_select_input *input,
                                  const icl_options *options)
{
    icl_neighbour_graph graph = { 0 };
    icl_votes votes = { 0 };
    icl_annotation annotation = { 0 };
    icl_status status = icl_votes_graph(&graph, input, options);
    if (status == ICL_OK) status = icl_votes_init(&votes, &graph, icl_options_real(options, "rho"));
    if (status == ICL_OK) status = icl_annotation_init(&annotation, out, input, options);
    if (status == ICL_OK) status = pick_first(&annotation, &votes, budget);
    if (status == ICL_OK && annotation.picked_count < budget)
        status = pick_uncertain(&annotation, &votes, budget);
    icl_annotation_deinit(&annotation);
    icl_votes_deinit(&votes);
    icl_neighbour_graph_deinit(&graph);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_SELECT_OPTION_BUDGET,
    ICL_VOTES_OPTIONS,
    { .name = "first",
      .type = ICL_OPTION_INT,
      .fallback = "10",
      .minimum = 1,
      .maximum = 1e6,
      .help = "items picked by votes alone, then shown to the model (Su et al.: a tenth of the "
              "budget)" },
    { .name = "repo_compat",
      .type = ICL_OPTION_BOOL,
      .fallback = "false",
      .help = "true: supporters of picks from buckets keep their weight, as in the authors' code" },
};

const icl_select_method icl_select_votek_full = {
    .card = { .name = "votek-full",
              .summary =
                  "Vote-k whose picks run from what the model is unsure of to what it knows.",
              .paper = "Su et al. 2023, \"Selective Annotation Makes Language Models Better "
                       "Few-Shot Learners\" (its prompts fill the window, these show k picks)",
              .cost = "a prompt of k demonstrations for each pool item but the first picks",
              .needs = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_LOGPROBS | ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .pick = pick_votek_full,
};
